"""Fuzz our own parsers: `tests/fuzz/run [--seconds S] [--seed N] [TARGET...]`.

Guided by coverage where atheris is installed, else by chance. Prints a line a target; status 1 if
anything was found. Inputs that did are kept in the directory given with --keep.
"""

from __future__ import annotations

import argparse
import importlib.util
import re
import subprocess
import sys
import tempfile
from pathlib import Path

from fuzz.mutation import Outcome, by_seconds
from fuzz.targets import TARGETS


_DONE = re.compile(r"#(\d+)\s+DONE\s+cov: (\d+)")


def main() -> int:
    """Fuzz what the command line names."""
    parser = argparse.ArgumentParser(prog="tests/fuzz/run", description="Fuzz our own parsers.")
    add = parser.add_argument
    add("--seconds", type=float, default=60, help="for all targets together; 60")
    add("--seed", type=int, default=1, help="where chance begins; 1")
    add("--keep", type=Path, help="directory for corpora and inputs that were found")
    add("targets", nargs="*", metavar="TARGET", help=f"all; of {', '.join(TARGETS)}")
    options = parser.parse_args()
    names = options.targets or list(TARGETS)
    if unknown := set(names) - set(TARGETS):
        parser.error(f"no such target: {', '.join(sorted(unknown))}")
    with tempfile.TemporaryDirectory() as scratch:
        keep = options.keep or Path(scratch)
        each = options.seconds / len(names)
        return max(_fuzz(name, each, options.seed, keep / name) for name in names)


def _fuzz(name: str, seconds: float, seed: int, place: Path) -> int:
    place.mkdir(parents=True, exist_ok=True)
    if importlib.util.find_spec("atheris"):
        outcome, told = _guided(name, seconds, seed, place)
    else:
        outcome, told = by_seconds(name, seed, seconds), "by chance"
    for number, (what, data) in enumerate(outcome.found.items()):
        if not what.startswith("found-"):
            (place / f"found-{number}").write_bytes(data)
        sys.stdout.write(f"FOUND {name}: {what}, {len(data)} bytes: {data[:200]!r}\n")
    sys.stdout.write(f"{name}: {outcome.tried} inputs, {told}, {len(outcome.found)} found\n")
    sys.stdout.flush()
    return 1 if outcome.found else 0


def _guided(name: str, seconds: float, seed: int, place: Path) -> tuple[Outcome, str]:
    command = [sys.executable, "-m", "fuzz.guided", name, str(place), f"{seconds:.0f}", str(seed)]
    done = subprocess.run(command, capture_output=True, text=True, errors="replace", check=False)
    ended = _DONE.search(done.stderr)
    outcome = Outcome(name, int(ended[1]) if ended else 0)
    for found in sorted(place.glob("found-*")):
        outcome.found[found.name] = found.read_bytes()
    if done.returncode and not outcome.found:
        outcome.found[f"ended with {done.returncode}: {done.stderr[-2000:]}"] = b""
    if outcome.found:
        (place / "log").write_text(done.stderr, encoding="utf-8")
    return outcome, f"{ended[2]} edges" if ended else "cut short"


if __name__ == "__main__":
    sys.exit(main())
