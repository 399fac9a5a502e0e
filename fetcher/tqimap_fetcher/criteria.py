"""Write the words of a SEARCH."""

from __future__ import annotations

from typing import TYPE_CHECKING


if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import date

_MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]


def on(day: date) -> str:
    """Write *day* as IMAP does, in English whatever the locale."""
    return f"{day.day}-{_MONTHS[day.month - 1]}-{day.year}"


def without(keywords: Iterable[str]) -> list[str]:
    """Ask for mails that have none of *keywords*."""
    return [word for keyword in keywords for word in ("UNKEYWORD", keyword)]
