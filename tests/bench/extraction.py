"""Measure the search for indicators against its peers, in one run: CPU time for 100 KB of text.

The peers are installed from the package index into an environment in a temporary directory, which
goes when the run ends. All take turns, so that whatever else the machine does falls on all alike.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import venv
from pathlib import Path
from typing import TYPE_CHECKING

from bench import chart
from bench.table import Line, Table, say
from bench.texts import texts


if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator, Sequence

OURS = "tqimap"
PEERS = ("ioc-finder", "iocextract", "iocsearcher")
# what a peer imports without saying that it needs it
_UNSAID = {"iocextract": ("requests",)}
# ms of CPU for 100 KB to keep, and times ioc-finder
MARKS = {"prose": 5.0, "dense": 12.0, "html": 4.0, "log": 10.0}
TIMES = 20.0
_PROGRAM = Path(__file__).with_name("extractor.py")
_UNIT = 100_000


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add this benchmark's options."""
    add = parser.add_argument
    add("--size", type=int, default=50_000, help="characters of each text; 50000")
    add("--rounds", type=int, default=3, help="rounds, of which the best counts; 3")
    add("--patience", type=float, default=60, help="seconds an extractor has for a text; 60")
    add("--peers", nargs="*", default=PEERS, help="packages to compare with; msticpy is another")
    add("--home", type=Path, help="keep the peers' environments there, for further runs")
    add("--chart", type=Path, help="draw the ratios into that file, as SVG")


def measure(options: argparse.Namespace) -> Table:
    """Measure everything."""
    table = Table(f"extraction: ms of CPU for 100 KB, texts of {options.size:,} characters")
    with tempfile.TemporaryDirectory(prefix="tqimap-peers-") as name:
        folder = Path(name)
        pythons = {OURS: sys.executable, **installed(options.home or folder, options.peers)}
        for peer in options.peers:
            if peer not in pythons:
                table.notes.append(f"{peer} could not be installed.")
        for kind, text in texts(options.size).items():
            file = folder / f"{kind}.txt"
            file.write_text(text, "utf-8")
            say(f"{kind} ...")
            costs = _costs(pythons, file, options)
            table.lines += _lines(kind, costs, _UNIT / options.size, options)
    if options.chart:
        bars = [(line.what, line.ratio) for line in table.lines if line.ratio is not None]
        title = f"CPU time for the same text, times {OURS}'s"
        options.chart.write_text(chart.svg(title, bars, TIMES), "utf-8")
    return table


def installed(folder: Path, peers: Sequence[str]) -> dict[str, str]:
    """Return the interpreter of each of *peers* that could be installed below *folder*."""
    found = {}
    for peer in peers:
        python = folder / peer / "bin" / "python"
        if not python.exists():
            say(f"installing {peer} ...")
            venv.create(folder / peer, with_pip=True)
        command = [str(python), "-m", "pip", "install", "--quiet", "--quiet", "--no-input", peer]
        command += _UNSAID.get(peer, ())
        if subprocess.run(command, check=False, stdout=sys.stderr).returncode == 0:
            found[peer] = str(python)
    return found


def _costs(
    pythons: dict[str, str], file: Path, options: argparse.Namespace
) -> dict[str, float | None]:
    """Return each extractor's least CPU seconds for *file*, None for one that did not come back."""
    best: dict[str, float | None] = {}
    for _ in range(options.rounds):
        for name, python in pythons.items():
            if name in best and best[name] is None:
                continue
            seconds = _seconds(name, python, file, options.patience)
            known = best.get(name)
            best[name] = seconds if known is None or seconds is None else min(known, seconds)
    return best


def _seconds(name: str, python: str, file: Path, patience: float) -> float | None:
    command = [python, str(_PROGRAM), name, str(file)]
    try:
        done = subprocess.run(command, capture_output=True, timeout=patience, check=True, text=True)
    except subprocess.TimeoutExpired:
        return None
    return float(done.stdout)


def _lines(
    kind: str, costs: dict[str, float | None], unit: float, options: argparse.Namespace
) -> Iterator[Line]:
    ours = costs[OURS]
    if ours is None:
        yield Line(f"{kind}: {OURS}", options.patience * 1000 * unit, "ms at least", most=0)
        return
    yield Line(f"{kind}: {OURS}", ours * 1000 * unit, "ms", most=MARKS[kind])
    for peer, seconds in costs.items():
        if peer == OURS:
            continue
        given = options.patience if seconds is None else seconds
        said = "ms at least" if seconds is None else "ms"
        least = TIMES if peer == "ioc-finder" else None
        yield Line(
            f"{kind}: {peer}", given * 1000 * unit, said, given / ours, f"{OURS}'s", least=least
        )
