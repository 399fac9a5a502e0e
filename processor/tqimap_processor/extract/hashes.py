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


_TYPES = {32: MD5, 40: SHA1, 64: SHA256, 96: SHA384, 128: SHA512}
_RUN = re.compile(rb"h+")
_ALONE = re.compile(rb"[0-9A-Za-z\xff]")
# how far back a word may stand that says which hash this is
_CONTEXT = 40
_SAID = re.compile(
    rb"(imp(?:ort )?[ _-]?hash|authenti ?hash|ja3s?|jarm|thumbprint|fingerprint"
    rb"|serial(?: ?number| no\.?)?"
    rb"|rich ?(?:pe ?)?header ?hash|telfhash|vhash|icon ?hash|pehash)[\"'\s:=|#*()-]{0,24}$"
)


def find(image: Image) -> Iterator[Hit]:
    """Yield the hits of the whole text, with places in it."""
    view = image.hexes()
    at = view.find(b"h" * 32)
    while at >= 0:
        run = _RUN.match(view, at)
        end = run.end() if run else at + 32
        if (kind := _TYPES.get(end - at)) and _alone(image.bytes, at, end):
            yield _hit(image, kind, at, end)
        at = view.find(b"h" * 32, end)


def _alone(text: bytes, start: int, end: int) -> bool:
    before = start > 0 and _ALONE.match(text, start - 1)
    return not (before or _ALONE.match(text, end))


def _hit(image: Image, kind: str, start: int, end: int) -> Hit:
    value = image.lower[start:end].decode()
    said = _SAID.search(image.lower[max(0, start - _CONTEXT) : start])
    if said is None:
        return Hit(kind, value, start, end)
    word = re.sub(r"[ _-]", "", said[1].decode())
    if word.startswith(("imphash", "importhash")):
        return Hit(FUZZY, value, start, end, frozenset({"labelled"}), (("Algorithm", "imphash"),))
    if word.startswith("serial"):
        return Hit(SERIAL, value, start, end, frozenset({"labelled"}))
    return Hit(
        kind, value, start, end, frozenset({"labelled", "not-a-file"}), (("Algorithm", word),)
    )
