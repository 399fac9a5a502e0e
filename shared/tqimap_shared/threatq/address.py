"""Where an appliance is: turn what a person typed into the base of all its addresses."""

from __future__ import annotations

from ipaddress import AddressValueError, IPv6Address
from urllib.parse import urlsplit

from tqimap_shared.errors import SettingsError


SUBJECT = "threatq.host"


def address(host: str) -> str:
    """Return `https://host[:port]` for a host name, an address or a URL.

    ThreatQ speaks HTTPS only, so any other scheme is refused. Raises SettingsError.
    """
    text = host.strip()
    if not text:
        raise SettingsError(SUBJECT, "is empty; give the name or address of the appliance.")
    text = _bracketed(text)
    if "://" not in text:
        text = f"https://{text}"
    try:
        parts = urlsplit(text)
        name, port = parts.hostname, parts.port
    except ValueError:
        raise SettingsError(SUBJECT, "is no host name with an optional port.") from None
    if parts.scheme != "https":
        raise SettingsError(SUBJECT, f"must be https, not {parts.scheme}.")
    if not name or any(c.isspace() for c in name):
        raise SettingsError(SUBJECT, "is no host name with an optional port.")
    if parts.username is not None or parts.query or parts.fragment:
        raise SettingsError(SUBJECT, "must not carry a user, a query or a fragment.")
    if parts.path.rstrip("/") not in {"", "/api"}:
        raise SettingsError(SUBJECT, "must be a host without a path.")
    shown = f"[{name}]" if ":" in name else name
    return f"https://{shown}" + (f":{port}" if port not in {None, 443} else "")


def _bracketed(text: str) -> str:
    try:
        return f"[{IPv6Address(text)}]"
    except AddressValueError:
        return text
