"""Find hashes: runs of hexadecimal digits that are exactly as long as a digest and stand alone."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from tqimap_processor.extract.finding import (
    FUZZY,
    MD5,
    NO_FLAGS,
    SERIAL,
    SHA1,
    SHA256,
    SHA384,
    SHA512,
    Hit,
    Raw,
)


if TYPE_CHECKING:
    from tqimap_processor.extract.image import Image


# JARM's is the only length that no digest has: without its label it is none
_JARM = 62
_TLSH = 72
_TYPES = {_JARM: FUZZY, _TLSH: FUZZY, 32: MD5, 40: SHA1, 64: SHA256, 96: SHA384, 128: SHA512}
_HEX = b"0123456789ABCDEFabcdef"
# how far back a word may stand that says which hash this is
_CONTEXT = 40
_SAID = re.compile(
    rb"(imp(?:ort )?[ _-]?hash|authenti ?hash|(?:ja3s?|jarm)(?: (?:hash|fingerprint))?"
    rb"|thumbprint|fingerprint|serial(?: ?number| no\.?)?"
    rb"|rich ?(?:pe ?)?header ?hash|telfhash|vhash|icon ?hash|pehash)[\"'\s:=|#*()-]{0,24}$"
)


_BETWEEN = b"\"' \t\r\n\v\f:=|#*()-"
_ENDS = (b"hash", b"ja3", b"ja3s", b"jarm", b"print", b"serial", b"number", b"no", b"no.")


def find(image: Image, start: int, end: int) -> Raw | None:
    """Return the hash that the run of letters and digits [*start*, *end*) is, or None."""
    kind = _TYPES.get(end - start)
    if kind is None:
        return None
    text = image.bytes
    if text[start:end].translate(None, _HEX):
        return _tlsh(text, start, end) if end - start == _TLSH else None
    return _hit(image, kind, start, end)


def _tlsh(text: bytes, start: int, end: int) -> Raw | None:
    """Return the locality-sensitive hash that is `T1` and seventy digits in upper case."""
    word = text[start:end]
    if word[:2] != b"T1" or word[2:].translate(None, _HEX) or not word.isupper():
        return None
    return FUZZY, word.decode(), start, end, NO_FLAGS, (("Algorithm", "TLSH"),)


def _hit(image: Image, kind: str, start: int, end: int) -> Raw | None:
    value = image.lower[start:end].decode()
    before = image.lower[max(0, start - _CONTEXT) : start]
    # cheap, and settles nearly all
    ends = before.rstrip(_BETWEEN).endswith(_ENDS)
    said = _SAID.search(before) if ends else None
    if said is None:
        return None if kind is FUZZY else (kind, value, start, end, NO_FLAGS, ())
    word = re.sub(r"[ _-]", "", said[1].decode())
    if word.startswith(("imphash", "importhash")):
        return Hit(FUZZY, value, start, end, frozenset({"labelled"}), (("Algorithm", "imphash"),))
    if kind is FUZZY and word[:4] != "jarm":
        return None
    if word.startswith("serial"):
        return Hit(SERIAL, value, start, end, frozenset({"labelled"}))
    return Hit(
        kind, value, start, end, frozenset({"labelled", "not-a-file"}), (("Algorithm", word),)
    )
