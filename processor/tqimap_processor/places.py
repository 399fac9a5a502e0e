"""Judge the place of a finding: what a person wrote, or what machines put there.

Measured on 400 real phishing mails: of header fields, only a few hold what somebody wrote; the
others yield relays, tokens and digests of tokens. Pictures yield logos and counters.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING


if TYPE_CHECKING:
    from collections.abc import Iterable

    from tqimap_processor.artefact import Span


TRANSPORT = "transport"
ORIGIN = "origin"
PICTURE = "picture"
IN_URL = "in-url"
ATTACHED = "attached"
NOT_FOR_DETECTION = "not-for-detection"
# places that openers name so
FUZZY = "fuzzy hash"
FOR_CONTEXT = " (to_ids false)"

_WRITTEN = frozenset(
    {
        "subject",
        "from",
        "sender",
        "reply-to",
        "resent-from",
        "mail-reply-to",
        "disposition-notification-to",
        "comments",
        "keywords",
        "organization",
        "x-php-script",
        "x-php-originating-script",
        "content-location",
        "content-base",
    }
)
# they name the host or the sender that the first server which checked the mail saw
_ORIGINS = frozenset(
    {
        "x-originating-ip",
        "x-sender-ip",
        "x-source-ip",
        "x-client-ip",
        "return-path",
        "received-spf",
        "authentication-results",
    }
)
_HEADER = re.compile(r"(?:part [\d.]+ )?header (\S+)(?: \d+)?")
_PICTURES = re.compile(
    r"(?:comment |srcdoc )?"
    r"(?:(?:img|image|input)@\S+|(?:v:\S+|source|picture|video)@(?:src|srcset|poster)"
    r"|\S+@(?:background|style|lowsrc)|link@href|style)(?: resolved)?"
)


def first_hop(spans: Iterable[Span]) -> str:
    """Return the place of the lowest Received field of a mail: the first hop, as far as it says."""
    hops = [span.where for span in spans if re.fullmatch(r"header received(?: \d+)?", span.where)]
    return hops[-1] if hops else ""


def roles(where: str, hop: str) -> frozenset[str]:
    """Return what the place *where* says of all that stands there, as flags."""
    field = _HEADER.fullmatch(where)
    if where == FUZZY:
        return frozenset({ATTACHED})
    if where.endswith(FOR_CONTEXT):
        return frozenset({NOT_FOR_DETECTION})
    if field is None:
        return frozenset({PICTURE}) if _PICTURES.fullmatch(where) else frozenset()
    # a part of type message/external-body has its link there
    if field[1] in _WRITTEN or (field[1] == "content-type" and where.startswith("part ")):
        return frozenset()
    origin = where == hop or field[1] in _ORIGINS
    return frozenset({TRANSPORT, ORIGIN}) if origin else frozenset({TRANSPORT})
