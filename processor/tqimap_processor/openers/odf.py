"""Open OpenDocument (odt, ods, odp): text by part, links, hidden tables, macros, objects.

The standard library's zipfile and expat, for the same reasons as in `ooxml`.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from tqimap_processor.artefact import Child, Opened, Problem, Span
from tqimap_processor.openers import markup, odf_locked, package
from tqimap_processor.openers.part_text import PartText
from tqimap_processor.openers.untrusted import attempt


if TYPE_CHECKING:
    from collections.abc import Mapping

    from tqimap_processor.openers.source import Source


_MANIFEST = "META-INF/manifest.xml"
_TREE = re.compile(r"(?i)\.(?:xml|xba|xlb|xdl|rdf)$")
_MACRO = re.compile(r"(?i)^(?:basic|scripts|dialogs)/")
_DULL = re.compile(r"(?i)^(?:mimetype|thumbnails/.*|configurations2/.*|layout-cache|fonts/.*)$")
_PICTURE = re.compile(r"(?i)^pictures/|objectreplacements/")
_HIDING = frozenset({"hidden-text", "hidden-paragraph"})


def open_odf(source: Source) -> Opened:
    """Return each part's text as a span named like the part, and what is embedded as children."""
    read = package.read(source)
    problems = dict.fromkeys(read.problems)
    locked = any(name == _MANIFEST and b"encryption-data" in data for name, data in read.parts)
    parts = read.parts
    if locked:
        plain = _unlocked(dict(read.parts), source)
        if odf_locked.WHOLE in plain:
            return Opened(children=(Child("", plain[odf_locked.WHOLE], "decrypted"),))
        parts = tuple((name, plain[name]) for name, _ in parts if name in plain)
        if not plain:
            problems.setdefault(Problem("encrypted", "no known password opens it"))
    spans: list[Span] = []
    room = source.limits.artefact_text
    for name, data in parts:
        if not _TREE.search(name) or not data.strip():
            continue
        reader = _OdfText(max(0, room))
        problem = markup.read(data, reader)
        if problem:
            problems.setdefault(problem)
        found = list(_spans(name, reader))
        room -= sum(len(span.text) for span in found)
        spans += found
        if _MACRO.search(name) and reader.shown:
            problems.setdefault(Problem("macro", name))
    kept = [part for part in parts if not _TREE.search(part[0]) and not _DULL.search(part[0])]
    kept.sort(key=lambda part: bool(_PICTURE.search(part[0])))
    children = tuple(Child(name, data, "odf-part") for name, data in kept if data)
    return Opened(tuple(spans), children, tuple(problems))


def _unlocked(parts: dict[str, bytes], source: Source) -> dict[str, bytes]:
    plain = attempt(lambda: odf_locked.decrypted(parts[_MANIFEST], parts, source))
    return {} if isinstance(plain, Problem) else plain


def _spans(name: str, reader: _OdfText) -> list[Span]:
    spans = [Span(name, reader.shown), Span(f"{name} hidden text", reader.hidden, hidden=True)]
    spans += [Span(f"{name} {where}", value) for where, value in reader.links]
    return [span for span in spans if span.text]


class _OdfText(PartText):
    """Reads a part and tells what its styles and fields hide."""

    def __init__(self, room: int) -> None:
        super().__init__(room)
        self._style = ""
        self._unseen: set[str] = set()
        self._depth = 0

    def start(self, name: str, attributes: Mapping[str, str]) -> None:
        """Take the start of an element."""
        if name == "style":
            self._style = attributes.get("name", "")
        elif name in {"table-properties", "text-properties"} and (
            attributes.get("display") in {"false", "none"}
        ):
            self._unseen.add(self._style)
        hides = name in _HIDING or attributes.get("style-name", "") in self._unseen
        if self._depth or (hides and name != "style"):
            self._depth += 1
            self._vanished = True
        if "string-value" in attributes:
            self.text(attributes["string-value"])
        super().start(name, attributes)

    def end(self, name: str) -> None:
        """Take the end of an element."""
        super().end(name)
        if self._depth:
            self._depth -= 1
        self._vanished = self._depth > 0
