"""How much time a mail has left: for opening it, and for searching what was opened by then.

Opening may use three quarters of a mail's time. A process that is stopped has always used a little
more than it was given, and sweeping what it died over takes time too; so searching has its quarter
counted from where it begins, or a mail could be opened and then not be searched at all.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, NamedTuple


if TYPE_CHECKING:
    from collections.abc import Callable

    from tqimap_shared.settings import Limits

OPENING = 0.75


class Seconds(NamedTuple):
    """Seconds of processor time, and by the clock."""

    cpu: float
    wall: float


class MailTime:
    """The time of one mail; *used* tells the processor time that went into it so far."""

    def __init__(self, limits: Limits, used: Callable[[], float]) -> None:
        self._limits = limits
        self._used = used
        self._started = time.monotonic()
        self._opened: Seconds | None = None

    def spent(self) -> Seconds:
        """Return what the mail has used so far."""
        return Seconds(self._used(), time.monotonic() - self._started)

    def to_open(self) -> Seconds:
        """Return what is left for opening artefacts."""
        return self._left(OPENING, Seconds(0, 0))

    def to_search(self) -> Seconds:
        """Return what is left for searching, which begins with the first call."""
        self._opened = self._opened or self.spent()
        return Seconds(*map(max, self.left(), self._left(1 - OPENING, self._opened)))

    def left(self) -> Seconds:
        """Return what is left of the whole."""
        return self._left(1, Seconds(0, 0))

    def _left(self, share: float, since: Seconds) -> Seconds:
        spent = self.spent()
        return Seconds(
            since.cpu + share * self._limits.mail_seconds - spent.cpu,
            since.wall + share * self._limits.wall - spent.wall,
        )
