"""The program `tqimap-doctor`, and the command `tqimap-admin doctor`."""

from __future__ import annotations

import argparse
import json
import logging
import sys
from dataclasses import asdict
from importlib.metadata import entry_points
from typing import TYPE_CHECKING

from tqimap_shared import doctor, log, settings, store
from tqimap_shared.doctor import library, stores
from tqimap_shared.doctor.link import Patient, Said, walk
from tqimap_shared.program import Program, add_config


if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from tqimap_shared.doctor.link import Link

GROUP = "tqimap.doctor"
PROGRAM = "tqimap-doctor"


def main(arguments_given: Sequence[str] | None = None) -> int:
    """Run the program; return its exit status."""
    parser = argparse.ArgumentParser(prog=PROGRAM, description=doctor.__doc__, allow_abbrev=False)
    add_config(parser)
    arguments(parser)
    options = parser.parse_args(arguments_given)
    program = Program(PROGRAM, logging.getLogger(PROGRAM), log.STDOUT)
    return program.run(lambda: run(options), verbosity=1)


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options to *parser*."""
    parser.add_argument("--json", action="store_true", help="one JSON line")


def run(options: argparse.Namespace) -> int:
    """Try all links and print them; return the status of the first that failed, else 0."""
    # what it would say is said by the links; in between it would only garble them
    logging.disable(logging.CRITICAL)
    try:
        found = []
        for link in links(options.config):
            found.append(link)
            if not options.json:
                sys.stdout.write(_line(link))
                sys.stdout.flush()
    finally:
        logging.disable(logging.NOTSET)
    first = next((one for one in found if one.state == "failed"), None)
    if options.json:
        sys.stdout.write(json.dumps(_as_json(found, first)) + "\n")
    else:
        sys.stdout.write(_verdict(found, first))
    return first.status if first else 0


def links(directory: Path) -> Iterator[Link]:
    """Try the chain of the configuration *directory*: what all share, then each side's own."""
    loaded: list[settings.Settings] = []

    def load() -> Said:
        path = directory / settings.FILE_NAME
        loaded.append(settings.load(directory))
        if not path.exists():
            return Said(f"{path} is not there; environment and defaults serve.", warns=True)
        return Said(f"{path} is well-formed.")

    yield from walk("settings", [("file", load)])
    if not loaded:
        return
    with store.connect(loaded[0].redis) as client:
        patient = Patient(loaded[0], directory, client)
        yield from stores.links(patient)
        yield from library.links(patient)
        for side in sorted(entry_points(group=GROUP), key=lambda one: one.name):
            yield from side.load()(patient)
        if patient.session is not None:
            patient.session.close()


def _line(link: Link) -> str:
    state = {"ok": "ok     ", "warning": "WARNING", "failed": "FAILED "}[link.state]
    return f"{state} {link.seconds:7.3f} s  {link.part}, {link.name}: {link.sentence}\n"


def _verdict(found: list[Link], first: Link | None) -> str:
    if first:
        return f"First broken link: {first.part}, {first.name}.\n"
    warnings = sum(one.state == "warning" for one in found)
    return f"All {len(found)} links hold, {warnings} with a warning.\n"


def _as_json(found: list[Link], first: Link | None) -> dict[str, object]:
    shown = [asdict(one) | {"seconds": round(one.seconds, 4)} for one in found]
    return {"well": first is None, "first": first and f"{first.part}, {first.name}", "links": shown}
