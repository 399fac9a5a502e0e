"""Keep several FETCH commands under way on one connection, and read their answers as they come."""

from __future__ import annotations

import logging
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from tqimap_fetcher.answer import uid_set
from tqimap_fetcher.patience import ServerMisbehaved
from tqimap_fetcher.refusal import telling, throttled


if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from tqimap_fetcher.answer import Answer
    from tqimap_fetcher.bounded import BoundedIMAP4

logger = logging.getLogger(__name__)

Found = TypeVar("Found")

_OTHER_OCTETS = 1_048_576  # room for what a server says unasked
_KEPT = ("BYE", "READ-ONLY")  # imaplib looks for these later


@dataclass(frozen=True, slots=True)
class Batch:
    """UIDs to ask for by one command, ascending; *octets* is what their sizes add up to.

    If *part* is set, only the first *part* bytes of each mail are wanted.
    """

    uids: tuple[int, ...]
    octets: int
    part: int | None = None


@dataclass(frozen=True, slots=True)
class Pipeline:
    """A connection in state SELECTED, and how much may be asked of it at once.

    *literal* bounds one literal of an answer, in bytes.
    """

    imap: BoundedIMAP4
    subject: str
    window: int
    literal: int

    def run(
        self,
        batches: Iterable[Batch],
        items: Callable[[Batch], str],
        read: Callable[[Answer], Found | None],
    ) -> Iterator[tuple[Batch, Found | None]]:
        """UID FETCH *items* of each batch; yield what *read* finds, and None once one is answered.

        A batch is taken from the iterable only when its command is sent.
        """
        waiting = iter(batches)
        under_way: deque[tuple[bytes, Batch]] = deque()
        while True:
            while len(under_way) < self.window and (batch := next(waiting, None)):
                under_way.append((self._send(batch, items(batch)), batch))
            if not under_way:
                return
            # sizes may lie, so twice as much is let through, and one literal more
            octets = 2 * sum(batch.octets for _, batch in under_way)
            self.imap.allow(octets + self.literal + _OTHER_OCTETS, literal=self.literal)
            tag, batch = under_way[0]
            for found in self._receive(tag, read):
                yield batch, found
            self._judge(tag)
            under_way.popleft()
            yield batch, None

    def _send(self, batch: Batch, items: str) -> bytes:
        with telling(self.subject):
            return self.imap.ask("FETCH", uid_set(batch.uids), items)

    def _receive(self, tag: bytes, read: Callable[[Answer], Found | None]) -> Iterator[Found]:
        """Yield what *read* finds in all that comes before the end of the answer to *tag*."""
        with telling(self.subject):
            while not self.imap.answered(tag):
                answer = self.imap.receive()
                if answer is None:
                    self._forget()
                elif (found := read(answer)) is not None:
                    yield found

    def _forget(self) -> None:
        said = self.imap.untagged_responses
        for key in [key for key in said if key not in _KEPT]:
            del said[key]

    def _judge(self, tag: bytes) -> None:
        """Raise if the command of *tag* failed as a whole; NO alone means that mails are gone."""
        status, text = self.imap.outcome(tag)
        if status != "OK" and (wait := throttled(self.subject, text)):
            raise wait
        if status == "BAD":
            raise ServerMisbehaved(self.subject, "the server does not understand FETCH.")
        if status == "NO":
            logger.warning("%s: the server could not give all mails asked for.", self.subject)
