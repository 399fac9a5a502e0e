"""Make a file name out of what a mail calls its attachment: evidence, never a path."""

from __future__ import annotations

import re
import unicodedata


LONGEST = 120  # bytes; leaves room for a prefix in the 255 that file systems allow
_LONGEST_SUFFIX = 20  # bytes
UNNAMED = "unnamed"
_UNFIT = re.compile(r'[/\\:*?"<>|]')


def safe(name: str) -> str:
    """Return *name* as a single path component that any file system and terminal can bear.

    Only the last component counts; control and direction characters go, so does a leading dot.
    The suffix survives shortening.
    """
    last = re.split(r"[/\\]", unicodedata.normalize("NFC", name).rstrip("/\\"))[-1]
    shown = "".join(c for c in last if unicodedata.category(c)[0] not in "CZ" or c == " ")
    text = _UNFIT.sub("_", shown).strip(" .")
    return _shortened(text) or UNNAMED


def _shortened(text: str) -> str:
    if len(text.encode()) <= LONGEST:
        return text
    stem, dot, suffix = text.rpartition(".")
    if not stem or len(suffix.encode()) > _LONGEST_SUFFIX:
        stem, dot, suffix = text, "", ""
    room = LONGEST - len((dot + suffix).encode())
    return stem.encode()[:room].decode(errors="ignore").rstrip(" .") + dot + suffix
