"""Find the strings in scripts and the links in style sheets, without running either."""

from __future__ import annotations

import re


_ESCAPE = re.compile(r"\\(?:x([0-9A-Fa-f]{2})|u([0-9A-Fa-f]{4})|u\{([0-9A-Fa-f]{1,6})\}|([\s\S]))")
_JOINT = re.compile(r"[\"'`]\s{0,20}\+\s{0,20}[\"'`]")
_LITERAL = re.compile(r"\"([^\"\n]{1,4000})\"|'([^'\n]{1,4000})'|`([^`]{1,4000})`")
_ADDRESS = re.compile(r"[A-Za-z][A-Za-z0-9+.-]{1,20}:/?/[^\s\"'`<>()\\]{1,4000}")
_TELLING = re.compile(r"[.:@]")
_CSS_ESCAPE = re.compile(r"\\(?:([0-9A-Fa-f]{1,6})\s?|([^\n]))")
_CSS_LINK = re.compile(r"(?i)(?:url\(\s{0,20}[\"']?|@import\s{1,20}[\"'])([^\"')]+)")


def strings(code: str) -> str:
    """Return the string literals and addresses of *code*, one a line.

    Escapes are undone and literals joined by `+` are put together. Names of variables and methods,
    which look like host names (`event.target`), do not get through.
    """
    plain = _JOINT.sub("", _ESCAPE.sub(_unescape, code) if "\\" in code else code)
    literals = (a or b or c for a, b, c in _LITERAL.findall(plain))
    told = [one for one in literals if _TELLING.search(one)]
    return "\n".join(dict.fromkeys(told + _ADDRESS.findall(plain)))


def _unescape(found: re.Match[str]) -> str:
    code = found[1] or found[2] or found[3]
    if code:
        return _character(code)
    # an escaped quote would end its literal early; none is part of an address
    return {"n": " ", "r": " ", "t": " "}.get(found[4], "" if found[4] in "\"'`\n" else found[4])


def _character(code: str) -> str:
    number = int(code, 16)
    if number in range(0xD800, 0xE000) or not 0 < number < 0x110000:
        return "\ufffd"
    return chr(number)


def style_links(sheet: str) -> list[str]:
    """Return the links and addresses of the style *sheet*, escapes undone."""
    if "\\" in sheet:
        sheet = _CSS_ESCAPE.sub(lambda hit: _character(hit[1]) if hit[1] else hit[2], sheet)
    links = [link.strip() for link in _CSS_LINK.findall(sheet)]
    rest = [one for one in _ADDRESS.findall(sheet) if not any(one in link for link in links[:50])]
    return list(dict.fromkeys(links + rest))
