"""Tell what an OLE compound file is by the names right below its root.

Our own reading of no more than the directory: detection must be quick and must never fail, and a
storage deep inside (a letter in a message) must not name the file.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING


if TYPE_CHECKING:
    from collections.abc import Iterator


_NAMES = (
    ("__properties_version1.0", "msg"),
    ("encryptedpackage", "encrypted-office"),
    ("worddocument", "doc"),
    ("workbook", "xls"),
    ("book", "xls"),
    ("powerpoint document", "ppt"),
)
_ENTRY = 128
_SECTORS = 2_000  # of a directory
_IN_HEADER = 109
_MOST = 0xFFFFFFF9  # no sector has a higher number


def kind(data: bytes) -> str:
    """Return `msg`, `doc`, `xls`, `ppt`, `encrypted-office`, or `ole` for any other."""
    if len(data) < 1536:
        return "ole"
    names = {name.lower() for name in _below_root(_directory(data))}
    return next((kind for name, kind in _NAMES if name in names), "ole")


def _directory(data: bytes) -> bytes:
    """Return the sectors of the directory, as far as the table in the header leads to them."""
    (shift,) = struct.unpack_from("<H", data, 30)
    size = 1 << shift if shift in {9, 12} else 512
    table = struct.unpack_from(f"<{_IN_HEADER}I", data, 76)
    (sector,) = struct.unpack_from("<I", data, 48)
    found: list[bytes] = []
    while sector <= _MOST and len(found) < _SECTORS:
        start = (sector + 1) * size
        found.append(data[start : start + size])
        group, place = divmod(sector, size // 4)
        if group >= _IN_HEADER or table[group] > _MOST:
            break
        entry = (table[group] + 1) * size + place * 4
        sector = int.from_bytes(data[entry : entry + 4].ljust(4, b"\xff"), "little")
    return b"".join(found)


def _below_root(directory: bytes) -> Iterator[str]:
    count = len(directory) // _ENTRY
    pending = [_number(directory, 0, 76)] if count else []
    seen: set[int] = set()
    while pending:
        number = pending.pop()
        if number >= count or number in seen:
            continue
        seen.add(number)
        raw = directory[number * _ENTRY : number * _ENTRY + 64]
        yield raw.decode("utf-16-le", "replace").partition("\0")[0]
        pending += [_number(directory, number, 68), _number(directory, number, 72)]


def _number(directory: bytes, entry: int, offset: int) -> int:
    start = entry * _ENTRY + offset
    return int.from_bytes(directory[start : start + 4], "little")
