"""Open ZIP archives with the standard library, streamed and counted.

Nothing is extracted to a disk and no path is made of a name. Sizes in the directory are claims:
what counts is what comes out, in steps, until the room is used up. Entries in ways that the library
does not know are asked of 7zz.
"""

from __future__ import annotations

import io
import lzma
import struct
import sys
import zipfile
import zlib
from itertools import pairwise
from typing import TYPE_CHECKING

from tqimap_processor import charset
from tqimap_processor.artefact import Child, Opened, Problem, Span
from tqimap_processor.openers.sevenzip import NEEDED
from tqimap_processor.passwords import CUSTOMARY


if TYPE_CHECKING:
    from collections.abc import Iterator

    from tqimap_processor.openers.source import Source


_STEP = 65_536
_ENTRY = b"PK\x01\x02"
_LOCAL_HEADER = 30
_LOCAL, _DIRECTORY_END = b"PK\x03\x04", b"PK\x05\x06"
_END_SIZE, _LONGEST_END = 22, 65_557
# files that go on being what they are with a ZIP behind them
CARRIERS = frozenset(
    {
        "pdf",
        "lnk",
        "png",
        "jpeg",
        "gif",
        "bmp",
        "ico",
        "webp",
        "tiff",
        "html",
        "text",
        "rtf",
        "gzip",
    }
)
_IS_ENCRYPTED = 1
_IS_UTF8 = 0x800
# the others, AES encryption among them, are left to 7zz
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA)
_BROKEN = (
    zipfile.BadZipFile,
    zlib.error,
    lzma.LZMAError,
    struct.error,
    EOFError,
    OSError,
    ValueError,
    NotImplementedError,
    # encrypted, and too short for that
    IndexError,
)


def appended(data: bytes) -> Child | None:
    """Return the ZIP that ends *data*, which begins as something else, or None."""
    start = _start(data)
    return Child("", data[start:], "appended") if start > 0 else None


def _start(data: bytes) -> int:
    """Return where the ZIP begins that ends *data*; 0 where none does."""
    end = data.rfind(_DIRECTORY_END, -_LONGEST_END)
    if end < 0 or end + _END_SIZE > len(data):
        return 0
    size, offset, comment = struct.unpack_from("<IIH", data, end + 12)
    start = end - size - offset
    ends_it = end + _END_SIZE + comment == len(data)
    return start if ends_it and start > 0 and data.startswith(_LOCAL, start) else 0


def open_zip(source: Source) -> Opened:
    """Return the entries of *source* as children, each with what is wrong with it."""
    entries = source.data.count(_ENTRY)
    if entries > source.limits.archive_entries:
        return Opened(problems=(Problem("too-many", f"{entries} entries"),))
    try:
        archive = zipfile.ZipFile(io.BytesIO(source.data))
    except _BROKEN as error:
        return Opened(problems=(Problem("malformed", type(error).__name__), NEEDED))
    with archive:
        opened = _Unpacking(archive, source).opened()
    if not (start := _start(source.data)):
        return opened
    # readers differ in which of several archives they show
    before = Child("", source.data[:start], "prepended")
    return Opened(opened.spans, (*opened.children, before), opened.problems)


class _Unpacking:
    """One archive being unpacked: what room, passwords and decryption are left."""

    def __init__(self, archive: zipfile.ZipFile, source: Source) -> None:
        self._archive = archive
        self._limits = source.limits
        self._room = source.room
        self._decryption = source.limits.encrypted
        words = dict.fromkeys((*CUSTOMARY, *source.passwords))
        self._passwords = [word.encode() for word in words][: source.limits.passwords]

    def opened(self) -> Opened:
        # is_dir() fails on an empty name
        files = [info for info in self._archive.infolist() if not info.filename.endswith("/")]
        overlapping = _overlapping(files)
        children, problems = [], []
        for number, info in enumerate(files):
            if number >= self._limits.children or self._room <= 0:
                kind = "too-many" if self._room > 0 else "too-large"
                problems.append(Problem(kind, f"{len(files) - number} entries left out"))
                break
            children.append(self._child(info, overlaps=info.header_offset in overlapping))
        spans = _comments(self._archive, files)
        return Opened(tuple(spans), tuple(children), tuple(problems))

    def _child(self, info: zipfile.ZipInfo, *, overlaps: bool) -> Child:
        problems = [Problem("overlapping", "shares bytes with another entry")] if overlaps else []
        declared = info.file_size
        # read to the true end of the stream, whatever size the directory claims
        info.file_size = sys.maxsize
        if info.compress_type not in _METHODS:
            data, found = b"", [NEEDED]
        elif info.flag_bits & _IS_ENCRYPTED:
            data, found = self._decrypted(info)
        else:
            data, found = self._read(info, None, min(self._room, self._limits.artefact))
        problems += found
        if not found and len(data) != declared:
            problems.append(Problem("wrong-size", f"declares {declared}, holds {len(data)} bytes"))
        self._room -= len(data)
        return Child(_name(info), data, "archive-entry", problems=tuple(problems))

    def _decrypted(self, info: zipfile.ZipInfo) -> tuple[bytes, list[Problem]]:
        room = min(self._room, self._limits.artefact, self._decryption)
        for word in self._passwords if room > 0 else ():
            data, problems = self._read(info, word, room)
            self._decryption -= len(data)
            if not problems or (data and problems[0].kind == "truncated"):
                # the word that opened one entry opens the others
                self._passwords = [word, *(one for one in self._passwords if one != word)]
                # 7zz decrypts without this limit
                return data, [*problems, NEEDED] if problems else []
        return b"", [Problem("encrypted", "no known password opens it")]

    def _read(
        self, info: zipfile.ZipInfo, password: bytes | None, room: int
    ) -> tuple[bytes, list[Problem]]:
        out = bytearray()
        try:
            with self._archive.open(info, pwd=password) as stream:
                while step := stream.read(min(_STEP, room + 1 - len(out))):
                    out += step
                    if len(out) > room:
                        return bytes(out[:room]), [Problem("truncated", f"after {room} bytes")]
        except RuntimeError as error:
            # zipfile's word for a wrong password, and the base of NotImplementedError
            kind = "unsupported" if isinstance(error, NotImplementedError) else "encrypted"
            return b"", [Problem(kind, type(error).__name__)]
        except _BROKEN as error:
            # 7zz reads on where this library stops
            return bytes(out), [Problem("malformed", type(error).__name__), NEEDED]
        return bytes(out), []


def _name(info: zipfile.ZipInfo) -> str:
    """Return the name of an entry: many programs write UTF-8 and do not say so."""
    name = info.orig_filename
    if info.flag_bits & _IS_UTF8:
        return name
    try:
        return name.encode("cp437").decode("utf-8")
    except UnicodeError:
        return name


def _comments(archive: zipfile.ZipFile, files: list[zipfile.ZipInfo]) -> Iterator[Span]:
    if archive.comment:
        yield Span("comment", charset.decode(archive.comment))
    for number, info in enumerate(files, 1):
        if info.comment:
            yield Span(f"comment of entry {number}", charset.decode(info.comment))


def _overlapping(files: list[zipfile.ZipInfo]) -> frozenset[int]:
    """Return the header offsets of entries whose bytes reach into another entry."""
    return frozenset(_overlaps(sorted(files, key=lambda info: info.header_offset)))


def _overlaps(ordered: list[zipfile.ZipInfo]) -> Iterator[int]:
    for info, following in pairwise(ordered):
        if info.header_offset + _LOCAL_HEADER + info.compress_size > following.header_offset:
            yield from (info.header_offset, following.header_offset)
