"""Open what S/MIME signed or packed without encrypting it: the mail inside (`smime.p7m`).

Our own walk over the few BER elements on the way to the content (RFC 5652, RFC 3274): cryptography
checks such files but gives no content of one whose signature it cannot check. No signature is
checked here: who signed says nothing about what is inside.
"""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING

from tqimap_processor.artefact import Child, Opened, Problem


if TYPE_CHECKING:
    from collections.abc import Iterator

    from tqimap_processor.openers.source import Source


_OID, _OCTETS, _CONSTRUCTED, _SEQUENCE, _CONTENT = 0x06, 0x04, 0x24, 0x30, 0xA0
_ENVELOPED = bytes.fromhex("2a864886f70d010703")
_COMPRESSED = bytes.fromhex("2a864886f70d0109100109")
_INDEFINITE = 0x80
_DEEPEST = 16
_MOST = 100_000  # elements


def open_signed(source: Source) -> Opened:
    """Return the content of *source* as a child."""
    outer = _within(source.data, _SEQUENCE)
    kind = next((body for tag, body in outer if tag == _OID), b"")
    if kind == _ENVELOPED:
        return Opened(problems=(Problem("encrypted", "for the recipient's key"),))
    inner = _within(b"".join(body for tag, body in outer if tag == _CONTENT), _SEQUENCE)
    capsules = (_elements(body) for tag, body in inner if tag == _SEQUENCE)
    found = (body for one in capsules for tag, body in one if tag == _CONTENT)
    content = b"".join(_octets(next(found, b""), _DEEPEST))
    if kind == _COMPRESSED:
        content = _inflated(content, source.room)
    if not content:
        return Opened(problems=() if inner else (Problem("malformed", "holds no content"),))
    return Opened(children=(Child("", content, "signed-content", "message/rfc822"),))


def _inflated(content: bytes, room: int) -> bytes:
    try:
        # one byte more shows that something was left out; and 0 would be no limit
        return zlib.decompressobj().decompress(content, room + 1)
    except zlib.error:
        return b""


def _within(data: bytes, kind: int) -> list[tuple[int, bytes]]:
    """Return the elements of the first element of *data* that is of *kind*."""
    return next((list(_elements(body)) for tag, body in _elements(data) if tag == kind), [])


def _octets(data: bytes, deeper: int) -> Iterator[bytes]:
    """Yield the pieces of a string, which may be one or in pieces of pieces."""
    for tag, body in _elements(data):
        if tag == _OCTETS:
            yield body
        elif tag == _CONSTRUCTED and deeper:
            yield from _octets(body, deeper - 1)


def _elements(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield tag and body of the elements that *data* is a row of."""
    place = 0
    for _ in range(_MOST):
        if (head := _head(data, place)) is None:
            return
        tag, start, size = head
        end = _end(data, start, _DEEPEST) if size < 0 else start + size
        if (tag, size) == (0, 0):
            return
        yield tag, data[start:end]
        place = end + (2 if size < 0 else 0)


def _head(data: bytes, place: int) -> tuple[int, int, int] | None:
    """Return tag, start of the body and its size, -1 where an end mark is to come."""
    if place + 2 > len(data):
        return None
    tag, first = data[place], data[place + 1]
    if first == _INDEFINITE:
        return tag, place + 2, -1
    more = first & 0x7F if first > _INDEFINITE else 0
    size = int.from_bytes(data[place + 2 : place + 2 + more], "big") if more else first
    return tag, place + 2 + more, min(size, len(data))


def _end(data: bytes, place: int, deeper: int) -> int:
    """Return where the mark stands that ends the element whose body begins at *place*."""
    for _ in range(_MOST):
        head = _head(data, place)
        if head is None or not deeper:
            return len(data)
        tag, start, size = head
        if (tag, size) == (0, 0):
            return place
        place = _end(data, start, deeper - 1) + 2 if size < 0 else start + size
    return len(data)
