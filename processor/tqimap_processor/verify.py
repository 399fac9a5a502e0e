"""Compare mailboxes, ledger, rq and ThreatQ, and name every mail that is not where it should be.

Exit status 0 if all is well or has been healed, 1 if something is wrong.
"""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.markup import escape

from tqimap_processor.checks import SHORT, Desk, effects, library, mailboxes, mails
from tqimap_processor.threatq import Client
from tqimap_shared import settings
from tqimap_shared.errors import Never


if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator

    from tqimap_processor.checks import Fault

WRONG = 1


@dataclass(frozen=True, slots=True)
class Outcome:
    """A fault and what was done about it: *done* is a sentence, empty if nothing was."""

    fault: Fault
    done: str = ""
    why_not: str = ""


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `verify` to *parser*."""
    parser.add_argument("--heal", action="store_true", help="put right what can be")
    parser.add_argument("--json", action="store_true", help="one JSON line")
    parser.add_argument(
        "--quick",
        action="store_true",
        help="do not read the mails that are kept to compare them with ThreatQ",
    )
    parser.add_argument(
        "--forget",
        metavar="MAILBOX",
        help="forget a mailbox that is fetched no more, what was wrong there too; do nothing else",
    )
    parser.add_argument(
        "--days",
        type=float,
        metavar="N",
        help="compare what became done in the last N days with ThreatQ (default: worker.raw_days, "
        "as what is older cannot be processed again)",
    )


def run(options: argparse.Namespace) -> int:
    """Look, heal if asked to, print what was found. Raises TryLater when Redis or ThreatQ is away.

    What was found until then is printed all the same, as what is not all.
    """
    desk = Desk.of(settings.load(options.config))
    if options.forget:
        return _forget(desk, options.forget)
    found: list[Outcome] = []
    complete = False
    try:
        found.extend(_treated(fault, heal=options.heal) for fault in _faults(desk, options))
        complete = True
    finally:
        if options.json:
            sys.stdout.write(json.dumps(_as_json(desk, found, complete=complete)) + "\n")
        else:
            _show(desk, found, complete=complete)
    return 0 if all(outcome.done for outcome in found) else WRONG


def _forget(desk: Desk, mailbox: str) -> int:
    number = desk.folders.forget(mailbox)
    if not number:
        raise Never(mailbox, "no mailbox of this name was ever fetched.")
    sys.stdout.write(f"{number} {'folder' if number == 1 else 'folders'} forgotten\n")
    return 0


def _faults(desk: Desk, options: argparse.Namespace) -> Iterator[Fault]:
    yield from mails.faults(desk)
    yield from mailboxes.faults(desk)
    days = options.days or desk.settings.worker.raw_days or 1
    with Client.open(desk.settings.threatq) as client:
        held = library.Library.of(desk, client.session, days=days)
        yield from library.faults(desk, client.session, held)
        if not options.quick:
            yield from effects.faults(desk, client, held)


def _treated(fault: Fault, *, heal: bool) -> Outcome:
    if not heal:
        return Outcome(fault)
    if fault.heal is None:
        return Outcome(fault, why_not="nothing can be done about it from here")
    try:
        return Outcome(fault, done=fault.heal())
    except Never as error:
        return Outcome(fault, why_not=error.sentence.rstrip("."))


def _as_json(desk: Desk, found: list[Outcome], *, complete: bool) -> dict[str, Any]:
    counts = desk.ledger.counts()
    return {
        "complete": complete,
        "well": complete and all(outcome.done for outcome in found),
        "mails": {"open": counts.open, "failed": counts.dead, "done": counts.done},
        "audits": [
            {"mailbox": one.mailbox, "folder": one.folder, "at": _time(one.audited)}
            for one in desk.folders.every()
        ],
        "faults": [
            {
                "kind": one.fault.kind,
                "subject": one.fault.subject,
                "sentence": one.fault.sentence,
                "healed": one.done or None,
                "why_not": one.why_not or None,
            }
            for one in found
        ],
    }


def _show(desk: Desk, found: list[Outcome], *, complete: bool) -> None:
    console = Console(highlight=False, soft_wrap=True)
    counts = desk.ledger.counts()
    for one in desk.folders.every():
        looked = _time(one.audited) or "never"
        console.print(escape(f"{one.mailbox}/{one.folder}: looked at on {looked}"))
    for outcome in found:
        fault = outcome.fault
        subject = fault.subject[:SHORT] if len(fault.subject) == 64 else fault.subject
        after = outcome.done or outcome.why_not
        console.print(escape(f"{subject}: {fault.sentence}{after and f'; {after}'}"))
    wrong = sum(not outcome.done for outcome in found)
    healed = len(found) - wrong
    console.print(f"{counts.open} open, {counts.done} done: {wrong} faults, {healed} healed")
    if not complete:
        console.print("broken off: not all was compared")


def _time(seconds: float) -> str | None:
    if not seconds:
        return None
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")
