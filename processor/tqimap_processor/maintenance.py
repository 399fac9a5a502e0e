"""Put right what kills left behind: mails that rq has lost, jobs that a killed worker had in hand.

Runs inside a worker every `worker.maintenance` seconds, in one worker at a time; a round that runs
twice does no harm.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tqimap_shared import queue, store


if TYPE_CHECKING:
    import redis

    from tqimap_shared.ledger import Ledger
    from tqimap_shared.settings import Worker

LOG = logging.getLogger(__name__)
LOCK = "{tqimap}:maintenance"
SHARE = 0.9  # of the interval that a round's lock lasts: the next round must find it gone
IN_HAND = 10  # seconds that a worker may need between taking a job and booking it
TRIMS = 20  # calls of the ledger's trim in one round


@dataclass(frozen=True, slots=True)
class Round:
    """What one round put right: mails enqueued again, jobs given back, mails forgotten."""

    orphans: int
    given_back: int
    forgotten: int


def once(client: redis.Redis, ledger: Ledger, settings: Worker) -> Round | None:
    """Do one round, or return None while another worker's counts.

    Raises TryLater, and StopProcess at its end when Redis could lose mails by now.
    """
    with store.answering(client):
        if not client.set(LOCK, 1, nx=True, px=int(settings.maintenance * 1000 * SHARE)):
            return None
    if hastened := queue.hasten(client, settings):
        LOG.warning("a clock was set back: %d mails that waited for it are due now", hastened)
    result = Round(
        orphans=reconcile(client, ledger, settings),
        given_back=give_back(client, settings),
        forgotten=trim(ledger),
    )
    if result.orphans or result.given_back:
        LOG.warning(
            "put right: %d mails enqueued that rq had lost, %d jobs given back",
            result.orphans,
            result.given_back,
        )
    store.check(client)
    return result


def reconcile(client: redis.Redis, ledger: Ledger, settings: Worker) -> int:
    """Enqueue every open mail past its grace that is in no structure of rq; return how many."""
    lost = list(queue.orphans(client, ledger.unfinished(older=settings.grace), settings))
    # rq has forgotten, and rightly, what was done while its lists were read
    states = ledger.states(lost)
    wanted = [sha for sha in lost if states[sha] not in {"done", ""}]
    return sum(queue.enqueue(client, sha, settings) for sha in wanted)


def give_back(client: redis.Redis, settings: Worker) -> int:
    """Give back jobs that a killed worker took and never booked; return how many."""
    taken = queue.taken(client, settings, longer=IN_HAND)
    return sum(queue.give_back(client, sha, "", settings) for sha in taken)


def trim(ledger: Ledger) -> int:
    """Forget done mails past their time, within bounds; return how many."""
    forgotten = 0
    for _ in range(TRIMS):
        trimmed = ledger.trim()
        forgotten += trimmed.mails
        if not trimmed.more:
            break
    return forgotten
