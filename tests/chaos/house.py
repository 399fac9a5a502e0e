"""The whole installation under attack: real Dovecot, real Redis, the stand-in, all real programs.

Two hosts fetch the same mailboxes, as cron would start them: each has a configuration directory,
so that their locks do not know of each other.
"""

from __future__ import annotations

import os
import shutil
import sys
import time
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import requests
from fixtures import dovecot as dovecot_fixture
from fixtures import threatq as threatq_fixture
from fixtures.dovecot import PASSWORD
from fixtures.site import Site, clean
from redis import Redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from chaos.mails import MAILBOXES
from chaos.process import Program, end, start
from tqimap_sandbox import part
from tqimap_sandbox import redis as redis_part
from tqimap_shared.settings import CONNECTOR, load


if TYPE_CHECKING:
    import subprocess
    from collections.abc import Iterator

    from fixtures.dovecot import Dovecot
    from fixtures.threatq import StandIn

    from tqimap_shared.settings import Settings

WORKERS = ((), (), ("--jobs-per-fork", "20"))
TESTS = Path(__file__).parents[1]
LOOK = 0.5  # seconds that a look at a server which may be frozen takes at most
ARM_EVERY = 1.0  # seconds between two attempts to set the faults
# short, so that healing is quick; many attempts, because every kill of a worker costs its mail one
RETRIES = [1] * 10 + [2] * 20 + [5] * 20
SECTIONS = {
    "worker": {
        "retries": RETRIES,
        "lease": 10,
        "maintenance": 3,
        "grace": 5,
        "job_timeout": 60,
    },
    "fetch": {
        "connect_timeout": 5,
        "idle_timeout": 5,
        "command_timeout": 10,
        "admit_messages": 4,
    },
}
FAULTS: tuple[dict[str, object], ...] = (
    {"kind": "401", "probability": 0.02},
    {"kind": "429", "probability": 0.02},
    {"kind": "500", "probability": 0.03},
    {"kind": "drop-before", "probability": 0.03},
    {"kind": "drop-after", "probability": 0.04},
    {"kind": "slow", "probability": 0.04, "delay": 0.7},
)


@dataclass(slots=True)
class House:
    """The installation; *programs* are tended for ever, *fetchers* end by themselves."""

    directory: Path
    dovecot: Dovecot
    threatq: StandIn
    site: Site
    redis: Program
    stand_in: Program
    workers: list[Program]
    settings: Settings
    fetchers: list[subprocess.Popen[bytes]] = field(default_factory=list)
    faults: bool = False
    _armed: int = 0
    _arm_at: float = 0.0
    _runs: int = 0

    @property
    def programs(self) -> list[Program]:
        """All that is started again when it has ended."""
        return [self.redis, self.stand_in, *self.workers]

    def tend(self) -> None:
        """Start again what was killed, and forget fetchers that have ended."""
        for program in self.programs:
            program.tend()
        self.fetchers = [one for one in self.fetchers if one.poll() is None]
        if self.faults and self._armed != self.stand_in.starts and time.monotonic() > self._arm_at:
            self._arm()
            self._arm_at = time.monotonic() + ARM_EVERY

    def fetch(self) -> None:
        """Start a run of the fetcher, on one host and the other in turn."""
        self._runs += 1
        host = self.directory / "hosts" / str(self._runs % 2)
        command = [part.program("tqIMAP"), "-c", str(host), "-v", "2"]
        self.fetchers.append(start(command, _environment(), self.directory / "tqIMAP.log"))

    def end_fetchers(self) -> None:
        """End all runs of the fetcher."""
        for one in self.fetchers:
            end(one)

    def client(self) -> Redis:
        """Connect to Redis; unlike the programs, give up soon: the storm must go on."""
        url = self.settings.redis.url.get_secret_value()
        once = Retry(NoBackoff(), 0)
        return Redis.from_url(url, socket_timeout=LOOK, socket_connect_timeout=LOOK, retry=once)

    def calm(self) -> None:
        """Break no more requests. Raises requests' errors while the stand-in is away."""
        self.faults = False
        self.threatq.control("DELETE", "faults", timeout=LOOK)

    def _arm(self) -> None:
        """Set the faults in a stand-in that was started again and has forgotten them."""
        starts, url = self.stand_in.starts, f"{self.threatq.url}/sandbox/faults"
        with suppress(requests.RequestException), requests.Session() as session:
            session.verify = self.threatq.ca_file
            session.trust_env = False  # or the machine's own bundle would replace ours
            session.delete(url, timeout=LOOK)
            for number, fault in enumerate(FAULTS):
                seeded = {**fault, "seed": starts * len(FAULTS) + number}
                session.post(url, json=seeded, timeout=LOOK).raise_for_status()
            self._armed = starts


