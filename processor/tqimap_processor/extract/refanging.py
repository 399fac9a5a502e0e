"""Undo defanging, and remember where every character came from.

Each pass rewrites short pieces and is kept as a sorted list of cuts, by which a place in the
refanged text is led back. A piece is found by itself, without what is around it, so that refanging
the piece of text that a finding covers gives the finding's value again.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from typing import TYPE_CHECKING

from tqimap_processor.extract import brackets, schemes, spoken


if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator


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
_INVISIBLE = "\u00ad\u180e\u200b\u200c\u200d\u200e\u200f\u2060\ufeff"


class Refanged:
    """A text after refanging: *text*, and the way back to the original's offsets."""

    __slots__ = ("_folded", "_passes", "text")

    def __init__(self, text: str) -> None:
        self.text = _single(text)
        # look-alikes were put right somewhere: only a comparison tells where
        self._folded = self.text is not text
        # each pass: starts in the new text, the same places in the old one; ascending
        self._passes: list[tuple[list[int], list[int]]] = []
        if not text.isascii():
            self._apply(_invisible(self.text))
        self._apply(brackets.find(self.text), spoken.find(self.text))
        self._apply(schemes.find(self.text))

    @property
    def changed(self) -> bool:
        """Whether anything is different."""
        return self._folded or bool(self._passes)

    def span(self, start: int, end: int) -> tuple[int, int, bool]:
        """Lead [*start*, *end*) back to the original text; also say whether it was rewritten."""
        rewritten = self._folded
        for new, old in reversed(self._passes):
            first = bisect_right(new, start) - 1
            last = bisect_left(new, end, first)
            shift = old[first] - new[first]
            # odd entries are where an edit begins
            rewritten = rewritten or first % 2 == 1 or last > first + 1
            if last == len(new) or new[last] != end:
                last -= 1
            end += old[last] - new[last]
            start += shift
        return start, end, rewritten

    def _apply(self, *found: Iterable[Edit]) -> None:
        edits = sorted((edit for one in found for edit in one), key=_longest_first)
        if not edits:
            return
        text = self.text
        pieces: list[str] = []
        new, old = [0], [0]
        done = shift = 0
        for start, end, by in edits:
            if start < done:
                continue
            pieces += (text[done:start], by)
            new += (start + shift, start + shift + len(by))
            old += (start, end)
            shift += len(by) - (end - start)
            done = end
        self.text = "".join(pieces) + text[done:]
        self._passes.append((new, old))


def refang(text: str) -> str:
    """Return *text* with its defanged indicators in working spelling."""
    return Refanged(text).text


def _longest_first(edit: Edit) -> tuple[int, int]:
    return edit[0], -edit[1]


def _single(text: str) -> str:
    """Put ASCII for look-alikes of `.`, `@`, `:` and `/`, one character for one."""
    if not text.isascii():
        for odd, plain in _SINGLE.items():
            if odd in text:
                text = text.replace(odd, plain)
    return text


def _invisible(text: str) -> Iterator[Edit]:
    """Take out characters that nobody sees."""
    for char in _INVISIBLE:
        at = text.find(char)
        while at >= 0:
            yield at, at + 1, ""
            at = text.find(char, at + 1)
