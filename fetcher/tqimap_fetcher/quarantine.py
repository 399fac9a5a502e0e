"""Stop asking for mails that the server lists and never gives, and say which they are.

Exchange does so now and then: `OK` and no mail. Such a mail stays unread and costs each run a
question; after `fetch.missing_runs` runs it is asked for only once with each audit.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING


if TYPE_CHECKING:
    from tqimap_fetcher.fetch import Tally
    from tqimap_shared.folders import Folders
    from tqimap_shared.settings import Fetch

logger = logging.getLogger(__name__)

Place = tuple[str, str, int]
"""Mailbox, folder and UIDVALIDITY."""


def of(folders: Folders, place: Place, settings: Fetch) -> set[int]:
    """Return the UIDs that are not to be asked for."""
    missing = folders.missing(*place)
    return {uid for uid, runs in missing.items() if runs >= settings.missing_runs}


def count(folders: Folders, place: Place, tally: Tally, settings: Fetch) -> None:
    """Count what the run of *tally* was not given, and name what is quarantined by that."""
    asked = set(folders.missing(*place)).difference(tally.absent, tally.quarantined)
    # a run that ended early says nothing about the mails it did not come to
    forget = () if tally.left else asked
    for uid, runs in folders.count_missing(place, tally.absent, forget=forget).items():
        if runs == settings.missing_runs:
            logger.warning(
                "mailbox %s: UID %d of %s (UIDVALIDITY %d) is quarantined: the server gave nothing "
                "for it in %d runs; it stays unread.",
                place[0],
                uid,
                *place[1:],
                runs,
            )
