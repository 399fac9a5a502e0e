"""Judge where in a text a finding stands: among listed indicators, or in what closes a mail.

Under a heading such as "Indicators of compromise", in a table or in a block of code stands what
somebody wants to be taken as an indicator. A signature (RFC 3676, or a closing formula), a
disclaimer and the links that let one unsubscribe hold the sender's own machinery. Quoted mails are
read like others: a forwarded attack is quoted too.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from typing import TYPE_CHECKING


if TYPE_CHECKING:
    from collections.abc import Iterator


LISTED = "listed"
ASIDE = "aside"
_NONE: frozenset[str] = frozenset()
_LISTED = frozenset({LISTED})
_ASIDE = frozenset({ASIDE})
# lines that a closing formula or a disclaimer takes with it, unless a heading comes first
MAX_ASIDE = 15
# a list ends where sentences begin
_SENTENCE = 12
# characters of a heading at most, and of a line in which a disclaimer is looked for
_SHORT, _SEEN = 60, 160
_QUOTED = re.compile(r"(?:> ?)+")
_HEADING = re.compile(
    r"[#*=_\s\d.)-]*(?:appendix[ :\w]{0,12})?(?:(?:network|host|file|technical)[ -]*(?:based )?)?"
    r"(?:indicators?(?: of compromise)?|iocs?|observables|file hashes|hashes|c2s?|c&c"
    r"|malicious (?:domains|urls|ips?|hosts|files)|(?:command[ -]and[ -]control|c2) \w+"
    r"|(?:kompromittierungs)?indikatoren|indicateurs? de compromission)"
    r"(?: \((?:iocs?)\))?[\s:*=_#-]*",
    re.IGNORECASE,
)
_OTHER_HEADING = re.compile(r"#{1,6} |[=*_]{2,}\s?\w")
_CLOSING = re.compile(
    r"(?:(?:best|kind|warm|with best|many)? ?regards|sincerely|yours|cheers|thanks(?: and regards)?"
    r"|mit freundlichen gr\u00fc\u00dfen|viele gr\u00fc\u00dfe|mfg|cordialement|saludos)"
    r"\b[^.]{0,20}",
    re.IGNORECASE,
)
_DISCLAIMER = re.compile(
    r"(?:this|the information in this) (?:e-?mail|message)\b.{0,60}(?:confidential|intended)"
    r"|confidentiality notice|disclaimer\b|diese e-?mail enth\u00e4lt vertrauliche"
    r"|unsubscribe\b|to stop receiving|you (?:are receiving|received) this|abmelden\b|abbestellen\b"
    r"|se d\u00e9sabonner",
    re.IGNORECASE,
)
# without one of these a text has no regions: most texts are spared the walk over their lines
_SIGNS = (
    "indicator", "indikator", "indicateur", "ioc", "observable", "hashes", "c2", "c&c", "command",
    "malicious", "```", "~~~", "\n|", "\n--", "\n> --", "regards", "sincerely", "yours", "cheers",
    "thanks",
    "gr\u00fc\u00dfe", "mfg", "cordialement", "saludos",
)  # fmt: skip
_DISCLAIMED = (
    "confidential", "intended", "disclaimer", "vertraulich", "unsubscribe", "receiv", "abmelden",
    "abbestellen", "se d\u00e9sabonner",
)  # fmt: skip
_FENCE = re.compile(r"(?:```|~~~)")
_ROW = re.compile(r"\|.*\|\s*")


class Context:
    """The regions of a text, and what they say of the findings in them."""

    __slots__ = ("_flags", "_starts")

    def __init__(self, text: str) -> None:
        self._starts = [0]
        self._flags = [_NONE]
        lower = text.lower()
        disclaimed = any(sign in lower for sign in _DISCLAIMED)
        if disclaimed or any(sign in lower for sign in _SIGNS):
            for start, flags in _regions(text, disclaimed=disclaimed):
                if flags != self._flags[-1]:
                    self._starts.append(start)
                    self._flags.append(flags)

    def at(self, position: int) -> frozenset[str]:
        """Return the flags of a finding that begins at *position*: `listed`, `aside` or none."""
        return self._flags[bisect_right(self._starts, position) - 1]


def _regions(text: str, *, disclaimed: bool) -> Iterator[tuple[int, frozenset[str]]]:
    """Yield where lines begin, and what stands on them."""
    state = _State(disclaimed=disclaimed)
    start = 0
    for line in text.splitlines(keepends=True):
        yield start, state.read(line)
        start += len(line)


class _State:
    """What the lines so far say of the next one."""

    __slots__ = ("_aside", "_disclaimed", "_fenced", "_listed", "_signed")

    def __init__(self, *, disclaimed: bool) -> None:
        self._disclaimed = disclaimed
        self._fenced = self._listed = self._signed = False
        self._aside = 0

    def read(self, line: str) -> frozenset[str]:
        quoted = _QUOTED.match(line)
        bare = (line[quoted.end() :] if quoted else line).rstrip("\r\n")
        if _FENCE.match(bare):
            self._fenced = not self._fenced
            return _LISTED
        if self._fenced or _ROW.fullmatch(bare):
            return _LISTED
        stripped = bare.strip()
        self._heading(bare, stripped)
        if self._signed or self._aside:
            self._aside = max(0, self._aside - 1)
            return _ASIDE
        return _LISTED if self._listed else _NONE

    def _heading(self, bare: str, stripped: str) -> None:
        """Let *bare*, one line without its quotation marks, begin or end a region."""
        if len(stripped) <= _SHORT and _HEADING.fullmatch(stripped):
            self._listed, self._signed, self._aside = True, False, 0
        elif bare in {"--", "-- "}:
            self._signed, self._listed = True, False
        elif _CLOSING.fullmatch(stripped) or self._disclaims(stripped):
            self._aside, self._listed = MAX_ASIDE, False
        elif _OTHER_HEADING.match(stripped) or stripped.count(" ") >= _SENTENCE:
            self._listed = False

    def _disclaims(self, stripped: str) -> bool:
        return self._disclaimed and _DISCLAIMER.search(stripped[:_SEEN]) is not None
