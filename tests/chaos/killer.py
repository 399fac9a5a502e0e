"""Choose at random which process to kill or to freeze next."""

from __future__ import annotations

import os
import signal
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from chaos.process import children, send


if TYPE_CHECKING:
    import random

    from chaos.house import House

# how often each kind is chosen, where there is one
WEIGHTS = {
    "horse": 26,
    "worker": 18,
    "fetcher": 18,
    "imap": 120,  # there only for moments
    "redis": 7,
    "threatq": 8,
    "scheduler": 4,
}
PAUSE = (0.2, 0.9)  # seconds between two blows
FREEZE = 0.2  # share of blows that only freeze
SHORT = (0.2, 3.0)  # seconds that a process is frozen
LONG_SHARE = 0.1  # of all freezes
LONG = (1.1, 1.6)  # times the lease
HOST_EVERY = 90  # seconds between two workers that are frozen with all that is below them
HOST = (75, 100)  # seconds that they are: rq gives their jobs to others after 70

Victim = tuple[int, int]
"""A process and its parent."""


@dataclass(slots=True)
class Killer:
    """Strikes once in PAUSE seconds; counts what it did, by kind of process."""

    house: House
    random: random.Random
    ends: float
    kills: Counter[str] = field(default_factory=Counter)
    freezes: Counter[str] = field(default_factory=Counter)
    _next: float = 0.0
    _next_host: float = 0.0
    _frozen: list[tuple[float, Victim]] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Put the first frozen host off."""
        self._next_host = time.monotonic() + HOST_EVERY / 3

    def act(self) -> None:
        """Thaw what is due, and strike if it is time."""
        now = time.monotonic()
        self._thaw(now)
        if now > self._next_host and self.ends - now > HOST[1]:
            self._next_host = now + HOST_EVERY
            self._freeze_host(now)
        if now > self._next:
            self._next = now + self.random.uniform(*PAUSE)
            self._strike(now)

    def rest(self) -> None:
        """Thaw everything."""
        self._thaw(float("inf"))

    def _strike(self, now: float) -> None:
        victims = self._victims()
        kinds = [kind for kind in WEIGHTS if victims.get(kind)]
        if not kinds:
            return
        kind = self.random.choices(kinds, [WEIGHTS[kind] for kind in kinds])[0]
        victim = self.random.choice(victims[kind])
        if self.random.random() < FREEZE:
            self._freeze(kind, victim, now)
        elif send(victim[0], signal.SIGKILL, parent=victim[1]):
            self.kills[kind] += 1

    def _freeze(self, kind: str, victim: Victim, now: float) -> None:
        seconds = self.random.uniform(*SHORT)
        if self.random.random() < LONG_SHARE:
            seconds = self.random.uniform(*LONG) * self.house.settings.worker.lease
        if send(victim[0], signal.SIGSTOP, parent=victim[1]):
            self.freezes[kind] += 1
            self._frozen.append((now + seconds, victim))

    def _freeze_host(self, now: float) -> None:
        """Freeze a worker with its horse until others have taken its mail over."""
        worker = self.random.choice(self.house.workers).pid
        until = now + self.random.uniform(*HOST)
        victims = [(worker, os.getpid()), *((one.pid, worker) for one in children(worker))]
        for victim in victims if worker else []:
            if send(victim[0], signal.SIGSTOP, parent=victim[1]):
                self._frozen.append((until, victim))
        self.freezes["host"] += bool(worker)

    def _thaw(self, now: float) -> None:
        due = [victim for at, victim in self._frozen if at <= now]
        self._frozen = [(at, victim) for at, victim in self._frozen if at > now]
        for pid, parent in due:
            send(pid, signal.SIGCONT, parent=parent)

    def _victims(self) -> dict[str, list[Victim]]:
        house, me = self.house, os.getpid()
        workers = [worker.pid for worker in house.workers if worker.pid]
        frozen = {pid for _, (pid, _) in self._frozen}
        victims = {
            "worker": [(pid, me) for pid in workers],
            "fetcher": [(one.pid, me) for one in house.fetchers],
            "redis": [(house.redis.pid, me)] if house.redis.pid else [],
            "threatq": [(house.stand_in.pid, me)] if house.stand_in.pid else [],
            "horse": [],
            "scheduler": [],
            "imap": [],
        }
        for one in children(*workers):
            # rq's horse leads a group of its own, its scheduler does not
            kind = "horse" if one.group == one.pid else "scheduler"
            victims[kind].append((one.pid, one.parent))
        master = house.dovecot.pid
        victims["imap"] = [(o.pid, o.parent) for o in children(master) if o.command == "imap"]
        # a frozen worker stays frozen: that is how others come to take its mail over
        return {kind: [v for v in found if v[0] not in frozen] for kind, found in victims.items()}
