"""Open RTF: text, fields, links, and the objects that are hidden in it as hexadecimal digits.

Our own single pass over tokens, because striprtf is quadratic on large objects and oletools' rtfobj
reads 1 MB/s; this one is linear and counts its tokens. What it does not get to is swept for links.
"""

from __future__ import annotations

import binascii
import re
from typing import TYPE_CHECKING

from tqimap_processor import charset
from tqimap_processor.artefact import Child, Opened, Problem, Span
from tqimap_processor.detect import detect
from tqimap_processor.openers import ole_objects, runs


if TYPE_CHECKING:
    from tqimap_processor.openers.source import Source


_TOKEN = re.compile(
    rb"\\(?:([A-Za-z]{1,32})(-?\d{1,10})?[ ]?|'([0-9A-Fa-f]{2})|([^A-Za-z]))"
    rb"|([{}])|([^\\{}\r\n]+)|[\r\n]+"
)
_OBJECT, _FIELD, _HIDDEN_FIELD, _SILENT = "object", "field", "hidden text", ""
_UNSEEN = "unseen"
_DESTINATIONS = {
    "objdata": _OBJECT,
    "fldinst": _FIELD,
    "datafield": _FIELD,
    "template": "template",
    "fonttbl": _SILENT,
    "colortbl": _SILENT,
    "stylesheet": _SILENT,
    "listtable": _SILENT,
    "listoverridetable": _SILENT,
    "rsidtbl": _SILENT,
    "themedata": _SILENT,
    "colorschememapping": _SILENT,
    "datastore": _SILENT,
    "pict": _SILENT,
    "latentstyles": _SILENT,
    "xmlnstbl": _UNSEEN,
    "generator": _UNSEEN,
    "panose": _SILENT,
    "objclass": "object class",
    "annotation": "comment",
    "comment": "comment",
    "header": "page header",
    "footer": "page footer",
    "footnote": "footnote",
    "title": "info",
    "author": "info",
    "subject": "info",
    "keywords": "info",
    "doccomm": "info",
    "hlinkbase": "info",
    "company": "info",
    "mhtmltag": _UNSEEN,
}
_BREAKS = {
    "par": "\n",
    "line": "\n",
    "sect": "\n",
    "page": "\n",
    "row": "\n",
    "cell": "\t",
    "tab": "\t",
    "emdash": "-",
    "endash": "-",
    "lquote": "'",
    "rquote": "'",
    "ldblquote": '"',
    "rdblquote": '"',
    "bullet": "*",
}
_SYMBOLS = {"~": " ", "_": "-", "\n": "\n", "\r": "\n", "\\": "\\", "{": "{", "}": "}"}
_PAGES = {65001: "utf-8", 10000: "mac-roman"}
_DYNAMIC_DATA = re.compile(r"(?i)\bDDE(?:AUTO)?\b")
_NESTING = 10_000


def open_rtf(source: Source) -> Opened:
    """Return `text`, `field` and other destinations as spans, objects as children."""
    reading = _Reading(source)
    reading.read()
    return reading.opened()


