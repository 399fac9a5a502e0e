"""Measure mails from admitted to done: real Redis, the stand-in over TLS, real workers.

Compared with the seed's job done the plain way, one worker with two, and a process for each mail
with one for many.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from bench import plant as plants
from bench.letters import letters
from bench.plain import Plain
from bench.stages import STAGES, Costs, costs
from bench.table import Line, Table, say


if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from bench.plant import Plant, Shift

MILLISECONDS = 20  # that the stand-in takes to answer
# workers, and their options; a worker waits for ThreatQ most of its time
WAYS: tuple[tuple[int, tuple[str, ...]], ...] = (
    (1, ()),
    (2, ()),
    (1, ("--jobs-per-fork", "200")),
    (2, ("--jobs-per-fork", "200")),
    (8, ("--jobs-per-fork", "200")),
)
MIB = 2**20
TIMES = 20  # the plain way: what the best of our ways has to reach


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add this benchmark's options."""
    add = parser.add_argument
    add("--mails", type=int, default=2000, help="how many; 2000")
    add("--plain", type=int, default=100, help="how many of them the plain way gets; 100")
    add("--stages", type=int, default=300, help="how many are taken apart by stage; 300")
    add("--patience", type=float, default=10, help="seconds iocextract has for a mail; 10")
    add("--delay", type=float, default=MILLISECONDS, help="ms until the stand-in answers; 20")
    add("--ways", type=int, default=len(WAYS), help="how many of the set-ups; all")


def measure(options: argparse.Namespace) -> Table:
    """Measure everything."""
    say(f"making {options.mails} mails ...")
    mails = list(letters(options.mails))
    size = sum(map(len, mails)) / len(mails) / 1000
    table = Table(f"pipeline: {len(mails)} mails, {size:.1f} KB each")
    some = _spread(mails, options.plain)
    with plants.running(delay=options.delay / 1000) as plant:
        _stages(costs(plant, _spread(mails, options.stages)), table)
        _compared(plant, mails, some, WAYS[:1], options, table)
        with plants.swift(plant) as swift:
            _compared(swift, mails, some, WAYS[: options.ways], options, table)
    table.notes.append(f"measured on {plants.machine()}")
    return table


def _compared(
    plant: Plant,
    mails: Sequence[bytes],
    some: Sequence[bytes],
    ways: Sequence[tuple[int, tuple[str, ...]]],
    options: argparse.Namespace,
    table: Table,
) -> None:
    """Measure the plain way and these of ours at one server."""
    server = f"stand-in + {options.delay:g} ms" if plant.keeps else f"{options.delay:g} ms a call"
    baseline = _plain(plant, some, options.patience, table, server)
    idle = plant.work(0).cpu
    for workers, more in ways:
        name = f"{workers} worker{'s' if workers > 1 else ''} {' '.join(more)}".strip()
        say(f"{server}: {name} ...")
        plant.empty()
        _admitted(plant, mails, table if plant.keeps else None)
        shift = plant.work(len(mails), workers=workers, options=more)
        best = (workers, more) == WAYS[-1]
        _shift(shift, idle * workers, baseline, table, f"{server}: {name}", best=best)
        if plant.keeps:
            _first(shift, plant, table)


def _spread(mails: Sequence[bytes], count: int) -> Sequence[bytes]:
    return mails[:: max(1, len(mails) // count)][:count]


def _plain(
    plant: Plant, mails: Sequence[bytes], patience: float, table: Table, server: str
) -> float:
    say(f"{server}: the plain way, {len(mails)} mails ...")
    plant.empty()
    plain = Plain(plant.stand_in, patience)
    started, used = time.monotonic(), time.process_time()
    for raw in mails:
        plain.process(raw)
    rate = len(mails) / (time.monotonic() - started)
    spent = (time.process_time() - used) / len(mails) * 1000
    calls = sum(plant.calls().values()) / len(mails)
    table.lines += [
        Line(f"{server}: the plain way", rate, "mails/s"),
        Line(f"{server}: the plain way: processor time", spent, "ms a mail"),
    ]
    if plant.keeps:
        table.lines.append(Line("the plain way: calls of ThreatQ", calls, "a mail"))
    table.notes.append(
        f"{server}: the plain way got {len(mails)} of the mails; iocextract was stopped in "
        f"{plain.stopped} after {patience:g} s."
    )
    return rate


def _stages(costs: Costs, table: Table) -> None:
    whole = sum(costs.milliseconds(name) for name in STAGES)
    for name in STAGES:
        spent = costs.milliseconds(name)
        table.lines.append(Line(f"stage: {name}", spent, "CPU-ms a mail", spent / whole, "all"))
    for name, seconds in costs.redis.items():
        spent = seconds * 1000 / costs.mails
        table.lines.append(Line(f"Redis: {name}", spent, "CPU-ms a mail"))
        table.lines.append(
            Line(f"Redis: {name}", costs.commands[name] / costs.mails, "commands a mail")
        )
    ledger = costs.milliseconds("ledger") + costs.redis["ledger"] * 1000 / costs.mails
    without = whole - costs.milliseconds("ledger")
    table.lines.append(
        Line(
            "with ledger, Redis' part too",
            without + ledger,
            "CPU-ms a mail",
            (without + ledger) / without,
            "without",
        )
    )


def _admitted(plant: Plant, mails: Sequence[bytes], table: Table | None) -> None:
    before, started = plant.bytes(), time.monotonic()
    plant.admit(mails)
    seconds = time.monotonic() - started
    if table is None:
        return
    each = (plant.bytes() - before) / len(mails)
    size = sum(map(len, mails)) / len(mails)
    table.lines += [
        Line("admitted and enqueued", len(mails) / seconds, "mails/s"),
        Line("Redis holds of a waiting mail", each / 1000, "KB"),
        Line("the same for a mail of 75 KB", each / size * 75, "KB", most=40),
    ]


def _shift(
    shift: Shift, idle: float, baseline: float, table: Table, name: str, *, best: bool
) -> None:
    spent = (shift.cpu - idle) / shift.mails * 1000
    ratio, least = shift.rate / baseline, TIMES if best else None
    table.lines += [
        Line(name, shift.rate, "mails/s", ratio, "the plain way", least=least),
        Line(f"{name}: processor time", spent, "ms a mail"),
        Line(f"{name}: memory of a worker", shift.peak / MIB, "MiB", most=300),
    ]


def _first(shift: Shift, plant: Plant, table: Table) -> None:
    # the first process of a worker logs in and reads two tables, whatever comes after
    files = shift.calls.get("POST /api/attachments", 0) / shift.mails
    found = shift.calls.get("GET /api/attachments", 0) / shift.mails
    calls = sum(shift.calls.values()) / shift.mails
    table.lines.append(Line("calls of ThreatQ", calls, "a mail", most=3 + found))
    table.notes += [
        f"A mail has {found:.2f} different files, {files:.2f} of them new to ThreatQ.",
        *(
            f"  {count / shift.mails:6.3f} a mail: {name}"
            for name, count in sorted(shift.calls.items())
        ),
    ]
    kept = plant.bytes() / shift.mails / 1000
    table.notes.append(f"Redis holds {kept:.1f} KB of a done mail whose raw bytes are kept.")
