"""Find indicators in text, roughly as ThreatQ's Generic Text parser does.

Deliberately simple, and none of tqimap's own: a stand-in that shared the extractor could not
disagree with it.
"""

from __future__ import annotations

import re
from typing import NamedTuple


class Sighting(NamedTuple):
    """One value of a type's name."""

    type: str
    value: str


_DEFANGED = (
    ("hxxp", "http"),
    ("[.]", "."),
    ("(.)", "."),
    ("[dot]", "."),
    ("[@]", "@"),
    ("[:]", ":"),
)
_OCTET = r"(?:25[0-5]|2[0-4]\d|1?\d?\d)"
# in this order: what one has found is blanked out for the next
_PATTERNS = (
    ("URL", re.compile(r"\b(?:https?|ftps?)://[^\s<>\"']{4,2000}", re.IGNORECASE)),
    (
        "Email Address",
        re.compile(r"\b[\w.+-]{1,64}@(?:[a-z0-9-]{1,63}\.){1,8}[a-z]{2,24}\b", re.IGNORECASE),
    ),
    ("SHA-512", re.compile(r"\b[0-9a-f]{128}\b", re.IGNORECASE)),
    ("SHA-256", re.compile(r"\b[0-9a-f]{64}\b", re.IGNORECASE)),
    ("SHA-1", re.compile(r"\b[0-9a-f]{40}\b", re.IGNORECASE)),
    ("MD5", re.compile(r"\b[0-9a-f]{32}\b", re.IGNORECASE)),
    ("CVE", re.compile(r"\bCVE-\d{4}-\d{4,7}\b", re.IGNORECASE)),
    ("CIDR Block", re.compile(rf"\b(?:{_OCTET}\.){{3}}{_OCTET}/\d{{1,2}}\b")),
    ("IP Address", re.compile(rf"\b(?:{_OCTET}\.){{3}}{_OCTET}\b(?!\.\d)")),
    (
        "Filename",
        re.compile(
            r"\b[\w-]{1,100}\.(?:exe|dll|docx?|xlsx?|pdf|zip|js|vbs|ps1|bat|hta)\b", re.IGNORECASE
        ),
    ),
    (
        "FQDN",
        re.compile(
            r"\b(?:[a-z0-9-]{1,63}\.){1,8}(?:com|net|org|info|biz|ru|de|io|example|test)\b",
            re.IGNORECASE,
        ),
    ),
)


def parse(text: str) -> list[Sighting]:
    """Return the values found, each once, in the order of the types above."""
    for defanged, clear in _DEFANGED:
        text = text.replace(defanged, clear)
    found: dict[Sighting, None] = {}
    for name, pattern in _PATTERNS:
        for value in pattern.findall(text):
            found[Sighting(name, value.rstrip(".,;:)]}"))] = None
        text = pattern.sub(" ", text)
    return list(found)