class _Reading:
    """One RTF file being read: where each group's text goes, and what has come out."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._texts: dict[str, list[str]] = {}
        self._objects: list[bytearray] = []
        self._problems: dict[Problem, None] = {}
        self._place, self._page, self._skip = "text", "cp1252", 1
        self._groups: list[tuple[str, int]] = []
        self._left_out = self._shadow = 0
        self._destinations = _every_destination()
        self._room = source.limits.artefact_text
        self._rest = b""

    def opened(self) -> Opened:
        children = [child for data in self._objects if (child := self._child(bytes(data)))]
        spans = [
            Span(place, text, hidden=place in {_HIDDEN_FIELD, _UNSEEN})
            for place, pieces in self._texts.items()
            if (text := "".join(pieces).strip())
        ]
        if self._rest:
            spans.append(Span("raw", runs.text(self._rest, telling=True)))
        if any(_DYNAMIC_DATA.search(span.text) for span in spans if span.where == _FIELD):
            self._problems.setdefault(Problem("dde", "a field"))
        return Opened(tuple(spans), tuple(children), tuple(self._problems))

    def read(self) -> None:
        """Read token by token, up to the number that is allowed."""
        data, place, left = self._source.data, 0, self._source.limits.rtf_tokens
        while found := _TOKEN.match(data, place):
            place = found.end()
            left -= 1
            if left < 0 or self._room <= 0:
                self._problems.setdefault(Problem("truncated-text", "the rest is only swept"))
                self._rest = data[place:]
                return
            word, number, byte, symbol, brace, text = found.groups()
            if brace:
                self._group(opens=brace == b"{")
            elif word:
                self._word(word.decode(), int(number) if number else None)
                if word == b"bin":
                    place += self._binary(place, int(number or 0))
            elif text:
                self._text(text)
            elif byte:
                self._text(bytes([int(byte, 16)]))
            elif symbol == b"*" and self._place == _OBJECT:
                self._place = _SILENT
            elif symbol and symbol != b"*":
                self._symbol(symbol)

    def _group(self, *, opens: bool) -> None:
        if opens:
            if len(self._groups) < _NESTING:
                self._groups.append((self._place, self._skip))
            else:
                self._left_out += 1
        elif self._left_out:
            self._left_out -= 1
        elif self._groups:
            before = self._place
            self._place, self._skip = self._groups.pop()
            if before != self._place and before in {_FIELD, _UNSEEN, "template", "comment"}:
                self._write("\n", before)

    def _binary(self, place: int, size: int) -> int:
        """Take the raw bytes at *place*; return how many are to be passed over."""
        raw = self._source.data[place : place + max(0, size)]
        if self._place == _OBJECT:
            self._objects[-1] += binascii.hexlify(raw)
        return len(raw)

    def _word(self, word: str, number: int | None) -> None:
        """Act on a control word."""
        if self._place == _OBJECT and word != "objdata":
            # what stands in a destination inside is no part of the digits: an old way to hide them
            if word.encode() in self._destinations:
                self._place = _SILENT
        elif word in _DESTINATIONS:
            self._place = _DESTINATIONS[word]
            if self._place == _OBJECT:
                self._objects.append(bytearray())
        elif word in _BREAKS:
            self._write(_BREAKS[word])
        elif word in {"u", "uc"}:
            self._unicode(word, number or 0)
        elif word == "ansicpg" and number:
            self._page = _PAGES.get(number) or charset.known(f"cp{number}") or "cp1252"
        elif word == "v":
            self._place = "text" if number == 0 else _HIDDEN_FIELD
        elif word in {"objupdate", "objautlink"}:
            self._problems.setdefault(Problem("object-update", word))

    def _unicode(self, word: str, number: int) -> None:
        if word == "uc":
            self._skip = min(max(number, 0), 8)
            return
        code = number & 0xFFFF
        self._write(chr(code) if not 0xD800 <= code < 0xE000 else "\ufffd")
        self._shadow = self._skip

    def _text(self, raw: bytes) -> None:
        if self._place == _OBJECT:
            self._objects[-1] += raw
            return
        text = raw.decode(self._page, "replace")
        # a Unicode character is followed by what older readers show in its place
        if self._shadow:
            left = min(self._shadow, len(text))
            self._shadow -= left
            text = text[left:]
        self._write(text)

    def _symbol(self, symbol: bytes) -> None:
        self._write(_SYMBOLS.get(symbol.decode("latin-1"), ""))

    def _write(self, text: str, place: str | None = None) -> None:
        place = self._place if place is None else place
        if place not in {_SILENT, _OBJECT} and text:
            self._room -= len(text)
            self._texts.setdefault(place, []).append(text)

    def _child(self, digits: bytes) -> Child | None:
        """Return the object that the *digits* spell, unwrapped as far as possible."""
        digits = re.sub(rb"[^0-9A-Fa-f]+", b"", digits)
        data = binascii.unhexlify(digits[: len(digits) // 2 * 2])
        found = ole_objects.ole1(data) or ole_objects.Object("object", content=data)
        if "equation" in found.program.lower():
            self._problems.setdefault(Problem("equation", "Equation Editor object"))
        if package := ole_objects.package(found.content):
            return Child(package[0], package[2], "ole-package")
        if detect(found.content) == "unknown":
            self._write(runs.text(found.content) + "\n", "object text")
        if found.link:
            self._write(found.link + "\n", "object link")
        return Child(found.program, found.content, "rtf-object") if found.content else None


def _every_destination() -> frozenset[bytes]:
    from oletools import rtfobj

    return frozenset(rtfobj.DESTINATION_CONTROL_WORDS)
