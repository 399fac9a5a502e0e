"""Process mails again, from their raw bytes, and add what is missing in ThreatQ.

Their raw bytes are kept for worker.raw_days and up to worker.raw_bytes. What is there already stays
as it is: a File is looked up before it is sent, and one that was deleted in ThreatQ is sent again.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections import Counter
from contextlib import ExitStack
from datetime import date
from functools import partial
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.markup import escape

from tqimap_processor.checks import SHORT, Desk
from tqimap_processor.checks.library import files_of, present
from tqimap_processor.contain import examiner
from tqimap_processor.difference import Fate, differences
from tqimap_processor.selection import Query, select
from tqimap_processor.threatq import Client
from tqimap_shared import settings
from tqimap_shared.errors import Never


if TYPE_CHECKING:
    from collections.abc import Callable

    from tqimap_processor.difference import Difference
    from tqimap_processor.report import Report
    from tqimap_shared.ledger import Mail


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `replay` to *parser*."""
    add = parser.add_argument
    add(
        "shas", nargs="*", default=[], metavar="SHA", help="the first characters of a mail's sha256"
    )
    add("--message-id", default="", metavar="ID", help="mails with this Message-ID")
    add("--from", dest="sender", default="", metavar="WHO", help="mails from an address or domain")
    add("--since", type=_day, metavar="DAY", help="mails fetched, or dated, on DAY or later (UTC)")
    add("--until", type=_day, metavar="DAY", help="mails fetched, or dated, on DAY or earlier")
    add("--dry-run", action="store_true", help="only print what would change in ThreatQ")
    add("--json", action="store_true", help="one JSON line a mail")


def run(options: argparse.Namespace) -> int:
    """Replay, or say what it would do. Raises ArgumentError if no option says for which mails."""
    query = Query(
        shas=tuple(options.shas),
        message_id=options.message_id,
        sender=options.sender,
        since=options.since,
        until=options.until,
    )
    if query.empty:
        sentence = "say which mails: SHA, --message-id, --from, --since or --until"
        raise argparse.ArgumentError(None, sentence)
    desk = Desk.of(settings.load(options.config))
    chosen = select(query, ledger=desk.ledger, records=desk.records, settings=desk.settings)
    act: Callable[[Desk, Client, Mail], dict[str, Any]] = _replayed
    number = 0
    with ExitStack() as stack:
        client = stack.enter_context(Client.open(desk.settings.threatq))
        if options.dry_run:
            read = stack.enter_context(examiner(desk.settings.limits, desk.settings.policy))
            act = partial(_compared, read)
        for mail in chosen:
            number += 1
            _tell(act(desk, client, mail), as_json=options.json)
    if not options.json:
        sys.stdout.write(f"{number} {'mail' if number == 1 else 'mails'}\n")
    return 0


def _replayed(desk: Desk, client: Client, mail: Mail) -> dict[str, Any]:
    """Have a mail processed again; one that is in work already is left to that."""
    sha = mail.sha256
    try:
        if mail.state != "done":
            return {"sha256": sha, "outcome": desk.enqueue(sha)}
        files = files_of(mail)
        there = present(client.session, "attachments", {int(one) for one in files.values()})
        gone = {effect: number for effect, number in files.items() if int(number) not in there}
        return {"sha256": sha, "outcome": desk.process_again(sha, gone)}
    except Never as error:
        return {"sha256": sha, "outcome": error.sentence.rstrip(".")}


def _compared(
    read: Callable[[bytes], Report], desk: Desk, client: Client, mail: Mail
) -> dict[str, Any]:
    """Say what processing a mail again would send."""
    try:
        raw = desk.ledger.raw(mail.sha256)
    except Never as error:
        return {"sha256": mail.sha256, "outcome": error.sentence.rstrip(".")}
    found = list(differences(read(raw), client, desk.settings.threatq))
    counts = Counter(one.fate for one in found)
    return {
        "sha256": mail.sha256,
        "outcome": ", ".join(f"{counts[fate]} {words}" for fate, words in _WORDS.items()),
        "counts": {fate.value: counts[fate] for fate in Fate},
        "differences": [_as_json(one) for one in found],
    }


_WORDS = {Fate.NEW: "new", Fate.THERE: "already there", Fate.CHANGE: "would change"}


def _as_json(one: Difference) -> dict[str, str]:
    return {"what": one.what, "name": one.name, "fate": one.fate.value, "detail": one.detail}


def _tell(about: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        sys.stdout.write(json.dumps(about) + "\n")
        return
    console = Console(highlight=False, soft_wrap=True)
    console.print(f"{about['sha256'][:SHORT]}: {about['outcome']}")
    for one in about.get("differences", ()):
        if one["fate"] != Fate.THERE:
            detail = one["detail"] and f" ({one['detail']})"
            console.print(escape(_plain(f"  {one['fate']:6} {one['what']} {one['name']}{detail}")))


def _plain(text: str) -> str:
    """Return *text* without what would act on the terminal."""
    return "".join(one if one.isprintable() else "\N{REPLACEMENT CHARACTER}" for one in text)


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError("a day as in 2026-03-31") from None
