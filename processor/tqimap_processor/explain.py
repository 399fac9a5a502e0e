"""Explain mails: what is in them, what was found where, and what would become of it.

Needs neither Redis nor ThreatQ. People get an outline; `--json` prints one line a mail in a stable
shape for scripts.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tqimap_processor import outline
from tqimap_processor.contain import examiner
from tqimap_shared import settings


if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable

    from tqimap_processor.artefact import Artefact
    from tqimap_processor.report import Decision, Report


STDIN = "-"


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `explain` to *parser*."""
    parser.add_argument("--json", action="store_true", help="one JSON line a mail")
    parser.add_argument("files", nargs="+", metavar="FILE", help="a mail; - reads standard input")


def run(options: argparse.Namespace) -> int:
    """Explain each file of *options*; return 1 if one could not be read, after all the others."""
    loaded = settings.load(options.config)
    with examiner(loaded.limits, loaded.policy) as read:
        return max(_explained(name, read, as_line=options.json) for name in options.files)


def _explained(name: str, read: Callable[[bytes], Report], *, as_line: bool) -> int:
    try:
        raw = sys.stdin.buffer.read() if name == STDIN else Path(name).read_bytes()
    except OSError as error:
        sys.stderr.write(f"{name}: cannot be read ({error.strerror}).\n")
        return 1
    report = read(raw)
    if as_line:
        sys.stdout.write(json.dumps(as_json(report), ensure_ascii=True) + "\n")
    else:
        outline.show(outline.console(), name, report)
    return 0


def as_json(report: Report) -> dict[str, Any]:
    """Return *report* in the stable shape that `--json` prints."""
    message = report.message
    return {
        "message": {
            "sha256": message.sha256,
            "message_id": message.message_id,
            "subject": message.subject,
            "from": message.sender,
            "date": message.date.isoformat() if message.date else None,
            "size": message.size,
        },
        "artefacts": [_artefact(one) for one in report.artefacts],
        "findings": [_finding(one) for one in report.decisions],
    }


def _artefact(one: Artefact) -> dict[str, Any]:
    return {
        "id": one.id,
        "parent": one.parent,
        "name": one.name,
        "how": one.how,
        "kind": one.kind,
        "declared_type": one.declared_type,
        "size": one.size,
        "sha256": one.sha256,
        "problems": [{"kind": each.kind, "detail": each.detail} for each in one.problems],
    }


def _finding(one: Decision) -> dict[str, Any]:
    return {
        "type": one.type,
        "value": one.value,
        "decision": one.action.value,
        "reason": one.reason,
        "flags": sorted(one.flags),
        "found": [
            {
                "artefact": place.artefact,
                "where": place.where,
                "start": place.start,
                "end": place.end,
                "text": place.text,
            }
            for place in one.found
        ],
    }
