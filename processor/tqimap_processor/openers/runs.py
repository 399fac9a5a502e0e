"""Find the text in binary data: runs of printable characters, one or two bytes each."""

from __future__ import annotations

import re


# Latin to Cyrillic and Arabic, two bytes a character; a run of them is no accident
_WIDE = re.compile(rb"(?:[\t\n\r\x20-\x7e\xa0-\xff]\0|[\x04-\x7f]\x01|[\x01-\xff][\x03-\x06]){4,}")
_NARROW = re.compile(rb"[\t\n\r\x20-\x7e\xa0-\xfe]{6,}")
# what has no piece of a word in it are numbers that look like letters
_WORD = re.compile(rb"[A-Za-z0-9]{3}")
_TELLING = re.compile(rb"(?i)://|www\.|@|\\\\|[a-z]:\\")


def text(data: bytes, *, telling: bool = False) -> str:
    """Return the runs of text in *data*, one a line; only *telling* ones where it holds pictures.

    Linear in the size of *data*.
    """
    wide = [hit[0] for hit in _WIDE.finditer(data)]
    narrow = [hit[0] for hit in _NARROW.finditer(data) if _WORD.search(hit[0])]
    if telling:
        wide = [one for one in wide if _TELLING.search(one.replace(b"\0", b""))]
        narrow = [one for one in narrow if _TELLING.search(one)]
    pieces = [one.decode("utf-16-le", "replace") for one in wide]
    pieces += [one.decode("cp1252", "replace") for one in narrow]
    return "\n".join(pieces).replace("\r", "\n").strip()
