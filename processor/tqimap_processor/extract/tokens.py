"""Find what one token holds: a run of characters between blanks, quotes or angle brackets.

A token is judged by its own characters alone, so that its hits can be remembered: a log or a mail
in HTML repeats most of its tokens. Nine of ten that hold anything are one plain value as a whole:
one expression reads these, and the grammar proper only sees the others.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import unquote

from tqimap_processor.extract import hosts, names, urls
from tqimap_processor.extract.addresses import quad
from tqimap_processor.extract.finding import (
    EMAIL,
    FILENAME,
    IP,
    NO_FLAGS,
    URL,
    Hit,
    make,
)
from tqimap_processor.extract.tlds import BOTH_TLDS, FILE_TLDS, IANA, METHODS, TLDS


if TYPE_CHECKING:
    from collections.abc import Iterator


# longer tokens are cut: behind the cut begins a new token
MAX_BACK = 512
MAX_AHEAD = 2560
_MAX_LOCAL, _MAX_PORT = 64, 5
# the host and its last label, the port, the tail
_URL = re.compile(
    r"https?://((?:[a-z0-9-]++\.)+([a-z]++|\d++))(?::(\d{1,5}))?"
    r"(/(?:[A-Za-z0-9_~%/=+-]++|[.:#?&](?=[A-Za-z0-9_=/%-]))*)?"
)
_MAIL = re.compile(r"[a-z0-9][a-z0-9_+.-]*+(?<!\.)@((?:[a-z0-9-]++\.)+([a-z]++))")
_NAME = re.compile(r"(?:[a-z0-9-]++\.)+([a-z]++)")
_ENCODED = re.compile(r"(?:https?|ftp)%3[aA]%2[fF]%2[fF][^\s&,;]+")
# a path on the same host: whatever looks like a name in it is a file
_LOCAL_PATH = re.compile(r"/(?![/\d\[])[^@,;()\[\]]*+$")
_FILE = re.compile(r"[A-Za-z0-9_-]{1,128}\.[a-z0-9]{1,16}")
# last labels that leave no doubt; com only unless a file's extension stands before it
_SETTLED = (IANA - BOTH_TLDS - FILE_TLDS - METHODS - names.EXTENSIONS) | {"com"}
_FILES = names.EXTENSIONS - TLDS
_SCHEME_HERE = re.compile(r"(?<![A-Za-z])" + urls.SCHEME.pattern, re.IGNORECASE)


def read(token: str) -> tuple[Hit, ...]:
    """Return the hits of *token* in the order of their places."""
    if "://" in token:
        return _url(token) or tuple(_mixed(token))
    if token[0] == "/" and _LOCAL_PATH.match(token):
        return ()
    if "," in token:
        return tuple(_encoded(token) or _columns(token))
    return _simple(token) or tuple(_encoded(token) or names.find(token, 0, len(token)))


def _simple(token: str) -> tuple[Hit, ...]:
    """Return what *token* is as a whole: an address, a domain or a file."""
    if "@" in token:
        return _mail(token)
    if token[-1:].isdecimal():
        return _endpoint(token) or _file(token)
    return _name(token)


def _url(token: str) -> tuple[Hit, ...]:
    """Return URL and host of *token*, if it is a plain URL as a whole and no wrapper."""
    match = _URL.fullmatch(token)
    if not match:
        return ()
    host, last, port, tail = match.groups()
    if tail and ("ttp" in tail or "TTP" in tail):
        return ()
    judged = hosts.plain(host, last)
    if judged is None:
        return ()
    kind, flags, attributes = judged
    inside = flags | urls.IN_URL if flags else urls.IN_URL
    start, stop = match.span(1)
    return (
        make(Hit, (URL, token, 0, len(token), flags, (("Port", port),) if port else ())),
        make(Hit, (kind, host, start, stop, inside, attributes)),
    )


def _mail(token: str) -> tuple[Hit, ...]:
    """Return address and domain of *token*, if it is a plain e-mail address as a whole."""
    match = _MAIL.fullmatch(token)
    judged = hosts.plain(match[1], match[2]) if match else None
    if match is None or judged is None:
        return ()
    start, size = match.start(1), len(token)
    if start > _MAX_LOCAL + 1 or ".." in token:
        return ()
    kind, flags, attributes = judged
    inside = flags | names.IN_ADDRESS if flags else names.IN_ADDRESS
    return (
        make(Hit, (EMAIL, token, 0, size, flags, attributes)),
        make(Hit, (kind, match[1], start, size, inside, attributes)),
    )


def _endpoint(token: str) -> tuple[Hit, ...]:
    """Return the one IPv4 address that *token* is, perhaps with a port."""
    address, colon, port = token.partition(":")
    flags = quad(address)
    if flags is None:
        return ()
    if not colon:
        return (make(Hit, (IP, token, 0, len(token), flags, ())),)
    if len(port) > _MAX_PORT or not port.isdecimal():
        return ()
    return (make(Hit, (IP, address, 0, len(address), flags, (("Port", port),))),)


def _name(token: str) -> tuple[Hit, ...]:
    """Return the one domain or file that *token* is, if its last label settles that."""
    match = _NAME.fullmatch(token)
    if match and match[1] in _SETTLED and (judged := hosts.plain(token, match[1])):
        labels = token.split(".")
        if labels[0] in names.CODE or (match[1] == "com" and labels[-2] in names.EXTENSIONS):
            return ()
        kind, flags, attributes = judged
        return (make(Hit, (kind, token, 0, len(token), flags, attributes)),)
    return _file(token)


def _file(token: str) -> tuple[Hit, ...]:
    """Return the one file that *token* is, if its extension settles that."""
    if token[token.rfind(".") + 1 :] in _FILES and _FILE.fullmatch(token):
        return (make(Hit, (FILENAME, token, 0, len(token), NO_FLAGS, ())),)
    return ()


def _encoded(token: str) -> Iterator[Hit] | None:
    encoded = _ENCODED.search(token) if "%2" in token else None
    return _decoded(token, encoded) if encoded else None


def _columns(token: str) -> Iterator[Hit]:
    """Yield what the columns of *token* hold."""
    start = 0
    for column in token.split(","):
        end = start + len(column)
        if "." not in column:
            pass
        elif simple := _simple(column):
            for kind, value, begin, stop, flags, more in simple:
                yield make(Hit, (kind, value, start + begin, start + stop, flags, more))
        else:
            yield from names.find(token, start, end)
        start = end + 1


def _decoded(token: str, encoded: re.Match[str]) -> Iterator[Hit]:
    """Yield what the percent-encoded URL *encoded* of *token* holds, and what stands before it."""
    yield from names.find(token, 0, encoded.start())
    for hit in read(unquote(encoded[0])):
        yield hit._replace(
            start=encoded.start(), end=encoded.end(), flags=hit.flags | {"percent-encoded"}
        )


def _mixed(token: str) -> Iterator[Hit]:
    """Walk from scheme to scheme; what lies between is no URL."""
    done = 0
    for scheme in _SCHEME_HERE.finditer(token):
        if scheme.start() < done:
            continue
        yield from names.find(token, done, scheme.start())
        done, hits = urls.find(token, scheme.start())
        yield from hits
    yield from names.find(token, done, len(token))
