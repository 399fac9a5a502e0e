"""The image of a text: one byte a character, so that bytes are scanned and offsets still hold.

ASCII stays; letters and digits beyond ASCII become LETTER, blanks and quotes of any script a
space, dashes `-`, everything else OTHER.
"""

from __future__ import annotations

import codecs
from functools import lru_cache


LETTER = b"\xff"
OTHER = b"\xfe"
# the codec machinery finds the runs beyond ASCII ten times quicker than a regular expression
_HANDLER = "tqimap-image"
_DASHES = "\u2010\u2011\u2012\u2013\u2014\u2015\u2212\ufe63\uff0d"
# quotes, ellipsis, bullets, and the stops and brackets of East Asian scripts
_BREAKS = (
    "\u201c\u201d\u2018\u2019\u201a\u201e\u201b\u201f\xab\xbb\u2039\u203a\u2026\u2022\xb7\u2023\u3001"
    "\uff0c\uff1b\uff01\uff1f\uff08\uff09\u3010\u3011\u300c\u300d\u300e\u300f\u300a\u300b\u3008\u3009"
)
# they end a token, whatever it is: blanks, quotes, brackets that no URL holds
_HARD = bytes(range(33)) + b"<>\"`|^'\x7f"
_SEPARATORS = bytes(32 if byte in _HARD else byte for byte in range(256))
_HEXES = bytes(104 if chr(byte) in "0123456789abcdefABCDEF" else 32 for byte in range(256))
_ALNUMS = bytes(97 if byte < 128 and chr(byte).isalnum() else 32 for byte in range(256))


class Image:
    """The views of a text that the scanners search; all as long as the text itself."""

    __slots__ = ("bytes", "lower", "tokens")

    def __init__(self, text: str) -> None:
        self.bytes = _encode(text)
        self.lower = self.bytes.lower()
        # hard separators are spaces here
        self.tokens = self.bytes.translate(_SEPARATORS)

    def hexes(self) -> bytes:
        """Return the view where `h` stands for a hexadecimal digit and a space for the rest."""
        return self.bytes.translate(_HEXES)

    def alnums(self) -> bytes:
        """Return the view where `a` stands for an ASCII letter or digit, a space for the rest."""
        return self.bytes.translate(_ALNUMS)


def _encode(text: str) -> bytes:
    return text.encode("ascii", _HANDLER)


def _beyond(error: UnicodeError) -> tuple[bytes, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    run = error.object[error.start : error.end]
    return b"".join(map(_char, run)), error.end


@lru_cache(maxsize=4096)
def _char(char: str) -> bytes:
    if char.isalnum():
        return LETTER
    if char in _DASHES:
        return b"-"
    if char.isspace() or char in _BREAKS:
        return b" "
    return OTHER


codecs.register_error(_HANDLER, _beyond)
