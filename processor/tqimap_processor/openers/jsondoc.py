"""Open JSON: every string with its path; STIX 2 and MISP values with the types they are given.

The standard library's parser, which is told to leave numbers alone: long ones are slow, and none is
an indicator. The walk is a loop, so depth costs nothing.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from tqimap_processor import charset, places
from tqimap_processor.artefact import Problem
from tqimap_processor.openers import misp, stix
from tqimap_processor.openers.gathered import Gathered
from tqimap_processor.openers.text import open_text


if TYPE_CHECKING:
    from collections.abc import Iterator

    from tqimap_processor.artefact import Opened
    from tqimap_processor.openers.source import Source


_PLAIN = re.compile(r"[A-Za-z_][\w-]{0,100}")
_SPACE = re.compile(r"[\s,;]*")
# a key that may hold more than a word
_TELLING = re.compile(r"[./:@]|.{16}", re.DOTALL)


def open_json(source: Source) -> Opened:
    """Return the strings of *source*, one document or several in a row, or its text as it is."""
    if len(source.data) > source.limits.structured:
        return _as_text(source, Problem("too-large", "read as text, not as JSON"))
    gathered = Gathered(source.limits)
    try:
        for number, document in enumerate(_documents(charset.decode(source.data, source.charset))):
            _walk(document, f"${number}" if number else "$", gathered)
    except (ValueError, RecursionError) as error:
        # what came before is in the text too
        return _as_text(source, Problem("malformed", f"read as text: {type(error).__name__}"))
    return gathered.opened()


def _as_text(source: Source, problem: Problem) -> Opened:
    opened = open_text(source)
    return type(opened)(opened.spans, opened.children, (*opened.problems, problem))


def _documents(text: str) -> Iterator[Any]:
    decoder = json.JSONDecoder(
        object_pairs_hook=_object, parse_int=_nothing, parse_float=_nothing, parse_constant=_nothing
    )
    position = 0
    while (position := _skip(text, position)) < len(text):
        document, position = decoder.raw_decode(text, position)
        yield document


def _skip(text: str, position: int) -> int:
    found = _SPACE.match(text, position)
    return found.end() if found else position


def _nothing(_: str) -> None:
    return None


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Keep values whose key was there before: hiding them so is too easy."""
    out: dict[str, Any] = {}
    for key, value in pairs:
        out[key if key not in out else f"{key} {len(out)}"] = value
    return out


def _walk(document: object, root: str, gathered: Gathered) -> None:
    pending = [(root, document)]
    while pending and not gathered.is_full:
        where, item = pending.pop()
        if isinstance(item, str):
            gathered.add(where, item)
        elif isinstance(item, list):
            pending += [(f"{where}[{n}]", one) for n, one in reversed(list(enumerate(item)))]
        elif isinstance(item, dict):
            read = _typed(where, item, gathered)
            rest = [(_step(where, key), item[key]) for key in item if key not in read]
            pending += reversed(rest)
            for key in item:
                if _TELLING.search(key):
                    gathered.add(f"{where} key", key)


def _step(where: str, key: str) -> str:
    # a path is only as long as a place is shown
    where = where[-400:]
    return f"{where}.{key}" if _PLAIN.fullmatch(key) else f"{where}[{json.dumps(key[:100])}]"


def _typed(where: str, item: dict[str, Any], gathered: Gathered) -> set[str]:
    """Add what *item* itself calls an indicator, and return the keys that were read so."""
    if misp.is_attribute(item):
        context = places.FOR_CONTEXT if item.get("to_ids") is False else ""
        for kind, value in misp.values(item):
            gathered.add(_step(where, "value") + context, value, kind)
        return {"type", "value"}
    read = set()
    pattern = item.get("pattern")
    if isinstance(pattern, str) and item.get("pattern_type", "stix") == "stix":
        found = list(stix.in_pattern(pattern))
        for kind, value in found:
            gathered.add(_step(where, "pattern"), value, kind)
        read |= {"pattern"} if found else set()
    for key, kind in stix.types(item).items():
        if isinstance(item[key], str):
            gathered.add(_step(where, key), item[key], kind)
            read.add(key)
    hashes = item.get("hashes")
    if isinstance(hashes, dict):
        for algorithm, value in hashes.items():
            if isinstance(value, str):
                gathered.add(
                    _step(_step(where, "hashes"), algorithm), value, stix.hash_type(algorithm)
                )
        read.add("hashes")
    return read
