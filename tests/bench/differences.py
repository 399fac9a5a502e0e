"""Count what only tqimap finds and what only ioc-finder does, and show it: each to be explained."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from bench.extraction import OURS, installed
from bench.extractor import KINDS
from bench.table import Line, Table
from bench.texts import texts


if TYPE_CHECKING:
    import argparse

_PEER = "ioc-finder"
_PROGRAM = Path(__file__).with_name("extractor.py")


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add this benchmark's options."""
    add = parser.add_argument
    add("--text", type=Path, nargs="*", default=(), help="files to read besides those made up")
    add("--shown", type=int, default=5, help="values of each kind that are shown; 5")
    add("--home", type=Path, help="keep the peer's environment there, for further runs")


def measure(options: argparse.Namespace) -> Table:
    """Compare."""
    table = Table("differences: distinct values of the kinds that both look for")
    with tempfile.TemporaryDirectory(prefix="tqimap-peers-") as name:
        folder = Path(name)
        pythons = installed(options.home or folder, (_PEER,))
        if not pythons:
            table.notes.append(f"{_PEER} could not be installed.")
            return table
        made = {kind: folder / f"{kind}.txt" for kind in texts(1)}
        for kind, text in texts(20_000).items():
            made[kind].write_text(text, "utf-8")
        for file in (*made.values(), *options.text):
            ours = _values(OURS, sys.executable, file)
            theirs = _values(_PEER, pythons[_PEER], file)
            _compare(table, file.stem, ours, theirs, options.shown)
    return table


def _values(name: str, python: str, file: Path) -> dict[str, set[str]]:
    command = [python, str(_PROGRAM), name, str(file), "values"]
    done = subprocess.run(command, capture_output=True, check=True, text=True)
    return {kind: set(values) for kind, values in json.loads(done.stdout).items()}


def _compare(
    table: Table, text: str, ours: dict[str, set[str]], theirs: dict[str, set[str]], shown: int
) -> None:
    for kind in KINDS:
        for name, only in ((OURS, ours[kind] - theirs[kind]), (_PEER, theirs[kind] - ours[kind])):
            if only:
                table.lines.append(Line(f"{text}: {kind}, only {name}", len(only), "values"))
                table.notes += [
                    f"{text}, {kind}, only {name}: {one}" for one in sorted(only)[:shown]
                ]
