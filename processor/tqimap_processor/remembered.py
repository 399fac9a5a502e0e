"""What the ledger remembers of a mail's header, to find it again by."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tqimap_processor.threatq.places import line


if TYPE_CHECKING:
    from tqimap_processor.report import Message


def remembered(message: Message, longest: int) -> dict[str, str]:
    """Return what is remembered of *message*, *longest* characters of each."""
    return {
        "message_id": line(message.message_id, longest),
        "sender": line(message.sender, longest),
        "date": message.date.isoformat() if message.date else "",
    }
