"""Find what only the word before it gives away: user agents, mutexes, certificate serials."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING

from tqimap_processor.extract.finding import (
    MAC,
    MD5,
    MUTEX,
    NO_FLAGS,
    SERIAL,
    SHA1,
    SHA256,
    USER_AGENT,
    Hit,
    Raw,
)


if TYPE_CHECKING:
    from collections.abc import Iterator

    from tqimap_processor.extract.image import Image


_LABELLED = frozenset({"labelled"})
_AGENT_WORD = re.compile(rb"user(?:[- ]?agent|_agent(?=[\"']? ?[:=] ?[\"']))")
_AGENT = re.compile(
    r"s?(?: string)?[\"']?[ \t]*(?:[:=][ \t]*[\"'\u201c]?|[\"'\u201c]"
    # the next column of a table, if it looks like one
    r"|(?:\||(?<=\t))(?=[^\r\n|]{0,80}[/(]))"
    r"\s*([^\r\n\"'\u201c\u201d<>|]{3,400})"
)
_MOZILLA = re.compile(r"Mozilla/\d\.\d[A-Za-z0-9()/;:.,_+@\[\] -]*+")
_MAX_AGENT = 412
_MUTEX = re.compile(
    r"(?:es|ex)?(?:[ :_-]?(?:name|object|value)d?| called)?[\"']?,?[ \t]{0,4}\(?"
    # a word that mixes letters with digits or low lines is a name without quotes too
    r"(?:[:=|][ \t]{0,4}|(?=[\"\u201c'`]|(?:Global|Local)\\)"
    r"|(?=[A-Za-z0-9]\w{0,40}(?:[a-z]\d|\d[A-Za-z]|_)\w{2}))"
    r"[\"\u201c'`]?"
    r"((?:Global|Local)\\{1,2}[\w{}().$#!@&+-]{1,128}|[\w{}().$#!@&+-]{4,128})"
)
# the name that a call gives it
_CREATED = re.compile(r"(?:Ex)?[AW]?\([^\"'()\r\n]{0,60}[\"']([^\"'\r\n]{4,128})[\"']")
_SERIAL = re.compile(
    r"(?:[ _]?(?i:number|no\.?|#))?[\"']?[ \t]{0,4}[:=]?[ \t]{0,4}[\"']?(?:0x)?"
    r"((?:[0-9A-Fa-f]{2}[: ]){7,19}[0-9A-Fa-f]{2}|[0-9A-Fa-f]{16,40})(?![0-9A-Za-z])"
)
# a certificate's digest in pairs, and its type by the number of these
_PRINT = re.compile(
    r"[\"'\s]{0,4}[:=]?\s{0,4}((?:[0-9A-Fa-f]{2}[: ]){15,31}[0-9A-Fa-f]{2})(?![:\w])"
)
_PRINTS = {16: MD5, 20: SHA1, 32: SHA256}
_NO_FILE = frozenset({"labelled", "not-a-file"})
_BARE_MAC = re.compile(
    rb"(?:[ _-]?addr(?:ess)?)?[\"']?[ \t]?[:=][ \t]?[\"']?([0-9a-f]{12})(?![\w\xff-])"
)
# as long as an MD5: such a run is weighed among the hashes
_DIGEST = 32


def find(text: str, image: Image) -> Iterator[Raw]:
    """Yield the hits of *text*, with places in it."""
    lower = image.lower
    for word in _AGENT_WORD.finditer(lower):
        if match := _AGENT.match(text, word.end()):
            value = match[1].rstrip()
            yield Hit(USER_AGENT, value, match.start(1), match.start(1) + len(value), _LABELLED)
    if b"Mozilla/" in image.bytes:
        yield from _browsers(text, image.bytes)
    yield from _mutexes(text, lower)
    yield from _certificates(text, lower)
    for at in _places(lower, b"mac"):
        if bare := _BARE_MAC.match(lower, at + 3):
            digits = bare[1].decode()
            value = ":".join(digits[pair : pair + 2] for pair in range(0, 12, 2))
            yield Hit(MAC, value, *bare.span(1), _LABELLED)


def _mutexes(text: str, lower: bytes) -> Iterator[Hit]:
    for at in _places(lower, b"mutex"):
        if match := _MUTEX.match(text, at + 5) or _CREATED.match(text, at + 5):
            written = match[1].rstrip(".)")
            value = written.replace("\\\\", "\\")
            yield Hit(MUTEX, value, match.start(1), match.start(1) + len(written), _LABELLED)


def _certificates(text: str, lower: bytes) -> Iterator[Hit]:
    """Yield serial numbers of certificates, and their digests that are written in pairs."""
    for at in _places(lower, b"serial"):
        match = _SERIAL.match(text, at + 6)
        if match and len(match[1]) != _DIGEST:
            yield Hit(SERIAL, _digits(match[1]), *match.span(1), _LABELLED)
    for at in _places(lower, b"print"):
        match = _PRINT.match(text, at + 5)
        if match and (kind := _PRINTS.get(len(value := _digits(match[1])) // 2)):
            yield Hit(kind, value, *match.span(1), _NO_FILE, (("Algorithm", "fingerprint"),))


def _digits(pairs: str) -> str:
    return re.sub("[: ]", "", pairs).lower()


def _browsers(text: str, image: bytes) -> Iterator[Raw]:
    done = 0
    for at in _places(image, b"Mozilla/"):
        if at >= done and (value := _browser(text[at : at + _MAX_AGENT].partition('"')[0])):
            done = at + len(value)
            yield USER_AGENT, value, at, done, NO_FLAGS, ()


# a log repeats them
@lru_cache(maxsize=256)
def _browser(written: str) -> str | None:
    """Return the user agent with which *written* begins."""
    match = _MOZILLA.match(written)
    # another one may begin behind it
    return match[0].partition(" Mozilla/")[0].rstrip(" ,;:.-[") if match else None


def _places(lower: bytes, word: bytes) -> Iterator[int]:
    at = lower.find(word)
    while at >= 0:
        yield at
        at = lower.find(word, at + len(word))
