"""Find dots and ats written out as words, and dotted quads with blanks or commas.

Words need a well-known top-level domain behind them: `dot to` is far more often English.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from tqimap_processor.extract.addresses import is_ipv4
from tqimap_processor.extract.tlds import SPOKEN, TLDS


if TYPE_CHECKING:
    from collections.abc import Iterator

    from tqimap_processor.extract.refanging import Edit


_DOT = re.compile(r" (?:dot|DOT|Dot|doT) ")
_AT = re.compile(r" (?:at|AT|At|@) ")
_NAME = re.compile(
    r"(?:(?<![\w.@+-])[\w.+-]{1,64} (?:at|AT|At|@) )?"
    r"(?<![\w.-])[A-Za-z0-9-]{1,63}(?: (?:dot|DOT|Dot|doT) [A-Za-z0-9-]{1,63}){1,4}(?![\w-])"
)
_NUMBERS = re.compile(r" (?<=\d )(?:dot|DOT|Dot) (?=\d{1,3}\b)")
_JOINED = re.compile(r"[dD](?:ot|OT)(?<=[A-Za-z0-9][_-]...)(?=[_-])")
_AFTER_JOINED = re.compile(
    r"(?:[A-Za-z0-9]{1,63}[_-](?:dot|DOT)[_-]){0,4}([A-Za-z]{2,24})(?![\w-])"
)
_SPACED_QUAD = re.compile(r" \. (?<=\d \. )(?=\d{1,3} \. \d{1,3} \. \d{1,3}(?! ?\.? ?\d))")
_SPACED = re.compile(r"(?<![\d.,])\d{1,3}(?: \. \d{1,3}){3}")
_COMMA_QUAD = re.compile(r",(?=\d{1,3},\d{1,3},\d{1,3}(?![\d,.]))(?<=\d,)")
_ALONE = re.compile(r"(?<!\S)\d{1,3}(?:,\d{1,3}){3}(?!\S)")


def find(text: str) -> Iterator[Edit]:
    """Yield the edits of *text* in no particular order."""
    if "dot" in text or "DOT" in text or "Dot" in text:
        yield from _joined(text)
        yield from _words(text)
    yield from _spaced(text)
    yield from _commas(text)


def _joined(text: str) -> Iterator[Edit]:
    for match in _JOINED.finditer(text):
        after = _AFTER_JOINED.match(text, match.end() + 1)
        if after and after[1].lower() in TLDS:
            yield match.start() - 1, match.end() + 1, "."


def _words(text: str) -> Iterator[Edit]:
    for match in _NUMBERS.finditer(text):
        yield match.start(), match.end(), "."
    done = 0
    for dot in _DOT.finditer(text):
        if dot.start() < done:
            continue
        start = _word_before(text, dot.start(), done)
        if at := _AT.fullmatch(text, max(done, start - 4), start) or _AT.fullmatch(
            text, max(done, start - 3), start
        ):
            start = _word_before(text, at.start(), done)
        if name := _NAME.match(text, start):
            done = name.end()
            yield from _name(name)


def _word_before(text: str, end: int, done: int) -> int:
    """Return where the word that ends at *end* begins, at *done* or 64 characters back at most."""
    back = max(done, end - 64)
    return max(text.rfind(" ", back, end), text.rfind("\n", back, end), back - 1) + 1


def _name(match: re.Match[str]) -> Iterator[Edit]:
    name = match[0]
    tld = name.rpartition(" ")[2].lower()
    if tld in SPOKEN or (tld in TLDS and _AT.search(name)):
        for pattern, by in ((_DOT, "."), (_AT, "@")):
            for word in pattern.finditer(name):
                yield match.start() + word.start(), match.start() + word.end(), by


def _spaced(text: str) -> Iterator[Edit]:
    for dot in _SPACED_QUAD.finditer(text):
        quad = _SPACED.search(text, max(0, dot.start() - 3), dot.end() + 15)
        if quad and is_ipv4(quad[0].replace(" ", "")):
            yield quad.start(), quad.end(), quad[0].replace(" ", "")


def _commas(text: str) -> Iterator[Edit]:
    for comma in _COMMA_QUAD.finditer(text):
        if alone := _ALONE.search(text, max(0, comma.start() - 3), comma.start() + 13):
            quad = alone[0].replace(",", ".")
            # a list of small numbers is far more often just that
            if is_ipv4(quad) and sum(len(octet) > 2 for octet in quad.split(".")) > 1:
                yield alone.start(), alone.end(), quad
