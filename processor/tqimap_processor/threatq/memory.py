"""What the processes of one worker know of ThreatQ together, whichever of them learned it.

A worker has a new process for each mail; each would log in and read the same tables again. An
anonymous shared mapping, because it needs no file, ends with its processes, and its writer may be
killed at any moment: what is half written does not match its digest and counts as nothing.
"""

from __future__ import annotations

import hashlib
import json
import mmap
from typing import TYPE_CHECKING


if TYPE_CHECKING:
    from tqimap_shared.threatq import Record

SIZE = 256 * 1024  # bytes; a token and both tables take a few thousand
_HEAD = 36  # bytes: a SHA-256, and four that hold the length of what follows


class Memory:
    """A note that the process which made it and all its children read and replace."""

    def __init__(self) -> None:
        self._mapping = mmap.mmap(-1, SIZE)

    def write(self, note: Record) -> None:
        """Replace the note; one too long to be kept leaves none."""
        body = json.dumps(note).encode()
        if len(body) > SIZE - _HEAD:
            body = b"{}"
        head = hashlib.sha256(body).digest() + len(body).to_bytes(4, "big")
        self._mapping[: _HEAD + len(body)] = head + body

    def read(self) -> Record:
        """Return the note, empty if there is none."""
        digest, size = self._mapping[:32], int.from_bytes(self._mapping[32:_HEAD], "big")
        body = self._mapping[_HEAD : _HEAD + size]
        if hashlib.sha256(body).digest() != digest:
            return {}
        note = json.loads(body)
        return note if isinstance(note, dict) else {}
