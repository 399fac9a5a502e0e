"""Read the types that STIX 1 gives its observables (CybOX objects in XML)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tqimap_processor import typed as judged


if TYPE_CHECKING:
    from collections.abc import Sequence

    from tqimap_processor.openers.xmldoc import Element


_COMMA = "##comma##"
_ADDRESSES = {
    "": "IP Address",
    "ipv4-addr": "IP Address",
    "ipv6-addr": "IPv6 Address",
    "ipv4-net": "CIDR Block",
    "cidr": "CIDR Block",
    "e-mail": "Email Address",
    "mac": "MAC Address",
    "asn": "ASN",
}
# by the object's type without its prefix, and the element
_TYPES = {
    ("DomainNameObjectType", "Value"): "FQDN",
    ("HostnameObjectType", "Hostname_Value"): "FQDN",
    ("FileObjectType", "File_Name"): "Filename",
    ("FileObjectType", "File_Path"): "File Path",
    ("FileObjectType", "Full_Path"): "File Path",
    ("MutexObjectType", "Name"): "Mutex",
    ("WindowsMutexObjectType", "Name"): "Mutex",
    ("WindowsRegistryKeyObjectType", "Key"): "Registry Key",
    ("EmailMessageObjectType", "Subject"): "Email Subject",
    ("EmailMessageObjectType", "X_Mailer"): "X-Mailer",
    ("HTTPSessionObjectType", "User_Agent"): "User-agent",
    ("LinkObjectType", "Value"): "URL",
}


def typed(element: Element, parents: Sequence[Element], text: str) -> list[tuple[str, str]]:
    """Return (type, value) of each value in an element of a CybOX object; else nothing."""
    if element.attributes.get("condition", "Equals") != "Equals":
        return []
    kind = _type(element, parents, text)
    return [(kind, one.strip()) for one in text.split(_COMMA)] if kind else []


def _type(element: Element, parents: Sequence[Element], text: str) -> str:
    if element.name in {"Simple_Hash_Value", "Fuzzy_Hash_Value"}:
        fuzzy = element.name.startswith("Fuzzy")
        return "Fuzzy Hash" if fuzzy else judged.digest(text.partition(_COMMA)[0])
    for parent in reversed(parents[-8:]):
        kind = parent.attributes.get("xsi:type", "").rpartition(":")[2]
        if not kind.endswith("ObjectType"):
            continue
        if kind == "AddressObjectType" and element.name == "Address_Value":
            return _ADDRESSES.get(parent.attributes.get("category", ""), "")
        if kind == "URIObjectType" and element.name == "Value":
            is_name = parent.attributes.get("type", "URL") == "Domain Name"
            return "FQDN" if is_name else "URL"
        return _TYPES.get((kind, element.name), "")
    return ""
