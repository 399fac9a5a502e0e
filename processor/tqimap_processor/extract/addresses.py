"""Judge and canonicalise numbers that name machines: IP addresses, CIDR blocks, MACs.

The standard library's ipaddress decides on IPv6; IPv4, of which a log holds thousands, is decided
here, some ten times quicker.
"""

from __future__ import annotations

import ipaddress
import re
from functools import lru_cache


IPV4 = r"(?:25[0-5]|2[0-4]\d|1\d\d|[1-9]\d|\d)(?:\.(?:25[0-5]|2[0-4]\d|1\d\d|[1-9]\d|\d)){3}"
_OCTETS = frozenset(map(str, range(256)))
_CLOCK = re.compile(r"\d{1,2}(?::\d{1,2}){1,5}")
_MAC = re.compile(r"[0-9A-Fa-f]{2}(?:([:-])[0-9A-Fa-f]{2})(?:\1[0-9A-Fa-f]{2}){4}")
_DOTTED = re.compile(r"[0-9A-Fa-f]{4}\.[0-9A-Fa-f]{4}\.[0-9A-Fa-f]{4}")
_SPECIAL = tuple(
    (int(net.network_address), int(net.netmask), said)
    for net, said in (
        (ipaddress.IPv4Network(block), said)
        for block, said in (
            ("10.0.0.0/8", "private"),
            ("172.16.0.0/12", "private"),
            ("192.168.0.0/16", "private"),
            ("127.0.0.0/8", "reserved"),
            ("0.0.0.0/8", "reserved"),
            ("100.64.0.0/10", "reserved"),
            ("169.254.0.0/16", "reserved"),
            ("192.0.0.0/24", "reserved"),
            ("192.0.2.0/24", "reserved"),
            ("192.88.99.0/24", "reserved"),
            ("198.18.0.0/15", "reserved"),
            ("198.51.100.0/24", "reserved"),
            ("203.0.113.0/24", "reserved"),
            ("224.0.0.0/3", "reserved"),
        )
    )
)
# octets with which a special block begins
_FIRST = frozenset(str(number >> 24) for number, _, _ in _SPECIAL) | frozenset(
    map(str, range(224, 256))
)
_NONE: frozenset[str] = frozenset()


def is_ipv4(text: str) -> bool:
    """Say whether *text* is a dotted quad of octets without leading zeros."""
    octets = text.split(".")
    return len(octets) == 4 and _OCTETS.issuperset(octets)


def quad(text: str) -> frozenset[str] | None:
    """Return the flags of *text* if it is an IPv4 address, else None: both questions at once."""
    octets = text.split(".")
    if len(octets) != 4 or not _OCTETS.issuperset(octets):
        return None
    return _ipv4_flags(text) if octets[0] in _FIRST else _NONE


def ipv4_flags(address: str) -> frozenset[str]:
    """Say whether the IPv4 *address* is `private` or `reserved`."""
    return _ipv4_flags(address) if address[: address.find(".")] in _FIRST else _NONE


@lru_cache(maxsize=4096)
def _ipv4_flags(address: str) -> frozenset[str]:
    number = int(ipaddress.IPv4Address(address))
    return frozenset(said for base, mask, said in _SPECIAL if number & mask == base)


def number_host(host: str) -> str | None:
    """Return the IPv4 address that a browser reads in *host*, such as 3627734734 or 0xd8.0x3a.1.2.

    None if it is no number. One to four parts in decimal, 0x or octal: RFC 3986 section 7.4.
    """
    parts = host.split(".")
    if len(parts) > 4 or not all(
        re.fullmatch(r"0[xX][0-9A-Fa-f]{1,8}|0?\d{1,11}", p) for p in parts
    ):
        return None
    try:
        numbers = [_number(part) for part in parts]
    except ValueError:
        return None
    *heads, tail = numbers
    if any(head > 255 for head in heads) or tail >= 256 ** (5 - len(parts)):
        return None
    total = sum(head << 8 * (3 - at) for at, head in enumerate(heads)) + tail
    return str(ipaddress.IPv4Address(total)) if total < 2**32 else None


def _number(part: str) -> int:
    if part[:2] in {"0x", "0X"}:
        return int(part, 16)
    return int(part, 8) if len(part) > 1 and part[0] == "0" else int(part)


@lru_cache(maxsize=4096)
def ipv6(text: str) -> str | None:
    """Return the canonical IPv6 address that *text* spells, or None.

    Clocks, ratios and scope operators (`a::b`) are refused: there must be two groups, or `::` and
    either nothing before it or four hexadecimal digits.
    """
    if text.count(":") < 2 or _CLOCK.fullmatch(text):
        return None
    try:
        address = ipaddress.IPv6Address(text)
    except ValueError:
        return None
    digits = sum(c != ":" for c in text)
    if digits == 0 or ("::" in text and digits < 4 and text != "::1"):
        return None
    return str(address)


@lru_cache(maxsize=1024)
def ipv6_flags(address: str) -> frozenset[str]:
    """Say whether the IPv6 *address* is `private` or `reserved`."""
    value = ipaddress.IPv6Address(address)
    if value.is_link_local or value in _UNIQUE_LOCAL:
        return frozenset({"private"})
    if value.is_reserved or value.is_loopback or value.is_multicast or value in _DOCUMENTATION:
        return frozenset({"reserved"})
    return frozenset()


_UNIQUE_LOCAL = ipaddress.IPv6Network("fc00::/7")
_DOCUMENTATION = ipaddress.IPv6Network("2001:db8::/32")


def mac(text: str) -> str | None:
    """Return the MAC address that *text* spells, as aa:bb:cc:dd:ee:ff, or None."""
    if not (_MAC.fullmatch(text) or _DOTTED.fullmatch(text)):
        return None
    digits = re.sub(r"[:.-]", "", text).lower()
    if len(set(digits)) == 1 or _CLOCK.fullmatch(text):
        return None
    return ":".join(digits[at : at + 2] for at in range(0, 12, 2))
