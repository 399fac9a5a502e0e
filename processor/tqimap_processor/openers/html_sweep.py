"""Sweep markup for the addresses that a parser leaves nowhere: the net below `html`.

A quote too few turns `<a hre"http://...">` into an attribute's name, a tag that never ends is not
there for a parser, and document types are no content. Readers see none of them, but a mail that
breaks in one program is mended in another.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from html import unescape
from itertools import islice
from typing import TYPE_CHECKING


if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator


# each begins with what is searched fast
_REST = re.compile(r"://[^\s\"'`<>()\\]{1,4000}")
_NAME = re.compile(r"www\.[^\s\"'`<>()\\]{1,4000}")
_INSIDE = re.compile(r"[\w/.@-]")  # what stands before a name that is part of something
_SCHEME = re.compile(r"[a-z0-9+.-]*", re.IGNORECASE)
_MOST = 50_000  # addresses that are compared
_LONGEST = 20  # characters of a scheme
_END = re.compile(r"[\s\"'`<>()\\]")


def left(markup: str, texts: Iterable[str]) -> list[str]:
    """Return the addresses in *markup* with which none in *texts* begins, in their order.

    Only so many are compared: memory is not for a page of nothing but addresses.
    """
    found = dict.fromkeys(map(_whole, islice(_addresses(markup), _MOST)))
    if not found:
        return []
    every = (one.lower() for text in texts for one in _addresses(text))
    known = sorted(set(islice(every, 2 * _MOST)))
    return [one for one in found if not _is_begun(known, one.lower())]


def _addresses(text: str) -> Iterator[str]:
    for name in _NAME.finditer(text):
        if not _INSIDE.match(text, name.start() - 1):
            yield name[0]
    for rest in _REST.finditer(text):
        before = text[max(0, rest.start() - _LONGEST) : rest.start()]
        if scheme := _SCHEME.match(before[::-1]):
            yield scheme[0][::-1] + rest[0]


def _whole(address: str) -> str:
    """Undo the entities of *address*, which may end it."""
    return _END.split(unescape(address), maxsplit=1)[0] if "&" in address else address


def _is_begun(known: list[str], address: str) -> bool:
    place = bisect_left(known, address)
    return place < len(known) and known[place].startswith(address)
