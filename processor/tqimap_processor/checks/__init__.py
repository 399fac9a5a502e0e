"""Compare what should be with what is: mailboxes, ledger, rq and ThreatQ.

Each module looks at one pair and yields a `Fault` for all that is not where it should be. Looking
changes nothing; what a fault can do about itself is in its `heal`, which may be called twice.

Mail servers are not asked here: the processor has neither their passwords nor the libraries, and
may not import the fetcher. The fetcher looks at each folder once a day and whenever it is asked to
(`tqimap_fetcher.audit`), puts right what it can, and leaves in Redis what it could not
(`tqimap_shared.folders`): that is compared here.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tqimap_shared import queue, store
from tqimap_shared.errors import Never
from tqimap_shared.folders import Folders
from tqimap_shared.ledger import Ledger
from tqimap_shared.records import Records


if TYPE_CHECKING:
    from collections.abc import Callable

    import redis

    from tqimap_shared.settings import Settings

SHORT = 12  # characters of a sha that tell mails apart for people


@dataclass(frozen=True, slots=True)
class Fault:
    """Something that is not where it should be.

    *kind* is a stable word for scripts, *subject* the mail's sha, a File or a folder. *heal* does
    something about it and returns a sentence on what; it raises Never if nothing can be done.
    """

    kind: str
    subject: str
    sentence: str
    heal: Callable[[], str] | None = field(default=None, repr=False, compare=False)


@dataclass(frozen=True, slots=True)
class Desk:
    """What every check needs."""

    settings: Settings
    client: redis.Redis
    ledger: Ledger
    records: Records
    folders: Folders

    @classmethod
    def of(cls, settings: Settings) -> Desk:
        """Open the Redis of *settings*; nothing is sent yet."""
        client = store.connect(settings.redis)
        ledger = Ledger(client, settings=settings.worker)
        return cls(settings, client, ledger, Records(client), Folders(client))

    def enqueue(self, sha256: str) -> str:
        """Have a mail worked on, from its first attempt if it had failed."""
        done = queue.requeue(self.client, sha256, self.settings.worker)
        return "enqueued" if done else "is in the queue already"

    def process_again(self, sha256: str, gone: dict[str, str]) -> str:
        """Have a done mail processed again, effects that are *gone* as if they had never been.

        *gone* holds the remote id by effect. Raises Never if its raw bytes are kept no more.
        """
        if self.records.with_raw([sha256]) == set():
            raise Never(sha256[:SHORT], "its raw mail is kept no more (worker.raw_days).")
        for effect, number in gone.items():
            self.records.amend(sha256, effect, was=number)
        answer = self.records.reopen(sha256)
        if answer == "gone":
            raise Never(sha256[:SHORT], "its raw mail is kept no more (worker.raw_days).")
        return "to be processed again: " + self.enqueue(sha256)

    def fetch_again(self, sha256: str) -> str:
        """Have the fetcher take a mail in anew, with its bytes."""
        places = self.records.unplace(sha256)
        self.folders.want_audit()
        if not places:
            raise Never(sha256[:SHORT], "nobody knows in which mailbox it is.")
        return "the next run of tqIMAP fetches it again"
