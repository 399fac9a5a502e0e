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
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any

from tqimap_fetcher.mailbox import DONE_KEYWORD, TAKEN_KEYWORD
from tqimap_shared import ranges
from tqimap_shared.folders import Folder


if TYPE_CHECKING:
    from collections.abc import Iterable

    from tqimap_fetcher.mailbox import Session
    from tqimap_fetcher.state import State
    from tqimap_shared.folders import Folders
    from tqimap_shared.ledger import Ledger
    from tqimap_shared.settings import Settings

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


def begin(
    session: Session,
    *,
    folders: Folders,
    ledger: Ledger,
    memory: State,
    settings: Settings,
) -> Audit:
    """Remember the folder if it is new, and find the read mails that are nowhere, if it is time.

    Done mails of which the server does not know that they are done are told to it on the way.
    """
    days = min(settings.fetch.audit_days, settings.worker.done_days)
    first = datetime.now(UTC).date() - timedelta(days=days)
    folder = _recall(session, folders, memory, first)
    now = folders.now()
    fresh = now < folder.audited + settings.fetch.audit_every
    if not days or (fresh and folder.audited >= folders.audit_wanted()):
        return Audit(folder)
    since = max(first, date.fromisoformat(folder.since))
    done = (DONE_KEYWORD,) if session.keeps_keywords else ()
    candidates = set(session.read_since(since, *done)) - ranges.split(folder.read)
    known = folders.shas(*folder.place, candidates)
    _tell_done(session, ledger, known)
    again = tuple(sorted(candidates - known.keys()))
    if again:
        logger.warning(
            "mailbox %s: %d read mails are neither done nor known to Redis; they are taken in "
            "again.",
            session.mailbox,
            len(again),
        )
    return Audit(folder, again, now)


def end(audit: Audit, folders: Folders, *, began: float, absent: Iterable[int]) -> int:
    """Note how the run that *began* then went; return how many mails to take in are left.

    The audit counts as made when none is left but those for which the server gave nothing.
    """
    folder = replace(audit.folder, fetched=began)
    left = set(audit.again) - folders.shas(*folder.place, audit.again).keys()
    if audit.made:
        complete = left <= set(absent)
        folder = replace(
            folder,
            audited=audit.made if complete else folder.audited,
            left=ranges.join(left),
        )
    folders.remember(folder)
    return len(left)


def _recall(session: Session, folders: Folders, memory: State, first: date) -> Folder:
    """Return what is remembered of the folder: by Redis, else by the state file, else as new."""
    mailbox = session.mailbox
    known = folders.recall(mailbox, session.folder)
    noted = _noted(memory, mailbox, session.folder)
    found = known or noted
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
    if found is None:
        found = _new(session, first)
        folders.remember(found)  # at once: a killed run must not count its own marks as people's
    came = {name: getattr(found, name) for name in ("uidvalidity", "since", "read")}
    memory.keep(mailbox, came=_came(memory, mailbox) | {session.folder: came})
    return found


def _new(session: Session, first: date) -> Folder:
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
    match _came(memory, mailbox).get(folder):
        case {"uidvalidity": int(uidvalidity), "since": str(since), "read": str(read)}:
            try:
                date.fromisoformat(since)
                ranges.split(read)
            except ValueError:
                return None
            return Folder(
                mailbox=mailbox, folder=folder, uidvalidity=uidvalidity, since=since, read=read
            )
    return None


def _tell_done(session: Session, ledger: Ledger, known: dict[int, str]) -> None:
    """Mark the mails that are done and do not look it: somebody took the mark away."""
    if session.keeps_keywords:
        states = ledger.states(set(known.values()))
        session.mark_done(uid for uid, sha in known.items() if states[sha] == "done")
