"""Open OneNote sections: the files inside, and the text.

Our own search for the marker of a stored file ([MS-ONESTORE] 2.6.13): on 17 samples it found the
same 84 files as one-extract, which failed on one.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from tqimap_processor.artefact import Child, Opened, Problem, Span
from tqimap_processor.openers import runs


if TYPE_CHECKING:
    from tqimap_processor.openers.source import Source


_STORED = bytes.fromhex("e716e3bd65261145a4c48d4d0b7a9eac")
_HEAD = 36  # marker, length of 8 bytes, 12 bytes of nothing
_NAME = re.compile(rb"(?:[^\0-\x1f\"*/:<>?|\\]\0){1,120}\.\0(?:[0-9A-Za-z]\0){1,8}(?=\0)")
_NAMES = 1_000


def open_onenote(source: Source) -> Opened:
    """Return the text outside the stored files as the span `text`, the files as children."""
    rest: list[bytes] = []
    children: list[Child] = []
    problems: dict[Problem, None] = {}
    place, room = 0, source.room
    while (found := source.data.find(_STORED, place)) >= 0:
        rest.append(source.data[place:found])
        size = int.from_bytes(source.data[found + 16 : found + 24], "little")
        start, end = found + _HEAD, found + _HEAD + size
        if end > len(source.data):
            # a length that lies must not hide what follows
            following = source.data.find(_STORED, start)
            end = following if following >= 0 else len(source.data)
        place = end
        if end - start > room or len(children) >= source.limits.children:
            problems.setdefault(Problem("too-large", "a stored file is left out"))
        elif end > start:
            room -= end - start
            data = source.data[start:end]
            children.append(Child(f"part-{len(children) + 1}", data, "onenote-file"))
    rest.append(source.data[place:])
    outside = b"\0".join(rest)
    text = runs.text(outside)
    names = "\n".join(dict.fromkeys(_names(outside)))
    spans = (Span("text", text), Span("file names", names))
    return Opened(tuple(span for span in spans if span.text), tuple(children), tuple(problems))


def _names(data: bytes) -> list[str]:
    found = [hit[0].decode("utf-16-le", "replace") for hit in _NAME.finditer(data)]
    return found[:_NAMES]
