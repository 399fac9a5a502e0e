"""Say whether a mail may be parsed at all, and read its envelope: who, to whom, when, what about.

mail-parser's functions read addresses and dates, because they recover more of them from malformed
headers than the standard library does. Its parser as a whole does not get to see a mail: it reads
a lot that nobody asks for, on bodies it is slow, and a hostile one makes it raise.
"""

from __future__ import annotations

import hashlib
import re
from datetime import UTC, datetime
from email.utils import getaddresses, parsedate_to_datetime
from typing import TYPE_CHECKING

from mailparser.dates import parse_mail_date
from mailparser.utils import get_addresses

from tqimap_processor import mime
from tqimap_processor.artefact import Problem
from tqimap_processor.report import Message


if TYPE_CHECKING:
    from tqimap_shared.settings import Limits


OVER_LIMIT = "over-limit"
RECIPIENTS = ("to", "cc", "bcc", "delivered-to", "x-original-to", "envelope-to")
# fields that mail-parser takes for addresses; of the others the standard library recovers more
_LISTS = frozenset({"from", "to", "cc", "bcc", "delivered-to"})
_RAISED = (AttributeError, TypeError, ValueError, LookupError)  # by either on hostile fields
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
    return Message(
        digest,
        len(raw),
        message_id=root.field("message-id"),
        subject=root.field("subject"),
        sender=next(iter(_addresses(root, "from") or _addresses(root, "sender")), ""),
        recipients=tuple(
            dict.fromkeys(address for name in RECIPIENTS for address in _addresses(root, name))
        ),
        date=_date(root),
    )


def _addresses(root: mime.Part, name: str) -> list[str]:
    """Return the bare addresses of all fields *name*, in order."""
    values = (mime.printable(value) for value in root.get_all(name, []))
    pairs = (pair for value in values for pair in _pairs(name, value))
    return [address for _, address in pairs if "@" in address]


def _pairs(name: str, value: str) -> list[tuple[str, str]]:
    if name in _LISTS:
        try:
            found: list[tuple[str, str]] = get_addresses(value)
        except _RAISED:
            return getaddresses([value])
        return found
    return getaddresses([value])


def _date(root: mime.Part) -> datetime | None:
    """Return the date in UTC, if there is one that can be read."""
    value = mime.printable(root.get("date", ""))
    try:
        date = parse_mail_date(value).value or parsedate_to_datetime(value)
    except (*_RAISED, OverflowError):
        return None
    return date.replace(tzinfo=UTC) if date.tzinfo is None else date.astimezone(UTC)
