"""Admit a group of mails while the next one is being fetched.

In a thread: waiting for Redis and its disk takes as long as fetching and compressing do, and leaves
the interpreter to them meanwhile. One group at a time, so that memory stays bounded.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Self


if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from concurrent.futures import Future

    from tqimap_shared.envelope import Envelope

    Act = Callable[[Sequence[Envelope]], None]


class Gate:
    """Calls *admit* for each group in the thread, then *admitted* in that of the caller."""

    def __init__(self, admit: Act, admitted: Act) -> None:
        self._admit = admit
        self._admitted = admitted
        self._thread = ThreadPoolExecutor(1, "admit")
        self._under_way: tuple[Sequence[Envelope], Future[None]] | None = None

    def __enter__(self) -> Self:
        """Begin; the thread starts with the first group."""
        return self

    def __exit__(self, *_: object) -> None:
        """End once the group under way is through, whatever became of it."""
        self._thread.shutdown()

    def take(self, group: Sequence[Envelope]) -> None:
        """Wait for the group before, and begin to admit *group*; raises as `wait` does."""
        self.wait()
        self._under_way = group, self._thread.submit(self._admit, group)

    def wait(self) -> None:
        """Wait for the group under way; raises what its admission raised."""
        if self._under_way is not None:
            group, future = self._under_way
            self._under_way = None
            future.result()
            self._admitted(group)
