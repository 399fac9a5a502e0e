"""What an opener is given."""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from typing import TYPE_CHECKING


if TYPE_CHECKING:
    from collections.abc import Mapping

    from tqimap_shared.settings import Limits


@dataclass(frozen=True, slots=True)
class Source:
    """The bytes to open, what their container said of them, and how much may come out.

    *parameters* are the declared type's (`charset`, `format`, `delsp`), *room* the bytes that may
    still be unpacked, *passwords* the words to try on encrypted content. *text* characters and
    *children* are kept of what an opener returns: it may return more, and need not count.
    """

    data: bytes = field(repr=False)
    limits: Limits
    room: int
    declared_type: str = ""
    parameters: Mapping[str, str] = field(default_factory=dict)
    passwords: tuple[str, ...] = field(default=(), repr=False)
    text: int = sys.maxsize
    children: int = sys.maxsize

    @property
    def charset(self) -> str:
        """The declared charset, or an empty string."""
        return self.parameters.get("charset", "")
