"""Read the types that STIX 2 gives its values: cyber observables and the patterns of indicators.

Our own reading of the few paths that name indicators: the stix2 library adds four dependencies and
validation that hostile or sloppy files fail.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any


if TYPE_CHECKING:
    from collections.abc import Iterator


_HASHES = {
    "md5": "MD5",
    "sha-1": "SHA-1",
    "sha1": "SHA-1",
    "sha-256": "SHA-256",
    "sha256": "SHA-256",
    "sha-384": "SHA-384",
    "sha-512": "SHA-512",
    "sha512": "SHA-512",
    "ssdeep": "Fuzzy Hash",
}
_TYPES = {
    "ipv4-addr:value": "IP Address",
    "ipv6-addr:value": "IPv6 Address",
    "domain-name:value": "FQDN",
    "url:value": "URL",
    "email-addr:value": "Email Address",
    "email-message:subject": "Email Subject",
    "email-message:from_ref.value": "Email Address",
    "email-message:sender_ref.value": "Email Address",
    "network-traffic:dst_ref.value": "IP Address",
    "network-traffic:src_ref.value": "IP Address",
    "file:name": "Filename",
    "directory:path": "File Path",
    "windows-registry-key:key": "Registry Key",
    "mutex:name": "Mutex",
    "mac-addr:value": "MAC Address",
    "autonomous-system:number": "ASN",
    "vulnerability:name": "CVE",
}
_HASH = re.compile(r"[a-z0-9-]+:(?:[\w.]+\.)?hashes\.'?([\w-]+)'?")
_AGENT = re.compile(r"network-traffic:.{1,60}request_header\.'?User-Agent'?")
_STRING = r"'([^'\\]*+(?:\\.[^'\\]*+)*)'"
_TEST = re.compile(
    rf"([a-z0-9-]{{1,60}}:[\w.'\[\]*-]{{1,200}})\s*+(=|IN|[!<>]=?|LIKE|MATCHES|ISSUBSET|ISSUPERSET)"
    rf"\s*+(?:{_STRING}|\(([^()]{{0,20000}})\))"
)
_LISTED = re.compile(_STRING)


def type_of(path: str) -> str:
    """Return the ThreatQ type of what an object path names, or an empty string."""
    if found := _HASH.fullmatch(path):
        return _HASHES.get(found[1].lower(), "")
    if _AGENT.fullmatch(path):
        return "User-agent"
    return _TYPES.get(path, "")


def in_pattern(pattern: str) -> Iterator[tuple[str, str]]:
    """Yield (type, value) of each comparison in *pattern*; the type is empty where none is known.

    Only what a pattern equals is an indicator: what it excludes or resembles is text.
    """
    for test in _TEST.finditer(pattern):
        path, operator, one, several = test.groups()
        kind = type_of(path) if operator in {"=", "IN", "ISSUBSET"} else ""
        for value in [one] if one is not None else _LISTED.findall(several):
            yield kind, re.sub(r"\\(.)", r"\1", value)


def types(item: dict[str, Any]) -> dict[str, str]:
    """Return which keys of the object *item* hold values of which ThreatQ type."""
    kind = item.get("type")
    if not isinstance(kind, str):
        return {}
    return {key: found for key in item if (found := _TYPES.get(f"{kind}:{key}", ""))}


def hash_type(algorithm: str) -> str:
    """Return the ThreatQ type of the hashes called *algorithm*, or an empty string."""
    return _HASHES.get(algorithm.lower(), "")
