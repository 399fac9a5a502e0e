"""Gather what stands in the artefacts of a mail: each indicator once, with all its places.

Text is the extractor's business. This module adds what only the tree knows: subjects, mailers, and
the names and hashes of attached files that can do harm. Files that only show something (images,
texts) yield neither, or every newsletter would fill ThreatQ with `image001.png`.
"""

from __future__ import annotations

import hashlib
import re
from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tqimap_processor import places, tricks, typed
from tqimap_processor.artefact import Problem
from tqimap_processor.context import ASIDE, Context
from tqimap_processor.reading import HERE
from tqimap_processor.report import Sighting


if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from tqimap_processor.artefact import Artefact, Span
    from tqimap_processor.extract import Finding
    from tqimap_processor.reading import Reader
    from tqimap_shared.settings import Limits


SUBJECT = "Email Subject"
MAILER = "X-Mailer"
FILENAME = "Filename"
HASHES = {"MD5": "md5", "SHA-1": "sha1", "SHA-256": "sha256"}
ATTACHED = places.ATTACHED
HIDDEN = "hidden"
TYPED = "typed"
_HEADERS = {
    "header subject": SUBJECT,
    "header x-mailer": MAILER,
    "header user-agent": MAILER,
}
_DOUBTS = frozenset(
    {
        "file-like",
        "in-url",
        "in-address",
        "no-scheme",
        "unknown-tld",
        places.TRANSPORT,
        places.PICTURE,
        places.NOT_FOR_DETECTION,
        HIDDEN,
        ASIDE,
    }
)
_HARMLESS = frozenset(
    {
        *("text", "mail", "empty", "png", "jpeg", "gif", "bmp", "webp", "tiff", "heif", "font"),
        *("json", "xml", "csv", "calendar", "vcard", "emf", "wmf"),
    }
)
_CONTENT = frozenset({"mail", "body", "nested-mail"})
# parts of documents, which are called as their program or the opener calls them
_PARTS = frozenset({"ooxml-part", "odf-part", "ole-object", "ole-stream", "rtf-object"})
# the names that openers give to what has none
_OUR_NAME = re.compile(r"part-[\d.]+|data-\d+|")


@dataclass(frozen=True, slots=True)
class Indicator:
    """A distinct indicator and where it stands.

    *flags* holds what one place suffices to show (`defanged`), and what is a doubt (`file-like`,
    `in-url`, `transport`) only if every place shares it; fields that machines fill cannot clear a
    doubt about what people wrote.
    """

    type: str
    value: str
    flags: frozenset[str] = frozenset()
    found: tuple[Sighting, ...] = ()
    attributes: tuple[tuple[str, str], ...] = ()


@dataclass(slots=True)
class _Gathered:
    """An indicator under way: doubts about what people wrote, and about other places."""

    shown: set[str] = field(default_factory=set)
    written: frozenset[str] | None = None
    others: frozenset[str] | None = None
    attributes: dict[tuple[str, str], None] = field(default_factory=dict)
    found: list[Sighting] = field(default_factory=list)
    tops: set[str] = field(default_factory=set)


@dataclass(frozen=True, slots=True)
class _Seen:
    type: str
    value: str
    place: Sighting
    flags: frozenset[str] = frozenset()
    attributes: tuple[tuple[str, str], ...] = ()


def find(
    artefacts: Iterable[Artefact], limits: Limits, reader: Reader = HERE
) -> tuple[tuple[Indicator, ...], tuple[Problem, ...]]:
    """Return the indicators of *artefacts* in the order of their first place, and what was cut.

    *reader* searches the texts.
    """
    gathered: dict[tuple[str, str], _Gathered] = defaultdict(_Gathered)
    left_out = 0
    for artefact in artefacts:
        for seen in _seen(artefact, reader):
            key = (seen.type, seen.value)
            if key not in gathered and len(gathered) >= limits.findings:
                left_out += 1
                continue
            _add(gathered[key], seen, limits.sightings)
    problems = (Problem("too-many", f"{left_out} findings left out"),) if left_out else ()
    return tuple(_indicator(*key, one) for key, one in gathered.items()), problems


