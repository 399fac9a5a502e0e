"""Find what stands for a dot, an at, a colon or a slash: `[.]`, `(dot)`, `[at]`, `[.`, `.]`, `^.`.

Every pattern begins with its rare character: the regular expression engine then skips to it with a
memory scan, and a text without defanging costs next to nothing.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING


if TYPE_CHECKING:
    from collections.abc import Iterator

    from tqimap_processor.extract.refanging import Edit


_INSIDE = (
    r"[\[({<]{0,3}[\s.]{0,3}?"
    r"(\.|,|dot|d0t|punkt|punto|@|at|://|:/|:|//|/|colon|slash|www\.|tt|xx)"
    r"[\s.]{0,3}?[\])}>]{1,4}"
)
_BOTH = {opener: re.compile(re.escape(opener) + _INSIDE, re.IGNORECASE) for opener in "[({<"}
_MEANING = {
    ",": ".", "dot": ".", "d0t": ".", "punkt": ".", "punto": ".", "at": "@", "colon": ":",
    "slash": "/", ":/": "://", "xx": "tt",
}  # fmt: skip
# a blank beside these is no part of the defanging
_TIGHT = frozenset({"/", "//", ":", ":/", "://", ",", "tt", "xx", "www."})
_OPENED = re.compile(
    r"\[\[{0,3}(\.(?=\w)|dot ?(?=[a-z])|:(?=//)|://?(?=\w)|/(?!\w{1,10}\])(?=\w))", re.IGNORECASE
)
_LABEL = re.compile(r"\[(?<=\.\[)(\w{2,12})\](?=\.\w)")
_CLOSED = re.compile(r"\.(?=[\])}])(?<=\w\.)(?:\]{1,4}|\){2,4}|\}{1,4})(?=\w)")
_CLOSED_WORD = re.compile(r"dot\](?<=\wdot\])(?=\w)")
_CLOSED_COLON = re.compile(r":\](?=//)")
_CARET = re.compile(r"\^\.(?<=\w\^\.)(?=\w)")
_BACKSLASH = re.compile(r"\\\.(?<=\w\\\.)(?=[\w-]++(?!\\(?!\.)))")
_PATH_BEFORE = re.compile(r"(?:\\(?!\.)|%)[^\s\"'<>(]*$")
_ESCAPED_SLASH = re.compile(r"\\/(?<=[\w.?=&%/:-]\\/)")
_ENTITY = re.compile(r"&#(?:0{0,5}(46|47|58|64)|[xX]0{0,4}(2[eEfF]|3[aA]|40));")


def find(text: str) -> Iterator[Edit]:
    """Yield the edits of *text* in no particular order."""
    for opener, pattern in _BOTH.items():
        if opener in text:
            yield from _closed_both(text, pattern)
    if "[" in text:
        yield from _opened(text)
    yield from _plain(text, _CLOSED, ".")
    if "]" in text:
        yield from _plain(text, _CLOSED_WORD, ".")
        yield from _plain(text, _CLOSED_COLON, ":")
    yield from _plain(text, _CARET, ".")
    if "\\" in text:
        yield from _backslashed(text)
    for entity in _ENTITY.finditer(text):
        code = int(entity[1]) if entity[1] else int(entity[2], 16)
        yield entity.start(), entity.end(), chr(code)


def _plain(text: str, pattern: re.Pattern[str], by: str) -> Iterator[Edit]:
    for match in pattern.finditer(text):
        yield match.start(), match.end(), by


def _closed_both(text: str, pattern: re.Pattern[str]) -> Iterator[Edit]:
    for match in pattern.finditer(text):
        start, end = match.span()
        inside = match[1].lower()
        if inside == "," and match[0] != "[,]":
            continue
        if inside not in _TIGHT:
            start, end = _widen(text, start, end)
        if inside == "www." or _joins(text, start, end):
            yield start, end, _MEANING.get(inside, inside)


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


def _opened(text: str) -> Iterator[Edit]:
    for match in _OPENED.finditer(text):
        start = match.start()
        if start and (text[start - 1].isalnum() or text[start - 1] in "])"):
            inside = match[1].lower()
            yield start, match.end(), "." if inside.startswith("dot") else inside
    for match in _LABEL.finditer(text):
        yield match.start(), match.end(), match[1]


def _backslashed(text: str) -> Iterator[Edit]:
    for match in _BACKSLASH.finditer(text):
        if not _PATH_BEFORE.search(text, max(0, match.start() - 64), match.start()):
            yield match.start(), match.end(), "."
    if ":\\/\\/" in text:
        yield from _plain(text, _ESCAPED_SLASH, "/")
