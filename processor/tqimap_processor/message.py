"""Say whether a mail may be parsed at all, and read its envelope: who, to whom, when, what about.

mail-parser reads addresses and dates, because it recovers more of them from malformed headers than
the standard library does. It gets the header fields only, parsed once by the standard library: on
bodies it is slow, and a hostile one makes it raise.
"""

from __future__ import annotations

import hashlib
import re
from datetime import UTC, datetime
from email.message import Message as StdlibMessage
from email.utils import getaddresses, parsedate_to_datetime
from typing import TYPE_CHECKING

import mailparser

from tqimap_processor import mime
from tqimap_processor.artefact import Problem
from tqimap_processor.report import Message


if TYPE_CHECKING:
    from tqimap_shared.settings import Limits


OVER_LIMIT = "over-limit"
RECIPIENTS = ("to", "cc", "bcc", "delivered-to", "x-original-to", "envelope-to")
_WANTED = frozenset({*RECIPIENTS, "from", "sender", "reply-to", "date", "message-id"})
_HEADER_ENDS = (b"\r\n\r\n", b"\n\r\n", b"\n\n", b"\r\n\n", b"\r\r")
_BLANK_LINE = re.compile(rb"\n(?=\r?\n)")
_BOUNDARY = re.compile(rb"(?i)boundary\*?(?:0\*?)?[ \t]*=")


def header_block(raw: bytes) -> bytes:
    """Return the header block of *raw*, without the empty line that ends it."""
    end = len(raw)
    for mark in _HEADER_ENDS:
        found = raw.find(mark, 0, end + len(mark))
        end = end if found < 0 else min(end, found)
    return raw[:end]


def clean(raw: bytes) -> bytes:
    """Return *raw* without NUL bytes in its header block: a NUL makes parsers raise."""
    head = header_block(raw)
    return head.replace(b"\0", b"") + raw[len(head) :] if b"\0" in head else raw


def over_limit(raw: bytes, limits: Limits) -> Problem | None:
    """Name the first limit that *raw* breaks, or nothing. Time is linear in the size of *raw*."""
    if len(raw) > limits.raw:
        return Problem(OVER_LIMIT, f"{len(raw)} bytes of mail")
    return _over_in_header(header_block(raw), limits) or _over_in_body(raw, limits)


def _over_in_header(head: bytes, limits: Limits) -> Problem | None:
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


def _over_in_body(raw: bytes, limits: Limits) -> Problem | None:
    small = raw.lower()
    boundaries = small.count(b"boundary")
    if boundaries > limits.boundaries:
        boundaries = len(_BOUNDARY.findall(small))
    if boundaries > limits.boundaries:
        return Problem(OVER_LIMIT, f"{boundaries} boundary declarations")
    delimiters = raw.count(b"\n--") + raw.count(b"\r--")
    if delimiters > limits.delimiter_lines:
        return Problem(OVER_LIMIT, f"{delimiters} delimiter lines")
    lines = max(raw.count(b"\n"), raw.count(b"\r"))
    if lines * (boundaries + 1) > limits.line_checks:
        return Problem(OVER_LIMIT, f"{lines} lines and {boundaries} boundary declarations")
    if b"message/delivery-status" not in small:
        return None
    blank = len(_BLANK_LINE.findall(raw))
    if blank > limits.status_blank_lines:
        return Problem(OVER_LIMIT, f"{blank} blank lines with a delivery status")
    return None


def envelope(raw: bytes, limits: Limits) -> Message:
    """Read the envelope of *raw*; if its header block is over a limit, only hash and size."""
    digest = hashlib.sha256(raw).hexdigest()
    head = header_block(raw).replace(b"\0", b"")
    if _over_in_header(head, limits):
        return Message(digest, len(raw))
    root = mime.parse(head, limits.part_field_bytes)
    reader = _Reader(root)
    return Message(
        digest,
        len(raw),
        message_id=root.field("message-id"),
        subject=root.field("subject"),
        sender=next(iter(reader.addresses("from") or reader.addresses("sender")), ""),
        recipients=tuple(
            dict.fromkeys(address for name in RECIPIENTS for address in reader.addresses(name))
        ),
        date=reader.date(),
    )


class _Reader:
    """mail-parser over the fields of a header block, and the standard library where it raises."""

    def __init__(self, root: mime.Part) -> None:
        self._fields = StdlibMessage()
        for name, value in root.items():
            if name.lower() in _WANTED:
                self._fields[name] = mime.printable(value)
        try:
            self._parsed = mailparser.MailParser(self._fields)
        except (AttributeError, TypeError, ValueError, LookupError):
            self._parsed = None

    def addresses(self, name: str) -> list[str]:
        """Return the bare addresses of all fields *name*, in order."""
        try:
            pairs = getattr(self._parsed, name.replace("-", "_"))
        except (AttributeError, TypeError, ValueError, LookupError):
            pairs = None
        if not isinstance(pairs, list):
            pairs = getaddresses([str(value) for value in self._fields.get_all(name, [])])
        return [pair[1] for pair in pairs if len(pair) == 2 and "@" in pair[1]]

    def date(self) -> datetime | None:
        """Return the date in UTC, if there is one that can be read."""
        try:
            date = self._parsed.date if self._parsed else None
            date = date or parsedate_to_datetime(str(self._fields["date"]))
        except (AttributeError, TypeError, ValueError, LookupError, OverflowError):
            return None
        return date.replace(tzinfo=UTC) if date.tzinfo is None else date.astimezone(UTC)
