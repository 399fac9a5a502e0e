"""Read the whole set of hostile files, in their full size, and measure what each costs at most.

The memory is that of the worker and all its processes together.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from bench.table import Line, Table, say
from fixtures.bombs import LINK
from fixtures.hostile_cases import BESIDE, Hostile, carried, cases
from fixtures.reading import MIB, Reader

from tqimap_shared.settings import Limits


if TYPE_CHECKING:
    import argparse

    from fixtures.reading import Read

MEMORY = 1331  # MiB: 1.3 GiB


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add this benchmark's options."""
    parser.add_argument("--only", default="", help="cases whose name has this; all")
    parser.add_argument("--shrink", type=int, default=1, help="divide sizes and limits by this; 1")


def measure(options: argparse.Namespace) -> Table:
    """Measure it."""
    table = Table("Hostile files")
    known = [case for case in cases(options.shrink) if options.only in str(case)]
    with Reader() as reader, tempfile.TemporaryDirectory() as directory:
        found = [(case, _read(reader, Path(directory, "mail"), case)) for case in known]
    wrong = [str(case) for case, read in found if not _is_right(case, read)]
    slow = max(found, key=lambda one: one[1].seconds)
    large = max(found, key=lambda one: one[1].peak)
    table.lines = [
        Line("hostile files", len(found), ""),
        Line("told of wrongly", len(wrong), "", most=0),
        Line("processor time at most", slow[1].seconds, "s", most=Limits().mail_seconds),
        Line("memory at most", large[1].peak / MIB, "MiB", most=MEMORY),
    ]
    table.notes = [
        f"slowest: {slow[0]}",
        f"largest: {large[0]}",
        *(f"wrong: {one}" for one in wrong),
    ]
    return table


def _read(reader: Reader, mail: Path, case: Hostile) -> Read:
    mail.write_bytes(carried(case.build(), case.declared_type))
    read = reader.read(mail, case.limits)
    say(f"{case}: {read.seconds:.1f} s, {read.peak / MIB:.0f} MiB")
    return read


def _is_right(case: Hostile, read: Read) -> bool:
    holds = not case.holds or LINK.decode() in read.found
    told = {kind for _, kind in read.problems}
    beside = {top for top, _ in read.problems} <= {"2"}
    return read.found >= BESIDE and holds and beside and (not case.problem or case.problem in told)
