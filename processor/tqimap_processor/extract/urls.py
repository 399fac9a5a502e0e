"""Find where a URL ends, and what it names.

A URL in a sentence has no end mark: brackets count, sentence marks are cut, a comma that begins
the next column of a table ends it.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING
from urllib.parse import unquote

from tqimap_processor.extract import gateways, hosts
from tqimap_processor.extract.addresses import (
    ipv4_flags,
    ipv6,
    ipv6_flags,
    is_ipv4,
    number_host,
)
from tqimap_processor.extract.finding import FQDN, IP, IPV6, URL, Hit
from tqimap_processor.extract.tlds import words


if TYPE_CHECKING:
    from collections.abc import Iterator


IN_URL = frozenset({"in-url"})
_NOTHING: frozenset[str] = frozenset()
_WRAPPER = frozenset({"wrapper"})
_OPAQUE = frozenset({"wrapper", "opaque"})
_UNWRAPPED = frozenset({"unwrapped"})
SCHEMES = words("""
    http https ftp ftps sftp tcp udp ws wss ldap ldaps rmi smb ssh git telnet tftp gopher socks4
    socks5 socks5h socks smtp smtps imap imaps pop3 irc ircs vnc rdp mysql mongodb redis mqtt webdav
    rsync sip rtsp dns iiop nis nds corba stratum stratum+tcp stratum+ssl
