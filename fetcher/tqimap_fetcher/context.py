"""What all mailboxes of a run share: Redis, its ledger and memory, settings and state file."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING


if TYPE_CHECKING:
    from pathlib import Path

    import redis

    from tqimap_fetcher.state import State
    from tqimap_shared.folders import Folders
    from tqimap_shared.ledger import Ledger
    from tqimap_shared.settings import Settings


@dataclass(frozen=True, slots=True)
class Run:
    """What all mailboxes of a run share."""

    client: redis.Redis
    ledger: Ledger
    folders: Folders
    settings: Settings
    directory: Path
    memory: State
