"""Scan a text for indicators: refang, look for triggers, judge tokens, lead places back."""

from __future__ import annotations

import re
from operator import attrgetter
from typing import TYPE_CHECKING

from tqimap_processor.extract import coins, hashes, labels, numbers, paths, tokens
from tqimap_processor.extract.finding import IP, Finding, Hit, place
from tqimap_processor.extract.image import Image
from tqimap_processor.extract.refanging import Refanged


if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence


_DEFANGED = frozenset({"defanged"})
# a dot, an at or a colon before something that could be the rest of a name
_TRIGGER = re.compile(rb"\.(?=[\w\xff-])|://|@(?=\[)")
_PERCENT = re.compile(rb"https?%3a%2f%2f", re.IGNORECASE)
_VERSION = re.compile(
    rb"(?:\b(?:v|ver|version|versions|build|release|firmware|oid|section|chapter|sect|rev|revision)"
    rb"[.:=]?\s{0,2}|\xa7\s?)$"
)
_by_place = attrgetter("start", "end")

# a hit and the place that its offsets count from
_Found = tuple[Hit, int]


def extract(text: str) -> Sequence[Finding]:
    """Return every finding in *text*, one an occurrence, sorted by place."""
    refanged = Refanged(text)
    image = Image(refanged.text)
    found = [*_tokens(refanged.text, image), *_whole(refanged.text, image)]
    placed = _lead_back(text, refanged, found) if refanged.changed else _placed(found)
    placed.sort(key=_by_place)
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


def _tokens(text: str, image: Image) -> Iterator[_Found]:
    """Yield the hits of every token that holds a trigger, with the token's place."""
    view = image.tokens
    seen: dict[str, tuple[Hit, ...]] = {}
    done = 0
    for trigger in _TRIGGER.finditer(image.bytes):
        at = trigger.start()
        if at < done:
            continue
        start = view.rfind(b" ", max(done, at - tokens.MAX_BACK), at) + 1 or max(
            done, at - tokens.MAX_BACK
        )
        end = view.find(b" ", at, at + tokens.MAX_AHEAD)
        if end < 0:
            end = min(at + tokens.MAX_AHEAD, len(view))
        done = end
        token = text[start:end]
        hits = seen.get(token)
        if hits is None:
            hits = seen[token] = tokens.read(token)
        for hit in hits:
            if hit.type is IP and hit.start == 0 and _is_version(image.lower, start):
                continue
            yield hit, start


def _is_version(lower: bytes, start: int) -> bool:
    return _VERSION.search(lower[max(0, start - 12) : start]) is not None


def _placed(found: list[_Found]) -> list[Finding]:
    return [place(hit, at + hit.start, at + hit.end, hit.flags) for hit, at in found]


def _lead_back(text: str, refanged: Refanged, found: list[_Found]) -> list[Finding]:
    placed = []
    for hit, at in found:
        new_start, new_end = at + hit.start, at + hit.end
        start, end = refanged.start(new_start), refanged.end(new_end)
        same = (
            end - start == new_end - new_start
            and text[start:end] == refanged.text[new_start:new_end]
        )
        placed.append(place(hit, start, end, hit.flags if same else hit.flags | _DEFANGED))
    return placed
