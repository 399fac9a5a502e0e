"""Read and rebuild OLE compound files: streams inside storages inside a file.

olefile, because all that reads doc, xls, ppt and msg rides on it, at 33 MB/s. What is written here
is as little as a reader needs: a storage cut out of one file becomes a file of its own, so that a
message inside a message, or a workbook inside a letter, is opened like any other.
"""

from __future__ import annotations

import io
import struct
from collections import defaultdict
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

from tqimap_processor.artefact import Problem
from tqimap_processor.openers.untrusted import Foreign, attempt


if TYPE_CHECKING:
    from collections.abc import Mapping

    from tqimap_processor.openers.source import Source


Path = tuple[str, ...]

_SECTOR = 512
_FREE, _END, _FAT, _DIFAT = 0xFFFFFFFF, 0xFFFFFFFE, 0xFFFFFFFD, 0xFFFFFFFC
_IN_HEADER = 109
_SMALL, _SMALL_SECTOR = 4096, 64
_STORAGE, _STREAM, _ROOT = 1, 2, 5
_BLACK = 1
_NAME = 31  # characters


@dataclass(frozen=True, slots=True)
class Compound:
    """The streams of a compound file by path, in the directory's order, and what was wrong."""

    streams: Mapping[Path, bytes] = field(default_factory=dict, repr=False)
    problems: tuple[Problem, ...] = ()

    def below(self, *path: str) -> dict[Path, bytes]:
        """Return the streams in the storage *path*, by their path inside it."""
        size = len(path)
        return {
            name[size:]: data
            for name, data in self.streams.items()
            if name[:size] == path and len(name) > size
        }

    def storages(self, *path: str) -> list[str]:
        """Return the names of the storages directly in the storage *path*."""
        return list(dict.fromkeys(name[0] for name in self.below(*path) if len(name) > 1))


def read(source: Source) -> Compound:
    """Return what is in the compound file *source*, within its limits."""
    streams: dict[Path, bytes] = {}
    problems: dict[Problem, None] = {}
    failed = attempt(lambda: _fill(source, streams, problems))
    if failed is not None:
        problems.setdefault(failed)
    return Compound(streams, tuple(problems))


def _fill(source: Source, streams: dict[Path, bytes], problems: dict[Problem, None]) -> None:
    import olefile

    with olefile.OleFileIO(io.BytesIO(source.data)) as file:
        _shorten(file, len(source.data), problems)
        # streams of a hostile file can share sectors: together they must not exceed it by much
        room = 2 * len(source.data) + _SECTOR
        for number, path in enumerate(file.listdir(streams=True, storages=False)):
            if number >= source.limits.ole_streams or room < 0:
                problems.setdefault(Problem("too-many", "streams left out"))
                return
            data = attempt(partial(_stream, file, path))
            if isinstance(data, Problem):
                problems.setdefault(data)
                continue
            room -= len(data)
            streams[tuple(path)] = data


