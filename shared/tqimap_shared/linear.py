"""Judge whether a regular expression can be slow: only what is linear by its form is let in.

Python's engine backtracks, and an operator's list is matched against values that attackers choose.
So the form is restricted instead of the time: classes, literals, alternatives, and at most one
open-ended repetition that may give characters back; possessive ones (`[^.]*+`) as many as wanted.
"""

from __future__ import annotations

import re
from itertools import pairwise


MAX_LENGTH = 200
MAX_ALTERNATIVES = 8
MAX_OPTIONAL = 4
_PIECE = re.compile(
    r"(?P<back>\\[1-9])|(?P<atom>\\.|\[\^?\]?(?:\\.|[^\]\\])*\])|(?P<look>\(\?(?!:))"
    r"|(?P<open>\()|(?P<close>\))|(?P<bar>\|)|(?P<repeat>[*+?]|\{\d*,?\d*\})(?P<keep>\+?)|.",
    re.DOTALL,
)


def fault(pattern: str) -> str:
    """Return why *pattern* is not let in, as the end of a sentence, or nothing if it is."""
    if len(pattern) > MAX_LENGTH:
        return f"is longer than {MAX_LENGTH} characters."
    try:
        re.compile(pattern)
    except re.error as error:
        return f"is no regular expression ({error.msg})."
    return _form(list(_PIECE.finditer(pattern)))


def _form(pieces: list[re.Match[str]]) -> str:
    kinds = [piece.lastgroup if piece.lastgroup != "keep" else "repeat" for piece in pieces]
    if "back" in kinds or "look" in kinds:
        return "refers back or looks around."
    if kinds.count("bar") > MAX_ALTERNATIVES:
        return f"has more than {MAX_ALTERNATIVES} alternatives."
    if any(pair == ("close", "repeat") for pair in pairwise(kinds)):
        return "repeats a group."
    if sum(piece["repeat"] == "?" and not piece["keep"] for piece in pieces) > MAX_OPTIONAL:
        return f"has more than {MAX_OPTIONAL} optional pieces; write the others as ?+."
    if sum(_gives_back(piece) for piece in pieces) > 1:
        return "has more than one repetition that may give back; write the others as *+ or ++."
    return ""


def _gives_back(piece: re.Match[str]) -> bool:
    """Say whether *piece* is a repetition of no fixed length that is not possessive."""
    repeat = piece["repeat"]
    if not repeat or piece["keep"]:
        return False
    return repeat != "?" and not re.fullmatch(r"\{\d+\}", repeat)
