"""Scan a text for indicators: refang, look for triggers, judge tokens, lead places back."""

from __future__ import annotations

import gc
import re
from operator import itemgetter
from typing import TYPE_CHECKING

from tqimap_processor.extract import (
    breaks,
    coins,
    hashes,
    labels,
    numbers,
    opinion,
    paths,
    tokens,
    triggers,
    versions,
)
from tqimap_processor.extract.finding import (
    EMAIL,
    FILENAME,
    FQDN,
    IP,
    PATH,
    REGISTRY,
    Finding,
    Raw,
    make,
)
from tqimap_processor.extract.image import Image
from tqimap_processor.extract.refanging import Refanged


if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence


_DEFANGED = frozenset({"defanged"})
_TRUNCATED = frozenset({"truncated"})
# what is in every token worth reading, or nearly: a dot in it, unless of a number's fraction
_DOT = re.compile(rb"\.(?<=[^ ]\.)(?=[\w\xff-])(?!(?<=\d\.)\d{1,3}(?:[;,)% ]|px|em|\Z))")
# from the first dot of a token to its end
_DOTTED = re.compile(_DOT.pattern + rb"[^ ]{1,%d}+" % tokens.MAX_AHEAD)
# tokens without a dot behind these, or nearly
_NO_DOT = rb"(?![^ .]{0,%d}+\.[\w\xff-])[^ ]{0,%d}+" % (tokens.MAX_AHEAD, tokens.MAX_AHEAD)
_RARE = (
    (b":", re.compile(rb"://" + _NO_DOT)),
    (b"@", re.compile(rb"@\[" + _NO_DOT)),
    (b"%", re.compile(rb"%3[aA]%2[fF]%2[fF]" + _NO_DOT)),
)
# what mails are called by, not people
_IDENTIFIES = re.compile(rb"(?:message-id|in-reply-to|references): ?<\Z")
_ANGLE = ord("<")
_start = itemgetter(2)
_PATHS = frozenset({PATH, REGISTRY})
_STEPS = frozenset({FILENAME, FQDN})
# a stretch of text, from where the places of its hits count, and these
_Found = tuple[int, int, int, tuple[Raw, ...]]


def extract(text: str) -> Sequence[Finding]:
    """Return every finding in *text*, one an occurrence, sorted by place, the outer ones first."""
    plain = len(text) <= triggers.MAX_SHORT and not triggers.beyond(text)
    if plain and not triggers.token(text):
        return []
    collects = gc.isenabled()
    # tens of thousands of tuples at once, none in a circle: the collector would look at all of them
    # again and again
    gc.disable()
    try:
        return _plain(text) if plain else _extract(text)
    finally:
        if collects:
            gc.enable()


def _plain(text: str) -> list[Finding]:
    """Return what tokens and runs of *text* are: there is nothing else, and nothing to refang."""
    refanged = Refanged(text, plain=True)
    image = Image(refanged.image)
    placed = _placed(_tokens(refanged, image)) + [make(Finding, hit) for hit in _runs(image)]
    placed.sort(key=_start)
    return placed


def _extract(text: str) -> Sequence[Finding]:
    refanged = Refanged(text)
    image = Image(refanged.image)
    found = _tokens(refanged, image)
    whole = list(_whole(refanged.text, image))
    if refanged.changed:
        apart: list[_Found] = sorted((hit[2], hit[3], 0, (hit,)) for hit in whole)
        placed = _lead_back(text, refanged, found) + _lead_back(text, refanged, apart)
    else:
        placed = _placed(found) + [make(Finding, hit) for hit in whole]
    placed.sort(key=_start)
    if any(hit[0] in _PATHS for hit in whole):
        placed = list(_outside(placed))
    if more := list(opinion.find(text, refanged, placed)):
        placed = sorted(placed + more, key=_start)
    return placed


def _outside(placed: list[Finding]) -> Iterator[Finding]:
    """Yield *placed*, which are sorted, without the names of files that are steps of a path."""
    end = 0
    for finding in placed:
        if finding.type in _PATHS:
            end = max(end, finding.end)
        elif finding.end <= end and _is_step(finding):
            continue
        yield finding


def _is_step(finding: Finding) -> bool:
    """Say whether *finding*, which lies in a path, is what a step with a blank looks like."""
    if finding.type in _STEPS:
        return "in-path" not in finding.flags
    return "no-scheme" in finding.flags


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


def _whole(text: str, image: Image) -> Iterator[Raw]:
    """Yield what is told by more than one token."""
    yield from numbers.find(image)
    yield from _runs(image)
    yield from paths.find(text, image)
    yield from labels.find(text, image)


