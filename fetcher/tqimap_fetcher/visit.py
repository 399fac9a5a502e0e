"""Visit one folder: tell it what is done, take in what is to be taken.

The only place where the fetch path's parts meet: IMAP session, filters, ledger, queue.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from tqimap_fetcher import audit, newcomers, quarantine
from tqimap_fetcher.fetch import Choice, fetch
from tqimap_fetcher.intake import Intake
from tqimap_fetcher.sieve import Sieve


if TYPE_CHECKING:
    from collections import Counter

    from tqimap_fetcher.context import Run
    from tqimap_fetcher.fetch import Tally
    from tqimap_fetcher.mailbox import Session
    from tqimap_shared.folders import Folder
    from tqimap_shared.ledger import Ledger
    from tqimap_shared.settings import Fetch, Mailbox


@dataclass(frozen=True, slots=True)
class Visit:
    """What a visit did: the fetch's *tally*, how mails were admitted, and what was put in order."""

    tally: Tally
    admitted: Counter[str]
    filtered: int
    marked: int
    moved: int
    deleted: int

    def facts(self) -> dict[str, Any]:
        """Return all of it by name, as JSON can hold it."""
        own = {name: getattr(self, name) for name in ("filtered", "marked", "moved", "deleted")}
        return asdict(self.tally) | dict(self.admitted) | own


def visit(run: Run, session: Session, mailbox: Mailbox, fetch: Fetch) -> Visit:
    """Visit the folder of *session*, within the limits of *fetch*."""
    began = run.folders.now()
    marked = tell_done(run.ledger, session)
    moved = _move_failed(run, session, mailbox.failed_folder) if mailbox.failed_folder else 0
    deleted = delete_old(run, session, mailbox.delete_days)
    sieve = Sieve(session, mailbox, run.folders)
    intake = Intake(run, mailbox)
    tally = _take(run, session, sieve, intake, limits=fetch, began=began)
    return Visit(tally, intake.admitted, len(sieve.held), marked, moved, deleted)


def delete_old(run: Run, session: Session, days: int) -> int:
    """Delete mails marked done that came more than *days* ago, 0 for never; count them.

    The ledger may know better than the mark: what is being processed again stays.
    """
    if not days:
        return 0
    uids = session.done_before(datetime.now(UTC).date() - timedelta(days=days))
    known = run.folders.shas(*session.place, uids)
    states = run.ledger.states(set(known.values()))
    return session.delete(uid for uid in uids if states.get(known.get(uid, ""), "done") == "done")


def _take(
    run: Run, session: Session, sieve: Sieve, intake: Intake, *, limits: Fetch, began: float
) -> Tally:
    """Take in what is unread or new, and what ought to be known and is nowhere."""
    settings, place = run.settings, session.place
    look = audit.begin(session, sieve, run)
    found, highest = _find(run, session, look.folder)
    passing = sieve.passing(found, most=limits.max_messages)
    intake.expect(session, found, look.again)
    # with an audit what is quarantined gets another chance: it may be a better day
    skip = set() if look.made else quarantine.of(run.folders, place, settings.fetch)
    tally = fetch(
        session,
        intake.admit,
        settings=limits,
        limits=settings.limits,
        held=run.held,
        choice=Choice(look.again, skip, passing, mark=not session.takes_new),
    )
    intake.doubt(session)
    waiting = set(found).difference(passing, sieve.held)
    tally = replace(tally, unseen=tally.unseen + len(waiting), left=tally.left + len(waiting))
    quarantine.count(run.folders, place, tally, settings.fetch)
    sieve.remember()
    if session.takes_new:
        known = run.folders.shas(*place, found).keys()
        left = set(found).difference(known, sieve.held, tally.quarantined)
        look = replace(look, folder=newcomers.pass_by(look.folder, highest, left))
    audit.end(look, run, began=began, absent=tally.absent)
    return tally


def _find(run: Run, session: Session, folder: Folder) -> tuple[list[int], int]:
    """Return the UIDs to take, and the highest there is where they go by that."""
    if session.takes_new:
        return newcomers.find(session, folder, run.folders)
    return session.unseen(), 0


def tell_done(ledger: Ledger, session: Session) -> int:
    """Tell the mail server which mails ThreatQ has; only noted as told once it has answered."""
    uids = ledger.to_flag(*session.place)
    marked = session.mark_done(uids)
    ledger.flagged(*session.place, uids)
    return marked


def _move_failed(run: Run, session: Session, folder: str) -> int:
    """Move what has failed for good out of the way; the ledger knows where to."""
    failed = run.folders.failed(*session.place)
    if not failed:
        return 0
    moved = session.move_failed(failed)
    there = (session.mailbox, folder, moved.uidvalidity)
    run.folders.moved(session.place, failed, there, moved.uids)
    run.memory.keep(session.mailbox, failed_at=moved.uidvalidity)
    return len(failed)
