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

from tqimap_processor import header, mime
from tqimap_processor.artefact import Problem
from tqimap_processor.report import Message


if TYPE_CHECKING:
    from tqimap_shared.settings import Limits


# fields that mail-parser takes for addresses; of the others the standard library recovers more
_LISTS = frozenset({"from", "to", "cc", "bcc", "delivered-to"})
_RAISED = (AttributeError, TypeError, ValueError, LookupError)  # by either on hostile fields
_DOUBLED, _WINDOW = b"\r\r\n", 4096
_BLANK_LINE = re.compile(rb"\n(?=\r?\n)")
_BOUNDARY = re.compile(rb"(?i)boundary\*?(?:0\*?)?[ \t]*=")


def clean(raw: bytes) -> bytes:
    """Return *raw* without NUL bytes in its header block: a NUL makes parsers raise.

    Nor with lines that end in two carriage returns, which some server on the way has doubled.
    """
    if _DOUBLED in raw[:_WINDOW]:
        raw = raw.replace(_DOUBLED, b"\r\n")
    head = header.block(raw)
    return head.replace(b"\0", b"") + raw[len(head) :] if b"\0" in head else raw


def over_limit(raw: bytes, limits: Limits) -> Problem | None:
    """Name the first limit that *raw* breaks, or nothing. Time is linear in the size of *raw*."""
    if len(raw) > limits.raw:
        return Problem(header.OVER_LIMIT, f"{len(raw)} bytes of mail")
    return header.over(header.block(raw), limits) or _over_in_body(raw, limits)


def shortened(raw: bytes, limits: Limits) -> tuple[bytes, tuple[Problem, ...]]:
    """Return *raw* with its header block within the limits, and which of them it broke, if any."""
    head = header.block(raw)
    problem = header.over(head, limits)
    if problem is None or len(raw) > limits.raw:
        return raw, ()
    return header.cut(head, limits) + raw[len(head) :], (problem,)


def _over_in_body(raw: bytes, limits: Limits) -> Problem | None:
    small = raw.lower()
    boundaries = small.count(b"boundary")
    if boundaries > limits.boundaries:
        boundaries = len(_BOUNDARY.findall(small))
    if boundaries > limits.boundaries:
        return Problem(header.OVER_LIMIT, f"{boundaries} boundary declarations")
    delimiters = raw.count(b"\n--") + raw.count(b"\r--")
    if delimiters > limits.delimiter_lines:
        return Problem(header.OVER_LIMIT, f"{delimiters} delimiter lines")
    lines = max(raw.count(b"\n"), raw.count(b"\r"))
    if lines * (boundaries + 1) > limits.line_checks:
        return Problem(header.OVER_LIMIT, f"{lines} lines and {boundaries} boundary declarations")
    if b"message/delivery-status" not in small:
        return None
    blank = len(_BLANK_LINE.findall(raw))
    if blank > limits.status_blank_lines:
        return Problem(header.OVER_LIMIT, f"{blank} blank lines with a delivery status")
    return None


def envelope(raw: bytes, limits: Limits) -> Message:
    """Read the envelope of *raw*, of its header block what is within the limits."""
    digest = hashlib.sha256(raw).hexdigest()
    head = header.block(clean(raw))
    root = mime.parse(header.cut(head, limits), limits.part_field_bytes)
    return Message(
        digest,
        len(raw),
        message_id=root.field("message-id"),
        subject=root.field("subject"),
        sender=next(iter(_addresses(root, "from") or _addresses(root, "sender")), ""),
        recipients=tuple(
            dict.fromkeys(
                address for name in header.RECIPIENTS for address in _addresses(root, name)
            )
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
