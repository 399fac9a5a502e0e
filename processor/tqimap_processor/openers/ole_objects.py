"""Unwrap what OLE wraps around a file: OLE1 objects, packages, and PowerPoint's own storages."""

from __future__ import annotations

import re
import struct
import zlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tqimap_processor import charset


if TYPE_CHECKING:
    from collections.abc import Iterator


_EMBEDDED, _LINKED = 2, 1
_LONGEST = 4096
_OLE = b"\xd0\xcf\x11\xe0"
# ExOleObjStg of [MS-PPT] 2.10.34 and its kin: compressed, and plain
_STORAGE = re.compile(rb"\x10\0\x11\x10(?=.{8}x)|\0\0\x11\x10(?=.{4}\xd0\xcf\x11\xe0)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Object:
    """An embedded or linked object: its class, what it links to, its content."""

    program: str
    link: str = ""
    content: bytes = field(default=b"", repr=False)


def package(data: bytes) -> tuple[str, str, bytes] | None:
    """Return name, source path and content of the packaged file in *data* (Ole10Native).

    None if *data* is no package. Source: [MS-OLEDS] 2.3.6 and what Packager writes.
    """
    for start in (4, 0):
        found = _package(data, start)
        if found is not None:
            return found
    return None


def _package(data: bytes, start: int) -> tuple[str, str, bytes] | None:
    if data[start : start + 2] != b"\x02\0":
        return None
    label, place = _string(data, start + 2)
    path, place = _string(data, place)
    # 4 bytes say that it is embedded, then comes the length of a temporary path
    size = _number(data, place + 4)
    place += 8 + size
    length = _number(data, place)
    content = data[place + 4 : place + 4 + length]
    if size > _LONGEST or not label or not content:
        return None
    return label, path, content


def _string(data: bytes, start: int) -> tuple[str, int]:
    end = data.find(b"\0", start, start + _LONGEST)
    if end < 0:
        return "", len(data)
    return charset.decode(data[start:end]), end + 1


def _number(data: bytes, start: int) -> int:
    return int.from_bytes(data[start : start + 4], "little")


def ole1(data: bytes) -> Object | None:
    """Return the OLE1 object that *data* begins with ([MS-OLEDS] 2.2), or None."""
    if len(data) < 12 or _number(data, 4) not in {_EMBEDDED, _LINKED}:
        return None
    names, place = [], 8
    for _ in range(3):
        size = _number(data, place)
        if size > _LONGEST:
            return None
        names.append(charset.decode(data[place + 4 : place + 4 + size].rstrip(b"\0")))
        place += 4 + size
    if _number(data, 4) == _LINKED:
        return Object(names[0], "\n".join(names[1:]).strip(), data[place:])
    # the size may lie: all that follows is the content, or what a reader would take of it
    return Object(names[0], names[1], data[place + 4 :][: max(_number(data, place), 1)])


def in_slides(data: bytes, most: int) -> Iterator[bytes]:
    """Yield the OLE files in the stream *data* of a presentation, at most *most* bytes in all."""
    for hit in _STORAGE.finditer(data):
        size = _number(data, hit.end())
        body = data[hit.end() + 4 : hit.end() + 4 + size]
        if not body.startswith(_OLE):
            try:
                body = zlib.decompressobj().decompress(body[4:], max(1, most))
            except zlib.error:
                continue
        if not body.startswith(_OLE) or len(body) > most:
            continue
        most -= len(body)
        yield body


def sheets(workbook: bytes) -> Iterator[tuple[str, int, bool]]:
    """Yield name, kind and whether it is hidden of each sheet in a Workbook stream.

    Kind 1 is an Excel 4 macro sheet ([MS-XLS] 2.4.28). Reads the first substream only.
    """
    for kind, body in _records(workbook):
        if kind == 0x85 and len(body) > 8:
            wide = body[7] & 1
            text = body[8 : 8 + body[6] * (1 + wide)]
            yield (
                text.decode("utf-16-le" if wide else "cp1252", "replace"),
                body[5],
                body[4] & 3 > 0,
            )


def is_locked(workbook: bytes) -> bool:
    """Say whether a Workbook stream is encrypted: it has a FilePass record."""
    return any(kind == 0x2F for kind, _ in _records(workbook))


def _records(workbook: bytes) -> Iterator[tuple[int, bytes]]:
    place = 0
    while place + 4 <= len(workbook):
        kind, size = struct.unpack_from("<HH", workbook, place)
        if kind == 0x0A:
            return
        yield kind, workbook[place + 4 : place + 4 + size]
        place += 4 + size
