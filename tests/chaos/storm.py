"""Let mails arrive while everything is killed, then let it rest until nothing is open."""

from __future__ import annotations

import random
import shutil
import sys
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import requests
from redis import RedisError

from chaos.audit import MARKS
from chaos.killer import Killer
from chaos.mails import MAILBOXES, Writer
from tqimap_shared.errors import TqimapError
from tqimap_shared.ledger import Ledger


if TYPE_CHECKING:
    from collections.abc import Iterator

    from chaos.house import House
    from chaos.mails import Delivery
    from tqimap_shared.ledger import Counts

TICK = 0.05  # seconds
FETCH_EVERY = 2.0  # seconds between two runs of the fetcher
TELL_EVERY = 10  # seconds between two lines of progress
BASE, RATE = 60, 1  # mails: so many, and so many more a second
LEFT = 0.85  # share of the run in which mails arrive
QUIET = 900  # seconds without any progress after which it will not come to rest
ASK = 1.0  # seconds between two questions whether it has


@dataclass(slots=True)
class Storm:
    """One run: what was delivered, and what was killed."""

    house: House
    seconds: float
    seed: int
    delivered: list[Delivery] = field(default_factory=list)
    began: float = field(default_factory=time.monotonic)
    _fetch_at: float = 0.0
    _tell_at: float = 0.0

    def rage(self) -> Killer:
        """Deliver, fetch, kill, for the time of the run."""
        house, until = self.house, self.began + self.seconds
        killer = Killer(house, random.Random(f"kill {self.seed}"), until)
        post = Writer(random.Random(f"mail {self.seed}")).post()
        house.faults = True
        while time.monotonic() < until:
            self._deliver(post)
            self._keep_going(killer)
            killer.act()
            time.sleep(TICK)
        killer.rest()
        return killer

    def rest(self, killer: Killer) -> bool:
        """Leave everything alone until nothing is open; False if it did not come to that."""
        calm, ask_at, known = False, 0.0, None
        until = time.monotonic() + QUIET
        while time.monotonic() < until:
            calm = calm or self._calmed()
            self._keep_going(killer)
            if calm and time.monotonic() > ask_at:
                counts = self._counts()
                if self._settled(counts):
                    return True
                if counts != known:
                    known, until = counts, time.monotonic() + QUIET
                ask_at = time.monotonic() + ASK
            time.sleep(TICK)
        return False

    def _keep_going(self, killer: Killer) -> None:
        self.house.tend()
        now = time.monotonic()
        if now > self._fetch_at:
            self._fetch_at = now + FETCH_EVERY
            self.house.fetch()
        if now > self._tell_at:
            self._tell_at = now + TELL_EVERY
            self._tell(killer)

    def _deliver(self, post: Iterator[Delivery]) -> None:
        share = (time.monotonic() - self.began) / (self.seconds * LEFT)
        due = int(min(share, 1) * (BASE + RATE * self.seconds))
        while len(self.delivered) < due:
            self._drop(next(post))

    def _drop(self, delivery: Delivery) -> None:
        """Put a mail into the maildir whole, as a delivery agent does."""
        home = self.house.dovecot.directory / "mail" / delivery.mailbox
        name = f"{int(time.time())}.M{len(self.delivered)}P1.chaos"
        made = home / "tmp" / name
        made.write_bytes(delivery.mail.raw)
        owner = (home / "new").stat()
        shutil.chown(made, owner.st_uid, owner.st_gid)
        made.rename(home / "new" / name)
        self.delivered.append(delivery)

    def _calmed(self) -> bool:
        try:
            self.house.calm()
        except requests.RequestException:
            return False
        return True

    def _settled(self, counts: Counts | None) -> bool:
        """Whether every mail is done and marked on the mail server, or only dead ones are left."""
        mails = len({one.mail.sha256 for one in self.delivered})
        if counts is None or counts.done + counts.dead < mails:
            return False
        return bool(counts.dead) or all(
            flags >= MARKS
            for user in MAILBOXES
            for flags in self.house.dovecot.flags(user).values()
        )

    def _counts(self) -> Counts | None:
        """Count mails, None while Redis is away."""
        try:
            with self.house.client() as client:
                return Ledger(client, settings=self.house.settings.worker).counts()
        except (TqimapError, RedisError):
            return None

    def _tell(self, killer: Killer) -> None:
        counts = self._counts()
        blows = ", ".join(f"{kind} {count}" for kind, count in sorted(killer.kills.items()))
        sys.stdout.write(
            f"{time.monotonic() - self.began:6.0f} s: {len(self.delivered)} mails delivered, "
            f"{counts.done if counts else '?'} different ones done; "
            f"{killer.kills.total()} kills ({blows}), {killer.freezes.total()} freezes\n"
        )
        sys.stdout.flush()
