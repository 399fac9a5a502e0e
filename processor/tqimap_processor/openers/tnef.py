"""Open TNEF, the `winmail.dat` of Outlook: header, bodies, attachments, messages inside.

Our own reading of [MS-OXTNEF]. tnefparse is LGPL and of 2021; what it lacks, embedded objects in
MAPI properties, is where half of the bytes of real samples lie.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from tqimap_processor import charset
from tqimap_processor.artefact import Child, Opened, Problem, Span
from tqimap_processor.openers import mapi


if TYPE_CHECKING:
    from collections.abc import Iterator

    from tqimap_processor.openers.source import Source


_SIGNATURE = b"x\x9f\x3e\x22"
_SUBJECT, _BODY, _MESSAGE_ID = 0x18004, 0x2800C, 0x18009
_PROPERTIES, _FROM = 0x69003, 0x08000
_PAGE = 0x69007
_RECIPIENTS = 0x69004
_BEGIN, _TITLE, _DATA, _ATTACHED_PROPERTIES = 0x69002, 0x18010, 0x6800F, 0x69005
_MESSAGE_CLASS = bytes.fromhex("0703020000000000c000000000000046")
_WIDTHS = {2: 4, 3: 4, 4: 4, 5: 8, 6: 8, 7: 8, 10: 4, 11: 4, 20: 8, 64: 8, 72: 16}
_SIZED = frozenset({mapi.TEXT, mapi.WIDE_TEXT, mapi.BINARY, mapi.OBJECT})
_MANY = 0x1000
_NAMED = 0x8000
_MOST = 100_000  # properties


def open_tnef(source: Source) -> Opened:
    """Return header fields as spans, bodies and attachments as children."""
    reading = _Reading(source)
    for attribute, data in _attributes(source.data):
        reading.take(attribute, data)
    return reading.opened()


def _attributes(data: bytes) -> Iterator[tuple[int, bytes]]:
    place = len(_SIGNATURE) + 2
    while place + 9 <= len(data):
        _, attribute, size = struct.unpack_from("<BII", data, place)
        yield attribute & 0xFFFFF, data[place + 9 : place + 9 + size]
        place += 9 + size + 2


class _Reading:
    """One TNEF stream being read."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._message: dict[int, str] = {}
        self._raw: dict[int, bytes] = {}
        self._page = ""
        self._left_out = False
        self._attached: list[tuple[dict[int, str], dict[int, bytes]]] = []

    def take(self, attribute: int, data: bytes) -> None:
        """Take one attribute."""
        if attribute == _PAGE:
            self._page = mapi.page_of(int.from_bytes(data[:4], "little"))
        elif attribute == _SUBJECT:
            self._message.setdefault(mapi.SUBJECT, self._text(data))
        elif attribute == _BODY:
            self._message.setdefault(mapi.BODY, self._text(data))
        elif attribute == _FROM:
            self._message.setdefault(0x0042, _triple(data, self._page))
        elif attribute == _PROPERTIES:
            self._merge(self._message, self._raw, data)
        elif attribute == _BEGIN:
            self._left_out = len(self._attached) >= self._source.limits.children
            if not self._left_out:
                self._attached.append(({}, {}))
        elif self._left_out:
            pass
        elif attribute in {_TITLE, _DATA, _ATTACHED_PROPERTIES}:
            self._attachment(attribute, data)

    def _attachment(self, attribute: int, data: bytes) -> None:
        if not self._attached:
            self._attached.append(({}, {}))
        texts, raw = self._attached[-1]
        if attribute == _TITLE:
            texts.setdefault(0x3704, self._text(data))
        elif attribute == _DATA:
            raw.setdefault(mapi.CONTENT, data)
        else:
            embedded = dict(raw)
            self._merge(texts, embedded, data)
            # what the properties hold is the whole object, the plain data only its picture
            raw.update(embedded)

    def opened(self) -> Opened:
        message = mapi.Message(self._message, self._raw, self._page)
        children, problems = mapi.bodies(message, self._source.limits)
        for texts, raw in self._attached:
            child = _child(mapi.Message(texts, raw, self._page))
            if child.data or child.name:
                children.append(child)
        spans: tuple[Span, ...] = tuple(mapi.spans(message, self._source.limits))
        if self._left_out:
            problems.append(Problem("too-many", "attachments left out"))
        if not children and not spans:
            problems.append(Problem("malformed", "no attribute"))
        return Opened(spans, tuple(children), tuple(problems))

    def _merge(self, texts: dict[int, str], raw: dict[int, bytes], data: bytes) -> None:
        for number, kind, value in _properties(data):
            if kind == mapi.WIDE_TEXT:
                texts[number] = value.decode("utf-16-le", "replace").rstrip("\0")
            elif kind == mapi.TEXT:
                texts[number] = self._text(value)
            else:
                raw[number] = value

    def _text(self, data: bytes) -> str:
        return charset.decode(data.rstrip(b"\0"), self._page)


def _triple(data: bytes, page: str) -> str:
    """Return the name and address of attFrom: four lengths, then the two strings."""
    if len(data) < 8:
        return ""
    name, address = struct.unpack_from("<4xHH", data)
    pieces = (data[8 : 8 + name], data[8 + name : 8 + name + address])
    return " ".join(charset.decode(one.rstrip(b"\0"), page) for one in pieces if one)


def _child(attached: mapi.Message) -> Child:
    data = attached.raw.get(mapi.CONTENT, b"")
    if data.startswith(_MESSAGE_CLASS) and data[16:20] == _SIGNATURE:
        return mapi.attachment(attached, data[16:], "nested-mail")
    # an object of another class: its storage follows the class id
    return mapi.attachment(attached, data[16:] if data[16:20] == b"\xd0\xcf\x11\xe0" else data)


def _properties(data: bytes) -> Iterator[tuple[int, int, bytes]]:
    """Yield id, type and value of each property that holds bytes or text."""
    place = 4
    for _ in range(min(int.from_bytes(data[:4], "little"), _MOST)):
        if place + 4 > len(data):
            return
        kind, number = struct.unpack_from("<HH", data, place)
        place += 4
        if number >= _NAMED:
            place = _after_name(data, place)
        count = 1
        if kind & _MANY or kind in _SIZED:
            count = int.from_bytes(data[place : place + 4], "little")
            place += 4
        kind &= ~_MANY
        if kind in _SIZED:
            for _ in range(min(count, _MOST)):
                size = int.from_bytes(data[place : place + 4], "little")
                yield number, kind, data[place + 4 : place + 4 + size]
                place += 4 + size + -size % 4
                if place > len(data):
                    return
        elif kind in _WIDTHS:
            place += _WIDTHS[kind] * count
        else:
            return


def _after_name(data: bytes, place: int) -> int:
    """Return where the value of a named property begins: after a class id, and a number or name."""
    if data[place + 16 : place + 20] == b"\0\0\0\0":
        return place + 24
    size = int.from_bytes(data[place + 20 : place + 24], "little")
    return place + 24 + size + -size % 4
