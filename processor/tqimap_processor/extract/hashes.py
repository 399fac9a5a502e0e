"""Find hashes: runs of hexadecimal digits that are exactly as long as a digest and stand alone."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from tqimap_processor.extract.finding import (
    FUZZY,
    MD5,
    SERIAL,
    SHA1,
    SHA256,
    SHA384,
    SHA512,
    Hit,
)


if TYPE_CHECKING:
    from collections.abc import Iterator

    from tqimap_processor.extract.image import Image


# JARM's is the only length that no digest has: without its label it is none
_JARM = 62
_TYPES = {_JARM: FUZZY, 32: MD5, 40: SHA1, 64: SHA256, 96: SHA384, 128: SHA512}
_RUN = re.compile(rb"h+")
_JOINING = frozenset(b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz\xff")
# how far back a word may stand that says which hash this is
_CONTEXT = 40
_SAID = re.compile(
    rb"(imp(?:ort )?[ _-]?hash|authenti ?hash|ja3s?|jarm|thumbprint|fingerprint"
    rb"|serial(?: ?number| no\.?)?"
    rb"|rich ?(?:pe ?)?header ?hash|telfhash|vhash|icon ?hash|pehash)[\"'\s:=|#*()-]{0,24}$"
)


_BETWEEN = b"\"' \t\r\n\v\f:=|#*()-"
_ENDS = (b"hash", b"ja3", b"ja3s", b"jarm", b"print", b"serial", b"number", b"no", b"no.")


def find(_text: str, image: Image) -> Iterator[Hit]:
    """Yield the hits of the whole text whose image is *image*, with places in it."""
    view = image.hexes()
    at = view.find(b"h" * 32)
    while at >= 0:
        run = _RUN.match(view, at)
        end = run.end() if run else at + 32
        if (kind := _TYPES.get(end - at)) and _alone(image.bytes, at, end):
            hit = _hit(image, kind, at, end)
            if hit is not None:
                yield hit
        at = view.find(b"h" * 32, end)


def _alone(text: bytes, start: int, end: int) -> bool:
    before = start > 0 and text[start - 1] in _JOINING
    return not (before or (end < len(text) and text[end] in _JOINING))


def _hit(image: Image, kind: str, start: int, end: int) -> Hit | None:
    value = image.lower[start:end].decode()
    before = image.lower[max(0, start - _CONTEXT) : start]
    # cheap, and settles nearly all
    ends = before.rstrip(_BETWEEN).endswith(_ENDS)
    said = _SAID.search(before) if ends else None
    if said is None:
        return None if kind is FUZZY else Hit(kind, value, start, end)
    word = re.sub(r"[ _-]", "", said[1].decode())
    if word.startswith(("imphash", "importhash")):
        return Hit(FUZZY, value, start, end, frozenset({"labelled"}), (("Algorithm", "imphash"),))
    if kind is FUZZY and word != "jarm":
        return None
    if word.startswith("serial"):
        return Hit(SERIAL, value, start, end, frozenset({"labelled"}))
    return Hit(
        kind, value, start, end, frozenset({"labelled", "not-a-file"}), (("Algorithm", word),)
    )
