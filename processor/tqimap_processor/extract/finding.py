"""A finding: one occurrence of one indicator in a text.

A dense report holds 35 indicators a kilobyte, so `place` fills the slots through their descriptors:
half the price of the generated `__init__`, which sets each frozen field by name.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple


NO_FLAGS: frozenset[str] = frozenset()

IP = "IP Address"
IPV6 = "IPv6 Address"
CIDR = "CIDR Block"
FQDN = "FQDN"
URL = "URL"
EMAIL = "Email Address"
MD5 = "MD5"
SHA1 = "SHA-1"
SHA256 = "SHA-256"
SHA384 = "SHA-384"
SHA512 = "SHA-512"
FUZZY = "Fuzzy Hash"
CVE = "CVE"
FILENAME = "Filename"
PATH = "File Path"
REGISTRY = "Registry Key"
MUTEX = "Mutex"
USER_AGENT = "User-agent"
ASN = "ASN"
MAC = "MAC Address"
SERIAL = "x509 Serial"
STRING = "String"


@dataclass(frozen=True, slots=True)
class Finding:
    """One occurrence of an indicator: characters [*start*, *end*) of the text mean *value*.

    *type* is ThreatQ's name, *value* the canonical spelling, *attributes* pairs of name and value.
    """

    type: str
    value: str
    start: int
    end: int
    flags: frozenset[str] = NO_FLAGS
    attributes: tuple[tuple[str, str], ...] = ()


class Hit(NamedTuple):
    """A finding before it has a place: *start* and *end* count from the start of its token."""

    type: str
    value: str
    start: int
    end: int
    flags: frozenset[str] = NO_FLAGS
    attributes: tuple[tuple[str, str], ...] = ()


def _setter(name: str) -> Any:  # noqa: ANN401 - a slot's descriptor has no public type
    return vars(Finding)[name].__set__


_type, _value, _start, _end, _flags, _attributes = map(_setter, Finding.__slots__)
_new = object.__new__


def place(hit: Hit, start: int, end: int, flags: frozenset[str]) -> Finding:
    """Return *hit* as a finding at [*start*, *end*) of the text, with *flags*."""
    finding = _new(Finding)
    _type(finding, hit[0])
    _value(finding, hit[1])
    _start(finding, start)
    _end(finding, end)
    _flags(finding, flags)
    _attributes(finding, hit[5])
    return finding
