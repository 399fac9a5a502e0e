"""Open TAR archives with the standard library, member by member.

Nothing is extracted: members are read through `extractfile` in steps, and names are evidence.
Links and devices are counted, never followed.
"""

from __future__ import annotations

import io
import tarfile
from typing import TYPE_CHECKING

from tqimap_processor.artefact import Child, Opened, Problem


if TYPE_CHECKING:
    from collections.abc import Iterator

    from tqimap_processor.openers.source import Source


_STEP = 65_536
# OverflowError and IndexError: numbers and headers that lie
_BROKEN = (tarfile.TarError, EOFError, OSError, ValueError, OverflowError, IndexError, KeyError)


def open_tar(source: Source) -> Opened:
    """Return the files in *source* as children."""
    untarring = _Untarring(source)
    try:
        with tarfile.open(
            fileobj=io.BytesIO(source.data), mode="r:", encoding="utf-8", errors="replace"
        ) as archive:
            for member in _members(archive):
                if not untarring.add(archive, member):
                    break
    except _BROKEN as error:
        untarring.problems.append(Problem("malformed", type(error).__name__))
    return untarring.opened()


def _members(archive: tarfile.TarFile) -> Iterator[tarfile.TarInfo]:
    """Yield the members while reading goes forward: a negative size would turn it back."""
    reached = -1
    while (member := archive.next()) is not None:
        if archive.offset <= reached or member.size < 0:
            raise tarfile.ReadError
        reached = archive.offset
        yield member


class _Untarring:
    """One archive being read: what it gave, and what room is left."""

    def __init__(self, source: Source) -> None:
        self.problems: list[Problem] = []
        self._children: list[Child] = []
        self._limits = source.limits
        self._room = source.room
        self._seen = self._links = 0

    def add(self, archive: tarfile.TarFile, member: tarfile.TarInfo) -> bool:
        """Read *member*; return whether more may follow."""
        self._seen += 1
        if (
            self._seen > self._limits.archive_entries
            or len(self._children) >= self._limits.children
        ):
            self.problems.append(Problem("too-many", f"entries after {self._seen - 1} left out"))
            return False
        if self._room <= 0:
            self.problems.append(Problem("too-large", f"entries after {self._seen - 1} left out"))
            return False
        if member.isreg():
            self._children.append(self._child(archive, member))
        elif not member.isdir():
            self._links += 1
        return True

    def opened(self) -> Opened:
        if self._links:
            self.problems.append(Problem("links", f"{self._links} links or devices not followed"))
        return Opened(children=tuple(self._children), problems=tuple(self.problems))

    def _child(self, archive: tarfile.TarFile, member: tarfile.TarInfo) -> Child:
        room = min(self._room, self._limits.artefact)
        out, problems = bytearray(), []
        stream = archive.extractfile(member)
        try:
            while stream is not None and (step := stream.read(min(_STEP, room + 1 - len(out)))):
                out += step
                if len(out) > room:
                    problems.append(Problem("truncated", f"after {room} bytes"))
                    break
        except _BROKEN as error:
            problems.append(Problem("malformed", type(error).__name__))
        self._room -= min(room, len(out))
        return Child(member.name, bytes(out[:room]), "archive-entry", problems=tuple(problems))
