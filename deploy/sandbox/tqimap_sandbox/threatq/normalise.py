"""Bring values into the library's form: the key two posts of one thing share, and `normalize`.

The real server's rule for the key is unknown; here values of the types below differ by case alone
never, others do.
"""

from __future__ import annotations

import hashlib
import ipaddress
import re
from dataclasses import dataclass


_CASELESS = {
    *("ASN", "CIDR Block", "CVE", "Email Address", "FQDN", "IPv6 Address", "MAC Address", "MD5"),
    *("SHA-1", "SHA-256", "SHA-384", "SHA-512"),
}
_SCHEME = re.compile(r"^(https?|ftps?)://", re.IGNORECASE)
_PORT = re.compile(r"^(?P<host>[^/:]+):(?P<port>\d{1,5})$")
_REFANGS = (("[.]", "."), ("(.)", "."), ("[dot]", "."), ("[:]", ":"), ("[at]", "@"), ("[@]", "@"))
_URLS = {"URL", "FQDN", "IP Address"}


@dataclass(frozen=True, slots=True)
class Normal:
    """A normalised value: its type's name may have changed, what was cut is in *attributes*."""

    type: str
    value: str
    attributes: tuple[tuple[str, str], ...] = ()


def key(type_name: str, value: str) -> str:
    """Return the `hash` that one type and value always have: 32 hexadecimal digits."""
    same = value.strip().lower() if type_name in _CASELESS else value.strip()
    text = f"{type_name}|{same}".encode()
    return hashlib.md5(text, usedforsecurity=False).hexdigest()


def normalise(type_name: str, value: str) -> Normal:
    """Refang, unquote, cut scheme, port and query string, and call a bare host what it is."""
    value = value.strip().strip("\"'").strip()
    for defanged, clear in _REFANGS:
        value = value.replace(defanged, clear)
    if type_name not in _URLS:
        return Normal(type_name, value)
    value = value.replace(" ", "")
    found = _SCHEME.match(value)
    attributes = [("Scheme", found.group(1).lower())] if found else []
    value = _SCHEME.sub("", value).partition("?")[0]
    ported = _PORT.match(value)
    if ported:
        value = ported["host"]
        attributes.append(("Port", ported["port"]))
    return Normal(_host_type(type_name, value), value, tuple(attributes))


def _host_type(type_name: str, value: str) -> str:
    if type_name == "URL" and "/" in value.rstrip("/"):
        return type_name
    try:
        ipaddress.IPv4Address(value.rstrip("/"))
    except ValueError:
        return "FQDN"
    return "IP Address"


def derived(value: str) -> Normal:
    """Return the host of a URL as an indicator of its own."""
    host = _SCHEME.sub("", value).partition("/")[0].partition(":")[0]
    return Normal(_host_type("URL", host), host)
