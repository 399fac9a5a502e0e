"""Undo defanging, and remember where every character came from.

Each pass rewrites short pieces (`[.]`, `hxxp`, ` dot `) and is kept as a sorted list of cuts, by
which a place in the refanged text is led back. Every pattern begins with a rare character or runs
only after a cheap hint, and looks at most some hundred characters ahead, so that a pass is linear.
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from typing import TYPE_CHECKING

from tqimap_processor.extract.addresses import is_ipv4
from tqimap_processor.extract.tlds import SPOKEN, TLDS


if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


# [start, end) of the old text and what stands for it
Edit = tuple[int, int, str]

_SINGLE = {
    "\u3002": ".",
    "\uff0e": ".",
    "\uff61": ".",
    "\u2024": ".",
    "\uff20": "@",
    "\ufe6b": "@",
    "\uff1a": ":",
    "\uff0f": "/",
    "\u2215": "/",
    "\u2044": "/",
}
_INVISIBLE = re.compile("[\u00ad\u180e\u200b-\u200f\u2060\ufeff]+")

_BOTH = re.compile(
    r"[\[({<]{1,4}[\s.]{0,3}?"
    r"(\.|,|dot|d0t|punkt|punto|@|at|://|:/|:|//|/|colon|slash|www\.|tt|xx)"
    r"[\s.]{0,3}?[\])}>]{1,4}",
    re.IGNORECASE,
)
_MEANING = {
    ",": ".", "dot": ".", "d0t": ".", "punkt": ".", "punto": ".", "at": "@", "colon": ":",
    "slash": "/", ":/": "://", "xx": "tt",
}  # fmt: skip
# a space beside these is no part of the defanging
_TIGHT = frozenset({"/", "//", ":", ":/", "://", ",", "tt", "xx", "www."})
_OPENED = re.compile(
    r"\[(\.(?=\w)|dot ?(?=[a-z])|:(?=//)|://?(?=\w)|/(?!\w{1,10}\])(?=\w))", re.IGNORECASE
)
_WRAPPED_LABEL = re.compile(r"\[(\w{2,12})\](?=\.\w)")
_CLOSED = re.compile(r"(?<=\w)(?:\.(?:\]{1,4}|\){2,4}|\}{1,4})|dot\])(?=\w)|:\](?=//)")
_CARET = re.compile(r"(?<=\w)\^\.(?=\w)")
_BACKSLASHED = re.compile(r"(?<![\w\\.:%-])[\w-]++(?:\\?\.[\w-]++)++(?!\\)")
_WORD_DOT = re.compile(
    r"(?<=[A-Za-z0-9])(?:[_-](?:dot|DOT)[_-])(?=[A-Za-z0-9-]{1,63}(?:[_-](?:dot|DOT)[_-])?)"
)
_NUMBER_DOT = re.compile(r"(?<=\d) (?:dot|DOT|Dot) (?=\d{1,3}\b)")
_DOT_WORD = re.compile(r" (?:dot|DOT|Dot|doT) ")
_AT_WORD = re.compile(r" (?:at|AT|At|@) ")
_SPOKEN = re.compile(
    r"(?:(?<![\w.@+-])[\w.+-]{1,64} (?:at|AT|At|@) )?"
    r"(?<![\w.-])[A-Za-z0-9-]{1,63}(?: (?:dot|DOT|Dot|doT) [A-Za-z0-9-]{2,63}){1,4}(?![\w-])"
)
_SPACED_QUAD = re.compile(r"(?<![\d.,])\d{1,3}(?: \. \d{1,3}){3}(?! ?\.? ?\d)")
_COMMA_QUAD = re.compile(r",(?=\d{1,3},\d{1,3},\d{1,3}(?![\d,.]))(?<=\d,)")
_QUAD_ALONE = re.compile(r"(?<![\S])\d{1,3}(?:,\d{1,3}){3}(?=\s|$)")
_ODD_SCHEME = re.compile(
    r"[x*_zX_Z]p|eow|EOW|:\\|[ps]:/(?!/\S)|[ps](?:__|:_)|fxp|FXP|htp|HTP", re.IGNORECASE
)
_SCHEME = re.compile(
    r"(?<![A-Za-z0-9])(?:h([tx*_z]{1,3})p|meow|f([tx*]{1,2})p)(s?)"
    r" ?(?::///?|:\\/\\/|:\\\\?|:/|:?__)(?: {1,2}(?=[\w-]{1,63}\.\w)|(?=[\w\[]))",
    re.IGNORECASE,
)
_PLAIN_SCHEMES = frozenset({"http://", "https://", "ftp://", "ftps://"})


class Refanged:
    """A text after refanging: *text*, and the way back to the original's offsets."""

    __slots__ = ("_passes", "text")

    def __init__(self, text: str) -> None:
        self.text = _single(text)
        # each pass: starts in the new text, the same places in the old one; ascending
        self._passes: list[tuple[list[int], list[int]]] = []
        if not text.isascii():
            self._apply(_invisible)
        self._apply(_fangs)
        self._apply(_schemes)

    @property
    def changed(self) -> bool:
        """Whether anything moved."""
        return bool(self._passes)

    def start(self, position: int) -> int:
        """Lead the start of a span back to the original text."""
        for new, old in reversed(self._passes):
            at = bisect_right(new, position) - 1
            position += old[at] - new[at]
        return position

    def end(self, position: int) -> int:
        """Lead the end of a span (the place behind its last character) back likewise."""
        for new, old in reversed(self._passes):
            at = bisect_left(new, position)
            if at == len(new) or new[at] != position:
                at -= 1
            position += old[at] - new[at]
        return position

    def _apply(self, find: Callable[[str], Iterator[Edit]]) -> None:
        edits = sorted(find(self.text), key=_longest_first)
        if not edits:
            return
        pieces: list[str] = []
        new, old = [0], [0]
        done = shift = 0
        for start, end, by in edits:
            if start < done:
                continue
            pieces += (self.text[done:start], by)
            new += (start + shift, start + shift + len(by))
            old += (start, end)
            shift += len(by) - (end - start)
            done = end
        self.text = "".join(pieces) + self.text[done:]
        self._passes.append((new, old))


