r"""Fetch every mailbox once: open it, tell it what is done, take what is unread.

The only place where the fetch path's parts meet: IMAP session, ledger, queue. What `_admitter`
returns makes mails durable before the session marks them.
"""

from __future__ import annotations

import logging
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from tqimap_fetcher import audit, pressure, quarantine, throttle
from tqimap_fetcher.bounded import Throttled
from tqimap_fetcher.fetch import Choice, fetch
from tqimap_fetcher.lock import only_run
from tqimap_fetcher.mailbox import open_mailbox
from tqimap_shared import log, store
from tqimap_shared.errors import TqimapError
from tqimap_shared.folders import Folders
from tqimap_shared.ledger import Admission, Ledger


if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    import redis

    from tqimap_fetcher.fetch import Tally
    from tqimap_fetcher.mailbox import Session
    from tqimap_fetcher.state import State
    from tqimap_shared.envelope import Envelope
    from tqimap_shared.settings import Mailbox, Settings

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Run:
    """What all mailboxes of a run share."""

    client: redis.Redis
    ledger: Ledger
    folders: Folders
    settings: Settings
    directory: Path
    memory: State


def fetch_all(
    mailboxes: Sequence[Mailbox], settings: Settings, directory: Path, memory: State
) -> list[TqimapError]:
    """Fetch *mailboxes* in turn; a fault of one does not keep the others, and is returned.

    Notes in *memory* how each went. Raises when Redis cannot be used at all.
    """
    client = store.connect(settings.redis)
    for sentence in store.check(client):
        logger.warning("%s", sentence)
    ledger = Ledger(client, settings=settings.worker)
    run = _Run(client, ledger, Folders(client), settings, directory, memory)
    faults = []
    for mailbox in mailboxes:
        try:
            _fetch_alone(run, mailbox)
        except TqimapError as error:
            if isinstance(error, Throttled):
                seconds = min(error.seconds, settings.fetch.max_backoff)
                throttle.hold_off(run.folders, memory, mailbox.name, seconds)
            memory.note(mailbox.name, last_error=log.scrub(str(error)))
            faults.append(error)
    return faults


def _fetch_alone(run: _Run, mailbox: Mailbox) -> None:
    with only_run(run.directory, mailbox.name) as alone:
        if alone:
            _fetch(run, mailbox)
        else:
            logger.info("mailbox %s: another run is fetching it.", mailbox.name)


def _fetch(run: _Run, mailbox: Mailbox) -> None:
    if reason := _held(run, mailbox):
        logger.warning("mailbox %s: nothing is fetched: %s.", mailbox.name, reason)
        run.memory.note(mailbox.name, held=reason)
        return
    counts, began = dict.fromkeys(Admission, 0), run.folders.now()
    with open_mailbox(mailbox, run.settings.fetch) as session:
        done = _tell_done(run.ledger, session)
        tally = _take(run, session, counts, began)
    facts = asdict(tally) | {str(name): count for name, count in counts.items()} | {"marked": done}
    run.memory.note(mailbox.name, **facts)
    logger.info(
        "mailbox %s: %s", mailbox.name, ", ".join(f"{name} {fact}" for name, fact in facts.items())
    )


def _held(run: _Run, mailbox: Mailbox) -> str | None:
    """Return why the mailbox is not to be fetched now: the server's wish, or our own fullness."""
    most = run.settings.fetch.max_backoff
    left = throttle.seconds_left(run.folders, run.memory, mailbox.name, most=most)
    if left:
        return f"the server asked to be left alone for {left:.0f} more seconds"
    return pressure.held(run.client, run.ledger, run.settings.redis)


def _take(run: _Run, session: Session, counts: dict[Admission, int], began: float) -> Tally:
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
        _admitter(run, counts, frozenset(look.again)),
        settings=settings.fetch,
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


def _admitter(
    run: _Run, counts: dict[Admission, int], again: frozenset[int]
) -> Callable[[Sequence[Envelope]], None]:
    """Return what admits and enqueues mails; those taken in *again* even if they had failed."""

    def admit(envelopes: Sequence[Envelope]) -> None:
        from tqimap_shared import queue  # noqa: PLC0415 - rq is loaded only where there is mail

        admissions = run.ledger.admit(envelopes)
        for envelope, admission in zip(envelopes, admissions, strict=True):
            counts[admission] += 1
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
