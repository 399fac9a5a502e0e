"""What all mailboxes of a run share: Redis, its ledger and memory, settings and state file."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from tqimap_shared import pressure


if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import redis

    from tqimap_fetcher.state import State
    from tqimap_shared.folders import Folders
    from tqimap_shared.ledger import Ledger
    from tqimap_shared.settings import Settings


@dataclass(frozen=True, slots=True)
class Run:
    """What all mailboxes of a run share; *stopped* says that it is to end early."""

    client: redis.Redis
    ledger: Ledger
    folders: Folders
    settings: Settings
    directory: Path
    memory: State
    stopped: Callable[[], bool] = lambda: False

    def held(self) -> str | None:
        """Return why nothing more may be fetched now, or None if it may."""
        if self.stopped():
            return "it was told to stop"
        return pressure.held(self.client, self.ledger, self.settings.redis)
