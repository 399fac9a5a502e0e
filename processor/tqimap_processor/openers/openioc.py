"""Read the types that OpenIOC gives the content of its items (`Context/@search`)."""

from __future__ import annotations

from typing import TYPE_CHECKING


if TYPE_CHECKING:
    from tqimap_processor.openers.xmldoc import Element


_TYPES = {
    "FileItem/Md5sum": "MD5",
    "FileItem/Sha1sum": "SHA-1",
    "FileItem/Sha256sum": "SHA-256",
    "FileItem/FileName": "Filename",
    "FileItem/FullPath": "File Path",
    "FileItem/FilePath": "File Path",
    "DnsEntryItem/Host": "FQDN",
    "DnsEntryItem/RecordName": "FQDN",
    "Network/DNS": "FQDN",
    "Network/UserAgent": "User-agent",
    "Network/URI": "",
    "PortItem/remoteIP": "IP Address",
    "PortItem/RemoteIpAddress": "IP Address",
    "RouteEntryItem/Destination": "IP Address",
    "UrlHistoryItem/URL": "URL",
    "UrlHistoryItem/HostName": "FQDN",
    "RegistryItem/Path": "Registry Key",
    "RegistryItem/KeyPath": "Registry Key",
    "ProcessItem/HandleList/Handle/Name": "Mutex",
    "ProcessItem/name": "Filename",
    "Email/From": "Email Address",
    "Email/Subject": "Email Subject",
    "Email/Attachment/Name": "Filename",
    "ModuleItem/ModulePath": "File Path",
}


def typed(element: Element, parent: Element, text: str) -> list[tuple[str, str]]:
    """Return (type, value) of the content of an item that must be equal; else nothing."""
    if element.name != "Content" or "search" not in element.before:
        return []
    if parent.attributes.get("condition", "is") != "is":
        return []
    kind = _TYPES.get(element.before["search"], "")
    return [(kind, text)] if kind else []
