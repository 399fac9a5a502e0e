"""Judge values that a file itself calls indicators of a type: STIX, MISP, OpenIOC.

The file's word wins over what the text looks like, but nothing is an address that cannot be one.
"""

from __future__ import annotations

import ipaddress
import re


_DIGITS = {"MD5": 32, "SHA-1": 40, "SHA-256": 64, "SHA-384": 96, "SHA-512": 128}
_SHAPES = {
    "FQDN": re.compile(
        r"(?i)(?=.{4,253}$)(?:[^\s./:@\\,]{1,63}\.)+[^\s./:@\\,\d][^\s./:@\\,]{1,62}"
    ),
    "URL": re.compile(r"(?i)[a-z][a-z0-9+.-]{1,20}://[^\s<>\"]{3,4000}"),
    "Email Address": re.compile(r"[^\s@<>]{1,64}@[^\s@<>]{3,255}"),
    "CVE": re.compile(r"(?i)cve-\d{4}-\d{4,}"),
    "ASN": re.compile(r"(?i)(?:as)?\d{1,10}"),
    "MAC Address": re.compile(r"(?i)[0-9a-f]{2}(?:[:-][0-9a-f]{2}){5}"),
    "Fuzzy Hash": re.compile(r"\d+:[\w/+]+:[\w/+]+"),
}
_LONGEST = 1000


def canonical(kind: str, text: str) -> tuple[str, str] | None:
    """Return the type and value that *text*, called a *kind*, is; None if it cannot be one."""
    text = text.strip()
    if kind in {"IP Address", "IPv6 Address", "CIDR Block"}:
        return _address(text)
    if kind in _DIGITS:
        text = text.lower()
        return (kind, text) if re.fullmatch(rf"[0-9a-f]{{{_DIGITS[kind]}}}", text) else None
    shape = _SHAPES.get(kind)
    if shape is not None and not shape.fullmatch(text):
        return None
    if not 0 < len(text) <= _LONGEST or not text.isprintable():
        return None
    if kind == "FQDN":
        text = text.lower()
    return kind, text.upper() if kind == "CVE" else text


def digest(text: str) -> str:
    """Return the type of hash that *text* can only be by its length, or an empty string."""
    return next((kind for kind, digits in _DIGITS.items() if len(text.strip()) == digits), "")


def _address(text: str) -> tuple[str, str] | None:
    try:
        network = ipaddress.ip_network(text, strict=False)
    except ValueError:
        return None
    if network.num_addresses > 1:
        return "CIDR Block", str(network)
    return ("IPv6 Address" if network.version == 6 else "IP Address"), str(network.network_address)
