"""Open OLE files (doc, xls, ppt and what is like them): text by stream, objects, macros.

olefile for the streams; their text is the runs of printable characters in them, which on 134 files
found 200 links in 3.4 s and needs no reader of three undocumented formats.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from tqimap_processor.artefact import Child, Opened, Problem, Span
from tqimap_processor.detect import detect
from tqimap_processor.openers import (
    compound,
    encrypted_office,
    macros,
    ole_objects,
    runs,
    xls_hidden,
)
from tqimap_processor.openers.untrusted import attempt


if TYPE_CHECKING:
    from collections.abc import Iterator

    from tqimap_processor.openers.compound import Compound, Path
    from tqimap_processor.openers.source import Source


_CONTROL = re.compile(r"[\0-\x1f]")
_PICTURES = frozenset({"Data", "Pictures", "Thumbnail", "\x01CompObj"})
_WORKBOOKS = ("Workbook", "Book")
_SLIDES = "PowerPoint Document"
_STORED_OBJECTS = re.compile(r"(?i)^(?:MBD[0-9a-f]+|_\d+|Object.*|LNK[0-9a-f]+)$")
# a stream that is one of these is a file of its own
_FILES = frozenset(
    {"pdf", "ole", "rtf", "exe", "elf", "lnk", "zip", "docx", "xlsx", "pptx", "odf", "jar", "7z"}
    | {"rar", "cab", "chm", "png", "jpeg", "gif", "tiff", "doc", "xls", "ppt", "msg", "onenote"}
    | {"encrypted-office", "tnef", "gzip"}
)
_WORD_LOCKED = 0x01


def open_ole(source: Source) -> Opened:
    """Return the text of each stream, macro sources as `vba:Module1`, objects as children."""
    file = compound.read(source)
    opened = _File(source, file)
    return opened.opened()


class _File:
    """One OLE file being read."""

    def __init__(self, source: Source, file: Compound) -> None:
        self._source = source
        self._file = file
        self._problems = dict.fromkeys(file.problems)
        self._children: list[Child] = []
        self._room = source.room

    def opened(self) -> Opened:
        if _is_locked(self._file):
            return encrypted_office.open_encrypted(self._source)
        inside = self._objects()
        spans = [*self._texts(inside), *self._macros()]
        if not self._file.streams:
            spans.append(Span("raw", runs.text(self._source.data, telling=True)))
        return Opened(
            tuple(span for span in spans if span.text),
            tuple(self._children),
            tuple(self._problems),
        )

    def _texts(self, inside: list[Path]) -> Iterator[Span]:
        """Yield the text of the streams that are not *inside* an object of their own."""
        for path, data in self._file.streams.items():
            if any(path[: len(one)] == one for one in inside):
                continue
            if any(part.upper() in {"VBA", "_VBA_PROJECT_CUR"} for part in path[:-1]):
                continue
            if path[-1] in _WORKBOOKS:
                data, hidden = _parted(data)  # noqa: PLW2901 - without what is hidden
                yield Span(f"{_shown(path)} hidden text", "\n".join(hidden), hidden=True)
            yield Span(_shown(path), runs.text(data, telling=path[-1] in _PICTURES))

    def _macros(self) -> list[Span]:
        spans: list[Span] = []
        projects = self._projects()
        if sum(len(data) for data in projects.values()) > self._source.limits.macros:
            # olevba takes 6 s of processor time a MiB
            self._problems.setdefault(Problem("macro", "too large to be read"))
        elif projects:
            found, problems = macros.read(compound.build(projects), self._source.limits)
            spans += found
            self._problems.update(dict.fromkeys(problems))
        sheets = [one for name in _WORKBOOKS for one in self._sheets(name)]
        if any(kind == 1 for _, kind, _ in sheets):
            self._problems.setdefault(Problem("macro", "Excel 4 sheets"))
            found, problems = macros.formulas(self._source.data, self._source.limits)
            spans += found
            self._problems.update(dict.fromkeys(problems))
        if any(hidden for *_, hidden in sheets):
            self._problems.setdefault(Problem("hidden-sheet", "a sheet is hidden"))
        return spans

    def _projects(self) -> dict[Path, bytes]:
        """Return the streams of macro projects: what lies beside and below storages called VBA."""
        streams = self._file.streams
        roots = {
            path[:depth]
            for path in streams
            for depth, part in enumerate(path[:-1])
            if part.upper() == "VBA"
        }
        return {
            path: data
            for path, data in streams.items()
            if any(path[: len(root)] == root for root in roots)
        }

    def _sheets(self, name: str) -> list[tuple[str, int, bool]]:
        return list(ole_objects.sheets(self._file.streams.get((name,), b"")))

    def _objects(self) -> list[Path]:
        """Keep embedded objects as children; return the storages that they were."""
        taken: list[Path] = []
        for path in self._object_storages():
            self._keep(_shown(path), compound.build(self._file.below(*path)), "ole-object")
            taken.append(path)
        for path, data in self._file.streams.items():
            if any(path[: len(one)] == one for one in taken):
                continue
            self._stream(path, data)
        for number, data in enumerate(
            ole_objects.in_slides(self._file.streams.get((_SLIDES,), b""), max(0, self._room)), 1
        ):
            self._keep(f"{_SLIDES} {number}", data, "ole-object")
        return taken

    def _object_storages(self) -> list[Path]:
        found: dict[Path, None] = {}
        for path in self._file.streams:
            for depth, name in enumerate(path[:-1], 1):
                if _STORED_OBJECTS.match(name) and name != "ObjectPool":
                    found.setdefault(path[:depth])
                    break
        return list(found)

    def _stream(self, path: Path, data: bytes) -> None:
        name = path[-1].lower()
        if name == "\x01ole10native":
            if found := ole_objects.package(data):
                label, origin, content = found
                self._keep(label or origin, content, "ole-package")
            else:
                self._keep(_shown(path), data[4:], "ole-object")
        elif name == "equation native":
            self._problems.setdefault(Problem("equation", "Equation Editor object"))
        elif detect(data) in _FILES:
            self._keep(_shown(path), data, "ole-stream")

    def _keep(self, name: str, data: bytes, how: str) -> None:
        if len(data) > self._room:
            self._problems.setdefault(Problem("too-large", "an object is left out"))
        elif data:
            self._room -= len(data)
            self._children.append(Child(name, data, how))


def _parted(workbook: bytes) -> tuple[bytes, list[str]]:
    parted = attempt(lambda: xls_hidden.split(workbook))
    return (workbook, []) if isinstance(parted, Problem) else parted


def _shown(path: Path) -> str:
    return "/".join(_CONTROL.sub("", part) for part in path)


def _is_locked(file: Compound) -> bool:
    """Say whether the document is encrypted by the means of Office 97 to 2003."""
    word = file.streams.get(("WordDocument",), b"")
    if len(word) > 12 and word[11] & _WORD_LOCKED:
        return True
    if any(ole_objects.is_locked(file.streams.get((name,), b"")) for name in _WORKBOOKS):
        return True
    user = file.streams.get(("Current User",), b"")
    return ("EncryptedSummary",) in file.streams or user[12:16] == b"\xdf\xc4\xd1\xf3"
