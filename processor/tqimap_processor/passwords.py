"""Collect what a mail offers as passwords of its archives."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING


if TYPE_CHECKING:
    from collections.abc import Iterable

    from tqimap_processor.artefact import Span


CUSTOMARY = ("infected", "malware", "password")
_FIELD, _SUBJECT = "header ", "header subject"
_OFFERED = re.compile(
    r"(?i)\b(?:password|passwort|passwd|passcode|pass|pwd|pw|pin|kennwort|mot de passe"
    r"|contraseña|clave|senha|hasło|пароль)\b"
    r"[^\S\n]{0,5}(?:is|ist|est|es|für[^\n:]{0,40}|for[^\n:]{0,40}|zip)?[^\S\n]{0,5}"
    r"[:=\-\u2013>]{0,3}\s{0,5}[\"'\u201c\u201d\u2018\u2019\xab\xbb`\[(]?([^\s\"'\u201c\u201d\u2018\u2019\xab\xbb`<>\[\]()]{3,64})"
)


def offered(spans: Iterable[Span], most: int) -> tuple[str, ...]:
    """Return up to *most* words of *spans* that stand where a password is told, in order.

    Fields that machines fill and links are not read: they are long, and tell none.
    """
    found: dict[str, None] = {}
    for span in spans:
        if "@" in span.where or (_FIELD in span.where and span.where != _SUBJECT):
            continue
        for hit in _OFFERED.finditer(span.text):
            found.setdefault(hit[1])
            found.setdefault(hit[1].rstrip(".,;:!?"))
            if len(found) >= most:
                return tuple(found)[:most]
    return tuple(found)
