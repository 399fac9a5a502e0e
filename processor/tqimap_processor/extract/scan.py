"""Scan a text for indicators: refang, look for triggers, judge tokens, lead places back."""

from __future__ import annotations

import re
from itertools import chain
from operator import attrgetter
from typing import TYPE_CHECKING

from tqimap_processor.extract import coins, hashes, labels, numbers, opinion, paths, tokens
from tqimap_processor.extract.finding import IP, Finding, Hit, place
from tqimap_processor.extract.image import Image
from tqimap_processor.extract.refanging import Refanged


if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence


_DEFANGED = frozenset({"defanged"})
_TRUNCATED = frozenset({"truncated"})
# what is in every token worth reading, or nearly
_DOT = re.compile(rb"\.(?=[\w\xff-])")
_RARE = (
    re.compile(rb"://"),
    re.compile(rb"@(?=\[)"),
    re.compile(rb"%3[aA](?=%2[fF]%2[fF])"),
)
# words before a dotted quad that make it the number of a version or a section
_VERSIONS = tuple(
    word.encode()
    for word in (
        "version", "versions", "ver", "build", "release", "firmware", "revision", "rev", "oid",
        "section", "sect", "chapter", "v",
    )
)  # fmt: skip
_by_place = attrgetter("start", "end")

# hits and the place that their offsets count from
_Found = tuple[tuple[Hit, ...], int]


def extract(text: str) -> Sequence[Finding]:
    """Return every finding in *text*, one an occurrence, sorted by place."""
    refanged = Refanged(text)
    image = Image(refanged.text)
    found = chain(_tokens(refanged.text, image), _whole(refanged.text, image))
    placed = _lead_back(text, refanged, found) if refanged.changed else _placed(found)
    placed.sort(key=_by_place)
    if more := list(opinion.find(text, placed)):
        placed = sorted(placed + more, key=_by_place)
    return placed


def _whole(text: str, image: Image) -> Iterator[_Found]:
    yield tuple(numbers.find(image)), 0
    yield tuple(hashes.find(image)), 0
    yield tuple(coins.find(image)), 0
    yield tuple(paths.find(text)), 0
    yield tuple(labels.find(text, image)), 0


def _tokens(text: str, image: Image) -> Iterator[_Found]:
    """Yield the hits of every token that holds a trigger, with the token's place."""
    seen: dict[str, tuple[Hit, ...]] = {}
    for start, end in _places(image):
        token = text[start:end]
        hits = seen.get(token)
        if hits is None:
            hits = seen[token] = tokens.read(token)
        if hits:
            first = hits[0]
            if first[0] is IP and not first[2] and _is_version(image.lower, start):
                hits = hits[1:]
            if end - start >= tokens.MAX_AHEAD and image.tokens[end : end + 1] not in b" ":
                hits = tuple(_cut(hit, end - start) for hit in hits)
            yield hits, start


def _cut(hit: Hit, end: int) -> Hit:
    """Flag *hit* if it reaches *end*, where a token was cut for its length."""
    return hit._replace(flags=hit.flags | _TRUNCATED) if hit.end == end else hit


def _places(image: Image) -> Iterator[tuple[int, int]]:
    """Yield where the tokens are that hold a trigger."""
    scanned, view = image.bytes, image.tokens
    done = 0
    while dot := _DOT.search(scanned, done):
        place = _token(view, dot.start(), done)
        yield place
        done = place[1]
    for pattern in _RARE:
        done = 0
        for rare in pattern.finditer(scanned):
            if rare.start() >= done:
                start, done = _token(view, rare.start(), done)
                if not _DOT.search(scanned, start, done):
                    yield start, done


def _token(view: bytes, at: int, done: int) -> tuple[int, int]:
    """Return where the token around *at* begins and ends; it begins at *done* at the earliest."""
    back = at - tokens.MAX_BACK
    back = max(back, done)
    start = view.rfind(b" ", back, at) + 1 or back
    end = view.find(b" ", at, at + tokens.MAX_AHEAD)
    return start, end if end >= 0 else min(at + tokens.MAX_AHEAD, len(view))


def _is_version(lower: bytes, start: int) -> bool:
    """Say whether one of _VERSIONS stands before *start* as a whole word."""
    if start and lower[start - 1] not in b" \t":
        return False
    before = lower[max(0, start - 12) : start].rstrip(b" \t").rstrip(b".:=")
    if not before.endswith(_VERSIONS):
        return False
    word = max((word for word in _VERSIONS if before.endswith(word)), key=len)
    return not before[: -len(word)][-1:].isalnum()


def _placed(found: Iterable[_Found]) -> list[Finding]:
    return [place(hit, at + hit[2], at + hit[3], hit[4]) for hits, at in found for hit in hits]


def _lead_back(text: str, refanged: Refanged, found: Iterable[_Found]) -> list[Finding]:
    span = refanged.span
    placed = []
    for hits, at in found:
        for hit in hits:
            start, end, rewritten = span(at + hit[2], at + hit[3])
            flags = hit[4]
            if rewritten and text[start:end] != refanged.text[at + hit[2] : at + hit[3]]:
                flags |= _DEFANGED
            placed.append(place(hit, start, end, flags))
    return placed
