"""The image of a text: one byte a character, so that bytes are scanned and offsets still hold.

ASCII stays; letters and digits beyond ASCII become LETTER, blanks and quotes of any script a
space, dashes `-`, what nobody sees INVISIBLE, everything else OTHER. Bytes, because a search for a
byte runs at memory speed, while a text with one typographic quote costs two bytes a character.
"""

from __future__ import annotations

import codecs
from functools import lru_cache
from typing import TYPE_CHECKING


if TYPE_CHECKING:
    import re
    from collections.abc import Iterator


LETTER = b"\xff"
OTHER = b"\xfe"
INVISIBLE = b"\xfd"
# what looks like these, and is taken for them
DOT, AT, COLON, SLASH = b"\xfc", b"\xfb", b"\xfa", b"\xf9"
_ALIKE = {
    DOT: "\u3002\uff0e\uff61\u2024",
    AT: "\uff20\ufe6b",
    COLON: "\uff1a",
    SLASH: "\uff0f\u2215\u2044",
}
_MEANT = {DOT: b".", AT: b"@", COLON: b":", SLASH: b"/"}
# zero-width characters, bidi controls, variation selectors
_INVISIBLE = (
    "\u00ad\u034f\u061c\u180e\u200b\u200c\u200d\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2060\u2061"
    "\u2062\u2063\u2064\u2066\u2067\u2068\u2069\ufeff" + "".join(map(chr, range(0xFE00, 0xFE10)))
)
_DASHES = "\u2010\u2011\u2012\u2013\u2014\u2015\u2212\ufe63\uff0d"
# quotes, ellipsis, bullets, and the stops and brackets of East Asian scripts
_BREAKS = (
    "\u201c\u201d\u2018\u2019\u201a\u201e\u201b\u201f\xab\xbb\u2039\u203a\u2026\u2022\xb7\u2023\u3001"
    "\uff0c\uff1b\uff01\uff1f\uff08\uff09\u3010\u3011\u300c\u300d\u300e\u300f\u300a\u300b\u3008\u3009"
)
# they end a token, whatever it is: blanks, quotes, brackets that no URL holds
_HARD = bytes(range(33)) + b"<>\"`|^'\x7f"
_SEPARATORS = bytes(32 if byte in _HARD or byte == INVISIBLE[0] else byte for byte in range(256))
_ALNUMS = bytes(97 if byte < 128 and chr(byte).isalnum() else 32 for byte in range(256))
# the shortest digest has 32, the shortest address of a coin 26
MIN_RUN = 26
_RUN = b"a" * MIN_RUN
# from so many on the engine's own search is as quick
_SPARSE = 32
_FOLD = bytes(_MEANT.get(bytes([byte]), bytes([byte]))[0] for byte in range(256))
_PLAIN = dict(
    zip(map(ord, "".join(_ALIKE.values())), "....@@:///", strict=True),
)

# The codec for characters in frequent use works through a table; the others are asked for one by
# one. Bytes beyond ASCII stand for these first, and are led to their classes then.
_FREQUENT = (
    "\u201c\u201d\u2018\u2019\u2013\u2014\u2026\u2022\u00a0\xb7\xab\xbb\u2039\u203a\u2010\u2011"
    "\u200b\u200c\u200d\u200e\u200f\u2060\ufeff\u00ad\u3002\uff0e\uff1a\uff0f\u2024\xa9\xae\u2122\u20ac\xb0"
    "\u202f\u2192\u2713\xa3\xa7\ufffd\ufe0f"
    + "".join(map(chr, range(0xC0, 0x100)))
    + "\u0161\u010d\u0159\u017e\u0142\u0105\u0119\u015b\u017c\u0131\u011f\u015f\u0153"
)
_CODEC = "tqimap-image"
# with fewer bytes beyond ASCII than one in so many, asking for each is quicker than the table
_SELDOM = 300


def _classify(char: str) -> bytes:
    if char.isascii():
        return char.encode()
    if alike := next((byte for byte, chars in _ALIKE.items() if char in chars), b""):
        return alike
    if char in _INVISIBLE:
        return INVISIBLE
    if char.isalnum():
        return LETTER
    if char in _DASHES:
        return b"-"
    return b" " if char.isspace() or char in _BREAKS else OTHER


# from one byte beyond ASCII in so many on, looking at all bytes is quicker than the table
_OFTEN = 8
_SPECIAL = frozenset(map(ord, _INVISIBLE + _DASHES + _BREAKS + "".join(_ALIKE.values())))
_SPECIAL_BLOCKS = frozenset(char >> 8 for char in _SPECIAL) | {0}


