"""Fetch every mailbox once: one connection each, one folder after the other."""

from __future__ import annotations

import logging
from collections import Counter
from typing import TYPE_CHECKING, Any

from tqimap_fetcher import throttle
from tqimap_fetcher.allowance import Allowance
from tqimap_fetcher.connection import connected
from tqimap_fetcher.context import Run
from tqimap_fetcher.kept_tokens import Keep
from tqimap_fetcher.lock import only_run
from tqimap_fetcher.mailbox import Session
from tqimap_fetcher.refusal import Throttled
from tqimap_fetcher.visit import delete_old, tell_done, visit
from tqimap_shared import log, store
from tqimap_shared.errors import StopProcess, TqimapError
from tqimap_shared.folders import Folders
from tqimap_shared.ledger import Ledger


if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from tqimap_fetcher.bounded import BoundedClient
    from tqimap_fetcher.state import State
    from tqimap_shared.settings import Mailbox, Settings

logger = logging.getLogger(__name__)


def begin(settings: Settings, directory: Path, memory: State) -> Run:
    """Prepare what all mailboxes share. Raises when Redis cannot be used at all."""
    client = store.connect(settings.redis)
    for sentence in store.check(client):
        logger.warning("%s", sentence)
    ledger = Ledger(client, settings=settings.worker)
    return Run(client, ledger, Folders(client), settings, directory, memory)


def fetch_all(
    mailboxes: Sequence[Mailbox], settings: Settings, directory: Path, memory: State
) -> list[TqimapError]:
    """Fetch *mailboxes* in turn; a fault of one does not keep the others, and is returned.

    Notes in *memory* how each went. Raises when Redis cannot be used at all.
    """
    run = begin(settings, directory, memory)
    faults = []
    for mailbox in mailboxes:
        try:
            faults += _fetch_alone(run, mailbox)
        except TqimapError as error:
            note_fault(run, mailbox, error)
            faults.append(error)
    return faults


def note_fault(run: Run, mailbox: Mailbox, error: TqimapError) -> None:
    """Remember what ended a visit, and for how long the server wants no other."""
    if isinstance(error, Throttled):
        seconds = min(error.seconds, run.settings.fetch.max_backoff)
        throttle.hold_off(run.folders, run.memory, mailbox.name, seconds)
    run.memory.note(mailbox.name, last_error=log.scrub(str(error)))


def _fetch_alone(run: Run, mailbox: Mailbox) -> list[TqimapError]:
    with only_run(run.directory, mailbox.name) as alone:
        if not alone:
            logger.info("mailbox %s: another run is fetching it.", mailbox.name)
            return []
        if held(run, mailbox):
            return []
        with connected(mailbox, run.settings.fetch, Keep(run.directory)) as client:
            return fetch_over(client, run, mailbox)


def held(run: Run, mailbox: Mailbox) -> bool:
    """Tell whether the mailbox is not to be fetched now, and say and note why."""
    reason = _reason(run, mailbox)
    if reason:
        logger.warning("mailbox %s: nothing is fetched: %s.", mailbox.name, reason)
        run.memory.note(mailbox.name, held=reason)
    return bool(reason)


def _reason(run: Run, mailbox: Mailbox) -> str | None:
    """Return the server's wish or our own fullness that stands against fetching."""
    most = run.settings.fetch.max_backoff
    left = throttle.seconds_left(run.folders, run.memory, mailbox.name, most=most)
    if left:
        return f"the server asked to be left alone for {left:.0f} more seconds"
    return run.held()


def fetch_over(client: BoundedClient, run: Run, mailbox: Mailbox) -> list[TqimapError]:
    """Visit the mailbox's folders over the connection of *client*; note how it went.

    A folder that cannot be opened does not keep the others: its fault is returned.
    """
    spent = run.folders.spent(mailbox.name) if mailbox.daily_bytes else 0
    allowance = Allowance(mailbox, run.settings.fetch, spent=spent)
    if allowance.held:
        logger.warning("mailbox %s: nothing is fetched: %s.", mailbox.name, allowance.held)
    found: dict[str, dict[str, Any]] = {}
    faults: list[TqimapError] = []
    behind = ""
    for folder in _in_turn(run, mailbox):
        one = mailbox.in_folder(folder)
        try:
            session = Session(client, one, run.settings.fetch)
        except StopProcess as error:
            faults.append(error)
            continue
        limits = allowance.limits()
        behind = behind or folder * (not limits.max_messages)
        done = visit(run, session, one, limits)
        allowance.spend(done.tally)
        found[folder] = done.facts()
        logger.info("mailbox %s, %s: %s", mailbox.name, folder, _listed(found[folder]))
    _note(run, mailbox, found, faults, held=allowance.held)
    run.memory.keep(mailbox.name, behind=behind)
    _tell_of_failed(client, run, mailbox)
    if mailbox.done == "move" and mailbox.delete_days:
        _clear_done(client, run, mailbox)
    return faults


def _in_turn(run: Run, mailbox: Mailbox) -> list[str]:
    """Return the folders, first that for which the last run had nothing left: none starves."""
    folders, behind = list(mailbox.reading), run.memory.of(mailbox.name).get("behind")
    start = folders.index(behind) if behind in folders else 0
    return folders[start:] + folders[:start]


def _tell_of_failed(client: BoundedClient, run: Run, mailbox: Mailbox) -> None:
    """Treat mails in the failed folder that somebody requeued, and that are done now, as such."""
    place = (mailbox.name, mailbox.failed_folder, run.memory.of(mailbox.name).get("failed_at", 0))
    if mailbox.failed_folder and run.ledger.to_flag(*place):
        session = Session(client, mailbox.in_folder(mailbox.failed_folder), run.settings.fetch)
        if session.place == place:
            tell_done(run.ledger, session)


def _clear_done(client: BoundedClient, run: Run, mailbox: Mailbox) -> None:
    """Delete old mails from the folder that done ones are moved to."""
    if client.folder_exists(mailbox.done_folder):
        where = mailbox.in_folder(mailbox.done_folder)
        session = Session(client, where, run.settings.fetch)
        if count := delete_old(run, session, mailbox.delete_days):
            logger.info("mailbox %s: %d done mails are deleted.", mailbox.name, count)


def _note(
    run: Run,
    mailbox: Mailbox,
    found: dict[str, dict[str, Any]],
    faults: list[TqimapError],
    *,
    held: str,
) -> None:
    """Note the sums of all folders, and each folder's facts."""
    sums: Counter[str] = Counter()
    for facts in found.values():
        sums.update({name: fact for name, fact in facts.items() if isinstance(fact, int)})
    reasons = [facts["held"] for facts in found.values()]
    why = next(filter(None, [held, *reasons]), None)
    more = {"last_error": log.scrub(str(faults[0]))} if faults else {}
    run.memory.note(mailbox.name, **sums, held=why, folders=found, **more)


def _listed(facts: dict[str, Any]) -> str:
    """Return *facts* for the log, without what there is none of."""
    return ", ".join(
        f"{name} {' '.join(map(str, fact)) if isinstance(fact, tuple) else fact}"
        for name, fact in facts.items()
        if fact not in (None, ())
    )
