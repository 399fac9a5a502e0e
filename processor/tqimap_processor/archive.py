"""Read mails out of files, directories, Maildirs and mboxes, with one of them in memory at a time.

Not by the standard library's mailbox: it reads a whole mbox before it gives the first mail, bounds
none, and leaves `>From ` as it is. Line ends become those of a mail server, so that a mail from an
archive is recognised if it was fetched, too.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, TYPE_CHECKING


if TYPE_CHECKING:
    from collections.abc import Iterator

TOO_LARGE = "too large"
NO_MAIL = "no mail"
UNREADABLE = "unreadable"
_LINE = 65_536  # bytes of a line that are read at once
_FIELD = re.compile(rb"[!-9;-~]{1,200}[ \t]*:")
_SEPARATOR = re.compile(rb"From \S+\s.*\d{4}")
_QUOTED = re.compile(rb">+From ")
_BARE = re.compile(rb"(?<!\r)\n")
_MAILDIR = {"cur", "new"}


@dataclass(frozen=True, slots=True)
class Piece:
    """A mail of a file, the *number*th; or why it is none: then *raw* is empty."""

    path: Path
    number: int
    raw: bytes = field(default=b"", repr=False)
    fault: str = ""


def files(path: Path) -> Iterator[Path]:
    """Yield the files that may hold mails, in the order of their names; links are not followed."""
    if not path.is_dir():
        yield path
        return
    for directory, below, names in os.walk(path):
        if set(below) >= _MAILDIR:
            names.clear()  # the indexes of a mail server
            below[:] = [name for name in below if name != "tmp"]
        below.sort()
        for one in (Path(directory, name) for name in sorted(names)):
            if one.is_file() and not one.is_symlink():
                yield one


def pieces(path: Path, *, most: int) -> Iterator[Piece]:
    """Yield the mails of a file; of one larger than *most* bytes only that it is so."""
    try:
        with path.open("rb") as file:
            first = file.readline(_LINE)
            if _SEPARATOR.match(first):
                yield from _split(path, file, most)
            elif _FIELD.match(first):
                yield _judged(path, 1, first + file.read(most + 1 - len(first)), most)
            else:
                yield Piece(path, 1, fault=NO_MAIL)
    except OSError:
        yield Piece(path, 1, fault=UNREADABLE)


def _split(path: Path, file: IO[bytes], most: int) -> Iterator[Piece]:
    """Yield the mails of an mbox whose first separator has been read."""
    mail, number, begins, blank = bytearray(), 1, True, False
    while line := file.readline(_LINE):
        if begins and blank and _SEPARATOR.match(line):
            yield _judged(path, number, _without_blank(mail), most)
            mail, number, blank = bytearray(), number + 1, False
            continue
        blank = begins and line in {b"\n", b"\r\n"}
        if len(mail) <= most:  # what is too large already need not grow
            mail += line[1:] if begins and _QUOTED.match(line) else line
        begins = line.endswith(b"\n")
    yield _judged(path, number, _without_blank(mail), most)


def _without_blank(mail: bytearray) -> bytes:
    """Take off the blank line that ends a mail in an mbox."""
    for end in (b"\r\n\r\n", b"\n\n"):
        if mail.endswith(end):
            return bytes(mail[: -len(end) // 2])
    return bytes(mail)


def _judged(path: Path, number: int, raw: bytes, most: int) -> Piece:
    raw = _as_sent(raw) if len(raw) <= most else raw
    if len(raw) > most:
        return Piece(path, number, fault=TOO_LARGE)
    return Piece(path, number, raw) if _FIELD.match(raw) else Piece(path, number, fault=NO_MAIL)


def _as_sent(raw: bytes) -> bytes:
    """Give lines the ends that a mail server would; a mail that has them stays as it is."""
    if raw.partition(b"\n")[0].endswith(b"\r"):
        return raw
    return _BARE.sub(b"\r\n", raw)
