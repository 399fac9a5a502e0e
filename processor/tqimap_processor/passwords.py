"""Collect what a mail offers as passwords of its archives."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING


if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from tqimap_processor.artefact import Span


CUSTOMARY = ("infected", "malware", "password")
# what each of the words below begins with: found ten times faster than any expression finds them
_BEGINNINGS = (
    *("pass", "pw", "pin", "kennwort", "mot de", "contrase", "clave", "senha", "has\u0142o"),
    "\u043f\u0430\u0440\u043e\u043b\u044c",
)
_FIELD, _SUBJECT = "header ", "header subject"
_APART = "\n<"  # which no password and nothing before one may hold
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
    texts = [
        span.text
        for span in spans
        if "@" not in span.where and (_FIELD not in span.where or span.where == _SUBJECT)
    ]
    # one search over all of them: a mail has hundreds
    for hit in _hits(_APART.join(texts)):
        found.setdefault(hit[1])
        found.setdefault(hit[1].rstrip(".,;:!?"))
        if len(found) >= most:
            break
    return tuple(found)[:most]


def _hits(text: str) -> Iterator[re.Match[str]]:
    # of all letters this one alone grows when it is made small
    lower = text.replace("\u0130", "i").lower()
    starts = sorted(start for word in _BEGINNINGS for start in _starts(lower, word))
    end = 0
    for start in starts:
        if start >= end and (hit := _OFFERED.match(text, start)):
            end = hit.end()
            yield hit


def _starts(text: str, word: str) -> Iterator[int]:
    at = text.find(word)
    while at >= 0:
        yield at
        at = text.find(word, at + 1)
