"""Count what is open, done and failed; say why mails failed, and which mails do not come.

rich draws the table for people; `--json` prints one line for scripts.
"""

from __future__ import annotations

import json
import sys
from collections import Counter
from dataclasses import asdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table
from rq import Worker
from rq.serializers import JSONSerializer

from tqimap_shared import settings, store
from tqimap_shared.folders import Folders
from tqimap_shared.ledger import Ledger
from tqimap_shared.queue import open_queue
from tqimap_shared.records import Records


if TYPE_CHECKING:
    import argparse

SHOWN = 20  # failed mails in the table; --json has all
REASONS = 5  # why mails wait, likewise


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `status` to *parser*."""
    parser.add_argument("--json", action="store_true", help="one JSON line")


def run(options: argparse.Namespace) -> int:
    """Print the status; the exit status is 0 even if mails have failed."""
    found = collect(settings.load(options.config))
    if options.json:
        sys.stdout.write(json.dumps(found) + "\n")
    else:
        _show(found)
    return 0


def collect(loaded: settings.Settings) -> dict[str, Any]:
    """Return the status in the shape that `--json` prints. Raises TryLater when Redis is away."""
    client = store.connect(loaded.redis)
    ledger, folders = Ledger(client, settings=loaded.worker), Folders(client)
    counts = ledger.counts()
    queue = open_queue(client, loaded.worker)
    with store.answering(client):
        memory = client.info("memory")
        return {
            "mails": {
                "waiting": counts.waiting,
                "failed": counts.dead,
                "done": counts.done,
                "kept": counts.kept,
            },
            "bytes": {"open": counts.bytes, "kept": counts.kept_bytes},
            "redis": {"used": memory["used_memory"], "maxmemory": memory["maxmemory"]},
            "queue": {
                "name": queue.name,
                "queued": queue.count,
                "started": queue.started_job_registry.get_job_count(cleanup=False),
                "scheduled": queue.scheduled_job_registry.get_job_count(cleanup=False),
                "failed": queue.failed_job_registry.get_job_count(cleanup=False),
            },
            "workers": [
                {"name": one.name, "state": str(one.get_state()), "mail": one.get_current_job_id()}
                for one in Worker.all(queue=queue, serializer=JSONSerializer)
            ],
            "failures": _failures(ledger),
            "put_off": _put_off(Records(client)),
            "quarantined": [asdict(one) for one in folders.quarantined(loaded.fetch.missing_runs)],
            "throttled": {name: _time(until) for name, until in folders.held_off().items()},
        }


def _time(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")


def _failures(ledger: Ledger) -> list[dict[str, Any]]:
    mails = (ledger.mail(sha) for sha in ledger.dead())
    return [
        {"sha256": mail.sha256, "attempts": mail.attempts, "reason": mail.error}
        for mail in mails
        if mail is not None
    ]


def _put_off(records: Records) -> list[dict[str, Any]]:
    """Say why waiting mails that were tried have not come through, the commonest reason first."""
    mails = records.read(records.shas("open"))
    reasons = Counter(mail.error for mail in mails if mail.state != "dead" and mail.error)
    return [{"mails": number, "reason": reason} for reason, number in reasons.most_common()]


def _show(found: dict[str, Any]) -> None:
    console = Console(highlight=False)
    table = Table(show_header=False, box=None)
    for section in ("mails", "bytes", "redis", "queue"):
        for name, value in found[section].items():
            table.add_row(section if name == next(iter(found[section])) else "", name, str(value))
    for worker in found["workers"]:
        mail = f", works on {worker['mail'][:12]}" if worker["mail"] else ""
        table.add_row("worker", escape(worker["name"]), f"{worker['state']}{mail}")
    console.print(table)
    for one in found["put_off"][:REASONS]:
        console.print(escape(f"{one['mails']} waiting: {one['reason']}"), soft_wrap=True)
    for failure in found["failures"][:SHOWN]:
        sentence = f"{failure['sha256'][:12]} failed: {failure['reason']}"
        console.print(escape(sentence), soft_wrap=True)
    if (more := len(found["failures"]) - SHOWN) > 0:
        console.print(f"... and {more} more failed mails (--json lists them)")
    for one in found["quarantined"]:
        where = f"{one['mailbox']}/{one['folder']} UID {one['uid']}"
        sentence = f"{where} quarantined: the server gave nothing for it in {one['runs']} runs"
        console.print(escape(sentence), soft_wrap=True)
    for name, until in found["throttled"].items():
        sentence = f"{name} is left alone until {until}: its server asked for it"
        console.print(escape(sentence), soft_wrap=True)