""")
SCHEME = re.compile(rf"(?:{'|'.join(map(re.escape, sorted(SCHEMES)))})://", re.IGNORECASE)
_AUTHORITY = re.compile(
    r"(?:([^\s/?#@\[\]]{0,256}(?:@[^\s/?#@\[\]]{0,256}){0,3})@)?"
    r"(\[[0-9A-Fa-f:.%\w]{2,60}\]|[^\s/?#@:\[\]()<>,;!=$&+\\\"']{1,253})(?::(\d{1,5})(?!\w))?"
)
_QUOTED = re.compile(r"&(?:quot|gt|lt|nbsp|#34|#39|#62|#60|apos);", re.IGNORECASE)
# the next URL, address or host of a list
_NEXT = re.compile(
    r"[,;|)\]](?:https?|ftp)://|[;|](?=[\w.+-]{1,64}@[\w-]+\.\w|\d{1,3}(?:\.\d{1,3}){3}(?!\w)"
    r"|(?:[a-z0-9-]{1,63}\.){1,8}[a-z]{2,24}(?:[;|,]|$))",
    re.IGNORECASE,
)
# a command behind a path; in a query the signs mean nothing
_SHELL = re.compile(
    r"[^?#&]*?(?=&&|;(?:chmod|chown|sh|bash|wget|curl|cd|rm|mv|cp|sudo|python3?|perl|php|busybox"
    r"|nohup|tftp|echo|exit)(?:;|$))"
)
# what goes on in a script without blanks, or with a picture
_GLUED = re.compile(
    rf"(?<=[A-Za-z0-9])(?:{hosts.NO_BLANKS}|[\u2190-\u21ff\u2500-\u2bff\U0001f000-\U0001fbff])"
)
# another link without anything between them
_NEXT_LINK = re.compile(r"[^?#]*?(?<=[A-Za-z0-9])(?=https?://)", re.IGNORECASE)
_LISTED = re.compile(r"[,;|)\]]")
# what stands behind a port and is no path
_PROTOCOL = re.compile(r"/(?:tcp|udp|tls|ssl|https?)(?![\w/.?#-])", re.IGNORECASE)
_KEPT_COMMA = re.compile(r"[\d,]+(?:\.\w{1,5})?|[\w,-]+\.s?html?|[^,]*[/=?&](?!/)[^,]*.*")
_NEW_COLUMN = re.compile(r",(?:[A-Z][a-z]|,|$|\[)")
_BACKSLASHED = re.compile(r"(?:\\[\w.-]{2,})+")
_TRAILING = ".,;:!?*'\"[({<|\\`~^&$"
_BRACKETS = re.compile(r"[()\[\]{}<>]")
_PAIRS = {")": "(", "]": "[", "}": "{", ">": "<"}


def find(token: str, start: int) -> tuple[int, tuple[Hit, ...]]:
    """Read the URL whose scheme begins at *start* of *token*: where it ends, and its hits."""
    scheme = SCHEME.match(token, start)
    if scheme is None:
        return start + 1, ()
    end = _end(token, scheme.end())
    hits = tuple(_read(token[start:end], start, scheme.end() - start))
    return max((hit.end for hit in hits), default=scheme.end()), hits


def schemeless(token: str, start: int, host: Hit, tail: int) -> tuple[Hit, ...]:
    """Read the URL without a scheme at *start* whose *host* is known and ends at *tail*."""
    if token[tail - 1].isdecimal() and _PROTOCOL.match(token, tail):
        return ()
    end = _end(token, tail)
    while end > tail and token[end - 1] in _TRAILING:
        end -= 1
    if end - tail < 2:
        return ()
    name = token[start:end].replace("&amp;", "&")
    lowered = host.value + name[host.end - host.start :]
    return (Hit(URL, lowered, start, end, host.flags - IN_URL | {"no-scheme"}),)


def _end(token: str, authority: int) -> int:
    """Return where the URL whose authority begins at *authority* ends in *token*."""
    end = len(token)
    if "&" in token and (quoted := _QUOTED.search(token, authority)):
        end = quoted.start()
    back = token.find("\\", authority, end)
    if back >= 0 and not _BACKSLASHED.fullmatch(token, back, end):
        # the escape of a string literal
        end = back
    if ("&&" in token or ";" in token) and (shell := _SHELL.match(token, authority, end)):
        end = shell.end()
    # a name's first label may be written so
    dot = -1 if token.isascii() else token.find(".", authority, end)
    if dot >= 0 and (foreign := _GLUED.search(token, dot, end)):
        end = foreign.start()
    if token.find("://", authority, end) > 0 and (link := _NEXT_LINK.match(token, authority, end)):
        end = link.end()
    if listed := _LISTED.search(token, authority, end):
        if following := _NEXT.search(token, listed.start(), end):
            end = following.start()
        end = _comma(token, authority, end)
    end = _closer(token, authority, end)
    while end > authority and token[end - 1] in _TRAILING:
        end -= 1
    return end


def _comma(token: str, start: int, end: int) -> int:
    """Cut at the first comma if a new column begins there."""
    at = token.find(",", start, end)
    if at < 0:
        return end
    if "?" in token[start:at]:
        column = _NEW_COLUMN.search(token, at, end)
        return column.start() if column else end
    rest = token[at + 1 : end]
    return end if _KEPT_COMMA.fullmatch(rest) and "://" not in rest else at


def _closer(token: str, start: int, end: int) -> int:
    """Cut at the first closing bracket that was not opened inside the URL."""
    opened: list[str] = []
    for bracket in _BRACKETS.finditer(token, start, end):
        char = bracket[0]
        if char in "([{<":
            opened.append(char)
        elif not opened or opened.pop() != _PAIRS[char]:
            return bracket.start()
    return end


def _read(url: str, offset: int, authority: int, depth: int = 0) -> Iterator[Hit]:
    """Yield the hits of *url*, whose authority begins at *authority*, *offset* into its token."""
    match = _AUTHORITY.match(url, authority)
    if not match:
        return
    user, host, port = match.groups()
    bare = host.strip(".-\u00b7") if host[0] != "[" else host
    if "*" in bare:
        if "*" * len(bare) != bare or port:
            yield Hit(URL, url, offset, offset + len(url), frozenset({"censored"}), _port(port))
        return
    kind = _host(bare)
    if kind is None:
        return
    kind_type, name, flags, attributes = kind
    start = match.start(2) + host.find(bare)
    if user is not None:
        flags |= {"userinfo"}
    tail = _tail(url, match.end() if port or match.end(2) == match.end() else match.end(2))
    end = max(len(url) if tail else match.end(), start + len(bare))
    value = (
        url[:authority].lower()
        + (url[authority : match.start(2)] if user is not None else "")
        + (f"[{name}]" if kind_type == IPV6 else _shown(bare, name))
        + (f":{port}" if port else "")
        + tail.replace("&amp;", "&")
    )
    wrapped = gateways.unwrap(value) if depth < gateways.MAX_DEPTH else None
    hidden = None if wrapped else gateways.opaque(name, value)
    said = _WRAPPER if wrapped else _NOTHING if hidden is None else _OPAQUE
    yield Hit(URL, value, offset, offset + end, flags | said, attributes + _port(port))
    start, stop = offset + start, offset + start + len(bare)
    if kind_type == IPV6:
        start, stop = start + 1, stop - 1
    yield Hit(kind_type, name, start, stop, flags | IN_URL, attributes)
    if wrapped:
        target, written = wrapped
        readable = "" if depth or unquote(written) != target else written
        for hit in _unwrapped(value, target, depth):
            begin, stop = _place(url[:end], readable, hit)
            yield hit._replace(start=offset + begin, end=offset + stop)
    if hidden and (named := hosts.canonical(hidden[0])):
        begin = offset + url.rfind(hidden[1])
        through = (*hosts.attributes(named), ("Reached Through", value))
        seen = hosts.flags(named) | IN_URL | _UNWRAPPED
        yield Hit(FQDN, named, begin, begin + len(hidden[1]), seen, through)


def _place(wrapper: str, written: str, hit: Hit) -> tuple[int, int]:
    """Return where *hit* stands in the target *written* in *wrapper*; all if it is not readable."""
    at = wrapper.find(written) if written else -1
    if at < 0:
        return 0, len(wrapper)
    host = -1 if hit.type == URL else wrapper.lower().find(hit.value, at, at + len(written))
    return (at, at + len(written)) if host < 0 else (host, host + len(hit.value))


def _unwrapped(wrapper: str, target: str, depth: int) -> Iterator[Hit]:
    """Yield what *target* holds, without a place."""
    scheme = SCHEME.match(target)
    if not scheme:
        return
    stop = _end(target, scheme.end())
    for hit in _read(target[:stop], 0, scheme.end(), depth + 1):
        through = (*hit.attributes, ("Reached Through", wrapper))
        if "unwrapped" in hit.flags:
            through = hit.attributes
        yield Hit(hit.type, hit.value, 0, 0, hit.flags | _UNWRAPPED, through)


def _tail(url: str, at: int) -> str:
    """Return path, query and fragment, if what stands at *at* can begin one."""
    return url[at:] if url[at : at + 1] in {"/", "?", "#", "\\"} else ""


def _shown(host: str, name: str) -> str:
    # a number that stands for an address stays as it was written: the URL is the evidence
    return host.lower() if host.isascii() else name


@lru_cache(maxsize=16384)
def _host(
    host: str,
) -> tuple[str, str, frozenset[str], tuple[tuple[str, str], ...]] | None:
    """Return type, canonical value, flags and attributes of a URL's *host*, None if it is none."""
    if host[:1] == "[":
        address = ipv6(host[1:-1].partition("%")[0])
        return (IPV6, address, ipv6_flags(address), ()) if address else None
    if host[-1:].isdigit() and is_ipv4(host):
        return IP, host, ipv4_flags(host), ()
    if name := hosts.canonical(host):
        return FQDN, name, hosts.flags(name), hosts.attributes(name)
    if meant := number_host(host):
        return IP, meant, ipv4_flags(meant) | {"number-host"}, ()
    return _unknown(host)


def _unknown(host: str) -> tuple[str, str, frozenset[str], tuple[tuple[str, str], ...]] | None:
    """Accept a host whose last label is no known top-level domain: the scheme vouches for it."""
    name = hosts.to_ascii(host.lower())
    labels = name.split(".")
    if len(labels) < 2 or not all(labels) or not labels[-1][0].isalpha() or len(name) > 253:
        return None
    return FQDN, name, hosts.flags(name) | {"unknown-tld"}, hosts.attributes(name)


def _port(port: str | None) -> tuple[tuple[str, str], ...]:
    return (("Port", port),) if port else ()