def _add(one: _Gathered, seen: _Seen, most: int) -> None:
    doubts = seen.flags & _DOUBTS
    if places.TRANSPORT in doubts:
        one.others = doubts if one.others is None else one.others & doubts
    else:
        one.written = doubts if one.written is None else one.written & doubts
    one.shown |= seen.flags - _DOUBTS
    one.attributes.update(dict.fromkeys(seen.attributes))
    top = seen.place.artefact.partition(".")[0]
    # a place in every part of the mail is remembered: relations to attachments rest on it
    if len(one.found) < most or top not in one.tops:
        one.found.append(seen.place)
        one.tops.add(top)


def _indicator(kind: str, value: str, one: _Gathered) -> Indicator:
    doubts = one.others if one.written is None else one.written
    flags = frozenset(one.shown) | (doubts or frozenset())
    return Indicator(kind, value, flags, tuple(one.found), tuple(one.attributes))


def _seen(artefact: Artefact, reader: Reader) -> Iterator[_Seen]:
    hop = places.first_hop(artefact.spans)
    found = reader.findings(artefact)
    for span, hits in zip(artefact.spans, found, strict=False):
        if span.where == places.FUZZY and not (_is_file(artefact) and artefact.whole):
            continue
        if (kind := _HEADERS.get(span.where)) and span.text:
            place = Sighting(artefact.id, span.where, 0, len(span.text), span.text)
            yield _Seen(kind, span.text, place)
        roles = places.roles(span.where, hop)
        if span.hidden:
            roles |= {HIDDEN}
        yield from _in_text(artefact.id, span, roles, hits)
    if _is_file(artefact):
        yield from _file(artefact)


def _in_text(
    artefact: str, span: Span, roles: frozenset[str], hits: Iterable[Finding]
) -> Iterator[_Seen]:
    if span.typed and (seen := _typed(artefact, span, roles, hits := list(hits))):
        yield seen
        return
    link_end = 0
    around: Context | None = None
    for hit in hits:
        around = around or Context(span.text)
        text = span.text[hit.start : hit.end]
        place = Sighting(artefact, span.where, hit.start, hit.end, text)
        flags = hit.flags | roles | around.at(hit.start)
        if hit.type == "URL":
            link_end = max(link_end, hit.end)
        elif hit.end <= link_end:
            # a digest or file name in a link: the extractor tells this of hosts only
            flags |= {places.IN_URL}
        yield _Seen(hit.type, hit.value, place, flags, hit.attributes)


def _typed(
    artefact: str, span: Span, roles: frozenset[str], hits: Iterable[Finding]
) -> _Seen | None:
    """Take the artefact's word for what *span* is, in the spelling of *hits* where they agree.

    Return None where it cannot be that.
    """
    place = Sighting(artefact, span.where, 0, len(span.text), span.text)
    flags = roles if ATTACHED in roles else roles | {TYPED}
    for hit in hits:
        if hit.type == span.typed and (hit.start, hit.end) == (0, len(span.text)):
            return _Seen(hit.type, hit.value, place, flags | hit.flags - _DOUBTS, hit.attributes)
    found = typed.canonical(span.typed, span.text)
    return _Seen(*found, place, flags) if found else None


def _is_file(artefact: Artefact) -> bool:
    """Say whether *artefact* is a file by itself, and one that can do harm."""
    if artefact.how in _CONTENT:
        return False
    return artefact.kind not in _HARMLESS or tricks.can_run(artefact.name)


def _file(artefact: Artefact) -> Iterator[_Seen]:
    name = artefact.name
    flags = frozenset({ATTACHED})
    if artefact.how not in _PARTS and not _OUR_NAME.fullmatch(name):
        yield _Seen(FILENAME, name, Sighting(artefact.id, "name", 0, len(name), name), flags)
    if artefact.data and artefact.whole:
        place = Sighting(artefact.id, "content", 0, 0, "")
        for kind, algorithm in HASHES.items():
            digest = hashlib.new(algorithm, artefact.data, usedforsecurity=False).hexdigest()
            yield _Seen(kind, digest, place, flags)
