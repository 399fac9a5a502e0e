"""Ask iocextract where our own grammar leaves something bracketed unexplained.

iocextract, because it knows the oddest defanging (`example .com`, `[[[ . ])]`); only on short
windows and only so many, because its patterns are slow and grow faster than their input. What it
finds counts only if our own judges accept it.
"""

from __future__ import annotations

import importlib
import re
import sys
from bisect import bisect_right
from itertools import islice
from types import ModuleType
from typing import TYPE_CHECKING

from tqimap_processor.extract import tokens
from tqimap_processor.extract.finding import EMAIL, URL, Finding


if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tqimap_processor.extract.refanging import Refanged

# iocextract loads an HTTP client for a use that is not ours: most of its time to load, and 8 MB
# that each fork of a process would carry
_nothing = sys.modules.setdefault("requests", ModuleType("requests"))
iocextract = importlib.import_module("iocextract")
if not hasattr(_nothing, "get"):
    del sys.modules["requests"]

# characters on either side of what is unexplained, and windows of a text
WINDOW = 64
MAX_WINDOWS = 16
MAX_CANDIDATES = 1000
_OPINION = frozenset({"second-opinion", "defanged"})
# what must be there at all, and where then
_LEFT = tuple(
    (sign, re.compile(pattern))
    for sign, pattern in (
        (b"[", rb"\[(?=[ \[]{0,4}+(?:\.|dot|@|at|/)[ \]\w\xff])"),
        (b".", rb"\.(?<= \.)(?=(?:com|net|org|info|ru)\b)(?<=\w \.)"),
        (b"T", rb"T (?:(?<=[\w\])] AT )|(?<=[\w\])] DOT ))(?=\w)"),
        (b"@", rb"@(?<=[\w\])] @) ?(?=[\w.-]{1,63} ?[.\[({])"),
    )
)

# somebody is spoken to, or a domain of senders is named
_HANDLE = re.compile(r"@\w[\w.-]{0,62}(?![\w.\[({-]| [\[({.])")
_LOCAL = re.compile(r"[\w.+-]+\s*[\[({<]*\s*(?:@|(?<![a-z])at(?![a-z]))", re.IGNORECASE)


def find(text: str, refanged: Refanged, placed: Sequence[Finding]) -> Iterator[Finding]:
    """Yield what iocextract finds in *text* where the sorted findings *placed* cover nothing.

    *refanged* is *text* after refanging: what our own grammar resolved is not bracketed there.
    """
    left_over = sorted(refanged.span(at, at + 1)[0] for at in _unexplained(refanged.image))
    starts = [finding.start for finding in placed] if left_over else []
    done = windows = 0
    for left in left_over:
        if left < done or _covered(placed, starts, left) or _HANDLE.match(text, left):
            continue
        start = max(done, left - WINDOW)
        start = text.rfind("\n", start, left) + 1 or start
        done = min(len(text), left + WINDOW)
        windows += 1
        if windows > MAX_WINDOWS:
            return
        for finding in _ask(text, start, done):
            if not _covered(placed, starts, finding.start):
                yield finding


def _unexplained(image: bytes) -> Iterator[int]:
    for sign, pattern in _LEFT:
        if sign in image:
            yield from (match.start() for match in islice(pattern.finditer(image), MAX_CANDIDATES))


def _covered(placed: Sequence[Finding], starts: list[int], position: int) -> bool:
    at = bisect_right(starts, position)
    return any(finding.end > position for finding in placed[max(0, at - 4) : at])


def _ask(text: str, start: int, end: int) -> Iterator[Finding]:
    window = text[start:end]
    for kind, raw, said in _answers(window):
        at = window.find(raw)
        hits = tokens.read(said) if at >= 0 else ()
        for found, value, _, stop, flags, _ in hits[:1]:
            if found == kind and stop == len(said):
                begin = start + at
                yield Finding(kind, value, begin, begin + len(raw), flags | _OPINION)


def _answers(window: str) -> Iterator[tuple[str, str, str]]:
    for raw in iocextract.extract_unencoded_urls(window):
        yield URL, raw, iocextract.refang_data(raw)
    if "@" in window or "at" in window.lower():
        for glued in iocextract.extract_emails(window):
            # it takes the words before the address for a part of it
            local = _LOCAL.search(glued)
            raw = glued[local.start() :] if local else glued
            yield EMAIL, raw, iocextract.refang_email(raw)
