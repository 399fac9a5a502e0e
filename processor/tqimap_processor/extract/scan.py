"""Scan a text for indicators: refang, look for triggers, judge tokens, lead places back."""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from operator import itemgetter
from typing import TYPE_CHECKING

from tqimap_processor.extract import coins, hashes, labels, numbers, opinion, paths, tokens
from tqimap_processor.extract.finding import IP, Finding, Hit, make
from tqimap_processor.extract.image import Image
from tqimap_processor.extract.refanging import Refanged


if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence


_DEFANGED = frozenset({"defanged"})
_TRUNCATED = frozenset({"truncated"})
# what is in every token worth reading, or nearly
_DOT = re.compile(rb"\.(?=[\w\xff-])")
# from the first dot of a token to its end
_DOTTED = re.compile(rb"\.(?=[\w\xff-])[^ ]{1,%d}+" % tokens.MAX_AHEAD)
_RARE = (
    (b":", re.compile(rb"://[^ ]{0,%d}+" % tokens.MAX_AHEAD)),
    (b"@", re.compile(rb"@\[[^ ]{0,%d}+" % tokens.MAX_AHEAD)),
    (b"%", re.compile(rb"%%3[aA]%%2[fF]%%2[fF][^ ]{0,%d}+" % tokens.MAX_AHEAD)),
)
# words before a dotted quad that make it the number of a version or a section
_VERSIONS = tuple(
    word.encode()
    for word in (
        "version", "versions", "ver", "build", "release", "firmware", "revision", "rev", "oid",
        "section", "sect", "chapter", "v",
    )
)  # fmt: skip
_LAST = frozenset(word[-1] for word in _VERSIONS)
_start = itemgetter(2)

# the hits of a token, and where it begins and ends
_Found = tuple[tuple[Hit, ...], int, int]


def extract(text: str) -> Sequence[Finding]:
    """Return every finding in *text*, one an occurrence, sorted by place, the outer ones first."""
    refanged = Refanged(text)
    image = Image(refanged.image)
    found = _tokens(refanged.text, image)
    if refanged.changed:
        placed = _lead_back(text, refanged, found)
        placed += [_led_back(text, refanged, hit, 0) for hit in _whole(refanged.text, image)]
    else:
        placed = _placed(found)
        placed += _whole(text, image)
    placed.sort(key=_start)
    if more := list(opinion.find(text, refanged, placed)):
        placed = sorted(placed + more, key=_start)
    return placed


def refang(text: str) -> str:
    """Return *text* with its defanged indicators in working spelling.

    A text that is one indicator as a whole gives that indicator's value: the canonical one, with
    backslashes that a string literal doubled and short hive names undone.
    """
    if len(text) <= tokens.MAX_AHEAD:
        for finding in extract(text):
            if finding.start == 0 and finding.end == len(text):
                return finding.value
    return Refanged(text).text


def _whole(text: str, image: Image) -> Iterator[Hit]:
    yield from numbers.find(image)
    yield from hashes.find(image)
    yield from coins.find(image)
    yield from paths.find(text, image)
    yield from labels.find(text, image)


def _tokens(text: str, image: Image) -> list[_Found]:
    """Return the hits of every token that holds a trigger, with the token's place."""
    seen: dict[str, tuple[Hit, ...]] = {}
    found: list[_Found] = []
    known, read, most = seen.get, tokens.read, tokens.MAX_AHEAD
    for start, end in _places(image.tokens):
        token = text[start:end]
        hits = known(token)
        if hits is None:
            hits = seen[token] = read(token)
        if hits:
            if hits[0][0] is IP and not hits[0][2] and _is_version(image.lower, start):
                hits = hits[1:]
            if end - start >= most and image.tokens[end : end + 1] not in b" ":
                hits = tuple(_cut(hit, end - start) for hit in hits)
            found.append((hits, start, end))
    return found


def _cut(hit: Hit, end: int) -> Hit:
    """Flag *hit* if it reaches *end*, where a token was cut for its length."""
    return hit._replace(flags=hit.flags | _TRUNCATED) if hit.end == end else hit


def _places(view: bytes) -> list[tuple[int, int]]:
    """Return where the tokens are that hold a trigger."""
    places: list[tuple[int, int]] = []
    add, before, most = places.append, view.rfind, tokens.MAX_BACK
    done = 0
    for dotted in _DOTTED.finditer(view):
        at, end = dotted.span()
        start = before(b" ", done, at) + 1 or done
        if at - start > most:
            start = at - most
        add((start, end))
        done = end
    for sign, pattern in _RARE:
        if sign in view:
            places += _rare(view, pattern)
    return places


def _rare(view: bytes, pattern: re.Pattern[bytes]) -> Iterator[tuple[int, int]]:
    """Yield where the tokens without a dot are that hold *pattern*."""
    done = 0
    for rare in pattern.finditer(view):
        at = rare.start()
        if at >= done and not _DOT.search(view, at, rare.end()):
            start, end = _token(view, at, done)
            if not _DOT.search(view, start, at):
                yield start, end
                done = end


def _token(view: bytes, at: int, done: int) -> tuple[int, int]:
    """Return where the token around *at* begins and ends; it begins at *done* at the earliest."""
    back = max(done, at - tokens.MAX_BACK)
    start = view.rfind(b" ", back, at) + 1 or back
    end = view.find(b" ", at, at + tokens.MAX_AHEAD)
    return start, end if end >= 0 else min(at + tokens.MAX_AHEAD, len(view))


def _is_version(lower: bytes, start: int) -> bool:
    """Say whether one of _VERSIONS stands before *start* as a whole word."""
    if start and lower[start - 1] not in b" \t":
        return False
    before = lower[max(0, start - 12) : start].rstrip(b" \t").rstrip(b".:=")
    if not before or before[-1] not in _LAST or not before.endswith(_VERSIONS):
        return False
    word = max((word for word in _VERSIONS if before.endswith(word)), key=len)
    return not before[: -len(word)][-1:].isalnum()


def _placed(found: Iterable[_Found]) -> list[Finding]:
    return [
        make(Finding, (kind, value, at + start, at + end, flags, more))
        for hits, at, _ in found
        for kind, value, start, end, flags, more in hits
    ]


def _lead_back(text: str, refanged: Refanged, found: Iterable[_Found]) -> list[Finding]:
    """Place *found* in the original *text*."""
    new, old, folded = refanged.new, refanged.old, refanged.folded
    placed: list[Finding] = []
    add = placed.append
    for hits, at, stop in found:
        first = bisect_right(new, at) - 1
        if folded or first & 1 or bisect_left(new, stop, first) > first + 1:
            for hit in hits:
                add(_led_back(text, refanged, hit, at))
            continue
        # nothing was rewritten here: one step back for all
        shift = at + old[first] - new[first]
        for kind, value, start, end, flags, more in hits:
            add(make(Finding, (kind, value, start + shift, end + shift, flags, more)))
    return placed


def _led_back(text: str, refanged: Refanged, hit: Hit, at: int) -> Finding:
    """Place *hit* in the original *text*; what is written differently there was defanged."""
    kind, value, start, end, flags, more = hit
    begin, stop = refanged.span(at + start, at + end)
    if text[begin:stop] != refanged.text[at + start : at + end]:
        flags |= _DEFANGED
    return make(Finding, (kind, value, begin, stop, flags, more))