def _uniform(high: int) -> int:
    """Return the class of all characters whose high byte is *high*, 0 if they differ."""
    block = "".join(map(chr, range(high << 8, (high + 1) << 8)))
    if high in _SPECIAL_BLOCKS or any(map(str.isspace, block)):
        return 0
    if block.isalnum():
        return LETTER[0]
    return 0 if any(map(str.isalnum, block)) else OTHER[0]


_UNIFORM = bytes(map(_uniform, range(256)))
_MIXED = tuple(bytes([high]) for high, byte in enumerate(_UNIFORM) if not byte)
_class_of = lru_cache(maxsize=4096)(_classify)
# U+FFFE says that no character has this byte
_TABLE = codecs.charmap_build("".join(map(chr, range(128))) + _FREQUENT.ljust(128, "\ufffe"))
_CLASSES = (
    bytes(range(128))
    + b"".join(map(_classify, _FREQUENT))
    + bytes(range(len(_FREQUENT) + 128, 256))
)


class Image:
    """The views of a text that the scanners search; all as long as the text itself."""

    __slots__ = ("bytes", "lower", "tokens")

    def __init__(self, image: bytes) -> None:
        self.bytes = image
        self.lower = image.lower()
        # hard separators are spaces here
        self.tokens = image.translate(_SEPARATORS)

    def runs(self) -> Iterator[tuple[int, int]]:
        """Yield where runs of at least MIN_RUN ASCII letters and digits begin and end."""
        view = self.bytes.translate(_ALNUMS)
        at = view.find(_RUN)
        while at >= 0:
            end = view.find(b" ", at + MIN_RUN)
            if end < 0:
                end = len(view)
            yield at, end
            at = view.find(_RUN, end)


def sparse(pattern: re.Pattern[bytes], scanned: bytes, sign: bytes) -> Iterator[re.Match[bytes]]:
    """Yield the matches of *pattern*, all of which begin with the byte *sign*.

    As long as the byte is rare, jumping to it costs a tenth of what the engine's own search does.
    """
    at = scanned.find(sign)
    for _ in range(_SPARSE):
        if at < 0:
            return
        if match := pattern.match(scanned, at):
            yield match
        at = scanned.find(sign, match.end() if match else at + 1)
    yield from pattern.finditer(scanned, at) if at >= 0 else ()


def encode(text: str) -> bytes:
    """Return the image of *text*; look-alikes and invisible characters have their own bytes."""
    if text.isascii():
        return text.encode()
    extra = len(text.encode("utf-8", "surrogatepass")) - len(text)
    if extra * _SELDOM < len(text):
        return text.encode("ascii", _CODEC)
    if extra * _OFTEN > len(text) and max(text) <= "\uffff":
        return _by_halves(text)
    return codecs.charmap_encode(text, _CODEC, _TABLE)[0].translate(_CLASSES)


def _by_halves(text: str) -> bytes:
    """Encode *text*, much of which is beyond ASCII: low and high bytes are looked at apart."""
    halves = text.encode("utf-16-le", "surrogatepass")
    low, high = halves[::2], halves[1::2]
    scanned = int.from_bytes(high.translate(_UNIFORM), "big")
    for block in _MIXED:
        if block in high:
            chosen, classes = _block(block[0])
            here = int.from_bytes(high.translate(chosen), "big")
            scanned |= here & int.from_bytes(low.translate(classes), "big")
    return scanned.to_bytes(len(text), "big")


@lru_cache(maxsize=256)
def _block(high: int) -> tuple[bytes, bytes]:
    """Return what selects the characters whose high byte is *high*, and their classes."""
    chosen = bytes(255 if byte == high else 0 for byte in range(256))
    return chosen, b"".join(_classify(chr(high << 8 | low)) for low in range(256))


def fold(text: str, image: bytes) -> tuple[str, bytes]:
    """Put `.`, `@`, `:` and `/` for what looks like them, in *text* and its *image*."""
    if any(byte in image for byte in _ALIKE):
        return text.translate(_PLAIN), image.translate(_FOLD)
    return text, image


def _beyond(error: UnicodeError) -> tuple[bytes, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    run = error.object[error.start : error.end]
    return b"".join(map(_class_of, run)), error.end


codecs.register_error(_CODEC, _beyond)
