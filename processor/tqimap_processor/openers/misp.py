"""Read the types that MISP gives the attributes of its events.

Our own table of the types that ThreatQ has too: PyMISP parses nothing that a walk does not.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any


if TYPE_CHECKING:
    from collections.abc import Iterator


_TYPES = {
    "ip-src": "IP Address",
    "ip-dst": "IP Address",
    "ip": "IP Address",
    "domain": "FQDN",
    "hostname": "FQDN",
    "url": "URL",
    "link": "",
    "uri": "",
    "email": "Email Address",
    "email-src": "Email Address",
    "email-dst": "Email Address",
    "email-reply-to": "Email Address",
    "whois-registrant-email": "Email Address",
    "email-subject": "Email Subject",
    "email-x-mailer": "X-Mailer",
    "md5": "MD5",
    "sha1": "SHA-1",
    "sha256": "SHA-256",
    "sha384": "SHA-384",
    "sha512": "SHA-512",
    "ssdeep": "Fuzzy Hash",
    "filename": "Filename",
    "email-attachment": "Filename",
    "regkey": "Registry Key",
    "mutex": "Mutex",
    "user-agent": "User-agent",
    "vulnerability": "CVE",
    "AS": "ASN",
    "mac-address": "MAC Address",
    "port": "",
    "value": "",
}


def is_attribute(item: dict[str, Any]) -> bool:
    """Say whether *item* looks like a MISP attribute with a single value."""
    return (
        isinstance(item.get("type"), str)
        and isinstance(item.get("value"), str)
        and ("to_ids" in item or "category" in item or "object_relation" in item)
    )


def values(item: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield (type, value) of the attribute *item*: two for a pair like `filename|md5`."""
    kinds, value = item["type"].split("|"), item["value"]
    parts = value.split("|", 1) if len(kinds) == 2 else [value]
    for kind, part in zip(kinds, parts, strict=False):
        yield _TYPES.get(kind, ""), part
