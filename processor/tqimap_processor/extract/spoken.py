"""Find dots and ats written out as words, and dotted quads with blanks or commas.

Words need a well-known top-level domain behind them: `dot to` is far more often English.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from tqimap_processor.extract.addresses import is_ipv4
from tqimap_processor.extract.tlds import SPOKEN, TLDS


if TYPE_CHECKING:
    from tqimap_processor.extract.refanging import Edit


_DOT = re.compile(rb" (?:dot|DOT|Dot|doT) ")
# either of them
_WORD = re.compile(rb" (?:(dot|DOT|Dot|doT)|at|AT|At|@) ")
_ATS = (b" at ", b" AT ", b" At ", b" @ ")
_BEFORE_AT = frozenset(b"tT@")
_SPOKEN = frozenset(tld.encode() for tld in SPOKEN)
_AT = ord("@")
_NAME = re.compile(
    rb"(?:(?<![\w\xff.@+-])[\w\xff.+-]{1,64} (?:at|AT|At|@) )?"
    rb"(?<![\w\xff.-])[A-Za-z0-9-]{1,63}"
    rb"(?: (?:dot|DOT|Dot|doT) ([A-Za-z0-9-]{1,63})){1,4}(?![\w\xff-])"
)
_NUMBERS = re.compile(rb" (?<=\d )(?:dot|DOT|Dot) (?=\d{1,3}(?![\w\xff]))")
# tokenised text puts blanks around every dot: only labels in a row with a domain's end count
_APART = re.compile(
    rb"\.(?<=[A-Za-z0-9] \.)(?= (?:[A-Za-z0-9-]{1,63} \. ){0,3}"
    rb"(?:com|net|org|info|biz|edu|gov|mil|ru|cn|uk|io|xyz|top|onion)(?![\w\xff.-]))"
)
_JOINED = re.compile(rb"dot(?<=[_-]dot)(?=[_-])")
_AFTER_JOINED = re.compile(
    rb"(?:[A-Za-z0-9]{1,63}[_-](?:dot|DOT)[_-]){0,4}([A-Za-z]{2,24})(?![\w\xff-])"
)
_SPACED_QUAD = re.compile(rb"\.(?<=\d \.)(?= \d{1,3} \. \d{1,3} \. \d{1,3}(?! ?\.? ?\d))")
_SPACED = re.compile(rb"(?<![\d.,])\d{1,3}(?: \. \d{1,3}){3}")
_COMMA_QUAD = re.compile(rb",(?=\d{1,3},\d{1,3},\d{1,3}(?![\d,.]))(?<=\d,)")
_ALONE = re.compile(rb"(?<!\S)\d{1,3}(?:,\d{1,3}){3}(?!\S)")


def find(image: bytes) -> list[Edit]:
    """Return the edits of the text whose image is *image*, in no particular order."""
    lower = image.lower()
    edits: list[Edit] = []
    for joined in _JOINED.finditer(lower):
        edits += _joined(image, joined.start())
    if b" dot " in lower:
        edits += _words(image)
    if b"," in image:
        edits += _commas(image)
    if b" . " in image:
        edits += _apart(image) + _spaced(image)
    return edits


def _joined(image: bytes, at: int) -> list[Edit]:
    """Return the edit for the `dot` at *at*, which has a hyphen or a low line on either side."""
    after = _AFTER_JOINED.match(image, at + 4)
    if not (after and image[at - 2 : at - 1].isalnum() and after[1].lower().decode() in TLDS):
        return []
    return [(at - 1, at + 4, ".")]


def _words(image: bytes) -> list[Edit]:
    edits = [(match.start(), match.end(), ".") for match in _NUMBERS.finditer(image)]
    done = 0
    for at, stop in [dot.span() for dot in _DOT.finditer(image)]:
        if at < done:
            continue
        label = start = _word_before(image, at, done)
        if image[start - 2] in _BEFORE_AT and image.endswith(_ATS, max(done, start - 4), start):
            start = _word_before(image, start - (3 if image[start - 2] == _AT else 4), done)
        if name := _NAME.match(image, start):
            done = name.end()
            last = name[1].lower()
            if start < label or stop + len(last) < done:
                edits += _name(name, last)
            elif last in _SPOKEN:
                edits.append((at, stop, "."))
    return edits


def _word_before(image: bytes, end: int, done: int) -> int:
    """Return where the word that ends at *end* begins, at *done* or 64 characters back at most."""
    back = max(done, end - 64)
    blank = image.rfind(b" ", back, end) + 1 or back
    return image.rfind(b"\n", blank, end) + 1 or blank


def _name(match: re.Match[bytes], last: bytes) -> list[Edit]:
    """Return the edits of a name that has an at or more than one dot, and this *last* label."""
    begin = match.start()
    edits = [
        (begin + word.start(), begin + word.end(), "." if word[1] else "@")
        for word in _WORD.finditer(match[0])
    ]
    if last in _SPOKEN or (last.decode() in TLDS and any(by == "@" for _, _, by in edits)):
        return edits
    return []


def _apart(image: bytes) -> list[Edit]:
    places = [(dot.start() - 1, dot.end() + 1) for dot in _APART.finditer(image)]
    if b"@" in image:
        # an address with a blank in it is more often none
        places = [
            (start, end)
            for start, end in places
            if b"@" not in image[_word_before(image, start, 0) : start]
        ]
    return [(start, end, ".") for start, end in places]


def _spaced(image: bytes) -> list[Edit]:
    edits: list[Edit] = []
    for dot in _SPACED_QUAD.finditer(image):
        found = _SPACED.search(image, max(0, dot.start() - 4), dot.end() + 16)
        if found and is_ipv4(quad := found[0].replace(b" ", b"").decode()):
            edits.append((*found.span(), quad))
    return edits


def _commas(image: bytes) -> list[Edit]:
    edits: list[Edit] = []
    for comma in _COMMA_QUAD.finditer(image):
        if alone := _ALONE.search(image, max(0, comma.start() - 3), comma.start() + 13):
            quad = alone[0].replace(b",", b".").decode()
            # a list of small numbers is far more often just that
            if is_ipv4(quad) and sum(len(octet) > 2 for octet in quad.split(".")) > 1:
                edits.append((*alone.span(), quad))
    return edits
