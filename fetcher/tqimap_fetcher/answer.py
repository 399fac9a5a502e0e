"""Read FETCH answers and write UID sets.

An answer comes as imaplib leaves it: a list of tuples (text, literal) and texts. Two regular
expressions read what servers usually send; anything odd goes to imapclient's full parser.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from imapclient.response_parser import parse_fetch_response


if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

Answer = list[bytes] | list[bytes | tuple[bytes, bytes]]

_BODY = re.compile(rb'\d+ \([^"{}\[]*BODY\[\](?:<0>)? \{\d+\}', re.IGNORECASE)
_TRAILER = re.compile(rb'[^"{}]*\)')
_UID = re.compile(rb"(?:\A|[ (])UID (\d{1,10})(?=[ )]|\Z)", re.IGNORECASE)
_SIZE = re.compile(rb'\d+ \([^"{}]*(?:\A|[ (])RFC822\.SIZE (\d{1,19})[^"{}]*\)', re.IGNORECASE)


def read_body(answer: Answer) -> tuple[int, bytes] | None:
    """Return UID and body of a FETCH *answer*; None if one is missing, NIL or empty."""
    match answer:
        case [(bytes(text), bytes(body)), bytes(trailer)] if _BODY.fullmatch(
            text
        ) and _TRAILER.fullmatch(trailer):
            uid = _UID.search(text) or _UID.search(trailer)
            return (int(uid[1]), body) if uid and body else None
    texts = (part if isinstance(part, bytes) else part[0] for part in answer)
    return _read_odd(answer) if any(b"BODY[" in text.upper() for text in texts) else None


def _read_odd(answer: Answer) -> tuple[int, bytes] | None:
    for fields in parse_fetch_response(answer, uid_is_key=False).values():
        uid = fields.get(b"UID")
        body = fields.get(b"BODY[]") or fields.get(b"BODY[]<0>")
        if isinstance(uid, int) and isinstance(body, bytes):
            return uid, body
    return None


def read_size(answer: Answer) -> tuple[int, int] | None:
    """Return UID and RFC822.SIZE of a FETCH *answer*, None if one is missing."""
    text = answer[0]
    if len(answer) != 1 or not isinstance(text, bytes):
        return None
    size, uid = _SIZE.fullmatch(text), _UID.search(text)
    return (int(uid[1]), int(size[1])) if size and uid else None


def read_uids(answers: Answer) -> list[int]:
    """Return the UIDs of all SEARCH *answers*, ascending; some servers send several."""
    lines = (line for line in answers if isinstance(line, bytes))
    return sorted({int(one) for line in lines for one in line.split() if one.isdigit()})


def windows(exists: int, size: int) -> Iterator[tuple[str, ...]]:
    """Yield SEARCH keys that cut a folder of *exists* mails into windows of *size* mails.

    By sequence numbers, which have no gaps as UIDs have; the last mails come first, so that mails
    which move up because others are expunged meanwhile are seen twice rather than never.
    """
    if exists <= size:
        yield ()
        return
    last = "*"  # mails that have just come, too
    for first in range(1 + (exists - 1) // size * size, 0, -size):
        yield (f"{first}:{last}",)
        last = str(first - 1)


def uid_set(uids: Sequence[int]) -> str:
    """Write *uids*, ascending, as an IMAP set; only neighbours are joined to a range."""
    ranges: list[tuple[int, int]] = []
    for uid in uids:
        if ranges and uid == ranges[-1][1] + 1:
            ranges[-1] = (ranges[-1][0], uid)
        else:
            ranges.append((uid, uid))
    return ",".join(f"{first}" if first == last else f"{first}:{last}" for first, last in ranges)