def _longest_first(edit: Edit) -> tuple[int, int]:
    return edit[0], -edit[1]


def refang(text: str) -> str:
    """Return *text* with its defanged indicators in working spelling."""
    return Refanged(text).text


def _single(text: str) -> str:
    """Put ASCII for look-alikes of `.`, `@`, `:` and `/`, one character for one."""
    if not text.isascii():
        for odd, plain in _SINGLE.items():
            if odd in text:
                text = text.replace(odd, plain)
    return text


def _invisible(text: str) -> Iterator[Edit]:
    """Take out characters that nobody sees."""
    for match in _INVISIBLE.finditer(text):
        yield match.start(), match.end(), ""


def _fangs(text: str) -> Iterator[Edit]:
    """Find what stands for a dot, an at, a colon or a slash."""
    if "[" in text or "(" in text or "{" in text or "<.>" in text:
        yield from _bracketed(text)
    if ".]" in text or ".)" in text or ".}" in text or "dot]" in text or ":]" in text:
        for match in _CLOSED.finditer(text):
            yield match.start(), match.end(), ":" if match[0][0] == ":" else "."
    if "^." in text:
        for match in _CARET.finditer(text):
            yield match.start(), match.end(), "."
    if "\\." in text:
        yield from _backslashed(text)
    yield from _quads(text)
    yield from _words(text)


