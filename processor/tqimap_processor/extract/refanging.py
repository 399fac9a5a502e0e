"""Undo defanging, and remember where every character came from.

Three passes find short pieces to rewrite: what nobody sees, what stands for dots and ats, and
schemes. They scan the image of the text; their edits are put together and the text is rewritten
once. A piece is found by itself, without what is around it, so that refanging the piece of text
that a finding covers gives the finding's value again.
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from typing import TYPE_CHECKING

from tqimap_processor.extract import brackets, breaks, image, schemes, spoken


if TYPE_CHECKING:
    from collections.abc import Iterable


# [start, end) of the old text and what stands for it; lists of them ascend without overlaps
Edit = tuple[int, int, str]


# what is mostly put in
_FREQUENT = {sign: sign.encode() for sign in (".", "@", ":", "/", "://")}
_HIDDEN = re.compile(rb"\xfd(?<=[!-\xfc]\xfd)\xfd*+(?=[!-\xff])")


class Refanged:
    """A text after refanging: *text*, its *image*, and the way back to the original's offsets.

    *folded* says that look-alikes were put right somewhere: only a comparison tells where.
    *new* and *old* are where edits begin (odd entries) and end (even ones) in the refanged and in
    the original text; both ascend and begin with 0.

    A *plain* text is ASCII, and known to hold nothing to rewrite.
    """

    __slots__ = ("folded", "image", "new", "old", "text")

    def __init__(self, text: str, *, plain: bool = False) -> None:
        if plain:
            self.text, self.image, self.folded = text, text.encode(), False
            self.new = self.old = [0]
            return
        alike, scanned = image.fold(text, image.encode(text))
        self.folded = alike is not text
        hidden = _invisible(scanned) if image.INVISIBLE in scanned else []
        seen, scanned = _apply(alike, hidden), _apply_image(scanned, hidden)
        joints = _sorted(brackets.find(seen, scanned) + spoken.find(scanned) + breaks.find(scanned))
        edits = _compose(hidden, joints)
        scanned = _apply_image(scanned, joints)
        if broken := _sorted(schemes.find(scanned)):
            edits = _compose(edits, broken)
            scanned = _apply_image(scanned, broken)
        self.text, self.image = _apply(alike, edits), scanned
        self.new, self.old = _cuts(edits)

    @property
    def changed(self) -> bool:
        """Whether anything is different."""
        return self.folded or len(self.new) > 1

    def span(self, start: int, end: int) -> tuple[int, int]:
        """Lead [*start*, *end*) back to the original text."""
        new, old = self.new, self.old
        first = bisect_right(new, start) - 1
        last = bisect_left(new, end, first)
        if last == len(new) or new[last] != end:
            last -= 1
        return start + old[first] - new[first], end + old[last] - new[last]

    def rewrote(self, start: int, end: int) -> bool:
        """Say whether [*start*, *end*) was spelled differently, look-alikes aside."""
        new = self.new
        first = bisect_right(new, start) - 1
        return first & 1 == 1 or (first + 1 < len(new) and new[first + 1] < end)


def _sorted(edits: list[Edit]) -> list[Edit]:
    """Return *edits* in the order of their places; of those that overlap the first, the longest."""
    kept: list[Edit] = []
    begun = done = -1
    for edit in sorted(edits):
        if edit[0] >= done:
            kept.append(edit)
        elif edit[0] == begun:
            kept[-1] = edit
        else:
            continue
        begun, done, _ = edit
    return kept


def _apply(text: str, edits: list[Edit]) -> str:
    if not edits:
        return text
    pieces: list[str] = []
    done = 0
    for start, end, by in edits:
        pieces += (text[done:start], by)
        done = end
    return "".join(pieces) + text[done:]


def _apply_image(scanned: bytes, edits: list[Edit]) -> bytes:
    if not edits:
        return scanned
    pieces: list[bytes] = []
    done = 0
    for start, end, by in edits:
        pieces += (scanned[done:start], _FREQUENT.get(by) or image.encode(by))
        done = end
    return b"".join(pieces) + scanned[done:]


def _cuts(edits: Iterable[Edit]) -> tuple[list[int], list[int]]:
    new, old = [0], [0]
    shift = 0
    for start, end, by in edits:
        begin = start + shift
        stop = begin + len(by)
        new += (begin, stop)
        old += (start, end)
        shift = stop - end
    return new, old


def _compose(first: list[Edit], second: list[Edit]) -> list[Edit]:
    """Return the edits that do what *first* and then *second* do; those of *second* count later."""
    if not first or not second:
        return first or second
    new, old = _cuts(first)
    edits: list[Edit] = []
    done = 0
    for start, end, by in second:
        head, tail = bisect_right(new, start) - 1, bisect_left(new, end)
        if tail == len(new) or new[tail] != end:
            tail -= 1
        # odd cuts are where an edit of *first* begins: what is left of it is kept
        before, after = head // 2, (tail + 1) // 2
        left = first[before][2][: start - new[head]] if head % 2 else ""
        inside = tail % 2 and new[tail] != end
        right = first[after - 1][2][end - new[tail] :] if inside else ""
        edits += first[done:before]
        begin = old[head] + (0 if head % 2 else start - new[head])
        stop = first[after - 1][1] if inside else old[tail] + end - new[tail]
        edits.append((begin, stop, left + by + right))
        done = after if inside or not tail % 2 else after - 1
    return edits + first[done:]


def _invisible(scanned: bytes) -> list[Edit]:
    """Take out characters that nobody sees, unless a blank beside them separates anyway."""
    return [(run.start(), run.end(), "") for run in _HIDDEN.finditer(scanned)]
