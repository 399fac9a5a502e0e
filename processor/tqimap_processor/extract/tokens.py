"""Find what one token holds: a run of characters between blanks, quotes or angle brackets.

A token is judged by its own characters alone, so that its hits can be remembered: a log or a mail
in HTML repeats most of its tokens. Nine of ten that hold anything are one plain value as a whole:
one expression reads these, and the grammar proper only sees the others.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import unquote

from tqimap_processor.extract import gateways, hosts, names, prose, urls
from tqimap_processor.extract.addresses import ipv4_flags, quad
from tqimap_processor.extract.finding import (
    EMAIL,
    FILENAME,
    FQDN,
    IP,
    NO_FLAGS,
    URL,
    Hit,
    Raw,
)
from tqimap_processor.extract.tlds import BOTH_TLDS, FILE_TLDS, IANA, METHODS, TLDS


if TYPE_CHECKING:
    from collections.abc import Iterator


# longer tokens are cut: behind the cut begins a new token
MAX_BACK = 512
MAX_AHEAD = 2560
_MAX_LOCAL, _MAX_PORT = 64, 5
# scheme or local part; the host and its last label, the port, the tail. Longer labels, and names
# of more of them than these, are rare enough for the grammar proper.
_PLAIN = re.compile(
    r"(?:https?://|[a-z0-9][a-z0-9_+.-]*+(?<!\.)@)?"
    r"((?:(?!xn--|example\.)[a-z0-9][a-z0-9-]{0,45}+(?<!-)\.){1,4}([a-z]++|\d++))"
    r"(?::(\d{1,5}))?(/[A-Za-z0-9_~%/=+.:#?&-]*+(?<![.:#?&]))?"
).fullmatch
_NEW_LINE = re.compile(r"(?:\\[nrt])+")
_ENCODED = re.compile(r"(?:https?|ftp)%3[aA]%2[fF]%2[fF][^\s&,;]+")
# a path on the same host: whatever looks like a name in it is a file
_LOCAL_PATH = re.compile(r"/(?![/\d\[]|\w{1,12}:|dev/(?:tcp|udp)/)[^@,;()\[\]]*+$")
_FILE = re.compile(r"[A-Za-z0-9_-]{1,128}\.[a-z0-9]{1,16}")
# last labels that leave no doubt; com only unless a file's extension stands before it
_SETTLED = (IANA - BOTH_TLDS - FILE_TLDS - METHODS - names.EXTENSIONS) | {"com"}
# and these are nothing else, whatever stands before them
_CLEAR = (_SETTLED & prose.PLAIN_TLDS) - {"com"}
_ORDINARY = TLDS - hosts.RESERVED
_FILES = names.EXTENSIONS - TLDS
_WEB = frozenset({"http", "https"})
_LETTERS = re.compile(r"(?:stratum\+)?[A-Za-z]{2,7}[345]?h?\Z", re.IGNORECASE)


def read(token: str) -> tuple[Raw, ...]:
    """Return the hits of *token* in the order of their places."""
    return plain(token) or odd(token)


def plain(token: str) -> tuple[Raw, ...]:
    """Return the hits of *token* if it is one plain value as a whole, in lower case.

    That is: a URL that wraps no other, an e-mail address, an IPv4 address with or without a port,
    a domain whose last label is nothing else.
    """
    if token[0] <= "9" >= token[-1] and (endpoint := _endpoint(token)):
        return endpoint
    match = _PLAIN(token)
    if match is None:
        return ()
    host, last, port, tail = match.groups()
    begin = match.start(1)
    if last not in _ORDINARY and quad(host) is None:
        return () if begin or tail or last not in _FILES else _file(token)
    if begin and token[begin - 1] == "/":
        return _url(token, host, begin, port, tail)
    if tail:
        return ()
    return _mail(token, host, begin) if begin else _name(host, last, port)


def _endpoint(token: str) -> tuple[Raw, ...]:
    """Return the IPv4 address that *token* is, perhaps with a port."""
    address, colon, port = token.partition(":")
    flags = quad(address)
    if flags is None:
        return ()
    if not colon:
        return ((IP, token, 0, len(token), flags, ()),)
    if len(port) > _MAX_PORT or not port.isdecimal():
        return ()
    return ((IP, address, 0, len(address), flags, (("Port", port),)),)


def _url(token: str, host: str, begin: int, port: str | None, tail: str | None) -> tuple[Raw, ...]:
    """Return the URL that *token* is, and its *host*, which begins at *begin*."""
    if tail and gateways.may_wrap(host, tail):
        return ()
    more = (("Port", port),) if port else ()
    size, stop = len(token), begin + len(host)
    if host[-1] > "9":
        return (
            (URL, token, 0, size, NO_FLAGS, more),
            (FQDN, host, begin, stop, urls.IN_URL, ()),
        )
    flags = ipv4_flags(host)
    return (URL, token, 0, size, flags, more), (IP, host, begin, stop, flags | urls.IN_URL, ())


def _mail(token: str, host: str, begin: int) -> tuple[Raw, ...]:
    """Return the address that *token* is, and its domain *host*, which begins at *begin*."""
    size = len(token)
    # odd ones: addresses as domains, Message-IDs
    if begin > _MAX_LOCAL + 1 or token[-1] <= "9" or ".." in token or host in names.NO_MAILBOX:
        return ()
    return (
        (EMAIL, token, 0, size, NO_FLAGS, ()),
        (FQDN, host, begin, size, names.IN_ADDRESS, ()),
    )


def _name(host: str, last: str, port: str | None) -> tuple[Raw, ...]:
    """Return the domain *host* if *last*, its last label, settles that it is one."""
    if last not in _CLEAR:
        if last == "com":
            if host[:-4].rpartition(".")[2] in names.EXTENSIONS:
                return ()
        elif last not in _SETTLED or host[: host.index(".")] in prose.SUSPECT:
            return ()
    return ((FQDN, host, 0, len(host), NO_FLAGS, (("Port", port),) if port else ()),)


def odd(token: str) -> tuple[Raw, ...]:
    """Return the hits of *token*, which is not plain, in the order of their places."""
    if "\\" in token[1:] and token[0] != "\\" and (lines := _lines(token)):
        return lines
    if "://" in token:
        return tuple(_mixed(token))
    if token[0] == "/" and _LOCAL_PATH.match(token):
        return ()
    if "," in token:
        return tuple(_encoded(token) or _columns(token, ","))
    if "@" in token and "/" in token and all(one.count("@") == 1 for one in token.split("/")):
        return tuple(_columns(token, "/"))
    return _file(token) or tuple(_encoded(token) or names.find(token, 0, len(token)))


def _file(token: str) -> tuple[Raw, ...]:
    """Return the one file that *token* is, if its extension settles that."""
    known = token[token.rfind(".") + 1 :] in _FILES and token.lower() not in prose.LIBRARIES
    if known and _FILE.fullmatch(token):
        return ((FILENAME, token, 0, len(token), NO_FLAGS, ()),)
    return ()


def _encoded(token: str) -> Iterator[Hit] | None:
    encoded = _ENCODED.search(token) if "%2" in token else None
    return _decoded(token, encoded) if encoded else None


def _lines(token: str) -> tuple[Raw, ...]:
    """Return what the lines of *token* hold, if all of them are plain: a string literal's."""
    found: list[Raw] = []
    start = 0
    for end, following in [m.span() for m in _NEW_LINE.finditer(token)] + [(len(token), 0)]:
        line = token[start:end]
        hits = plain(line) if line else ()
        if line and not hits:
            return ()
        found += [
            (kind, value, start + begin, start + stop, flags, more)
            for kind, value, begin, stop, flags, more in hits
        ]
        start = following
    return tuple(found)


