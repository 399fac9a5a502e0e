"""Watch mailboxes without end: keep a connection to each, and fetch as soon as there is mail.

The same fetch as cron's, over a connection that stays. One thread a mailbox: nearly always all of
them wait, a process each would cost 50 MB each, and they share settings, log and Redis. A mailbox
is locked only while it is fetched, so cron may go on beside it.
"""

from __future__ import annotations

import logging
import random
import threading
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING

from tqimap_fetcher import idle, run, state
from tqimap_fetcher.connection import connected
from tqimap_fetcher.kept_tokens import Keep
from tqimap_fetcher.lock import only_run
from tqimap_fetcher.login import open_folder
from tqimap_fetcher.transport import subject_of
from tqimap_shared import store
from tqimap_shared.errors import NotReady, StopProcess, TqimapError, TryLater


if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence

    from tqimap_fetcher.bounded import BoundedClient
    from tqimap_fetcher.context import Run
    from tqimap_shared.settings import Mailbox

logger = logging.getLogger(__name__)

PATIENCE = 30.0  # seconds that a thread has to end when it is told to
_saving = threading.Lock()


class Watcher:
    """A thread that watches *mailbox*; *fault* is what ended it unexpectedly, *alarm* is told."""

    def __init__(self, common: Run, mailbox: Mailbox, alarm: Callable[[], None]) -> None:
        self._stop = idle.Stop()
        self._common = replace(common, stopped=self._stop.is_set)
        self._settings = common.settings.fetch
        self._alarm = alarm
        self._failures = 0
        self._uidnext: object = None
        self.mailbox = mailbox
        self.fault: Exception | None = None
        self._thread = threading.Thread(target=self._live, name=mailbox.name, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Tell it to end; it finishes the batch in hand."""
        self._stop.set()

    def join(self) -> None:
        """Wait until it has ended, but not for ever."""
        self._thread.join(PATIENCE)
        if not self._thread.is_alive():
            self._stop.close()

    def _live(self) -> None:
        try:
            while not self._stop.is_set():
                self._stop.wait(self._attempt())
        except Exception as error:  # noqa: BLE001 - raised again by the main thread
            self.fault = error
            self._alarm()

    def _attempt(self) -> float:
        """Watch over one connection until it ends; return the seconds to wait before the next."""
        try:
            if not self._held():
                keep = Keep(self._common.directory)
                with connected(self.mailbox, self._settings, keep) as client:
                    self._watch(client)
        except TqimapError as error:
            logger.error("%s", error)  # noqa: TRY400 - a sentence for a person, no traceback
            with suppress(TqimapError):  # Redis or the directory may be what is at fault
                common = self._remembering()
                run.note_fault(common, self.mailbox, error)
                self._save(common)
            return self._next_pause(error)
        return self._settings.poll

    def _held(self) -> bool:
        common = self._remembering()
        if not run.held(common, self.mailbox):
            return False
        self._save(common)
        return True

    def _next_pause(self, error: TqimapError) -> float:
        """Wait longer each time; at once the longest where a person must change something."""
        longest = self._settings.max_pause
        pause = longest if isinstance(error, StopProcess) else min(2**self._failures, longest)
        self._failures = min(self._failures + 1, 30)
        return pause * random.uniform(0.5, 1.0)  # noqa: S311 - no secret; not all at once

    def _watch(self, client: BoundedClient) -> None:
        """Fetch, wait for mail, and again, as long as the connection is good for it."""
        can_idle = client.has_capability("IDLE")
        while not self._stop.is_set():
            if not self._fetch(client):
                return
            self._stop.wait(self._settings.min_poll)
            selected = self._select(client)
            before, self._uidnext = self._uidnext, selected.get(b"UIDNEXT")
            if before != self._uidnext:
                continue  # mail may have come between the fetch's search and now
            if can_idle:
                idle.wait(
                    client,
                    subject_of(self.mailbox),
                    seconds=self._settings.poll,
                    stop=self._stop,
                )
            else:
                self._stop.wait(self._settings.poll)
            self._failures = 0  # not before: there are servers that offer IDLE and refuse it

    def _select(self, client: BoundedClient) -> Mapping[bytes, object]:
        """Open the first folder that can be opened: the one that IDLE will tell of."""
        *others, last = self.mailbox.reading
        for folder in others:
            with suppress(StopProcess):  # the fetch has logged it
                return open_folder(client, self.mailbox.in_folder(folder), self._settings)
        return open_folder(client, self.mailbox.in_folder(last), self._settings)

    def _fetch(self, client: BoundedClient) -> bool:
        """Fetch once, as cron does, unless a run of cron's is at it; False if nothing may be."""
        with only_run(self._common.directory, self.mailbox.name) as alone:
            if not alone:
                return True
            if self._held():
                return False
            common = self._remembering()
            for fault in run.fetch_over(client, common, self.mailbox):
                logger.error("%s", fault)
            self._save(common)
        return True

    def _remembering(self) -> Run:
        return replace(self._common, memory=state.load(self._common.directory))

    def _save(self, common: Run) -> None:
        with _saving:
            common.memory.last_run = state.now()
            state.save(common.directory, common.memory)


def watch(common: Run, mailboxes: Callable[[], Sequence[Mailbox]], stop: idle.Stop) -> None:
    """Watch what *mailboxes* returns, which is asked again now and then, until *stop*.

    Raises what *mailboxes* raises at first, an unexpected fault of a thread, and StopProcess when
    Redis could lose mails.
    """
    watchers: dict[str, Watcher] = {}
    try:
        while not stop.is_set():
            with suppress(TryLater):  # the watchers wait for it
                store.check(common.client)  # again and again: another server may answer by now
            wanted = _wanted(mailboxes, watchers)
            _adapt(watchers, wanted, lambda one: Watcher(common, one, stop.set))
            stop.wait(common.settings.fetch.refresh)
    finally:
        _end(list(watchers.values()))
    for watcher in watchers.values():
        if watcher.fault:
            raise watcher.fault


def _wanted(
    mailboxes: Callable[[], Sequence[Mailbox]], watchers: dict[str, Watcher]
) -> dict[str, Mailbox]:
    """Ask for the mailboxes; keep those there are while ThreatQ does not tell."""
    try:
        return {one.name: one for one in mailboxes()}
    except NotReady as error:
        logger.warning("%s Nothing is watched until then.", error)
        return {}
    except TqimapError as error:
        if not watchers and not isinstance(error, TryLater):
            raise
        logger.warning("%s The mailboxes stay as they are.", error)
        return {name: watcher.mailbox for name, watcher in watchers.items()}


def _adapt(
    watchers: dict[str, Watcher],
    wanted: dict[str, Mailbox],
    make: Callable[[Mailbox], Watcher],
) -> None:
    """End the watchers of mailboxes that are gone or changed, and begin those that lack."""
    changed = [name for name, one in watchers.items() if wanted.get(name) != one.mailbox]
    _end([watchers.pop(name) for name in changed])
    for name, mailbox in wanted.items():
        if name not in watchers:
            watchers[name] = make(mailbox)


def _end(watchers: Collection[Watcher]) -> None:
    for watcher in watchers:
        watcher.stop()
    for watcher in watchers:
        watcher.join()
