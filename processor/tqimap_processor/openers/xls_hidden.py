"""Tell the text of an old Excel workbook that its reader does not see.

Our own reading of a few records of [MS-XLS] 2.4: the strings that all sheets share, and which cells
show them. A string is hidden if only cells in hidden sheets, rows or columns do.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from typing import TYPE_CHECKING


if TYPE_CHECKING:
    from collections.abc import Iterator

    Range = tuple[int, int, bool]  # start, end, whether a character takes two bytes

_END, _SHEET, _STRINGS, _CONTINUED = 0x0A, 0x85, 0xFC, 0x3C
_CELL, _ROW, _COLUMNS = 0xFD, 0x208, 0x7D
_RECORDS = 500_000
_MOST = 200_000  # strings
_LAST_COLUMN = 255


@dataclass(frozen=True, slots=True)
class _Record:
    kind: int
    start: int
    end: int


@dataclass(slots=True)
class _Sheet:
    """A sheet: its hidden rows and columns, and cells as row, column and number of the string."""

    is_hidden: bool
    rows: set[int] = field(default_factory=set)
    columns: set[int] = field(default_factory=set)
    cells: list[tuple[int, int, int]] = field(default_factory=list)

    def strings(self, *, hidden: bool) -> set[int]:
        """Return the strings of its cells that are hidden, or of those that are not."""
        return {
            number
            for row, column, number in self.cells
            if (self.is_hidden or row in self.rows or column in self.columns) is hidden
        }


def split(workbook: bytes) -> tuple[bytes, list[str]]:
    """Return *workbook*, the hidden strings in it blank, and these; raises where it lies."""
    records = list(_records(workbook))
    sheets = list(_sheets(workbook, records))
    hidden: set[int] = set().union(*(one.strings(hidden=True) for one in sheets))
    hidden -= set().union(*(one.strings(hidden=False) for one in sheets))
    if not hidden:
        return workbook, []
    blank, texts = bytearray(workbook), []
    for number, ranges in enumerate(_strings(workbook, records)):
        if number in hidden:
            texts.append("".join(_text(workbook, one) for one in ranges))
            for start, end, _ in ranges:
                blank[start:end] = bytes(end - start)
    return bytes(blank), texts


def _records(workbook: bytes) -> Iterator[_Record]:
    place = 0
    for _ in range(_RECORDS):
        if place + 4 > len(workbook):
            return
        kind, size = struct.unpack_from("<HH", workbook, place)
        yield _Record(kind, place + 4, min(place + 4 + size, len(workbook)))
        place += 4 + size


def _sheets(workbook: bytes, records: list[_Record]) -> Iterator[_Sheet]:
    begins = dict(_places(workbook, records))
    sheet: _Sheet | None = None
    for one in records:
        if one.start - 4 in begins:
            sheet = _Sheet(begins[one.start - 4])
            yield sheet
        elif sheet and one.kind == _CELL:
            row, column, _, number = struct.unpack_from("<HHHI", workbook, one.start)
            sheet.cells.append((row, column, number))
        elif sheet and one.kind == _ROW and workbook[one.start + 12] & 0x20:
            sheet.rows.update(struct.unpack_from("<H", workbook, one.start))
        elif sheet and one.kind == _COLUMNS and workbook[one.start + 8] & 1:
            first, last = struct.unpack_from("<HH", workbook, one.start)
            sheet.columns.update(range(first, min(last, _LAST_COLUMN) + 1))


def _places(workbook: bytes, records: list[_Record]) -> Iterator[tuple[int, bool]]:
    """Yield where each sheet begins, and whether it is hidden."""
    for one in records:
        if one.kind == _END:
            return
        if one.kind == _SHEET:
            place, state = struct.unpack_from("<IB", workbook, one.start)
            yield place, state & 3 > 0


def _strings(workbook: bytes, records: list[_Record]) -> Iterator[list[Range]]:
    """Yield where the characters of each shared string lie; a string may go on in a next record."""
    first = next((n for n, one in enumerate(records) if one.kind == _STRINGS), len(records))
    parts = records[first : first + 1]
    for one in records[first + 1 :]:
        if one.kind != _CONTINUED:
            break
        parts.append(one)
    if not parts:
        return
    (count,) = struct.unpack_from("<I", workbook, parts[0].start + 4)
    reading = _Reading(workbook, parts)
    for _ in range(min(count, _MOST)):
        yield reading.string()


class _Reading:
    """A place in the records that hold the shared strings."""

    def __init__(self, workbook: bytes, parts: list[_Record]) -> None:
        self._workbook = workbook
        self._parts = iter(parts)
        self._place = self._end = 0
        self._next()
        self._place += 8  # two counts

    def string(self) -> list[Range]:
        """Pass over a string (XLUnicodeRichExtendedString) and return where its text lies."""
        if self._place >= self._end:
            self._next()
        left, flags = struct.unpack_from("<HB", self._workbook, self._place)
        self._place += 3
        behind = 0
        if flags & 8:
            behind += 4 * struct.unpack_from("<H", self._workbook, self._place)[0]
            self._place += 2
        if flags & 4:
            behind += struct.unpack_from("<I", self._workbook, self._place)[0]
            self._place += 4
        ranges = list(self._characters(left, is_wide=bool(flags & 1)))
        while behind > self._end - self._place:
            behind -= self._end - self._place
            self._next()
        self._place += behind
        return ranges

    def _characters(self, left: int, *, is_wide: bool) -> Iterator[Range]:
        while True:
            fit = min(left, max(0, self._end - self._place) // (1 + is_wide))
            end = self._place + fit * (1 + is_wide)
            yield self._place, end, is_wide
            self._place, left = end, left - fit
            if not left:
                return
            self._next()
            is_wide = bool(self._workbook[self._place] & 1)
            self._place += 1

    def _next(self) -> None:
        part = next(self._parts, None)
        if part is None:
            raise EOFError
        self._place, self._end = part.start, part.end


def _text(workbook: bytes, one: Range) -> str:
    start, end, is_wide = one
    # characters of one byte are the lower halves of those of two
    return workbook[start:end].decode("utf-16-le" if is_wide else "latin-1", "replace")
