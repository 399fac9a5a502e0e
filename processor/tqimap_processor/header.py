"""Find the header block of a mail, and cut it to the limits within which it may be parsed.

Cut, and not refused: else whoever puts 64 KB of nothing into one field keeps all of us from reading
the rest of the mail. What says how to read the mail and whom it is from comes first, then whom it
is to, then the other fields from the top. Time and memory are linear in the size of the mail.
"""

from __future__ import annotations

import re
from itertools import chain, islice
from typing import TYPE_CHECKING

from tqimap_processor.artefact import Problem


if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from tqimap_shared.settings import Limits


OVER_LIMIT = "over-limit"
RECIPIENTS = ("to", "cc", "bcc", "delivered-to", "x-original-to", "envelope-to")
_FIRST = ("content-[a-z-]{1,30}", "mime-version", "from", "sender", "subject", "date", "message-id")
_ENDS = (b"\r\n\r\n", b"\n\r\n", b"\n\n", b"\r\n\n", b"\r\r")


def _fields(*names: str) -> re.Pattern[bytes]:
    # a bound on the lines, because re keeps a place in memory for each
    return re.compile(
        rf"(?im)^(?:{'|'.join(names)})[ \t]*+:[^\n]*+(?:\n[ \t][^\n]*+){{0,5000}}\n?".encode()
    )


_IN_ORDER = (_fields(*_FIRST), _fields(*RECIPIENTS))
_WANTED = _fields(*_FIRST, *RECIPIENTS)


def block(raw: bytes) -> bytes:
    """Return the header block of *raw*, without the empty line that ends it."""
    end = len(raw)
    for mark in _ENDS:
        found = raw.find(mark, 0, end + len(mark))
        end = end if found < 0 else min(end, found)
    return raw[:end]


def over(head: bytes, limits: Limits) -> Problem | None:
    """Name the first limit that the header block *head* breaks, or nothing."""
    if len(head) > limits.header_bytes:
        return Problem(OVER_LIMIT, f"{len(head)} bytes of header")
    lines = head.splitlines(keepends=True)
    if len(lines) > limits.header_lines:
        return Problem(OVER_LIMIT, f"{len(lines)} header lines")
    if len(head) <= limits.field_bytes:
        return None
    size = 0
    for line in lines:
        size = size + len(line) if line[:1] in b" \t" else len(line)
        if size > limits.field_bytes:
            return Problem(OVER_LIMIT, f"a header field of more than {limits.field_bytes} bytes")
    return None


def cut(head: bytes, limits: Limits) -> bytes:
    """Return the header block *head* within the limits: itself if it is."""
    if over(head, limits) is None:
        return head
    wanted = chain.from_iterable(one.finditer(head) for one in _IN_ORDER)
    others = _WANTED.sub(b"", head[: limits.header_bytes])
    lines = chain((line for field in wanted for line in field[0].split(b"\n")), others.split(b"\n"))
    # old Macs' line ends count as lines, too
    whole = b"\n".join(_within(lines, limits)).replace(b"\r", b" ")
    return whole if over(whole, limits) is None else b""


def _within(lines: Iterable[bytes], limits: Limits) -> Iterator[bytes]:
    """Yield *lines* without what is over a limit, and without empty ones."""
    total = field = 0
    full = (line.rstrip(b"\r") for line in lines)
    for line in islice(filter(bytes.strip, full), limits.header_lines):
        field = field if line[:1] in b" \t" else 0
        room = min(limits.field_bytes - field, limits.header_bytes - total) - 1
        if room > 0:
            yield line[:room]
        field += len(line) + 1
        total += max(0, min(room, len(line)) + 1)
