"""Find what stands for a dot, an at, a colon or a slash: `[.]`, `(dot)`, `[at]`, `[.`, `.]`, `^.`.

Every pattern begins with its rare character: the regular expression engine then skips to it with a
memory scan, and a text without defanging costs next to nothing.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from tqimap_processor.extract.image import sparse


if TYPE_CHECKING:
    from tqimap_processor.extract.refanging import Edit


def _any_case(*words: str) -> bytes:
    """Return an alternation of *words* in any case, by sets: the engine looks ahead in these."""
    spelled = ("".join(f"[{c}{c.upper()}]" if c.isalpha() else c for c in word) for word in words)
    return "|".join(spelled).encode()


_WORDS = _any_case("dot", "d0t", "punkt", "punto", "at", "colon", "slash", "tt", "xx")
_INSIDE = (
    rb"[\[({<]{0,3}+[\s.]{0,3}?"
    rb"(\.|,|@|://|:/|::?|//|/|[wW]{3}\.|" + _WORDS + rb")[\s.]{0,3}?[\])}>]{1,4}"
)
# a tag or an aside begins with other characters: nine of ten are refused at the first
_FIRST = rb"(?=[\[({<\s.,@:/]|[wW]{3}\.|(?:" + _WORDS + rb")[^a-z])"
# a mail in HTML has a thousand tags
_TAG = rb"(?=[\[({<\s.,@:]|//?[\s.>]|[wW]{3}\.|(?:" + _WORDS + rb")[\s.>])"
_MEANING = {
    b",": ".", b"dot": ".", b"d0t": ".", b"punkt": ".", b"punto": ".", b"at": "@", b"colon": ":",
    b"slash": "/", b":/": "://", b"xx": "tt",
}  # fmt: skip
# a blank beside these is no part of the defanging
_TIGHT = frozenset({b"/", b"//", b":", b"::", b":/", b"://", b",", b"tt", b"xx", b"www."})
# what a dot may join
_JOINED = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz\xff"


def _set(chars: frozenset[int]) -> bytes:
    """Return what *chars* are in a set of an expression."""
    return re.escape(bytes(sorted(chars)))


_LEFT = frozenset(_JOINED + b"])}>/:_-*")
_RIGHT = frozenset(_JOINED + b"[({</:_-?#")
_BOTH = {
    opener: re.compile(re.escape(opener) + first + _INSIDE)
    for opener, first in (
        (b"[", rb"(?!(?<=[%s]\[)\.\][%s])" % (_set(_LEFT), _set(_RIGHT)) + _FIRST),
        (b"(", _FIRST),
        (b"{", _FIRST),
        (b"<", _TAG),
    )
}
_OPENED = re.compile(
    rb"\[\[{0,3}+(\.(?=[\w\xff])|(?i:dot) ?(?=[A-Za-z])|:(?=//)|://?(?=[\w\xff])"
    rb"|/(?![\w\xff]{1,10}\])(?=[\w\xff]))"
)
_LABEL = re.compile(rb"\[(?<=\.\[)([\w\xff]{2,12})\](?=\.[\w\xff])")
_CLOSED = {
    b"]": re.compile(
        rb"\](?:(?<=[\w\xff](\.)\])\]{0,3}(?=[\w\xff])|(?i:(?<=[\w\xff](dot)\]))(?=[\w\xff])|(?<=(:)\])(?=//))"
    ),
    b"}": re.compile(rb"\}(?<=[\w\xff](\.)\})\}{0,3}(?=[\w\xff])"),
    b")": re.compile(rb"\)(?<=[\w\xff](\.)\))\){1,3}(?=[\w\xff])"),
}
# nine of ten: between what a dot joins, with nothing else in it
_DOT = re.compile(rb"\[\.\](?<=[%s]\[\.\])(?=[%s])" % (_set(_LEFT), _set(_RIGHT)))
_CARET = re.compile(rb"\^\.(?<=[\w\xff]\^\.)(?=[\w\xff])")
_BACKSLASH = re.compile(rb"\\\.(?<=[\w\xff]\\\.)(?=[\w\xff-]++(?!\\(?!\.)))")
_PATH_BEFORE = re.compile(rb"(?:\\(?!\.)|%)[^\s\"'<>(]*$")
_ESCAPED_SLASH = re.compile(rb"\\/(?<=[\w\xff.?=&%/:-]\\/)")
_ENTITY = re.compile(
    rb"&(?:#(?:0{0,5}(46|47|58|64)|[xX]0{0,4}(2[eEfF]|3[aA]|40))|(period|sol|colon|commat));"
)
_ENTITIES = {b"period": ".", b"sol": "/", b"colon": ":", b"commat": "@"}


def find(text: str, image: bytes) -> list[Edit]:
    """Return the edits of *text*, whose image is *image*, in no particular order."""
    edits = _plain(image, _DOT, ".") if b"[.]" in image else []
    for opener, pattern in _BOTH.items():
        if opener in image:
            edits += _closed_both(text, image, opener, pattern)
    if b"[" in image:
        edits += _opened(text, image)
    for closer, pattern in _CLOSED.items():
        if closer in image:
            edits += _closed(image, closer, pattern)
    if b"^" in image:
        edits += _plain(image, _CARET, ".")
    if b"\\" in image:
        edits += _backslashed(image)
    return edits + _entities(image) if b"&" in image else edits


def _plain(image: bytes, pattern: re.Pattern[bytes], by: str) -> list[Edit]:
    places = [match.span() for match in pattern.finditer(image)]
    return [(start, end, by) for start, end in places]


def _closed(image: bytes, closer: bytes, pattern: re.Pattern[bytes]) -> list[Edit]:
    """Return the edits for what only has its closing bracket."""
    return [
        (match.start(match.lastindex), match.end(), ":" if match[match.lastindex] == b":" else ".")
        for match in sparse(pattern, image, closer)
        if match.lastindex
    ]


def _closed_both(text: str, image: bytes, opener: bytes, pattern: re.Pattern[bytes]) -> list[Edit]:
    edits: list[Edit] = []
    size = len(image)
    for match in sparse(pattern, image, opener):
        start, end = match.span()
        inside = match[1]
        if inside != b".":
            inside = inside.lower()
            if inside == b"," and match[0] != b"[,]":
                continue
        elif start and end < size and image[start - 1] in _LEFT and image[end] in _RIGHT:
            edits.append((start, end, "."))
            continue
        if inside == b"::" and not image[start - 1 : start].isalnum():
            # every address, not a part of one
            continue
        if inside not in _TIGHT:
            start, end = _widen(text, start, end)
        joins = start > 0 and end < size and image[start - 1] in _LEFT and image[end] in _RIGHT
        if inside == b"www." or joins:
            edits.append((start, end, _MEANING.get(inside) or inside.decode()))
    return edits


def _widen(text: str, start: int, end: int) -> tuple[int, int]:
    """Take up to three blanks on either side into the piece [*start*, *end*)."""
    for _ in range(3):
        if start and text[start - 1] in " \t\u00a0":
            start -= 1
        if end < len(text) and text[end] in " \t\u00a0":
            end += 1
    return start, end


def _opened(text: str, image: bytes) -> list[Edit]:
    edits: list[Edit] = []
    for match in sparse(_OPENED, image, b"["):
        start = match.start()
        if start and (text[start - 1].isalnum() or text[start - 1] in "])"):
            inside = match[1].lower().decode()
            edits.append((start, match.end(), "." if inside.startswith("dot") else inside))
    return edits + [
        (match.start(), match.end(), text[match.start(1) : match.end(1)])
        for match in sparse(_LABEL, image, b"[")
    ]


def _backslashed(image: bytes) -> list[Edit]:
    edits: list[Edit] = []
    done = 0
    for match in sparse(_BACKSLASH, image, b"\\"):
        start = match.start()
        # what stands before the last one was looked at then
        if not _PATH_BEFORE.search(image, max(done, start - 64), start):
            edits.append((start, match.end(), "."))
            done = start
    return edits + _plain(image, _ESCAPED_SLASH, "/")


def _entities(image: bytes) -> list[Edit]:
    return [
        (match.start(), match.end(), _ENTITIES.get(match[3]) or _char(match[1], match[2]))
        for match in _ENTITY.finditer(image)
    ]


def _char(decimal: bytes | None, hexadecimal: bytes) -> str:
    return chr(int(decimal) if decimal else int(hexadecimal, 16))
