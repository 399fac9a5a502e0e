"""Find what one token holds: a run of characters between blanks, quotes or angle brackets.

A token is judged by its own characters alone, so that its hits can be remembered: a log or a mail
in HTML repeats most of its tokens.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from tqimap_processor.extract import hosts, names, urls
from tqimap_processor.extract.addresses import ipv4_flags, is_ipv4
from tqimap_processor.extract.finding import FQDN, IP, Hit


if TYPE_CHECKING:
    from collections.abc import Iterator


# longer tokens are cut: behind the cut begins a new token
MAX_BACK = 512
MAX_AHEAD = 2560
_SCHEME_HERE = re.compile(r"(?<![A-Za-z])" + urls.SCHEME.pattern, re.IGNORECASE)


def read(token: str) -> tuple[Hit, ...]:
    """Return the hits of *token* in the order of their places."""
    if is_ipv4(token):
        return (Hit(IP, token, 0, len(token), ipv4_flags(token)),)
    if "://" not in token:
        name = hosts.ASCII_NAME.fullmatch(token)
        if name and (simple := _simple(token)):
            return simple
        return tuple(names.find(token, 0, len(token)))
    return urls.plain(token) or tuple(_mixed(token))


def _simple(token: str) -> tuple[Hit, ...]:
    """Return the one domain that an all lower-case *token* is, if its last label settles that."""
    tld = token[token.rindex(".") + 1 :]
    if tld not in _SETTLED:
        return ()
    name = hosts.canonical(token)
    return (
        (Hit(FQDN, name, 0, len(token), hosts.flags(name), hosts.attributes(name)),) if name else ()
    )


_SETTLED = frozenset({"com", "net", "org", "ru", "info", "biz", "cn", "de", "uk", "top", "xyz"})


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