def _shorten(file: Foreign, most: int, problems: dict[Problem, None]) -> None:
    """Let no stream of *file* claim more bytes than the file has: its sectors may be a circle."""
    # so may those of the table of small sectors, which is read like a stream
    file.num_mini_fat_sectors = min(file.num_mini_fat_sectors, -(-most // file.sector_size))
    # what is smaller lies elsewhere
    most = max(most, file.minisectorcutoff)
    for entry in file.direntries:
        if entry is not None and entry.size > most:
            entry.size = most
            problems.setdefault(Problem("malformed", "a stream claims more than there is"))


def _stream(file: Foreign, path: list[str]) -> bytes:
    return bytes(file.openstream(path).read())


def build(streams: Mapping[Path, bytes], storage_class: bytes = bytes(16)) -> bytes:
    """Return a compound file that holds *streams*; *storage_class* is the root's class id.

    All nodes of the directory's trees are black: they are balanced, and readers do not check.
    """
    return _Building(streams, storage_class).file()


class _Building:
    """One file under way: sectors, their chains, and the directory."""

    def __init__(self, streams: Mapping[Path, bytes], storage_class: bytes) -> None:
        self._body = bytearray()
        self._chains: list[int] = []
        self._small = bytearray()
        self._small_chains: list[int] = []
        self._entries: list[bytearray] = []
        self._tree(streams, storage_class)

    def file(self) -> bytes:
        small = self._store(bytes(self._small))
        struct.pack_into("<IQ", self._entries[0], 116, small, len(self._small))
        table = struct.pack(f"<{len(self._small_chains)}I", *self._small_chains)
        small_table = self._store(table + b"\xff" * (-len(table) % _SECTOR))
        directory = b"".join(self._entries)
        start = self._store(directory + bytes(-len(directory) % _SECTOR))
        fat, difat = self._tables()
        header = struct.pack(
            "<8s16xHHHHH6xIIIIIIIII",
            b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", 0x3E, 3, 0xFFFE, 9, 6,
            0, len(fat), start, 0, _SMALL, small_table, -(-len(table) // _SECTOR),
            difat[0] if difat else _END, len(difat),
        )  # fmt: skip
        listed = fat[:_IN_HEADER] + [_FREE] * (_IN_HEADER - len(fat[:_IN_HEADER]))
        return header + struct.pack(f"<{_IN_HEADER}I", *listed) + bytes(self._body)

    def _store(self, data: bytes) -> int:
        """Append *data* as a chain of sectors and return its first."""
        return _chained(self._body, self._chains, data, _SECTOR)

    def _tables(self) -> tuple[list[int], list[int]]:
        """Append the allocation table and the list of its sectors; return where both lie."""
        used, fats, difats = len(self._chains), 0, 0
        while fats * 128 < used + fats + difats:
            fats = -(-(used + fats + difats) // 128)
            difats = -(-max(0, fats - _IN_HEADER) // 127)
        difat = list(range(used, used + difats))
        fat = list(range(used + difats, used + difats + fats))
        table = [*self._chains, *[_DIFAT] * difats, *[_FAT] * fats]
        beyond = fat[_IN_HEADER:]
        for number in range(difats):
            listed = beyond[number * 127 : (number + 1) * 127]
            following = difat[number + 1] if number + 1 < difats else _END
            row = [*listed, *[_FREE] * (127 - len(listed)), following]
            self._body += struct.pack("<128I", *row)
        table += [_FREE] * (fats * 128 - len(table))
        self._body += struct.pack(f"<{len(table)}I", *table)
        return fat, difat

    def _tree(self, streams: Mapping[Path, bytes], storage_class: bytes) -> None:
        self._entry("Root Entry", _ROOT, _END, 0)
        self._entries[0][80:96] = storage_class
        numbers: dict[Path, int] = {(): 0}
        children: defaultdict[Path, list[tuple[int, str, int]]] = defaultdict(list)
        for path, data in streams.items():
            for depth in range(1, len(path) + 1):
                here = path[:depth]
                if here in numbers:
                    continue
                stream = data if depth == len(path) else None
                numbers[here] = self._stored(here[-1], stream)
                children[here[:-1]].append((len(here[-1]), here[-1].upper(), numbers[here]))
        for parent, found in children.items():
            ordered = [number for *_, number in sorted(found)]
            struct.pack_into("<I", self._entries[numbers[parent]], 76, self._balanced(ordered))

    def _balanced(self, ordered: list[int]) -> int:
        """Hang the entries *ordered* into a binary tree and return its root."""
        if not ordered:
            return _FREE
        middle = len(ordered) // 2
        left, right = self._balanced(ordered[:middle]), self._balanced(ordered[middle + 1 :])
        struct.pack_into("<II", self._entries[ordered[middle]], 68, left, right)
        return ordered[middle]

    def _stored(self, name: str, data: bytes | None) -> int:
        if data is None:
            return self._entry(name, _STORAGE, 0, 0)
        if len(data) < _SMALL:
            start = _chained(self._small, self._small_chains, data, _SMALL_SECTOR)
        else:
            start = self._store(data)
        return self._entry(name, _STREAM, start, len(data))

    def _entry(self, name: str, kind: int, start: int, size: int) -> int:
        raw = name[:_NAME].encode("utf-16-le")
        links = (_FREE, _FREE, _FREE)
        packed = struct.pack(
            "<64sHBBIII36xIQ", raw, len(raw) + 2, kind, _BLACK, *links, start, size
        )
        self._entries.append(bytearray(packed))
        return len(self._entries) - 1


def _chained(body: bytearray, chains: list[int], data: bytes, sector: int) -> int:
    count = -(-len(data) // sector)
    if not count:
        return _END
    start = len(chains)
    chains += [*range(start + 1, start + count), _END]
    body += data + bytes(-len(data) % sector)
    return start
