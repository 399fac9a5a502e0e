"""Pack a group of mails, and admit the one before it, while the next one is being fetched.

Each in a thread of its own: hashing, compressing and waiting for Redis and its disk leave the
interpreter to the others meanwhile. Two groups at most, so that memory stays bounded.
"""

from __future__ import annotations

from collections import deque
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Self

from tqimap_shared.envelope import Envelope
from tqimap_shared.ledger import pack


if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from concurrent.futures import Future

    from tqimap_shared.envelope import Location

    Act = Callable[[Sequence[Envelope]], None]
    Mails = Sequence[tuple[Location, bytes]]


class Gate:
    """Calls *admit* for each group in a thread, in turn, then *admitted* in that of the caller."""

    def __init__(self, admit: Act, admitted: Act) -> None:
        self._admit = admit
        self._admitted = admitted
        self._packer = ThreadPoolExecutor(1, "pack")
        self._admitter = ThreadPoolExecutor(1, "admit")
        self._under_way: deque[Future[Sequence[Envelope]]] = deque()

    def __enter__(self) -> Self:
        """Begin; the threads start with the first group."""
        return self

    def __exit__(self, *_: object) -> None:
        """End once the group being admitted is through, whatever became of it."""
        self._admitter.shutdown(cancel_futures=True)
        self._packer.shutdown()

    def take(self, group: Mails) -> None:
        """Wait for the group before the last, and begin with *group*; raises as `wait` does."""
        self.wait(but=1)
        packed = self._packer.submit(_pack, group)
        self._under_way.append(self._admitter.submit(self._through, packed))

    def wait(self, *, but: int = 0) -> None:
        """Wait for the groups under way *but* the last ones; raises what an admission raised."""
        while len(self._under_way) > but:
            self._admitted(self._under_way.popleft().result())

    def _through(self, packed: Future[Sequence[Envelope]]) -> Sequence[Envelope]:
        group = packed.result()
        self._admit(group)
        return group


def _pack(group: Mails) -> Sequence[Envelope]:
    return [Envelope.seal(location, raw, pack(raw)) for location, raw in group]