@contextmanager
def running(directory: Path, *, ledger: bool) -> Iterator[House]:
    """Run an installation in *directory* until the end of the block; without *ledger* it is blind.

    Whatever the block does, nothing of it is left running.
    """
    with ExitStack() as stack:
        dovecot = stack.enter_context(dovecot_fixture.serving())
        store = _redis(directory)
        stack.callback(store.end)
        stand_in, threatq = _stand_in(directory)
        stack.callback(stand_in.end)
        site = _enrol(directory, dovecot, threatq, store.name)
        workers = [_worker(directory, n, options, ledger) for n, options in enumerate(WORKERS, 1)]
        house = House(
            directory=directory,
            dovecot=dovecot,
            threatq=threatq,
            site=site,
            redis=store,
            stand_in=stand_in,
            workers=workers,
            settings=load(site.config),
        )
        stack.callback(house.end_fetchers)
        for worker in workers:
            stack.callback(worker.end)
            worker.start()
        yield house


def _redis(directory: Path) -> Program:
    """Start Redis; the program's name is its URL."""
    process, url = redis_part.start(directory / "redis", maxmemory="512mb")
    command = [redis_part.binary(), str(directory / "redis" / "redis.conf")]
    return Program(url, command, dict(os.environ), directory / "redis.out", 1, process)


def _stand_in(directory: Path) -> tuple[Program, StandIn]:
    """Start the stand-in once to learn its port, then so that it always comes back there."""
    state = directory / "threatq.db"
    with threatq_fixture.running(state) as first:
        port = first.url.rpartition(":")[2]
    command = [part.program("tqimap-sandbox"), "threatq", "--state", str(state), "--port", port]
    program = Program("threatq", command, dict(os.environ), directory / "threatq.log")
    program.start()
    _await(first)
    return program, first


def _await(threatq: StandIn) -> None:
    for _ in range(200):
        with suppress(requests.RequestException):
            threatq.control("GET", "counts", timeout=LOOK)
            return
        time.sleep(0.1)
    raise RuntimeError("the stand-in does not answer")


def _enrol(directory: Path, dovecot: Dovecot, threatq: StandIn, url: str) -> Site:
    hosts = directory / "hosts"
    site = Site(hosts, url, dovecot, threatq, MAILBOXES[0])
    site.config.mkdir(parents=True)
    second = dovecot.mailbox(MAILBOXES[1]).model_dump(
        include={"server", "port", "username"}, mode="json"
    )
    trusted = {"ca_file": str(dovecot.ca_file)}
    site.configure(
        **SECTIONS,
        threatq={"ca_file": threatq.ca_file, "connect_timeout": 3, "read_timeout": 4},
        redis={"url": url, "timeout": 3},
        mailbox=[
            {"name": CONNECTOR, **trusted},
            {"name": "second", **second, **trusted, "password": PASSWORD},
        ],
    )
    for user in MAILBOXES:
        dovecot.create(user, "made")  # by which the mailbox is there too
    site.ready()
    for number in ("0", "1"):
        shutil.copytree(site.config, hosts / number)
    return site


def _worker(directory: Path, number: int, options: tuple[str, ...], ledger: bool) -> Program:  # noqa: FBT001 - what it is about
    program = [part.program("tqimap-worker")] if ledger else [sys.executable, "-m", "chaos.blind"]
    name = f"{directory.name}-{number}"
    command = [*program, "-c", str(directory / "hosts" / "config"), "--name", name, "-v", "2"]
    log = directory / f"worker-{number}.log"
    return Program(name, [*command, *options], _environment(), log)


def _environment() -> dict[str, str]:
    return {**clean(os.environ), "PYTHONPATH": str(TESTS), "PYTHONUNBUFFERED": "1"}
