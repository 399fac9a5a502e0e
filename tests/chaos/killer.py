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

# how often each kind is chosen; more of what all others need would leave nothing to break
WEIGHTS = {
    "horse": 30,
    "worker": 14,
    "fetcher": 16,
    "imap": 16,
    "redis": 5,
    "threatq": 7,
    "scheduler": 4,
    "zygote": 4,
}
PAUSE = (0.1, 0.7)  # seconds between two blows
YOUTH = 8.0  # seconds in which a program that was started again is spared: else none ever works,
CRIB = 0.01  # but for this share of the looks at it, because starting may break too
SPARED = 3  # every third run of the fetcher, of which all could be killed otherwise
LEAST = 1.1  # kills a second, below which there is no pause: a loaded machine has slow victims
AMBUSH = 0.3  # seconds of waiting for a process of the chosen kind; then it is another one's turn
FREEZE = 0.2  # share of blows that only freeze
SHORT = (0.2, 3.0)  # seconds that a process is frozen
LONG_SHARE = 0.1  # of all freezes
LONG = (1.1, 1.6)  # times the lease
INIT = 1  # the process that orphans become children of
HOST_EVERY = 90  # seconds between two workers that are frozen with all that is below them
HOST = (75, 100)  # seconds that they are: rq gives their jobs to others after 70

Victim = tuple[int, int]
"""A process and its parent."""


@dataclass(slots=True)
class Killer:
    """Strikes after each PAUSE; counts what it did, by kind of process."""

    house: House
    random: random.Random
    ends: float
    kills: Counter[str] = field(default_factory=Counter)
    freezes: Counter[str] = field(default_factory=Counter)
    began: float = field(default_factory=time.monotonic)
    _kind: str = "horse"
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
        if now <= self._next:
            return
        if self._strike(now):
            late = self.kills.total() < (now - self.began) * LEAST
            self._next = now + (0 if late else self.random.uniform(*PAUSE))
            self._choose(there=late)
        elif now > self._next + AMBUSH:
            self._choose(there=True)

    def rest(self) -> None:
        """Thaw everything."""
        self._thaw(float("inf"))

    def _choose(self, *, there: bool = False) -> None:
        """Choose the kind of the next victim, one that is *there* if need be."""
        victims = self._victims() if there else {}
        kinds = [kind for kind in WEIGHTS if victims.get(kind)] or list(WEIGHTS)
        (self._kind,) = self.random.choices(kinds, [WEIGHTS[kind] for kind in kinds])

    def _strike(self, now: float) -> bool:
        """Strike a process of the chosen kind; False if there is none."""
        victims = self._victims()[self._kind]
        if not victims:
            return False
        victim = self.random.choice(victims)
        if self.random.random() < FREEZE:
            return self._freeze(victim, now)
        killed = send(victim[0], signal.SIGKILL, parent=victim[1])
        self.kills[self._kind] += killed
        return killed

    def _freeze(self, victim: Victim, now: float) -> bool:
        seconds = self.random.uniform(*SHORT)
        if self.random.random() < LONG_SHARE:
            seconds = self.random.uniform(*LONG) * self.house.settings.worker.lease
        frozen = send(victim[0], signal.SIGSTOP, parent=victim[1])
        if frozen:
            self.freezes[self._kind] += 1
            self._frozen.append((now + seconds, victim))
        return frozen

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
            # its parent may have been killed meanwhile
            _ = send(pid, signal.SIGCONT, parent=parent) or send(pid, signal.SIGCONT, parent=INIT)

    def _victims(self) -> dict[str, list[Victim]]:
        house, me = self.house, os.getpid()
        workers = [worker.pid for worker in house.workers if worker.pid]
        grown = [one for one in house.programs if one.age > YOUTH or self.random.random() < CRIB]
        frozen = {pid for _, (pid, _) in self._frozen}
        victims = {
            "worker": [(one.pid, me) for one in house.workers if one in grown and one.pid],
            "fetcher": [(one.pid, me) for one in house.fetchers if one.pid % SPARED],
            "redis": [(one.pid, me) for one in grown if one is house.redis and one.pid],
            "threatq": [(one.pid, me) for one in grown if one is house.stand_in and one.pid],
            "horse": [],
            "scheduler": [],
            "zygote": [],
            "imap": [],
        }
        young = {one.pid for one in house.workers if one not in grown}
        for one in children(*workers):
            # the zygote leads a session, rq's horse a group, its scheduler nothing
            leads = {one.session: "zygote", one.group: "horse"}
            kind = leads.get(one.pid, "scheduler")
            # what a worker starts first is spared with it, or it would never get further
            if kind == "horse" or one.parent not in young:
                victims[kind].append((one.pid, one.parent))
        master = house.dovecot.pid
        victims["imap"] = [(o.pid, o.parent) for o in children(master) if o.command == "imap"]
        # a frozen worker stays frozen: that is how others come to take its mail over
        return {kind: [v for v in found if v[0] not in frozen] for kind, found in victims.items()}
