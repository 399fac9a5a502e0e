"""Read the parts of an Office package: a ZIP that counts as one document.

The standard library's zipfile, streamed and counted. Every entry of the directory is read, also a
second one of the same name: which of the two a program shows is not for us to guess.
"""

from __future__ import annotations

import io
import lzma
import struct
import sys
import zipfile
import zlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tqimap_processor.artefact import Problem


if TYPE_CHECKING:
    from collections.abc import Iterator

    from tqimap_processor.openers.source import Source


_STEP = 65_536
_IS_ENCRYPTED = 1
_BROKEN = (
    zipfile.BadZipFile,
    zlib.error,
    lzma.LZMAError,
    struct.error,
    EOFError,
    OSError,
    ValueError,
    # a password is wanted, or the method is unknown
    RuntimeError,
)


@dataclass(frozen=True, slots=True)
class Package:
    """The parts that could be read, in the directory's order, and what was wrong."""

    parts: tuple[tuple[str, bytes], ...] = field(default=(), repr=False)
    problems: tuple[Problem, ...] = ()


def read(source: Source) -> Package:
    """Return the parts of the package in *source*, at most its room in bytes."""
    if source.data.count(b"PK\x01\x02") > source.limits.archive_entries:
        return Package(problems=(Problem("too-many", "parts"),))
    try:
        with zipfile.ZipFile(io.BytesIO(source.data)) as archive:
            problems: dict[Problem, None] = {}
            parts = tuple(_parts(archive, source, problems))
    except _BROKEN as error:
        return Package(problems=(Problem("malformed", type(error).__name__),))
    return Package(parts, tuple(problems))


def _parts(
    archive: zipfile.ZipFile, source: Source, problems: dict[Problem, None]
) -> Iterator[tuple[str, bytes]]:
    room = source.room
    for info in archive.infolist():
        if info.filename.endswith("/"):
            continue
        if info.flag_bits & _IS_ENCRYPTED:
            problems.setdefault(Problem("encrypted", "a part"))
            continue
        most = min(room, source.limits.artefact)
        data, problem = _content(archive, info, most)
        if problem:
            problems.setdefault(problem)
        room -= len(data)
        yield info.orig_filename.replace("\\", "/").lstrip("/"), data
        if room <= 0:
            problems.setdefault(Problem("too-large", "parts left out"))
            return


def _content(
    archive: zipfile.ZipFile, info: zipfile.ZipInfo, most: int
) -> tuple[bytes, Problem | None]:
    # read to the true end of the stream, whatever size the directory claims
    info.file_size = sys.maxsize
    out = bytearray()
    try:
        with archive.open(info) as stream:
            while step := stream.read(min(_STEP, most + 1 - len(out))):
                out += step
                if len(out) > most:
                    return bytes(out[:most]), Problem("truncated", "a part")
    except _BROKEN as error:
        return bytes(out), Problem("malformed", type(error).__name__)
    return bytes(out), None
