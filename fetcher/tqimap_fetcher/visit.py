"""Visit one folder: tell it what is done, take in what is to be taken.

The only place where the fetch path's parts meet: IMAP session, ledger, queue. What `_admitter`
returns makes mails durable before the session marks them.
"""

from __future__ import annotations

import logging
from collections import Counter
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from tqimap_fetcher import audit, pressure, quarantine
from tqimap_fetcher.fetch import Choice, fetch
from tqimap_shared.ledger import Admission


if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    import redis

    from tqimap_fetcher.fetch import Tally
    from tqimap_fetcher.mailbox import Session
    from tqimap_fetcher.state import State
    from tqimap_shared.envelope import Envelope
    from tqimap_shared.folders import Folders
    from tqimap_shared.ledger import Ledger
    from tqimap_shared.settings import Fetch, Mailbox, Settings

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Run:
    """What all mailboxes of a run share."""

    client: redis.Redis
    ledger: Ledger
    folders: Folders
    settings: Settings
    directory: Path
    memory: State


@dataclass(frozen=True, slots=True)
class Visit:
    """What a visit did: the fetch's *tally*, how mails were admitted, and what was put in order."""

    tally: Tally
    admitted: Counter[str]
    marked: int
    moved: int
    deleted: int

    def facts(self) -> dict[str, Any]:
        """Return all of it by name, as JSON can hold it."""
        own = {"marked": self.marked, "moved": self.moved, "deleted": self.deleted}
        return asdict(self.tally) | dict(self.admitted) | own


def visit(run: Run, session: Session, mailbox: Mailbox, fetch: Fetch) -> Visit:
    """Visit the folder of *session*, within the limits of *fetch*."""
    admitted: Counter[str] = Counter({str(one): 0 for one in Admission})
    began = run.folders.now()
    marked = _tell_done(run.ledger, session)
    moved = _move_failed(run.folders, session) if mailbox.failed_folder else 0
    deleted = delete_old(run, session, mailbox.delete_days)
    tally = _take(run, session, fetch, admitted, began)
    return Visit(tally, admitted, marked, moved, deleted)


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


def _take(run: Run, session: Session, limits: Fetch, admitted: Counter[str], began: float) -> Tally:
    """Take in what is unread, and what is read and nowhere."""
    settings, place = run.settings, session.place
    look = audit.begin(
        session,
        folders=run.folders,
        ledger=run.ledger,
        memory=run.memory,
        settings=settings,
    )
    # with an audit what is quarantined gets another chance: it may be a better day
    skip = set() if look.made else quarantine.of(run.folders, place, settings.fetch)
    tally = fetch(
        session,
        _admitter(run, admitted, frozenset(look.again)),
        settings=limits,
        limits=settings.limits,
        held=lambda: pressure.held(run.client, run.ledger, settings.redis),
        choice=Choice(look.again, skip),
    )
    quarantine.count(run.folders, place, tally, settings.fetch)
    audit.end(look, run.folders, began=began, absent=tally.absent)
    return tally


def _tell_done(ledger: Ledger, session: Session) -> int:
    """Tell the mail server which mails ThreatQ has; only noted as told once it has answered."""
    uids = ledger.to_flag(*session.place)
    marked = session.mark_done(uids)
    ledger.flagged(*session.place, uids)
    return marked


def _move_failed(folders: Folders, session: Session) -> int:
    """Move what has failed for good out of the way; the ledger keeps its bytes."""
    failed = folders.failed(*session.place)
    if not failed:
        return 0
    moved = session.move_failed(failed)
    folders.left(session.place, failed)
    return moved


def _admitter(
    run: Run, admitted: Counter[str], again: frozenset[int]
) -> Callable[[Sequence[Envelope]], None]:
    """Return what admits and enqueues mails; those taken in *again* even if they had failed."""

    def admit(envelopes: Sequence[Envelope]) -> None:
        from tqimap_shared import queue  # noqa: PLC0415 - rq is loaded only where there is mail

        admissions = run.ledger.admit(envelopes)
        for envelope, admission in zip(envelopes, admissions, strict=True):
            admitted[admission] += 1
            logger.debug(
                "mailbox %s: UID %d is %s (%s)",
                envelope.location.mailbox,
                envelope.location.uid,
                envelope.sha256[:12],
                admission,
            )
            if admission is not Admission.DONE:
                ask = queue.requeue if envelope.location.uid in again else queue.enqueue
                ask(run.client, envelope.sha256, run.settings.worker)

    return admit
