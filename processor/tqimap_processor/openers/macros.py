"""Take the source of macros out of an Office file.

oletools' olevba, the only kept library that decompresses VBA; it reads damaged projects too. Its
dependency pcodedmp is GPL; nothing here calls it.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from tqimap_processor.artefact import Problem, Span
from tqimap_processor.openers.untrusted import Foreign, attempt


if TYPE_CHECKING:
    from collections.abc import Iterator

    from tqimap_shared.settings import Limits


_ATTRIBUTE = re.compile(r"(?m)^Attribute VB_[^\n]*\n?")
_WORDS = 12
_CHARACTER = re.compile(r"(?i)\bChr[WB]?\$?\(\s{0,9}(\d{1,5}|&H[0-9a-f]{1,4})\s{0,9}\)")
_JOINT = re.compile(r"\"\s{0,40}[&+]\s{0,40}(?:_\s{0,40})?\"")
_LITERAL = re.compile(r"\"([^\"\r\n]{4,4000})\"")


def read(data: bytes, limits: Limits) -> tuple[list[Span], list[Problem]]:
    """Return the sources in the OLE file *data* as spans `vba:Module1`, and what they would do."""
    found = attempt(lambda: list(_sources(data, limits.macros)), "macro-unread")
    if isinstance(found, Problem):
        return [], [found]
    spans = [Span(f"vba:{name}", code) for name, code in found]
    spans += [
        Span(f"vba:{name} strings", strings)
        for name, code in found
        if (strings := joined(code)) and strings not in code
    ]
    if not found:
        return [], []
    words = attempt(lambda: _telling("\n".join(code for _, code in found)))
    if isinstance(words, Problem):
        return spans, [Problem("macro", "VBA"), words]
    return spans, [Problem("macro", ", ".join(words) or "VBA")]


def formulas(data: bytes, limits: Limits) -> tuple[list[Span], list[Problem]]:
    """Return the formulas of Excel 4 macro sheets in the xls file *data* as the span `xlm`."""
    lines = attempt(lambda: _formulas(data), "macro-unread")
    if isinstance(lines, Problem):
        return [], [lines]
    text = "\n".join(lines)[: limits.macros]
    return ([Span("xlm", text)] if text else []), []


def joined(code: str) -> str:
    """Return the string literals of *code* that are put together of pieces, one a line."""
    plain = _CHARACTER.sub(lambda hit: f'"{_character(hit[1])}"', code)
    plain = _JOINT.sub("", plain)
    literals = list(dict.fromkeys(_LITERAL.findall(plain)))
    if "strreverse" in code.lower():
        literals += [one[::-1] for one in literals]
    return "\n".join(one for one in literals if one not in code)


def _character(number: str) -> str:
    base = 16 if number.startswith("&") else 10
    value = int(number.lstrip("&Hh"), base)
    # a quote or a line end would cut the literal that it stands in
    return chr(value) if 32 <= value < 0xD800 and value != 34 else ""


def _sources(data: bytes, room: int) -> Iterator[tuple[str, str]]:
    """Yield name and source of each module that holds more than its attributes."""
    from oletools import olevba

    parser: Foreign = olevba.VBA_Parser("mail", data=data, relaxed=True)
    try:
        for _, _, name, code in parser.extract_macros():
            source = code.decode("cp1252", "replace") if isinstance(code, bytes) else str(code)
            source = _ATTRIBUTE.sub("", source).strip()[: max(0, room)]
            if source:
                room -= len(source)
                yield str(name), source
    finally:
        parser.close()


def _formulas(data: bytes) -> list[str]:
    from oletools import olevba

    parser: Foreign = olevba.VBA_Parser("mail", data=data, relaxed=True)
    try:
        parser.detect_xlm_macros()
        return [str(line) for line in parser.xlm_macros or ()]
    finally:
        parser.close()


def _telling(code: str) -> list[str]:
    """Return the names of what runs by itself in *code*, then of what is suspicious there."""
    from oletools import olevba

    words = [str(word) for word, _ in olevba.detect_autoexec(code)]
    words += [str(word) for word, _ in olevba.detect_suspicious(code)]
    return list(dict.fromkeys(words))[:_WORDS]
