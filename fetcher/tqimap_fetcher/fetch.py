r"""Run one fetch of one mailbox: unread mails out, \Seen in only for what is safe.

The order is the whole point: `admit` makes a group durable, and only after it has returned are its
mails marked. A run that dies in between fetches them again, and the ledger knows them. While one
group is being admitted the next one is fetched.
"""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from tqimap_fetcher.gate import Gate
from tqimap_fetcher.pipeline import Batch
from tqimap_shared.envelope import Envelope, Location
from tqimap_shared.ledger import pack


if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping, Sequence

    from tqimap_fetcher.mailbox import Session
    from tqimap_shared.settings import Fetch, Limits

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Choice:
    """Which mails to take: those *found*, the unread ones where that is None.

    *again* are taken although they are read, *skip* are not even asked for. Without *mark* nothing
    is marked as read.
    """

    again: Collection[int] = ()
    skip: Collection[int] = ()
    found: Collection[int] | None = None
    mark: bool = True


UNREAD = Choice()


@dataclass(frozen=True, slots=True)
class Tally:
    """What one run did: counts of mails, and *bytes* handed over.

    *left* mails are unread and wait for the next run; *held* says why the run stopped early, if
    it did so because downstream is full. *absent* are the UIDs of the *missing* mails, for which
    the server gave nothing; *quarantined* ones were not even asked for.
    """

    unseen: int
    fetched: int
    bytes: int
    missing: int
    oversize: int
    left: int
    held: str | None = None
    absent: tuple[int, ...] = ()
    quarantined: tuple[int, ...] = ()


def fetch(
    session: Session,
    admit: Callable[[Sequence[Envelope]], None],
    *,
    settings: Fetch,
    limits: Limits,
    held: Callable[[], str | None] = lambda: None,
    choice: Choice = UNREAD,
) -> Tally:
    """Hand the unread mails of *session* to *admit*, the oldest first, and mark them.

    *admit*, called in a thread of its own, gets groups of at most `admit_messages` mails and
    `admit_bytes` bytes (a larger mail comes alone); when it returns, they are durable. *held* is
    asked before each batch: a reason ends the run. *choice* adds mails to the unread ones or leaves
    some out. Raises what *admit* and the session raise; what was admitted by then stays so.
    """
    run = _Run(session, settings=settings, limits=limits, mark=choice.mark)
    found = set(session.unseen() if choice.found is None else choice.found).union(choice.again)
    uids = sorted(found.difference(choice.skip))
    some = uids[: settings.max_messages]
    sizes = session.sizes(some)
    run.absent += [uid for uid in some if uid not in sizes]
    with Gate(admit, run.admitted) as gate:
        for uid, raw in session.stream(run.until_held(sizes, held)):
            run.take(uid, raw, sizes[uid], gate)
        run.hand_over(gate)
        gate.wait()
    session.settle()
    return replace(run.tally(len(uids)), quarantined=tuple(sorted(found.intersection(choice.skip))))


def plan(sizes: Mapping[int, int], *, settings: Fetch, whole: int) -> Iterator[Batch]:
    """Cut mails, given as UID to size, into batches, until the run's byte limit is reached.

    A mail larger than *whole* bytes is a batch of its own, of which only that much is asked for.
    """
    uids: list[int] = []
    octets = total = 0
    for uid, size in sizes.items():
        asked = min(size, whole)
        if total and total + asked > settings.max_bytes:
            break
        total += asked
        full = len(uids) >= settings.batch_messages or octets + asked > settings.batch_bytes
        if uids and (full or size > whole):
            yield Batch(tuple(uids), octets)
            uids, octets = [], 0
        if size > whole:
            yield Batch((uid,), whole, part=whole)
        else:
            uids.append(uid)
            octets += asked
    if uids:
        yield Batch(tuple(uids), octets)


class _Run:
    """The counts and the group under way of one run."""

    def __init__(
        self,
        session: Session,
        *,
        settings: Fetch,
        limits: Limits,
        mark: bool,
    ) -> None:
        self._session = session
        self._mark = mark
        self._settings = settings
        self._whole = min(limits.raw, settings.max_literal)
        self._mailbox = session.mailbox
        self._until = time.monotonic() + settings.max_seconds
        self._group: list[Envelope] = []
        self._group_bytes = 0
        self._held: str | None = None
        self._fetched = self._bytes = self._oversize = 0
        self.absent: list[int] = []

    def until_held(
        self, sizes: Mapping[int, int], held: Callable[[], str | None]
    ) -> Iterator[Batch]:
        """Plan the batches; end early when *held* gives a reason or the run's time is over."""
        for batch in plan(sizes, settings=self._settings, whole=self._whole):
            if (reason := held()) is not None:
                self._held = reason
                logger.warning("mailbox %s: fetching stops: %s", self._mailbox, reason)
                return
            if time.monotonic() > self._until:
                logger.info("mailbox %s: the run's time is over.", self._mailbox)
                return
            yield batch

    def take(self, uid: int, raw: bytes | None, size: int, gate: Gate) -> None:
        """Put the mail *uid* into the group; one that has no room for it goes to *gate*."""
        if raw is None:
            self.absent.append(uid)
            logger.warning(
                "mailbox %s: the server gave nothing for UID %d; it stays unread.",
                self._mailbox,
                uid,
            )
            return
        raw = self._cut(uid, raw, size)
        full = len(self._group) >= self._settings.admit_messages
        if full or self._group_bytes + len(raw) > self._settings.admit_bytes:
            self.hand_over(gate)
        location = Location(*self._session.place, uid)
        # packed here, in the time in which Redis writes the group before
        self._group.append(Envelope.seal(location, raw, pack(raw)))
        self._group_bytes += len(raw)

    def hand_over(self, gate: Gate) -> None:
        """Give the group to *gate*, and begin another."""
        if not self._group:
            return
        gate.take(self._group)
        if self._group_bytes > self._settings.admit_bytes:
            gate.wait()  # or the next large mail would be in memory beside this one
        self._group, self._group_bytes = [], 0

    def admitted(self, group: Sequence[Envelope]) -> None:
        """Have the mails of *group* marked, which are durable now."""
        if self._mark:
            self._session.mark_seen([envelope.location.uid for envelope in group])
        self._fetched += len(group)
        self._bytes += sum(len(envelope.raw) for envelope in group)

    def tally(self, unseen: int) -> Tally:
        """Sum up, *unseen* mails having been found."""
        return Tally(
            unseen=unseen,
            fetched=self._fetched,
            bytes=self._bytes,
            missing=len(self.absent),
            oversize=self._oversize,
            left=unseen - self._fetched - len(self.absent),
            held=self._held,
            absent=tuple(self.absent),
        )

    def _cut(self, uid: int, raw: bytes, size: int) -> bytes:
        """Keep what the limit allows; sizes may lie, so the bytes decide too."""
        if max(size, len(raw)) <= self._whole:
            return raw
        self._oversize += 1
        logger.warning(
            "mailbox %s: UID %d has %d bytes; only the first %d are taken (limits.raw).",
            self._mailbox,
            uid,
            max(size, len(raw)),
            self._whole,
        )
        return raw[: self._whole]
