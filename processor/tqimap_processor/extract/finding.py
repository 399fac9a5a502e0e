"""A finding: one occurrence of one indicator in a text.

Named tuples, not frozen dataclasses: a dense report holds 35 indicators a kilobyte, and a tuple is
made by one call where a frozen dataclass sets six fields by name, at a quarter of the price.
"""

from __future__ import annotations

from typing import NamedTuple


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


class Finding(NamedTuple):
    """One occurrence of an indicator: characters [*start*, *end*) of the text mean *value*.

    *type* is ThreatQ's name, *value* the canonical spelling, *attributes* pairs of name and value.
    """

    type: str
    value: str
    start: int
    end: int
    flags: frozenset[str] = NO_FLAGS
    attributes: tuple[tuple[str, str], ...] = ()


# a finding before it has a place: *start* and *end* count from the start of its token
Hit = Finding
# what becomes a finding, in the order of its fields: for what is made by the thousand
Raw = tuple[str, str, int, int, frozenset[str], tuple[tuple[str, str], ...]]
# a tuple's own constructor, which the generated one wraps
make = tuple.__new__
