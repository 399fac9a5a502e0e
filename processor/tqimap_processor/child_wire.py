"""The line between worker and locked-in child: frames of JSON and bytes, bounded and checked.

Not pickle, which runs what it reads: a child taken over by a mail must not run anything in the
worker. A frame is two lengths, a JSON object, and bytes that it may speak of.
"""

from __future__ import annotations

import json
import struct
from typing import TYPE_CHECKING, Any, TypeVar


if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    Frame = tuple[dict[str, Any], bytes]

HEAD = struct.Struct("!II")
MOST_FIELDS = 8 * 2**20  # bytes of JSON in a frame
BATCH = 250_000  # characters that are put into one frame, before escaping
_T = TypeVar("_T")


class WireError(Exception):
    """What came over the line is not what was agreed."""


def pack(fields: dict[str, Any], data: bytes = b"") -> bytes:
    """Return the frame of *fields* and *data*, without the data, which follows it as it is.

    Raises WireError if there are too many fields.
    """
    text = json.dumps(fields).encode()
    if len(text) > MOST_FIELDS:
        raise WireError("fields")
    return HEAD.pack(len(text), len(data)) + text


def unpack(read: Callable[[int], bytes], room: int) -> Frame:
    """Read a frame by *read*, which returns exactly as many bytes as asked for.

    Raises WireError unless it is a frame with at most *room* bytes of data.
    """
    fields, data = HEAD.unpack(read(HEAD.size))
    if fields > MOST_FIELDS or data > room:
        raise WireError("length")
    try:
        decoded = json.loads(read(fields))
    except (ValueError, RecursionError):
        raise WireError("JSON") from None
    return checked(decoded, dict), read(data)


def checked(value: object, kind: type[_T]) -> _T:
    """Return *value* if it is exactly a *kind*; raises WireError."""
    if type(value) is not kind:
        raise WireError(kind.__name__)
    return value


def text(value: object, most: int) -> str:
    """Return *value* if it is a text of at most *most* characters; raises WireError."""
    if len(string := checked(value, str)) > most:
        raise WireError("length")
    return string


def number(value: object, least: int, most: int) -> int:
    """Return *value* if it is an integer from *least* to *most*; raises WireError."""
    if not least <= (integer := checked(value, int)) <= most:
        raise WireError("number")
    return integer


def sequence(value: object, most: int) -> list[Any]:
    """Return *value* if it is a list of at most *most* items; raises WireError."""
    if len(items := checked(value, list)) > most:
        raise WireError("length")
    return items


def row(value: object, length: int) -> list[Any]:
    """Return *value* if it is a list of exactly *length* items; raises WireError."""
    if len(items := sequence(value, length)) != length:
        raise WireError("length")
    return items


def join(texts: Sequence[str]) -> tuple[list[int], bytes]:
    """Return the lengths of *texts* and all of them as bytes."""
    return [len(one) for one in texts], "".join(texts).encode("utf-8", "surrogatepass")


def split(lengths: Sequence[int], data: bytes) -> list[str]:
    """Return the texts that `join` joined; raises WireError."""
    try:
        whole = data.decode("utf-8", "surrogatepass")
    except UnicodeDecodeError:
        raise WireError("text") from None
    if sum(lengths) != len(whole):
        raise WireError("length")
    ends, texts = 0, []
    for length in lengths:
        texts.append(whole[ends : ends + length])
        ends += length
    return texts
