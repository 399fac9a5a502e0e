"""Read the header fields that filters look at.

Each in time linear in its length: attackers write them. A header that no program understands is
taken as it stands.
"""

from __future__ import annotations

import re
from contextlib import suppress
from dataclasses import dataclass
from email.errors import HeaderParseError
from email.header import decode_header, make_header
from typing import TYPE_CHECKING

from imapclient.response_parser import parse_fetch_response


if TYPE_CHECKING:
    from tqimap_fetcher.answer import Answer

FROM = ("FROM", "SENDER", "SUBJECT")
TO = ("TO", "CC", "BCC", "DELIVERED-TO", "X-ORIGINAL-TO", "ENVELOPE-TO")
LONGEST_FROM = 8192  # bytes of these fields that are read
LONGEST_TO = 65_536
_UID = re.compile(rb"(?:\A|[ (])UID (\d{1,10})(?=[ )]|\Z)", re.IGNORECASE)
_QUOTED = re.compile(r'"[^"]*+"')
_BRACKETED = re.compile(r"<([^<>]*+)>")
_BETWEEN = re.compile(r"[\s<>()\[\]\",;:]+")


@dataclass(frozen=True, slots=True)
class Words:
    """Who sent a mail and to whom, in lower case, and its subject."""

    senders: frozenset[str]
    recipients: frozenset[str]
    subject: str


def items(*, people: bool) -> str:
    """Write what to FETCH: sender and subject, and the recipients if *people* matter."""
    asked = [(FROM, LONGEST_FROM), *([(TO, LONGEST_TO)] if people else [])]
    parts = (f"BODY.PEEK[HEADER.FIELDS ({' '.join(names)})]<0.{most}>" for names, most in asked)
    return f"(UID {' '.join(parts)})"


def read_fields(answer: Answer) -> tuple[int, bytes] | None:
    """Return UID and header fields of a FETCH *answer*; None if one is missing."""
    texts = [part if isinstance(part, bytes) else part[0] for part in answer]
    if not any(b"HEADER.FIELDS" in text.upper() for text in texts):
        return None
    literals = [part[1] for part in answer if not isinstance(part, bytes)]
    uid = next((found for text in texts if (found := _UID.search(text))), None)
    if uid and literals:
        return int(uid[1]), b"\r\n".join(literals)
    return _read_odd(answer)


def _read_odd(answer: Answer) -> tuple[int, bytes] | None:
    """Read an answer without literals: short fields may come as quoted strings, or not at all."""
    for fields in parse_fetch_response(answer, uid_is_key=False).values():
        uid = fields.get(b"UID")
        found = [value for name, value in fields.items() if name.startswith(b"BODY[HEADER.FIELDS")]
        if isinstance(uid, int):
            return uid, b"\r\n".join(one for one in found if isinstance(one, bytes))
    return None


def words(fields: bytes) -> Words:
    """Read header *fields*, folded as they came."""
    found: dict[str, list[str]] = {}
    last: list[str] | None = None
    for line in _text(fields).splitlines():
        name, colon, value = line.partition(":")
        if line[:1] in {" ", "\t"} and last is not None:
            last[-1] += f" {line.strip()}"
        elif colon:
            last = found.setdefault(name.strip().upper(), [])
            last.append(value.strip())
    return Words(
        _addresses(found, ("FROM", "SENDER")),
        _addresses(found, TO),
        _decoded(" ".join(found.get("SUBJECT", ()))),
    )


def _text(data: bytes) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError:
        return data.decode("latin-1")


def _addresses(found: dict[str, list[str]], names: tuple[str, ...]) -> frozenset[str]:
    """Collect addresses; an address that is the name of one in angle brackets is none."""
    values = [value for name in names for value in found.get(name, ())]
    mailboxes = (one for value in values for one in _QUOTED.sub(" ", value).split(","))
    pieces = (piece for one in mailboxes for piece in _BRACKETED.findall(one) or [one])
    all_words = (word for piece in pieces for word in _BETWEEN.split(piece))
    return frozenset(word.casefold() for word in all_words if "@" in word)


def _decoded(text: str) -> str:
    with suppress(HeaderParseError, LookupError, ValueError):  # of unknown charsets and worse
        text = str(make_header(decode_header(text)))
    return " ".join(text.split())
