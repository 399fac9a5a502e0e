"""Find the files that stand as letters between the lines of a text: uuencode, its base64, yEnc.

Our own expressions: the standard library's `uu` is gone from Python 3.13, and none of the rest was
ever in it. A file that is cut off before its end is one, too.
"""

from __future__ import annotations

import binascii
import re
from typing import TYPE_CHECKING

from tqimap_processor import charset


if TYPE_CHECKING:
    from collections.abc import Iterator


_UU_BLOCK = re.compile(
    rb"(?m)^begin [0-7]{3,4} ([^\r\n]{1,1024})\r?\n"
    rb"((?:[\x20-\x60]{1,90}(?:\r?\n|\Z))+)(?:end[ \t]*+\r?$)?"
)
_BASE64_BLOCK = re.compile(
    rb"(?m)^begin-base64 [0-7]{3,4} ([^\r\n]{1,1024})\r?\n((?:[A-Za-z0-9+/=]{1,100}(?:\r?\n|\Z))+)"
)
_YENC_BLOCK = re.compile(
    rb"(?m)^=ybegin [^\r\n]{1,200}? name=([^\r\n]{1,1024})\r?\n(?:=ypart [^\r\n]{1,200}\r?\n)?"
)
_YENC_END = re.compile(rb"\r?\n=yend |\Z")
_YENC_ESCAPE = re.compile(rb"=(.)", re.DOTALL)
_YENC = bytes((byte - 42) % 256 for byte in range(256))
_MARKS = (b"begin ", b"begin-base64 ", b"=ybegin ")


def files(data: bytes) -> Iterator[tuple[str, bytes]]:
    """Yield the name and content of every file in the text *data*."""
    for _, _, name, content in _blocks(data):
        yield charset.decode(name).strip(), content


def without(data: bytes) -> bytes:
    """Return the text *data* without its files."""
    kept, place = [], 0
    for start, end, _, _ in sorted(_blocks(data)):
        kept.append(data[place:start])
        place = max(place, end)
    return b"".join((*kept, data[place:])) if kept else data


def _blocks(data: bytes) -> Iterator[tuple[int, int, bytes, bytes]]:
    """Yield where each file begins and ends, its name, and what it holds."""
    if _MARKS[0] in data:
        for one in _UU_BLOCK.finditer(data):
            yield *one.span(), one[1], b"".join(map(_uu_line, one[2].splitlines()))
    if _MARKS[1] in data:
        for one in _BASE64_BLOCK.finditer(data):
            digits = one[2].replace(b"=", b"").translate(None, b"\r\n")
            digits = digits[: len(digits) - (len(digits) % 4 == 1)]
            yield *one.span(), one[1], binascii.a2b_base64(digits + b"=" * (-len(digits) % 4))
    if _MARKS[2] in data:
        for one in _YENC_BLOCK.finditer(data):
            if end := _YENC_END.search(data, one.end()):
                yield one.start(), end.end(), one[1], _yenc(data[one.end() : end.start()])


def _yenc(lines: bytes) -> bytes:
    bare = lines.translate(None, b"\r\n")
    return _YENC_ESCAPE.sub(lambda hit: bytes([(hit[1][0] - 64) % 256]), bare).translate(_YENC)


def _uu_line(line: bytes) -> bytes:
    try:
        return binascii.a2b_uu(line)
    except binascii.Error:
        # trailing garbage: decode what the length byte promises, as the old uu module did
        wanted = (((line[0] - 32) & 63) * 4 + 5) // 3
        try:
            return binascii.a2b_uu(line[:wanted])
        except binascii.Error:
            return b""
