"""A whole plant for a benchmark: Redis, the ThreatQ stand-in answering slowly, and workers."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, cast

import tomlkit
from fixtures import threatq

from tqimap_sandbox import part
from tqimap_sandbox import redis as server
from tqimap_shared import queue, store
from tqimap_shared.envelope import Envelope, Location
from tqimap_shared.ledger import Ledger
from tqimap_shared.sections import Redis
from tqimap_shared.settings import FILE_NAME, Settings, load


if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import redis

BATCH = 64  # mails admitted at once, as the fetcher does
LOOK = 1.0  # seconds between two looks at the workers' memory: each takes a ms a process


@dataclass(frozen=True, slots=True)
class Shift:
    """What some workers did: *seconds* lie between the first and the last mail that was done.

    *cpu* is processor time of all workers and their children, start-up included; *peak* the most
    memory that one worker had with all its children, in bytes, shared pages counted once.
    """

    mails: int
    seconds: float
    cpu: float
    peak: int
    calls: dict[str, int]

    @property
    def rate(self) -> float:
        """Mails a second."""
        return (self.mails - 1) / self.seconds


@dataclass(frozen=True, slots=True)
class Plant:
    """Servers and a configuration. *keeps* tells the stand-in from the swift server."""

    directory: Path
    client: redis.Redis
    settings: Settings
    stand_in: threatq.StandIn
    delay: float
    keeps: bool = True

    @property
    def ledger(self) -> Ledger:
        """The ledger in this plant's Redis."""
        return Ledger(self.client, settings=self.settings.worker)

    def empty(self) -> None:
        """Forget all mails, and everything in ThreatQ."""
        self.client.flushall()
        if self.keeps:
            self.stand_in.control("DELETE", "state")
            self.stand_in.inject("slow", delay=self.delay)

    def admit(self, mails: Sequence[bytes], *, enqueue: bool = True) -> list[str]:
        """Admit and enqueue as the fetcher does; return the names."""
        names: list[str] = []
        for start in range(0, len(mails), BATCH):
            envelopes = [
                Envelope.seal(Location("bench", "INBOX", 1, uid), raw)
                for uid, raw in enumerate(mails[start : start + BATCH], start + 1)
            ]
            self.ledger.admit(envelopes)
            for envelope in envelopes if enqueue else ():
                queue.enqueue(self.client, envelope.sha256, self.settings.worker)
            names += [envelope.sha256 for envelope in envelopes]
        return names

    def work(self, mails: int, *, workers: int = 1, options: Sequence[str] = ()) -> Shift:
        """Run workers until the queue is empty and all *mails* are done."""
        if self.keeps:
            self.stand_in.forget_journal()
        command = [part.program("tqimap-worker"), "-c", str(self.directory), "--burst", *options]
        before = os.times()
        running = [subprocess.Popen(command) for _ in range(workers)]
        peak = 0
        try:
            while any(one.poll() is None for one in running):
                peak = max(peak, *(memory(one.pid) for one in running))
                time.sleep(LOOK)
        finally:
            for one in running:
                one.terminate()
                one.wait()
        after = os.times()
        if mails and self.ledger.counts().done != mails:
            raise SystemExit(f"{self.ledger.counts()} of {mails} mails; the log above says why")
        cpu = after.children_user - before.children_user
        cpu += after.children_system - before.children_system
        return Shift(mails, self._seconds() if mails else 0.0, cpu, peak, self.calls())

    def calls(self) -> dict[str, int]:
        """Count the calls that ThreatQ got, by method and path without numbers."""
        counted: dict[str, int] = {}
        for line in self.stand_in.journal() if self.keeps else ():
            path = "/".join("#" if one.isdigit() else one for one in line["path"].split("/"))
            name = f"{line['method']} {path}"
            counted[name] = counted.get(name, 0) + 1
        return counted

    def processor(self) -> float:
        """Return the processor seconds that Redis has used."""
        info = self.client.info("cpu")
        return float(info["used_cpu_user"]) + float(info["used_cpu_sys"])

    def commands(self) -> int:
        """Return how many commands Redis has got."""
        info = self.client.info("stats")
        return int(info["total_commands_processed"])

    def bytes(self) -> int:
        """Return the bytes that Redis uses."""
        return int(self.client.info("memory")["used_memory"])

    def _seconds(self) -> float:
        done = cast(
            "list[tuple[bytes, float]]", self.client.zrange("{tqimap}:done", 0, -1, withscores=True)
        )
        return done[-1][1] - done[0][1]


def memory(pid: int) -> int:
    """Return the bytes of a process and all its descendants, shared pages counted once."""
    total = 0
    for one in [pid, *_descendants(pid)]:
        try:
            text = Path(f"/proc/{one}/smaps_rollup").read_text("ascii")
        except OSError:
            continue  # it has ended
        total += sum(
            int(line.split()[1]) * 1024 for line in text.splitlines() if line.startswith("Pss:")
        )
    return total


def _descendants(pid: int) -> Iterator[int]:
    try:
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text("ascii").split()
    except OSError:
        return
    for child in map(int, children):
        yield child
        yield from _descendants(child)


@contextmanager
def running(*, delay: float, maxmemory: str = "2gb") -> Iterator[Plant]:
    """Run the servers of a plant in a temporary directory while the block runs."""
    with tempfile.TemporaryDirectory(prefix="tqimap-bench-") as temporary:
        directory = Path(temporary)
        with (
            server.serving(directory / "redis", maxmemory=maxmemory) as url,
            threatq.running(directory / "threatq.db") as stand_in,
        ):
            _configure(directory, url, stand_in)
            settings = load(directory)
            with store.connect(Redis(url=settings.redis.url)) as client:
                store.check(client)
                plant = Plant(directory, client, settings, stand_in, delay)
                plant.empty()
                yield plant


@contextmanager
def swift(plant: Plant) -> Iterator[Plant]:
    """Put the swift server in the stand-in's place while the block runs."""
    directory = plant.directory / "swift"
    directory.mkdir()
    tables = ("indicator/types", "indicator/statuses")
    answers = {path: plant.stand_in.api("GET", f"{path}?limit=1000") for path in tables}
    (directory / "tables.json").write_text(json.dumps(answers), "utf-8")
    command = [sys.executable, "-m", "bench.swift", "--directory", str(directory)]
    process = subprocess.Popen(
        [*command, "--delay", str(plant.delay)], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    try:
        said = json.loads(process.stdout.readline())
        server = replace(plant.stand_in, url=said["ready"], ca_file=said["ca_file"])
        url = plant.settings.redis.url.get_secret_value()
        _configure(plant.directory, url, server)
        yield replace(plant, settings=load(plant.directory), stand_in=server, keeps=False)
    finally:
        process.terminate()
        process.wait()
        process.stdout.close()


def _configure(directory: Path, url: str, stand_in: threatq.StandIn) -> None:
    wanted = {
        "threatq": {
            "host": stand_in.url,
            "client_id": stand_in.client_id,
            "email": stand_in.email,
            "password": stand_in.password,
            "ca_file": stand_in.ca_file,
        },
        "redis": {"url": url},
    }
    path = directory / FILE_NAME
    path.touch(mode=0o600)
    path.write_text(tomlkit.dumps(wanted), "utf-8")


def machine() -> str:
    """Say what this was measured on."""
    python = ".".join(map(str, sys.version_info[:3]))
    return json.dumps({"cores": os.cpu_count(), "python": python, "load": os.getloadavg()[0]})