def _runs(image: Image) -> Iterator[Raw]:
    """Yield the digests and the addresses of coins."""
    for start, end in image.runs():
        if run := hashes.find(image, start, end) or coins.find(image, start, end):
            yield run


def _tokens(refanged: Refanged, image: Image) -> list[_Found]:
    """Return the tokens of the text that hold anything."""
    text, view = refanged.text, image.tokens
    places = _places(view)
    spelled = [text[start:end] for start, end in places]
    known = _read(spelled)
    lower, most = image.lower, tokens.MAX_AHEAD
    found: list[_Found] = []
    # where the last number of a version ended
    version = -versions.FAR
    for (start, end), token in zip(places, spelled, strict=True):
        hits = known[token]
        if not hits:
            continue
        kind, _, begin, stop, _, _ = hits[0]
        if kind is IP:
            begin += start
            stop += start
            if (
                (
                    (begin < version + versions.FAR and versions.goes_on(lower, version, begin))
                    or versions.is_version(lower, begin, stop)
                )
                and not refanged.rewrote(begin, stop)
                and not versions.too_large(lower[begin:stop])
            ):
                version, hits = stop, hits[1:]
        elif kind is EMAIL and start and lower[start - 1] == _ANGLE:
            hits = () if _IDENTIFIES.search(lower, max(0, start - 40), start) else hits
        if end - start >= most and view[end : end + 1] not in b" ":
            hits = tuple(_cut(hit, end - start) for hit in hits)
        found.append((start, end, start, hits))
    return found


def _read(spelled: list[str]) -> dict[str, tuple[Raw, ...]]:
    """Read each token once: the plain ones first, which keeps the processor's caches warm."""
    known = {token: tokens.plain(token) for token in dict.fromkeys(spelled)}
    for token, hits in known.items():
        if not hits:
            known[token] = tokens.odd(token)
    return known


def _cut(hit: Raw, end: int) -> Raw:
    """Flag *hit* if it reaches *end*, where a token was cut for its length."""
    kind, value, start, stop, flags, more = hit
    return kind, value, start, stop, flags | _TRUNCATED if stop == end else flags, more


def _places(view: bytes) -> list[tuple[int, int]]:
    """Return where the tokens are that hold a trigger."""
    places: list[tuple[int, int]] = []
    add, before, most = places.append, view.rfind, tokens.MAX_BACK
    done = 0
    for at, end in [dotted.span() for dotted in _DOTTED.finditer(view)]:
        start = before(b" ", done, at) + 1 or done
        if at - start > most:
            start = at - most
        add((start, end))
        done = end
    for sign, pattern in _RARE:
        if sign in view:
            places += _rare(view, pattern)
            places.sort()
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


def _placed(found: list[_Found]) -> list[Finding]:
    return [
        make(Finding, (kind, value, at + start, at + end, flags, more))
        for _, _, at, hits in found
        for kind, value, start, end, flags, more in hits
    ]


def _lead_back(text: str, refanged: Refanged, found: list[_Found]) -> list[Finding]:
    """Place *found*, which ascend, in the original *text*."""
    new, old, folded = refanged.new, refanged.old, refanged.folded
    rewritten: list[Finding] = []
    kept: list[_Found] = []
    cut, last = 0, len(new) - 1
    for start, stop, at, hits in found:
        while cut < last and new[cut + 1] <= start:
            cut += 1
        if folded or cut & 1 or (cut < last and new[cut + 1] < stop):
            rewritten += [_led_back(text, refanged, hit, at) for hit in hits]
        else:
            kept.append((start, stop, at + old[cut] - new[cut], hits))
    return rewritten + _placed(kept)


def _led_back(text: str, refanged: Refanged, hit: Raw, at: int) -> Finding:
    """Place *hit* in the original *text*; what is written differently there was defanged."""
    kind, value, start, end, flags, more = hit
    start, end = at + start, at + end
    begin, stop = refanged.span(start, end)
    if refanged.folded:
        changed = text[begin:stop] != refanged.text[start:end]
    else:
        changed = stop - begin != end - start or refanged.rewrote(start, end)
    if changed and ("\n" in text[begin:stop] or "=3D" in text[begin:stop]):
        changed = not breaks.only_broken(text[begin:stop], refanged.text[start:end])
    flags = flags | _DEFANGED if changed and flags else _DEFANGED if changed else flags
    if changed and kind is FILENAME and "file-like" in flags and "\\" not in text[begin:stop]:
        # people defang domains; what only escapes a dot is an expression
        kind, value = FQDN, value.lower()
    return make(Finding, (kind, value, begin, stop, flags, more))
