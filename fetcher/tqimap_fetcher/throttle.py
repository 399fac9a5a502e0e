"""Leave a mail server alone for as long as it asks.

Exchange names a time; asking again before makes it longer. A run never waits for it: the next runs
skip the mailbox until it is over, and end well. Kept in Redis and in the state file, so that the
loss of either changes nothing.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING


if TYPE_CHECKING:
    from tqimap_fetcher.state import State
    from tqimap_shared.folders import Folders


def hold_off(folders: Folders, memory: State, mailbox: str, seconds: float) -> None:
    """Remember that the server of *mailbox* wants no visit for *seconds*."""
    memory.keep(mailbox, not_before=time.time() + seconds)
    folders.hold_off(mailbox, seconds)


def seconds_left(folders: Folders, memory: State, mailbox: str, *, most: float) -> float:
    """Return for how long *mailbox* is still to be left alone, 0 if it is not.

    More than *most* seconds are not believed: a clock was set back, or a limit lowered.
    """
    held = folders.held_off().get(mailbox)
    if held is not None:
        return min(max(0.0, held - folders.now()), most)
    noted = memory.of(mailbox).get("not_before")
    left = noted - time.time() if isinstance(noted, int | float) else 0.0
    return left if 0 < left <= most else 0.0
