"""Process one mail: what rq calls by name, in a process of its own.

A function of the sha alone; everything else is in the ledger and in the worker's settings.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tqimap_processor import attachments, contain, upload
from tqimap_processor.attempt import attempt
from tqimap_processor.selection import remembered
from tqimap_processor.threatq import Client
from tqimap_shared import ranges
from tqimap_shared.threatq import Session


if TYPE_CHECKING:
    from tqimap_processor.attempt import Context
    from tqimap_shared.lease import Lease
    from tqimap_shared.settings import ThreatQ

_clients: list[Client] = []


def prepare(settings: ThreatQ) -> None:
    """Do once, before forking, what every process would do anew; nothing is sent yet.

    Trust in certificates is set up, and a place made where processes leave token and tables for
    those that come after them. Raises SettingsError.
    """
    _clients[:] = [Client(Session(settings))]


def process(sha256: str) -> str:
    """Bring the mail *sha256* from its lease to done; return a sentence about it.

    Raises as `attempt.attempt` does.
    """
    return attempt(sha256, _work)


def _work(lease: Lease, context: Context) -> dict[str, str]:
    settings = context.settings
    raw = context.ledger.raw(lease.sha256)
    report = contain.examine(raw, limits=settings.limits, policy=settings.policy, beat=lease.renew)
    lease.renew()
    attachments.keep(report, settings.files)
    with _clients[0].attended() as client:
        receipt = upload.deliver(report, client=client, lease=lease, settings=settings)
    return {
        "files": str(receipt.files),
        "indicators": str(receipt.indicators),
        "relations": str(receipt.relations),
        "ids": ranges.join(receipt.ids),
        **remembered(report.message, settings.threatq.max_attribute),
    }
