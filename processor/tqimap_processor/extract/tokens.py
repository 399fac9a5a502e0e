"""Find what one token holds: a run of characters between blanks, quotes or angle brackets.

A token is judged by its own characters alone, so that its hits can be remembered: a log or a mail
in HTML repeats most of its tokens.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import unquote

from tqimap_processor.extract import hosts, names, urls
from tqimap_processor.extract.addresses import IPV4, ipv4_flags
from tqimap_processor.extract.finding import EMAIL, FILENAME, FQDN, IP, Hit
from tqimap_processor.extract.tlds import BOTH_TLDS, FILE_TLDS, IANA, METHODS, TLDS


if TYPE_CHECKING:
    from collections.abc import Iterator


# longer tokens are cut: behind the cut begins a new token
MAX_BACK = 512
MAX_AHEAD = 2560
_ENCODED = re.compile(r"(?:https?|ftp)%3[aA]%2[fF]%2[fF][^\s&,;]+")
# a path on the same host: whatever looks like a name in it is a file
_LOCAL_PATH = re.compile(r"/(?![/\d\[])[^@,;()\[\]]*+$")
_MAIL = re.compile(r"[a-z0-9](?:[a-z0-9_+-]|\.(?!\.|@)){0,63}@([a-z0-9.-]+)")
_QUAD = re.compile(rf"({IPV4})(?::(\d{{1,5}}))?")
_FILE = re.compile(r"[A-Za-z0-9_-]{1,128}\.[a-z0-9]{1,16}")
# last labels that leave no doubt
_SETTLED = IANA - BOTH_TLDS - FILE_TLDS - METHODS - names.EXTENSIONS
_FILES = names.EXTENSIONS - TLDS
_SCHEME_HERE = re.compile(r"(?<![A-Za-z])" + urls.SCHEME.pattern, re.IGNORECASE)


def read(token: str) -> tuple[Hit, ...]:
    """Return the hits of *token* in the order of their places."""
    if "://" in token:
        return urls.plain(token) or tuple(_mixed(token))
    if token[0] == "/" and _LOCAL_PATH.match(token):
        return ()
    if "%2" in token and (encoded := _ENCODED.search(token)):
        return tuple(_decoded(token, encoded))
    if "@" in token:
        mail = _MAIL.fullmatch(token)
        plain = _mail(token, mail[1]) if mail else ()
    elif token[0].isdigit() and (quad := _QUAD.fullmatch(token)):
        return (_endpoint(quad[1], quad[2]),)
    else:
        plain = _name(token)
    return plain or tuple(names.find(token, 0, len(token)))


def _decoded(token: str, encoded: re.Match[str]) -> Iterator[Hit]:
    """Yield what the percent-encoded URL *encoded* of *token* holds, and what stands before it."""
    yield from names.find(token, 0, encoded.start())
    for hit in read(unquote(encoded[0])):
        yield hit._replace(
            start=encoded.start(), end=encoded.end(), flags=hit.flags | {"percent-encoded"}
        )


def _endpoint(address: str, port: str | None) -> Hit:
    ports = (("Port", port),) if port else ()
    return Hit(IP, address, 0, len(address), ipv4_flags(address), ports)


def _name(token: str) -> tuple[Hit, ...]:
    """Return the one domain or file that *token* is, if its last label settles that."""
    last = token[token.rfind(".") + 1 :]
    if last in _SETTLED and token[: token.find(".")] not in names.CODE:
        name = hosts.canonical(token)
        if name == token:
            return (Hit(FQDN, name, 0, len(token), hosts.flags(name), hosts.attributes(name)),)
    elif last in _FILES and _FILE.fullmatch(token):
        return (Hit(FILENAME, token, 0, len(token)),)
    return ()


def _mail(token: str, domain: str) -> tuple[Hit, ...]:
    """Return address and domain of *token*, which is a plain e-mail address in lower case."""
    name = hosts.canonical(domain)
    if name != domain:
        return ()
    flags, attributes = hosts.flags(name), hosts.attributes(name)
    start = len(token) - len(name)
    return (
        Hit(EMAIL, token, 0, len(token), flags, attributes),
        Hit(FQDN, name, start, len(token), flags | names.IN_ADDRESS, attributes),
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
