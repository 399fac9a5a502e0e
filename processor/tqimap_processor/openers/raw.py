"""Sweep bytes that no opener can be let near any more for what is readable in them as it is."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from tqimap_processor.artefact import Opened, Span


if TYPE_CHECKING:
    from tqimap_processor.openers.source import Source


_RUN = re.compile(rb"[\t\x20-\x7e]{6,}")
_WIDE_RUN = re.compile(rb"(?:[\t\x20-\x7e]\0){6,}")


def open_raw(source: Source) -> Opened:
    """Return the runs of printable ASCII in *source*, one byte a character and two, as a span."""
    data = source.data[: source.text]
    narrow = b"\n".join(_RUN.findall(data))
    wide = b"\n".join(_WIDE_RUN.findall(data)).replace(b"\0", b"")
    return Opened((Span("raw", b"\n".join((narrow, wide)).decode("ascii")),))
