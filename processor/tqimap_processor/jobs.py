"""Process one mail: what rq calls by name, in a process of its own.

A function of the sha alone; everything else is in the ledger and in the worker's settings.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from tqimap_processor import attachments, contain, upload
from tqimap_processor.attempt import attempt
from tqimap_processor.remembered import remembered
from tqimap_processor.threatq import Client
from tqimap_processor.zygote import Zygote
from tqimap_shared import ranges
from tqimap_shared.threatq import Session


if TYPE_CHECKING:
    from collections.abc import Callable

    from tqimap_processor.attempt import Context
    from tqimap_processor.report import Report
    from tqimap_shared.lease import Lease
    from tqimap_shared.settings import Limits, Settings

LOG = logging.getLogger(__name__)
_clients: list[Client] = []
_zygotes: list[Zygote] = []


def prepare(settings: Settings) -> None:
    """Do once, before forking, what every process would do anew; nothing is sent yet.

    The zygote is started, and what protection this system lacks is said; trust in certificates is
    set up, and a place made where processes leave token and tables for those that come after them.
    Raises SettingsError and TryLater.
    """
    end()
    _zygotes[:] = [Zygote.spawned(settings.limits)]
    _clients[:] = [Client(Session(settings.threatq))]
    if lacking := contain.missing(settings.limits, _zygotes[0]):
        LOG.warning("this system lacks %s: mail is parsed without it", " and ".join(lacking))


def revive(limits: Limits) -> bool:
    """Start the zygote anew if it has died; return whether it had."""
    if _zygotes[0].lives():
        return False
    LOG.error("the process that parsers are forked from has died; there is a new one")
    end()
    _zygotes[:] = [Zygote.spawned(limits)]
    return True


def end() -> None:
    """End what `prepare` has started."""
    while _zygotes:
        _zygotes.pop().close()


def examined(raw: bytes, settings: Settings, *, beat: Callable[[], None]) -> Report:
    """Examine *raw* in processes that are locked in; raises TryLater."""
    limits, policy = settings.limits, settings.policy
    return contain.examine(raw, limits=limits, policy=policy, zygote=_zygotes[0], beat=beat)


def process(sha256: str) -> str:
    """Bring the mail *sha256* from its lease to done; return a sentence about it.

    Raises as `attempt.attempt` does.
    """
    return attempt(sha256, _work)


def _work(lease: Lease, context: Context) -> dict[str, str]:
    settings = context.settings
    raw = context.ledger.raw(lease.sha256)
    report = examined(raw, settings, beat=lease.renew)
    lease.renew()
    attachments.keep(report, settings.files)
    with _clients[0].attended() as client:
        receipt = upload.deliver(report, client=client, lease=lease, settings=settings)
    return {
        "files": str(receipt.files),
        "indicators": str(receipt.indicators),
        "relations": str(receipt.relations),
        "ids": ranges.join(receipt.ids),
        "refused": " ".join(sorted(receipt.refused)),
        **remembered(report.message, settings.threatq.max_attribute),
    }
