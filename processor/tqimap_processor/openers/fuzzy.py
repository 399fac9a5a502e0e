"""Give programs a fuzzy hash (ssdeep), by which variants of one are found; nothing else is read.

ppdeep, because it is the one kept library that is installed everywhere: the wrappers of ssdeep
itself have no wheels for aarch64, or none at all. It is pure Python: 0.4 seconds of processor time
a megabyte, several times that for files without variety, so there is a limit on the size.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tqimap_processor import places
from tqimap_processor.artefact import Opened, Problem, Span


if TYPE_CHECKING:
    from tqimap_processor.openers.source import Source


PROGRAMS = ("exe", "elf", "macho", "class", "wasm")


def open_program(source: Source) -> Opened:
    """Return the fuzzy hash of *source* as its only span."""
    if len(source.data) > source.limits.fuzzy:
        return Opened(problems=(Problem("too-large", "no fuzzy hash"),))
    return Opened((span(source),))


def span(source: Source) -> Span:
    """Return the fuzzy hash of *source*."""
    import ppdeep

    return Span(places.FUZZY, ppdeep.hash(source.data), typed="Fuzzy Hash")


def wanted(kind: str, source: Source) -> bool:
    """Say whether *source*, a file of *kind*, gets a fuzzy hash beside what its opener reads."""
    limits = source.limits
    return limits.fuzzy_any and kind not in PROGRAMS and len(source.data) <= limits.fuzzy
