"""What a mailbox may still take in: its limits of a run and of a day, for all folders together."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING


if TYPE_CHECKING:
    from tqimap_fetcher.fetch import Tally
    from tqimap_shared.settings import Fetch, Mailbox


class Allowance:
    """The limits of a run of *mailbox*: its own, else *fetch*'s; *spent* bytes of today's."""

    def __init__(self, mailbox: Mailbox, fetch: Fetch, *, spent: int = 0) -> None:
        self._fetch = fetch
        self._mails = mailbox.max_messages or fetch.max_messages
        self._bytes = mailbox.max_bytes or fetch.max_bytes
        if mailbox.daily_bytes:
            self._bytes = min(self._bytes, mailbox.daily_bytes - spent)
        self.held = "the bytes of today are used up (mailbox.daily_bytes)" * (self._bytes <= 0)
        self._until = time.monotonic() + (mailbox.max_seconds or fetch.max_seconds)

    def limits(self) -> Fetch:
        """Return what the next folder may take; no mails at all if any limit is reached."""
        seconds = self._until - time.monotonic()
        spent = min(self._mails, self._bytes, seconds) <= 0
        mails = 0 if spent else self._mails
        changes = {"max_messages": mails, "max_bytes": self._bytes, "max_seconds": seconds}
        return self._fetch.model_copy(update=changes)

    def spend(self, tally: Tally) -> None:
        """Take off what a folder's fetch took in."""
        self._mails -= tally.fetched
        self._bytes -= tally.bytes
