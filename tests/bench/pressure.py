"""Admit more mail than Redis may hold, beside real workers: it must finish, and never overflow.

Goes on as the fetcher does: asks for back-pressure before each batch, and waits while it is held.
"""

from __future__ import annotations

import subprocess
import time
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bench import plant as plants
from bench.letters import letter
from bench.table import Line, Table, say

from tqimap_sandbox import part
from tqimap_shared import pressure


if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator

    from bench.plant import Plant

LOOK = 0.2  # seconds between two looks at Redis


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add this benchmark's options."""
    add = parser.add_argument
    add("--mails", type=int, default=10_000, help="how many; 10000")
    add("--size", type=float, default=1, help="share of the size of usual mails; 1")
    add("--maxmemory", type=int, default=256, help="MB that Redis may take; 256")
    add("--workers", type=int, default=2, help="workers beside; 2")
    add("--delay", type=float, default=2, help="ms until ThreatQ answers; 2")


@dataclass(slots=True)
class _Watch:
    """What was seen of Redis; shares are of maxmemory."""

    fullest: float = 0.0
    held: int = 0
    waited: float = 0.0


def measure(options: argparse.Namespace) -> Table:
    """Measure it."""
    with (
        plants.running(delay=options.delay / 1000, maxmemory=f"{options.maxmemory}mb") as kept,
        plants.swift(kept) as plant,
        _workers(plant, options.workers),
    ):
        plant.client.config_resetstat()
        started = time.monotonic()
        watch = _admit(plant, options)
        while plant.ledger.counts().waiting:
            watch.fullest = max(watch.fullest, share(plant))
            time.sleep(LOOK)
        seconds = time.monotonic() - started
        errors = plant.client.info("errorstats").get("errorstat_OOM", {}).get("count", 0)
        done = plant.ledger.counts().done
    table = Table(f"pressure: {options.mails} mails into {options.maxmemory} MB")
    table.lines = [
        Line("mails done", done, "", least=options.mails),
        Line("writes refused for want of memory", errors, "", most=0),
        Line("held back", watch.held, "times"),
        Line("held back", watch.waited, "s"),
        Line("Redis at its fullest", watch.fullest * 100, "% of maxmemory", most=90),
        Line("all in all", seconds, "s"),
    ]
    table.notes.append(f"measured on {plants.machine()}")
    return table


def _admit(plant: Plant, options: argparse.Namespace) -> _Watch:
    watch, waiting, batch = _Watch(), False, plants.BATCH
    for start in range(0, options.mails, batch):
        numbers = range(start, min(start + batch, options.mails))
        mails = [letter(number, size=options.size) for number in numbers]
        since = time.monotonic()
        while reason := pressure.held(plant.client, plant.ledger, plant.settings.redis):
            if not waiting:
                say(f"held back after {start} mails: {reason}")
            waiting, watch.held = True, watch.held + (not waiting)
            time.sleep(LOOK)
        watch.waited += time.monotonic() - since if waiting else 0.0
        waiting = False
        plant.admit(mails)
        watch.fullest = max(watch.fullest, share(plant))
    return watch


def share(plant: Plant) -> float:
    """Return how full Redis is."""
    memory = plant.client.info("memory")
    return float(memory["used_memory"] / memory["maxmemory"])


@contextmanager
def _workers(plant: Plant, count: int) -> Iterator[None]:
    command = [part.program("tqimap-worker"), "-c", str(plant.directory), "--jobs-per-fork", "200"]
    running = [subprocess.Popen(command) for _ in range(count)]
    try:
        yield
    finally:
        for one in running:
            one.terminate()
        for one in running:
            one.wait()
