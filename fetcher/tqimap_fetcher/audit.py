r"""Find mails that were read and are nowhere: not done, and unknown to Redis.

Redis may be lost whole. Then nothing but the mail server knows which mails were in work, and this
is the rule by which they are found again. A mail is taken in again if it is \Seen, came within
`fetch.audit_days`, is not marked done (by $tqimap-done, or by having been moved away), is unknown
to Redis, and **had not been read by people before tqimap came to the folder**.

What had been read by then is noted once, before the first mail is marked, in Redis and in the state
file; either suffices. If both are lost, only what carries $tqimap-taken is taken in, which our own
\Seen comes with: on a server without keywords nothing is then, rather than what people have read.

Taking in twice is harmless: the ledger, or the look at ThreatQ before each upload, knows it. An
audit costs one SEARCH and is made when Redis is new to the folder, once in `fetch.audit_every`, and
when `tqimap-admin verify --heal` asks for it; any other run asks Redis alone.
"""

from __future__ import annotations

import logging
import sys
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any

from tqimap_fetcher import newcomers
from tqimap_fetcher.mailbox import DONE_KEYWORD, TAKEN_KEYWORD
from tqimap_shared import ranges
from tqimap_shared.folders import Folder


if TYPE_CHECKING:
    from collections.abc import Iterable

    from tqimap_fetcher.context import Run
    from tqimap_fetcher.mailbox import Session
    from tqimap_fetcher.sieve import Sieve
    from tqimap_fetcher.state import State
    from tqimap_shared.ledger import Ledger

logger = logging.getLogger(__name__)

_OURS = (TAKEN_KEYWORD, DONE_KEYWORD)


@dataclass(frozen=True, slots=True)
class Audit:
    """What a run has to do in a folder beside its unread mails.

    *again* are read mails to take in; *made* is when the server was asked for them, 0 if not.
    """

    folder: Folder
    again: tuple[int, ...] = ()
    made: float = 0.0


def begin(session: Session, sieve: Sieve, run: Run) -> Audit:
    """Remember the folder if it is new, and find the read mails that are nowhere, if it is time.

    Only those that pass the *sieve*. Done mails of which the server does not know that they are
    done are told to it on the way.
    """
    folders, settings = run.folders, run.settings
    days = min(settings.fetch.audit_days, settings.worker.done_days)
    first = datetime.now(UTC).date() - timedelta(days=days)
    folder = _recall(session, run, first)
    now = folders.now()
    # one that is still to come was noted by a clock that has been set back since
    fresh = folder.audited <= now < folder.audited + settings.fetch.audit_every
    if not days or (fresh and folder.audited >= folders.audit_wanted()):
        return Audit(folder)
    candidates = _candidates(session, folder, max(first, date.fromisoformat(folder.since)))
    known = folders.shas(*folder.place, candidates)
    _tell_done(session, run.ledger, known)
    again = tuple(sieve.passing(candidates - known.keys(), most=sys.maxsize))
    if again:
        logger.warning(
            "mailbox %s: %d read mails are neither done nor known to Redis; they are taken in "
            "again.",
            session.mailbox,
            len(again),
        )
    return Audit(folder, again, now)


def _candidates(session: Session, folder: Folder, since: date) -> set[int]:
    """Return the mails that ought to be known or done: the read ones, or those up to the mark."""
    done = (DONE_KEYWORD,) if session.keeps_keywords else ()
    if session.takes_new:
        found = {uid for uid in session.since(since, *done) if uid <= folder.high}
    else:
        found = set(session.read_since(since, *done))
    return found - ranges.split(folder.read)


def end(audit: Audit, run: Run, *, began: float, absent: Iterable[int]) -> int:
    """Note how the run that *began* then went; return how many mails to take in are left.

    The audit counts as made when none is left but those for which the server gave nothing.
    """
    folders = run.folders
    folder = replace(audit.folder, fetched=began)
    left = set(audit.again) - folders.shas(*folder.place, audit.again).keys()
    if audit.made:
        complete = left <= set(absent)
        folder = replace(
            folder,
            audited=audit.made if complete else folder.audited,
            left=ranges.join(left),
        )
    _remember(folder, run)
    return len(left)


def _recall(session: Session, run: Run, first: date) -> Folder:
    """Return what is remembered of the folder: by Redis, else by the state file, else as new."""
    mailbox = session.mailbox
    known = run.folders.recall(mailbox, session.folder)
    noted = _noted(run.memory, mailbox, session.folder)
    before = found = known or noted
    if found is not None and found.uidvalidity != session.uidvalidity:
        logger.warning(
            "mailbox %s: UIDVALIDITY of %s was %d and is %d: the server has numbered its mails "
            "anew; all are looked at again, and known ones recognised by their content.",
            mailbox,
            session.folder,
            found.uidvalidity,
            session.uidvalidity,
        )
        found = None
    elif known is None and noted is not None:
        logger.warning(
            "mailbox %s: Redis does not remember %s; it is new or was emptied.",
            mailbox,
            session.folder,
        )
    if found is None or (session.takes_new and found.high < 0):
        found = _new(session, first, before, days=run.settings.worker.done_days)
    _remember(found, run)  # at once: a killed run must not count its own marks as people's
    return found


def _remember(folder: Folder, run: Run) -> None:
    run.folders.remember(folder)
    came = {name: getattr(folder, name) for name in ("uidvalidity", "since", "read")}
    if folder.high >= 0:
        came |= {"high": folder.high, "began": folder.began}
    others = _came(run.memory, folder.mailbox)
    run.memory.keep(folder.mailbox, came=others | {folder.folder: came})


def _new(session: Session, first: date, before: Folder | None, *, days: float) -> Folder:
    if session.takes_new:
        oldest = datetime.now(UTC).date() - timedelta(days=days)
        return newcomers.meet(session, since=first, before=before, oldest=oldest)
    read = (
        session.read_since(first, *_OURS) if session.keeps_keywords else session.read_since(first)
    )
    return Folder(
        mailbox=session.mailbox,
        folder=session.folder,
        uidvalidity=session.uidvalidity,
        since=first.isoformat(),
        read=ranges.join(read),
    )


def _came(memory: State, mailbox: str) -> dict[str, Any]:
    found = memory.of(mailbox).get("came")
    return found if isinstance(found, dict) else {}


def _noted(memory: State, mailbox: str, folder: str) -> Folder | None:
    """Return what the state file says of the folder; None where it says nothing sensible."""
    facts = _came(memory, mailbox).get(folder)
    if not isinstance(facts, dict):
        return None
    try:
        found = Folder(
            mailbox=mailbox,
            folder=folder,
            uidvalidity=int(facts["uidvalidity"]),
            since=str(facts["since"]),
            read=str(facts["read"]),
            high=int(facts.get("high", -1)),
            began=str(facts.get("began", "")),
        )
        date.fromisoformat(found.since)
        date.fromisoformat(found.began or found.since)
        ranges.split(found.read)
    except (LookupError, TypeError, ValueError):
        return None
    return found


def _tell_done(session: Session, ledger: Ledger, known: dict[int, str]) -> None:
    """Mark the mails that are done and do not look it: somebody took the mark away."""
    if session.keeps_keywords:
        states = ledger.states(set(known.values()))
        session.mark_done(uid for uid, sha in known.items() if states[sha] == "done")
