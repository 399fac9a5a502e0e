"""Open what is one compressed file: gzip, bzip2, xz, lzma, zstd.

The standard library's decompressors, and zstandard, which the queue needs anyway: all of them can
be asked for a piece at a time, so a bomb costs one piece more than the room there is.
"""

from __future__ import annotations

import bz2
import io
import lzma
import re
import zlib
from dataclasses import replace
from typing import TYPE_CHECKING, Protocol

import zstandard

from tqimap_processor.artefact import Child, Opened, Problem


if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tqimap_processor.openers.source import Source


_STEP = 65_536
_EITHER = 47  # zlib's own header or gzip's
_ZLIB = re.compile(rb"x[\x01\x5e\x9c\xda]")
_FLAGS, _HAS_EXTRA, _HAS_NAME = 3, 4, 8
_HEAD = 10
_BROKEN = (zlib.error, lzma.LZMAError, zstandard.ZstdError, EOFError, OSError, ValueError)


class _Engine(Protocol):
    """Decompresses one member, a piece at a time, as bz2 and lzma do."""

    def decompress(self, data: bytes, max_length: int = ..., /) -> bytes: ...
    @property
    def eof(self) -> bool: ...
    @property
    def needs_input(self) -> bool: ...
    @property
    def unused_data(self) -> bytes: ...


class _Inflate:
    """zlib in the manners of bz2 and lzma."""

    def __init__(self) -> None:
        self._inflate = zlib.decompressobj(_EITHER)

    def decompress(self, data: bytes, max_length: int = 0, /) -> bytes:
        return self._inflate.decompress(self._inflate.unconsumed_tail + data, max_length)

    @property
    def eof(self) -> bool:
        return self._inflate.eof

    @property
    def needs_input(self) -> bool:
        return not self._inflate.unconsumed_tail

    @property
    def unused_data(self) -> bytes:
        return self._inflate.unused_data


def open_gzip(source: Source) -> Opened:
    """Return what *source* holds, under the name that its header tells."""
    return _opened(source, _members(_Inflate, b"\x1f\x8b", source), _stored_name(source.data))


def open_activemime(source: Source) -> Opened:
    """Return what *source*, a part of a web page that Office saved, holds."""
    start = found.start() if (found := _ZLIB.search(source.data)) else len(source.data)
    packed = replace(source, data=source.data[start:])
    return _opened(source, _members(_Inflate, b"\x1f\x8b", packed))


def open_bzip2(source: Source) -> Opened:
    """Return what *source* holds."""
    return _opened(source, _members(bz2.BZ2Decompressor, b"BZh", source))


def open_xz(source: Source) -> Opened:
    """Return what *source*, an .xz or an .lzma, holds."""

    def engine() -> _Engine:
        return lzma.LZMADecompressor(memlimit=source.limits.dictionary)

    return _opened(source, _members(engine, b"\xfd7zXZ\0", source))


def open_zstd(source: Source) -> Opened:
    """Return what *source* holds."""
    return _opened(source, _frames(source.data, source.limits.dictionary))


def _opened(source: Source, pieces: Iterator[bytes], name: str = "") -> Opened:
    """Gather *pieces* until they end or break, or the room is full."""
    room = min(source.room, source.limits.artefact)
    out, problems = bytearray(), []
    try:
        for piece in pieces:
            out += piece
            if len(out) > room:
                problems.append(Problem("truncated", f"after {room} bytes"))
                break
    except _BROKEN as error:
        problems.append(Problem("malformed", type(error).__name__))
    if not out and problems:
        return Opened(problems=tuple(problems))
    return Opened((), (Child(name, bytes(out[:room]), "archive-entry", "", tuple(problems)),))


def _members(new: Callable[[], _Engine], magic: bytes, source: Source) -> Iterator[bytes]:
    """Yield the content of the members of *source*, one after the other, in small pieces."""
    data, position, rest = source.data, 0, b""
    for number in range(source.limits.archive_entries):
        if number and not rest.startswith(magic):
            if rest.strip(b"\0"):
                raise EOFError
            return
        engine = new()
        while not engine.eof:
            if not rest and engine.needs_input:
                rest = data[position : position + _STEP]
                position += len(rest)
            piece = engine.decompress(rest, _STEP)
            if not piece and not rest and not engine.eof:
                raise EOFError
            rest = b""
            yield piece
        rest = engine.unused_data
        if len(rest) < len(magic):
            rest += data[position : position + _STEP]
            position += _STEP
    raise EOFError


def _frames(data: bytes, window: int) -> Iterator[bytes]:
    """Yield the content of all zstd frames in *data*, in small pieces."""
    engine = zstandard.ZstdDecompressor(max_window_size=window)
    total = 0
    with engine.stream_reader(io.BytesIO(data), read_across_frames=True) as stream:
        while piece := stream.read(_STEP):
            total += len(piece)
            yield piece
    # the stream ends without a word where the data does
    if total < zstandard.frame_content_size(data):
        raise EOFError


def _stored_name(data: bytes) -> str:
    """Return the name in a gzip header (RFC 1952), which is Latin-1, or an empty string."""
    head = data[: _HEAD + _STEP + 2]
    if len(head) < _HEAD + 2 or not head[_FLAGS] & _HAS_NAME:
        return ""
    start = _HEAD
    if head[_FLAGS] & _HAS_EXTRA:
        start += 2 + int.from_bytes(head[_HEAD : _HEAD + 2], "little")
    return head[start : start + 1024].partition(b"\0")[0].decode("latin-1")
