"""Back-pressure: hold mail back on the mail server while Redis or the workers have enough.

At maxmemory rq's workers cannot even start, so fetching stops far below it, and goes on only under
a lower mark: a store that is just under the upper one would be filled again at once.
"""

from __future__ import annotations

from typing import TYPE_CHECKING


if TYPE_CHECKING:
    import redis

    from tqimap_shared.settings import Redis

HELD_KEY = "{tqimap}:held"
OPEN_KEY = "{tqimap}:open"


def held(store: redis.Redis, settings: Redis) -> str | None:
    """Return why nothing more may be fetched now, or None if it may."""
    share, open_mails = _used(store), int(store.zcard(OPEN_KEY))
    lower = settings.low_water / settings.high_water if store.exists(HELD_KEY) else 1.0
    reason = None
    if share >= settings.high_water * lower:
        reason = f"Redis is filled to {share:.0%} of its maxmemory"
    elif open_mails >= settings.open_mails * lower:
        reason = f"{open_mails} mails are not processed yet"
    if reason:
        store.set(HELD_KEY, reason)
    else:
        store.delete(HELD_KEY)
    return reason


def _used(store: redis.Redis) -> float:
    memory = store.info("memory")
    return memory["used_memory"] / memory["maxmemory"] if memory["maxmemory"] else 0.0
