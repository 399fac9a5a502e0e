"""What the fetcher hands over: raw RFC 822 bytes, named once."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from urllib.parse import quote


@dataclass(frozen=True, slots=True)
class Location:
    """Where a mail was seen; says only what has been fetched, never what a mail is."""

    mailbox: str
    folder: str
    uidvalidity: int
    uid: int


def place(mailbox: str, folder: str, uidvalidity: int) -> str:
    """Name a folder's generation in Redis: names percent-encoded, joined by colons."""
    return f"{quote(mailbox, safe='')}:{quote(folder, safe='')}:{uidvalidity}"


@dataclass(frozen=True, slots=True)
class Envelope:
    """A raw mail and its name: *sha256* in hexadecimal is its identity everywhere.

    *packed* is the mail as the ledger stores it, if that has been made already.
    """

    location: Location
    raw: bytes = field(repr=False)
    sha256: str
    packed: bytes = field(default=b"", repr=False, compare=False)

    @classmethod
    def seal(cls, location: Location, raw: bytes, packed: bytes = b"") -> Envelope:
        """Name *raw*, which was found at *location*."""
        return cls(location, raw, hashlib.sha256(raw).hexdigest(), packed)