def _bracketed(text: str) -> Iterator[Edit]:
    for match in _BOTH.finditer(text):
        start, end = match.span()
        inside = match[1].lower()
        by = _MEANING.get(inside, inside)
        if inside == "," and match[0] != "[,]":
            continue
        if inside not in _TIGHT:
            start, end = _widen(text, start, end)
        if inside == "www." or _joins(text, start, end):
            yield start, end, by
    if "[" not in text:
        return
    for match in _OPENED.finditer(text):
        start = match.start()
        if start and (text[start - 1].isalnum() or text[start - 1] in "])"):
            inside = match[1].lower()
            yield start, match.end(), "." if inside.startswith("dot") else inside
    for match in _WRAPPED_LABEL.finditer(text):
        if text[match.start() - 1 : match.start()] == ".":
            yield match.start(), match.end(), match[1]


def _widen(text: str, start: int, end: int) -> tuple[int, int]:
    """Take up to three blanks on either side into the piece [*start*, *end*)."""
    for _ in range(3):
        if start and text[start - 1] in " \t\u00a0":
            start -= 1
        if end < len(text) and text[end] in " \t\u00a0":
            end += 1
    return start, end


def _joins(text: str, start: int, end: int) -> bool:
    """Say whether there is something on both sides that a dot could join."""
    if not 0 < start <= end < len(text):
        return False
    left, right = text[start - 1], text[end]
    return (left.isalnum() or left in "])}>/:_-*") and (right.isalnum() or right in "[({</:_-?#")


def _backslashed(text: str) -> Iterator[Edit]:
    for match in _BACKSLASHED.finditer(text):
        at = text.find("\\", match.start(), match.end())
        while at >= 0:
            yield at, at + 2, "."
            at = text.find("\\", at + 2, match.end())


def _quads(text: str) -> Iterator[Edit]:
    """Find dotted quads with blanks around their dots, or, alone on a line, with commas."""
    for match in _SPACED_QUAD.finditer(text) if " . " in text else ():
        if is_ipv4(match[0].replace(" ", "")):
            yield match.start(), match.end(), match[0].replace(" ", "")
    for comma in _COMMA_QUAD.finditer(text):
        if alone := _QUAD_ALONE.search(text, max(0, comma.start() - 3), comma.start() + 13):
            quad = alone[0].replace(",", ".")
            # a list of small numbers is far more often just that
            if is_ipv4(quad) and sum(len(octet) > 2 for octet in quad.split(".")) > 1:
                yield alone.start(), alone.end(), quad


def _words(text: str) -> Iterator[Edit]:
    """Find `dot` and `at` written out, where a well-known top-level domain ends the name."""
    if "dot_" in text or "dot-" in text or "DOT_" in text:
        for match in _WORD_DOT.finditer(text):
            yield from _joined_word(text, match)
    if not _DOT_WORD.search(text):
        return
    for match in _NUMBER_DOT.finditer(text):
        yield match.start(), match.end(), "."
    for match in _SPOKEN.finditer(text):
        spoken = match[0]
        tld = spoken.rpartition(" ")[2].lower()
        if tld in SPOKEN or ("@" in _AT_WORD.sub("@", spoken) and tld in TLDS):
            for at in _DOT_WORD.finditer(spoken):
                yield match.start() + at.start(), match.start() + at.end(), "."
            for at in _AT_WORD.finditer(spoken):
                yield match.start() + at.start(), match.start() + at.end(), "@"


_AFTER_WORD_DOT = re.compile(r"(?:[A-Za-z0-9]+[_-](?:dot|DOT)[_-]){0,4}([A-Za-z]{2,24})(?![\w-])")


def _joined_word(text: str, match: re.Match[str]) -> Iterator[Edit]:
    after = _AFTER_WORD_DOT.match(text, match.end())
    if after and after[1].lower() in TLDS:
        yield match.start(), match.end(), "."


def _schemes(text: str) -> Iterator[Edit]:
    """Find `hxxp`, `meow` and their like, and odd marks after a proper scheme."""
    if not _ODD_SCHEME.search(text):
        return
    for match in _SCHEME.finditer(text):
        if match[0].lower() not in _PLAIN_SCHEMES:
            name = "ftp" if match[2] else "http"
            yield match.start(), match.end(), f"{name}{match[3].lower()}://"
