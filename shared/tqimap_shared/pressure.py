"""Back-pressure: hold mail back on the mail server while Redis or the workers have enough.

At maxmemory rq's workers cannot even start, so fetching stops far below it, and goes on only under
a lower mark: a store that is just under the upper one would be filled again at once.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from tqimap_shared.errors import TryLater
from tqimap_shared.store import answering


if TYPE_CHECKING:
    import redis

    from tqimap_shared.ledger import Ledger
    from tqimap_shared.settings import Redis

HELD_KEY = "{tqimap}:fetch-held"


def held(store: redis.Redis, ledger: Ledger, settings: Redis) -> str | None:
    """Return why nothing more may be fetched now, or None if it may."""
    with answering(store):
        memory = store.info("memory")
        before = store.exists(HELD_KEY)
    waiting = ledger.counts().waiting
    share = memory["used_memory"] / memory["maxmemory"] if memory["maxmemory"] else 0.0
    # once held, both marks are lower, in the same proportion
    scale = settings.low_water / settings.high_water if before else 1.0
    reason = None
    if share >= settings.high_water * scale:
        reason = f"Redis is filled to {share:.0%} of its maxmemory"
    elif waiting >= settings.open_mails * scale:
        reason = f"{waiting} mails wait for the workers"
    # one that is quite full does not even note it
    with suppress(TryLater), answering(store):
        if reason:
            store.set(HELD_KEY, reason)
        elif before:
            store.delete(HELD_KEY)
    return reason
