"""Open files that only point elsewhere: .url, .desktop, .iqy, .webloc.

A few lines each; plistlib of the standard library reads the binary form of .webloc.
"""

from __future__ import annotations

import plistlib
import re
from typing import TYPE_CHECKING
from xml.parsers.expat import ExpatError

from tqimap_processor import charset
from tqimap_processor.artefact import Opened, Problem
from tqimap_processor.openers.gathered import Gathered


if TYPE_CHECKING:
    from tqimap_processor.openers.source import Source


_ENTRY = re.compile(r"\s*([\w\[\].@-]{1,80})\s*=(.*)")
_LINES = 10_000
_BROKEN = (ValueError, KeyError, OSError, OverflowError, IndexError, ExpatError, RecursionError)


def open_entries(source: Source) -> Opened:
    """Return the values of *source*, an INI-like file, each under its key."""
    gathered = Gathered(source.limits)
    for number, line in enumerate(_lines(source), 1):
        if entry := _ENTRY.fullmatch(line):
            gathered.add(entry[1], entry[2])
        else:
            gathered.add(f"line {number}", line)
    return gathered.opened()


def open_query(source: Source) -> Opened:
    """Return the lines of *source*, a web query of Excel, whose third is the link."""
    gathered = Gathered(source.limits)
    for number, line in enumerate(_lines(source), 1):
        gathered.add(f"line {number}", line)
    return gathered.opened()


def open_plist(source: Source) -> Opened:
    """Return the strings of *source*, a binary property list."""
    gathered = Gathered(source.limits)
    try:
        pending: list[tuple[str, object]] = [("$", plistlib.loads(source.data))]
    except _BROKEN as error:
        return Opened(problems=(Problem("malformed", type(error).__name__),))
    # an object may hold itself, or another a thousand times
    for _ in range(source.limits.spans):
        if not pending or gathered.is_full:
            break
        where, item = pending.pop(0)
        where = where[-400:]
        if isinstance(item, str):
            gathered.add(where, item)
        elif isinstance(item, dict):
            pending += [(f"{where}.{key}", value) for key, value in item.items()]
        elif isinstance(item, list):
            pending += [(f"{where}[{number}]", value) for number, value in enumerate(item)]
    return gathered.opened()


def _lines(source: Source) -> list[str]:
    return charset.decode(source.data, source.charset).splitlines()[:_LINES]
