"""Find what scripts, pages and shortcuts carry in other letters: base64, numbers, pieces, reversed.

That is how HTML smuggling carries its archives, and droppers their addresses. Nothing is run: what
begins like a file or an address in base64 or hexadecimal digits is found by its first letters; the
rest is undone only where the call that undoes it stands in the same text. Time is linear.
"""

from __future__ import annotations

import binascii
import re
from itertools import islice
from typing import TYPE_CHECKING
from urllib.parse import unquote_to_bytes

from tqimap_processor import charset, inlined, mime
from tqimap_processor.artefact import Child, Opened, Span
from tqimap_processor.detect import detect


if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from tqimap_processor.openers.source import Source


_MARKUP = frozenset({"html", "svg", "xml"})
_LINES = frozenset({"text", "html"})  # which may hold files between their lines
KINDS = _MARKUP | {"text", "lnk", "json", "url", "docx", "xlsx", "doc", "xls", "ole", "rtf"}
_MOST = 50  # of each way, in one text
_SHORT = 4096  # text that is a place of its own, and no child
# how files and addresses begin: PK, MZ, %PDF, OLE, 7z, Rar, MSCF, gzip, rtf, lnk, html, svg, http
_BASE64 = re.compile(
    r"(?<![A-Za-z0-9+/])(?:UEsDB|TVqQ|TVpQ|JVBER|0M8R4K|N3q8r|UmFyI|TVNDR|H4sI|e1xyd|TAAAAAEU"
    r"|PGh0b|PEhUT|PCFET|PCFkb|PHNjc|PHN2Z|PD94b|QWN0aXZlT|aHR0c)"
    r"(?:[A-Za-z0-9+/=]|\\?[\r\n][ \t]{0,8})+"
)
_HEX = re.compile(
    r"(?<![0-9a-f])(?:504b0304|4d5a9000|25504446|d0cf11e0|68747470|3c68746d6c|3c736372|3c212d2d)"
    r"(?:[0-9a-f]{2}){4,}"
)
_RUNS = ("script", "atob")  # a page without either runs nothing
_ADDRESS_IN_BASE64 = "aHR0c"
_DATA_URL = "base64,"
_NEEDLES = (
    *("UEsDB", "TVqQ", "TVpQ", "JVBER", "0M8R4K", "N3q8r", "UmFyI", "TVNDR", "H4sI", "e1xyd"),
    *("TAAAAAEU", "PGh0b", "PEhUT", "PCFET", "PCFkb", "PHNjc", "PHN2Z", "PD94b", "QWN0aXZlT"),
    _ADDRESS_IN_BASE64,
)
_HEX_NEEDLES = (
    "504b0304",
    "4d5a9000",
    "25504446",
    "d0cf11e0",
    "68747470",
    "3c68746d6c",
    "3c736372",
)
_LITERAL = re.compile(r"[\"'`]([A-Za-z0-9+/]{12,}={0,2})[\"'`]")
_ARGUMENTS = ("-enc", " -e ", "\n-e ", " -ec ")
_ARGUMENT = re.compile(r"-e[a-z]{0,14}\s{1,5}[\"']?([A-Za-z0-9+/]{20,}={0,2})", re.IGNORECASE)
_NUMBER = r"(?:0x[0-9a-f]{1,2}|\d{1,3})"
_NUMBERS = re.compile(rf"{_NUMBER}(?:\s{{0,3}},\s{{0,3}}{_NUMBER}){{7,}}", re.IGNORECASE)
_CODES = re.compile(
    r"(?:cha?rw?\$?\(\s{0,3}(?:&h[0-9a-f]{1,4}|\d{1,5})\s{0,3}\)[\s&+_]{0,8}){4,}", re.IGNORECASE
)
_CODE = re.compile(r"\(\s{0,3}(&h)?([0-9a-f]{1,5})", re.IGNORECASE)
_REGISTRY = re.compile(
    r"hex(?:\(\d\))?:((?:[0-9a-f]{2},(?:\\\s{1,5})?){7,}[0-9a-f]{2})", re.IGNORECASE
)
_PERCENT = re.compile(r"(?:%u[0-9A-Fa-f]{4}|%[0-9A-Fa-f]{2}|[!#$&(-_a-~]){0,200000}")
_UNICODE = re.compile(rb"%u([0-9A-Fa-f]{4})")
_REVERSED = re.compile(r"[^\s\"'`<>()]{4,2000}//:s?ptth", re.IGNORECASE)
_PIECES = ('"+', "'+", '" +', "' +", '"&', '" &', '+="', "+='", '+= "', "+= '")
_JOINT = re.compile(
    r"[\"'`][ \t]{0,5}(?:;?\s{0,5}[\w$.]{1,40}[ \t]{0,5}\+=|[+&](?:[ \t]{0,5}_?\r?\n)?)"
    r"\s{0,5}[\"'`]"
)
_LISTED = re.compile(r"[\"'`]\)?\s{0,5}(?:,|\.concat\()\s{0,5}[\"'`]")
_LISTS = (".join(", ".concat(")
_SPLIT = re.compile(r"\w[\^`]\w[\^`]?[\w:]")
_ADDRESS = re.compile(r"[A-Za-z]{3,10}://[^\s\"'`<>()\\,;]{4,2000}")


