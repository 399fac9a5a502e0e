"""Scan a text for indicators: refang, look for triggers, judge tokens, lead places back."""

from __future__ import annotations

import re
from operator import attrgetter
from typing import TYPE_CHECKING

from tqimap_processor.extract import coins, hashes, labels, numbers, opinion, paths, tokens
from tqimap_processor.extract.finding import IP, Finding, Hit, place
from tqimap_processor.extract.image import Image
from tqimap_processor.extract.refanging import Refanged


if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence


_DEFANGED = frozenset({"defanged"})
# what is in every token worth reading; one pattern each, so that the engine skips to its character
_TRIGGERS = (re.compile(rb"\.(?=[\w\xff-])"), re.compile(rb"://"), re.compile(rb"@(?=\[)"))
# words before a dotted quad that make it the number of a version or a section
_VERSIONS = tuple(
    word.encode()
    for word in (
        "version", "versions", "ver", "build", "release", "firmware", "revision", "rev", "oid",
        "section", "sect", "chapter", "v",
    )
)  # fmt: skip
_by_place = attrgetter("start", "end")

# a hit and the place that its offsets count from
_Found = tuple[Hit, int]


def extract(text: str) -> Sequence[Finding]:
    """Return every finding in *text*, one an occurrence, sorted by place."""
    refanged = Refanged(text)
    image = Image(refanged.text)
    found = _tokens(refanged.text, image)
    found += _whole(refanged.text, image)
    placed = _lead_back(text, refanged, found) if refanged.changed else _placed(found)
    placed.sort(key=_by_place)
    if more := list(opinion.find(text, placed)):
        placed = sorted(placed + more, key=_by_place)
    return placed


def _whole(text: str, image: Image) -> Iterator[_Found]:
    for hits in (
        numbers.find(image),
        hashes.find(image),
        coins.find(image),
        paths.find(text),
        labels.find(text, image),
    ):
        for hit in hits:
            yield hit, 0


def _tokens(text: str, image: Image) -> list[_Found]:
    """Return the hits of every token that holds a trigger, with the token's place."""
    view = image.tokens
    seen: dict[str, tuple[Hit, ...]] = {}
    found: list[_Found] = []
    done = 0
    for at in sorted(at.start() for each in _TRIGGERS for at in each.finditer(image.bytes)):
        if at < done:
            continue
        start, done = _token(view, at, done)
        token = text[start:done]
        hits = seen.get(token)
        if hits is None:
            hits = seen[token] = tokens.read(token)
        found += [
            (hit, start)
            for hit in hits
            if hit[0] is not IP or hit[2] or not _is_version(image.lower, start)
        ]
    return found


def _token(view: bytes, at: int, done: int) -> tuple[int, int]:
    """Return where the token around *at* begins and ends; it begins at *done* at the earliest."""
    back = at - tokens.MAX_BACK
    back = max(back, done)
    start = view.rfind(b" ", back, at) + 1 or back
    end = view.find(b" ", at, at + tokens.MAX_AHEAD)
    return start, end if end >= 0 else min(at + tokens.MAX_AHEAD, len(view))


def _is_version(lower: bytes, start: int) -> bool:
    """Say whether one of _VERSIONS stands before *start* as a whole word."""
    before = lower[max(0, start - 12) : start].rstrip(b" \t").rstrip(b".:=")
    if not before.endswith(_VERSIONS):
        return False
    word = max((word for word in _VERSIONS if before.endswith(word)), key=len)
    return not before[: -len(word)][-1:].isalnum()


def _placed(found: list[_Found]) -> list[Finding]:
    return [place(hit, at + hit.start, at + hit.end, hit.flags) for hit, at in found]


def _lead_back(text: str, refanged: Refanged, found: list[_Found]) -> list[Finding]:
    placed = []
    span = refanged.span
    for hit, at in found:
        first, last = at + hit[2], at + hit[3]
        start, end, rewritten = span(first, last)
        if rewritten and text[start:end] != refanged.text[first:last]:
            placed.append(place(hit, start, end, hit[4] | _DEFANGED))
        else:
            placed.append(place(hit, start, end, hit[4]))
    return placed
