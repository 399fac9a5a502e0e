"""Run one benchmark: `tests/bench/run NAME [--json] [options]`.

A benchmark is a module of this directory, named after itself, with two functions:
`arguments(parser)` adds its options, `measure(options)` returns a `bench.table.Table`.
"""

from __future__ import annotations

import argparse
import importlib
import sys
from pathlib import Path


PARTS = frozenset({"__main__", "table"})


def names() -> list[str]:
    """Return the benchmarks that are here."""
    found = (path for path in Path(__file__).parent.glob("*.py") if path.stem not in PARTS)
    return sorted(path.stem for path in found if "def measure(" in path.read_text("utf-8"))


def main() -> int:
    """Measure what the command line names, and print it."""
    parser = argparse.ArgumentParser(prog="tests/bench/run", description="Measure tqimap.")
    commands = parser.add_subparsers(dest="name", required=True, metavar="NAME")
    for name in names():
        module = importlib.import_module(f"bench.{name}")
        command = commands.add_parser(name, description=module.__doc__)
        command.add_argument("--json", action="store_true", help="print JSON only")
        module.arguments(command)
    options = parser.parse_args()
    table = importlib.import_module(f"bench.{options.name}").measure(options)
    sys.stdout.write(table.json() if options.json else table.text())
    return 0 if table.reached else 1


if __name__ == "__main__":
    sys.exit(main())