def revealed(opened: Opened, kind: str, source: Source) -> Opened:
    """Return *opened* with what is encoded in the text of *source*, if its kind has such text."""
    if kind not in KINDS:
        return opened
    if kind in _MARKUP:
        # what is looked for is ASCII in every charset that matters here
        text = source.data.decode("latin-1")
    else:
        text = "\n".join(span.text for span in opened.spans)
    found, lower = _Found(source, text), text.lower()
    if kind != "html" or any(one in lower for one in _RUNS):
        found.read(lower)
    elif _ADDRESS_IN_BASE64 in text:
        found.take(_based(text))
    files = tuple(inlined.files(source.data)) if kind in _LINES else ()
    if not (found.spans or found.children or files):
        return opened
    spans = (Span("decoded", one, hidden=True) for one in found.spans)
    children = (Child("", data, "decoded") for data in found.children)
    named = (Child(name, data, "attachment") for name, data in files)
    return Opened((*opened.spans, *spans), (*opened.children, *named, *children), opened.problems)


class _Found:
    """What has come out of one text so far."""

    def __init__(self, source: Source, text: str) -> None:
        self.spans: dict[str, None] = {}
        self.children: dict[bytes, None] = {}
        self._text = text
        self._room = min(source.room, source.limits.artefact)

    def read(self, lower: str) -> None:
        """Try each way whose sign stands in the text, or in *lower*, its small letters."""
        text = self._text
        whole = _JOINT.sub("", text) if any(one in text for one in _PIECES) else text
        if any(one in lower for one in _LISTS):
            whole = _LISTED.sub("", whole)
        if whole is not text:
            self._addresses(whole)
        if any(one in whole for one in _NEEDLES):
            self.take(_based(whole))
        if any(one in lower for one in _HEX_NEEDLES):
            self.take(binascii.unhexlify(one[0]) for one in _HEX.finditer(lower))
        self._called(whole, lower)
        if "//:ptth" in lower or "//:sptth" in lower:
            self.take(one[0][::-1].encode() for one in _REVERSED.finditer(text))
        if ("^" in text or "`" in text) and _SPLIT.search(text):
            self._addresses(text.replace("^", "").replace("`", ""))

    def _called(self, whole: str, lower: str) -> None:
        """Undo what a call in the text undoes."""
        if "atob" in lower or "base64" in lower:
            self.take(mime.decode_base64(one[1].encode()) for one in _LITERAL.finditer(whole))
        if any(one in lower for one in _ARGUMENTS):
            self.take(mime.decode_base64(one[1].encode()) for one in _ARGUMENT.finditer(whole))
        if "charcode" in lower or "array" in lower or "byte[]" in lower:
            self.take(_numbers(one[0]) for one in _NUMBERS.finditer(whole))
        if "chr" in lower or "char(" in lower:
            self.take(_codes(one[0]) for one in _CODES.finditer(whole))
        if "unescape(" in lower or "decodeuri" in lower:
            self.take(_unquoted(one[0]) for one in _PERCENT.finditer(whole) if "%" in one[0])
        if "hex:" in lower or "hex(" in lower:
            self.take(
                bytes.fromhex(re.sub(r"[^0-9a-fA-F]", "", one[1]))
                for one in _REGISTRY.finditer(whole)
            )

    def take(self, found: Iterable[bytes]) -> None:
        """Keep of what was *found* the files and the texts."""
        for data in islice(found, _MOST):
            kind = detect(data)
            # PowerShell's letters are two bytes wide
            if kind == "unknown" and data[1::2].count(0) > len(data) * 0.4:
                data, kind = data.decode("utf-16-le", "replace").encode(), "text"  # noqa: PLW2901
            if kind in {"empty", "unknown"} or len(data) > self._room:
                continue
            self._room -= len(data)
            if kind == "text" and len(data) <= _SHORT:
                self.spans.setdefault(charset.decode(data))
            else:
                self.children.setdefault(data)

    def _addresses(self, whole: str) -> None:
        """Keep the addresses of *whole* that only came together there."""
        for one in islice(_ADDRESS.finditer(whole), _MOST):
            if one[0] not in self._text:
                self.spans.setdefault(one[0])


def _based(text: str) -> Iterator[bytes]:
    for one in _BASE64.finditer(text):
        # what a data: URL carries is a child already
        if not text.endswith(_DATA_URL, 0, one.start()):
            yield mime.decode_base64(one[0].encode())


def _numbers(text: str) -> bytes:
    values = (int(one.strip(), 16 if "x" in one.lower() else 10) for one in text.split(","))
    return bytes(one for one in values if one < 256)


def _codes(text: str) -> bytes:
    values = (int(digits, 16 if is_hex else 10) for is_hex, digits in _CODE.findall(text))
    return "".join(chr(one) for one in values if 0 < one < 0xD800).encode()


def _unquoted(text: str) -> bytes:
    if text.count("%") < 4:
        return b""
    raw = text.encode()
    return unquote_to_bytes(
        _UNICODE.sub(lambda hit: chr(int(hit[1], 16)).encode("utf-8", "replace"), raw)
    )
