"""Find what one token holds: a run of characters between blanks, quotes or angle brackets.

A token is judged by its own characters alone, so that its hits can be remembered: a log or a mail
in HTML repeats most of its tokens.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from tqimap_processor.extract import hosts, names, urls
from tqimap_processor.extract.addresses import ipv4_flags, is_ipv4
from tqimap_processor.extract.finding import EMAIL, FQDN, IP, Hit
from tqimap_processor.extract.tlds import BOTH_TLDS, CLASSIC


if TYPE_CHECKING:
    from collections.abc import Iterator


# longer tokens are cut: behind the cut begins a new token
MAX_BACK = 512
MAX_AHEAD = 2560
# a path on the same host: whatever looks like a name in it is a file
_LOCAL_PATH = re.compile(r"/(?![/\d\[])[^@,;()\[\]]*+$")
_MAIL = re.compile(r"[a-z0-9](?:[a-z0-9_+-]|\.(?!\.|@)){0,63}@([a-z0-9.-]+)")
_SETTLED = CLASSIC - BOTH_TLDS
_SCHEME_HERE = re.compile(r"(?<![A-Za-z])" + urls.SCHEME.pattern, re.IGNORECASE)


def read(token: str) -> tuple[Hit, ...]:
    """Return the hits of *token* in the order of their places."""
    if "://" in token:
        return urls.plain(token) or tuple(_mixed(token))
    if token[0] == "/" and _LOCAL_PATH.match(token):
        return ()
    if "@" in token:
        mail = _MAIL.fullmatch(token)
        plain = _mail(token, mail[1]) if mail else ()
    elif is_ipv4(token):
        return (Hit(IP, token, 0, len(token), ipv4_flags(token)),)
    else:
        plain = _name(token)
    return plain or tuple(names.find(token, 0, len(token)))


def _name(token: str) -> tuple[Hit, ...]:
    """Return the one domain that an all lower-case *token* is, if its last label settles that."""
    if token[token.rfind(".") + 1 :] not in _SETTLED or token[: token.find(".")] in names.CODE:
        return ()
    name = hosts.canonical(token)
    if name != token:
        return ()
    return (Hit(FQDN, name, 0, len(token), hosts.flags(name), hosts.attributes(name)),)


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