def _columns(token: str, separator: str) -> Iterator[Raw]:
    """Yield what the columns of *token* hold."""
    start = 0
    for column in token.split(separator):
        end = start + len(column)
        if "." not in column:
            pass
        elif simple := plain(column) or _file(column):
            for kind, value, begin, stop, flags, more in simple:
                yield kind, value, start + begin, start + stop, flags, more
        else:
            yield from names.find(token, start, end)
        start = end + 1


def _decoded(token: str, encoded: re.Match[str]) -> Iterator[Hit]:
    """Yield what the percent-encoded URL *encoded* of *token* holds, and what stands before it."""
    yield from names.find(token, 0, encoded.start())
    for kind, value, _, _, flags, more in read(unquote(encoded[0])):
        yield Hit(kind, value, *encoded.span(), flags | {"percent-encoded"}, more)


def _mixed(token: str) -> Iterator[Raw]:
    """Walk from scheme to scheme; what lies between is no URL."""
    done = 0
    colon = token.find("://")
    while colon >= 0:
        start = _scheme(token, colon)
        if start < 0 < done and token[done:colon].lower() in _WEB:
            start = done
        if start >= done:
            if start > done:
                yield from names.find(token, done, start)
            done, hits = urls.find(token, start)
            yield from hits
        colon = token.find("://", max(colon + 3, done - 2))
    if done < len(token):
        yield from names.find(token, done, len(token))


def _scheme(token: str, colon: int) -> int:
    """Return where the scheme begins whose *colon* it is, or -1."""
    letters = _LETTERS.search(token, max(0, colon - 14), colon)
    if letters is None or letters[0].lower() not in urls.SCHEMES:
        return -1
    start = letters.start()
    before = token[max(0, start - 1) : start]
    return -1 if before.isascii() and before.isalpha() else start
