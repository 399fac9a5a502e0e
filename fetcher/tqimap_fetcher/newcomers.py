"""Take what came since the last run, whether somebody has read it or not.

For mailboxes that people read too: neither does it depend on their reading nor do they see it in
the mails. A UID tells what has been taken; of what was there before, only unread mails are taken.
When the server numbers its mails anew, those that came since the day of the first run are looked at
again and known ones recognised by their content.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING

from tqimap_shared import ranges
from tqimap_shared.folders import Folder


if TYPE_CHECKING:
    from collections.abc import Iterable

    from tqimap_fetcher.mailbox import Session
    from tqimap_shared.folders import Folders


def meet(session: Session, *, since: date, before: Folder | None, oldest: date) -> Folder:
    """Return what is to be remembered of a folder that is new, or numbered anew since *before*.

    Mails that came before the day *oldest* would not be recognised any more, and are not looked at.
    """
    if before is not None and before.began:
        began = before.began
        read = session.came_before(max(date.fromisoformat(began), oldest))
    else:
        began = datetime.now(UTC).date().isoformat()
        read = session.read()
    return Folder(
        mailbox=session.mailbox,
        folder=session.folder,
        uidvalidity=session.uidvalidity,
        since=since.isoformat(),
        read=ranges.join(read),
        high=0,
        began=began,
    )


def find(session: Session, folder: Folder, folders: Folders) -> tuple[list[int], int]:
    """Return the UIDs of mails to take, the oldest first, and the highest UID there is."""
    above = session.above(folder.high)
    uids = set(above) - ranges.split(folder.read)
    return sorted(uids - folders.shas(*folder.place, uids).keys()), max(above, default=folder.high)


def pass_by(folder: Folder, highest: int, left: Iterable[int]) -> Folder:
    """Return *folder* with its mark moved to the *highest* UID, or just below what is *left*."""
    return replace(folder, high=min((uid - 1 for uid in left), default=highest))
