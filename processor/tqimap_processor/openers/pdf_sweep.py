"""Sweep the raw bytes of a PDF for links and scripts, without believing its structure.

The sweep outlives every bomb that ends PDFium, finds links of objects that no page refers to, and
says beforehand whether PDFium would have to unpack more than it may.
"""

from __future__ import annotations

import base64
import binascii
import re
import zlib
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from tqimap_processor import charset
from tqimap_processor.openers.pdf_forms import Form, Objects, objects


if TYPE_CHECKING:
    from collections.abc import Iterator

    from tqimap_shared.settings import Limits


_STREAM = re.compile(rb"stream(?<!endstream)\r?\n")  # letters first: they are found fast
_END = b"endstream"
_DICTIONARY = 4096  # bytes before a stream in which its dictionary is looked for
_STEP = 65_536
_LAYERS = 4  # filters over one stream
_ZLIB = re.compile(rb"x[\x01\x5e\x9c\xda]")
_NAME = re.compile(rb"#([0-9A-Fa-f]{2})")
# a string is (..) with balanced or escaped brackets, or <hex>; the balance is good for three levels
_INNER = rb"[^()\\]*+(?:\\.[^()\\]*+)*"
_NESTED = rb"\(" + _INNER + rb"(?:\(" + _INNER + rb"\)" + _INNER + rb")*\)"
_BALANCED = rb"\(" + _INNER + rb"(?:" + _NESTED + _INNER + rb")*\)"
# letters of a name may be written as their numbers, which hides it from a plain search
_URI, _JS = rb"(?:U|#55)(?:R|#52)(?:I|#49)", rb"(?:J|#4[Aa])(?:S|#53)"
_VALUE = re.compile(
    rb"/(" + _URI + rb"|" + _JS + rb"|F|UF|UnixCommand|Win|P|D|Base|URL)\s{0,20}"
    rb"(" + _BALANCED + rb"|<[0-9A-Fa-f\s]{2,65536}>)",
    re.DOTALL,
)
_REFERENCE = re.compile(
    rb"/(" + _URI + rb"|" + _JS + rb")\s{1,20}(\d{1,10})\s{1,20}\d{1,5}\s{1,20}R\b"
)
_STRING = re.compile(rb"\s{0,20}(" + _BALANCED + rb"|<[0-9A-Fa-f\s]{2,65536}>)", re.DOTALL)
_ACTIVE = re.compile(rb"/(Launch|JavaScript|JS|SubmitForm|ImportData|RichMedia)(?![A-Za-z])")
_ESCAPES = {b"n": b"\n", b"r": b"\r", b"t": b"\t", b"b": b"\b", b"f": b"\f"}
_ESCAPE = re.compile(rb"\\(?:([0-7]{1,3})|(\r?\n|\r)|(.))", re.DOTALL)
_TILED = re.compile(rb"/PatternType\s{0,20}1\b")
_DULL = re.compile(rb"/(?:Image|FontFile\d?|DCTDecode|JPXDecode)\b")
_PLACES = {"URI": "uri", "JS": "javascript", "Base": "base", "URL": "url"}
_FILES = frozenset({"F", "UF", "P", "D", "Win", "UnixCommand"})
_PATH = re.compile(r"[:/\\@]")


@dataclass(slots=True)
class Sweep:
    """What the sweep found: values by place, active content, what a page unpacks to, in bytes.

    *unended* is how many streams have no end, *tiled* whether a pattern fills areas with tiles.
    """

    values: dict[tuple[str, str], None] = field(default_factory=dict)
    active: list[str] = field(default_factory=list)
    content: int = 0
    unended: int = 0
    too_many: bool = False
    room: int = 0
    tiled: bool = False


def sweep(data: bytes, limits: Limits) -> Sweep:
    """Return the links, actions and scripts in *data* and in its streams."""
    found = Sweep(room=limits.artefact_text)
    objects = Objects(data)
    texts, kept = [data], 0
    found.unended = sum(1 for _ in _STREAM.finditer(data)) - data.count(_END)
    for number, met in enumerate(_streams(data, limits)):
        if number >= limits.pdf_streams:
            found.too_many = True
            break
        kept += len(met.content)
        found.tiled = found.tiled or _TILED.search(met.head) is not None
        form = met if kept <= limits.artefact else replace(met, content=b"")
        objects.add(form)
        if b"/ObjStm" in form.head or _VALUE.search(form.content):
            texts.append(form.content)
    active: dict[str, None] = {}
    for text in texts:
        _read(text, found, objects)
        active.update(dict.fromkeys(hit[1].decode() for hit in _ACTIVE.finditer(_plain(text))))
    found.active = sorted({"JavaScript" if name == "JS" else name for name in active})
    found.content = objects.drawn(texts, limits.pdf_content)
    return found


def _streams(data: bytes, limits: Limits) -> Iterator[Form]:
    """Yield each stream that is no picture and no font, unpacked and cut to what is swept."""
    position = 0
    while hit := _STREAM.search(data, position):
        end = data.find(_END, hit.end())
        end = len(data) if end < 0 else end
        first = max(position, hit.start() - _DICTIONARY)
        number, first = [(-1, first), *objects(data, first, hit.start())][-1]
        head = data[first : hit.start()]
        position = end
        if not _DULL.search(head):
            content, size = _unpacked(_bare(data[hit.end() : end], head, limits), limits)
            yield Form(number, head, content, size)


def _bare(packed: bytes, head: bytes, limits: Limits) -> bytes:
    """Undo the filters that turn bytes into letters."""
    try:
        if b"/ASCII85Decode" in head or b"/A85" in head:
            body = packed[: limits.pdf_stream].partition(b"~>")[0]
            return base64.a85decode(body.strip().removeprefix(b"<~"))
        if b"/ASCIIHexDecode" in head or b"/AHx" in head:
            return _unhexed(packed[: limits.pdf_stream].partition(b">")[0])
    except (ValueError, binascii.Error):
        pass
    return packed


def _unpacked(packed: bytes, limits: Limits) -> tuple[bytes, int]:
    """Return the start of what *packed* unpacks to, layer by layer, and the size of the largest."""
    largest = len(packed)
    for _ in range(_LAYERS):
        if not _ZLIB.match(packed):
            break
        packed, size = _inflated(packed, limits)
        largest = max(largest, size)
    return packed[: limits.pdf_stream], largest


def _inflated(packed: bytes, limits: Limits) -> tuple[bytes, int]:
    unpacker, kept, size = zlib.decompressobj(), bytearray(), 0
    try:
        while packed and size <= limits.pdf_content:
            step = unpacker.decompress(packed, _STEP)
            if not step:
                break
            size += len(step)
            if len(kept) < limits.pdf_stream:
                kept += step
            packed = unpacker.unconsumed_tail
    except zlib.error:
        pass
    return bytes(kept), size


def _read(text: bytes, found: Sweep, objects: Objects) -> None:
    for hit in _VALUE.finditer(text):
        _keep(found, _plain(hit[1]).decode(), _text(hit[2]))
    references = ((_plain(hit[1]), int(hit[2])) for hit in _REFERENCE.finditer(text))
    for name, number in dict.fromkeys(references):
        if found.room > 0:
            _keep(found, name.decode(), _referred(number, objects))


def _plain(text: bytes) -> bytes:
    """Return *text* with the numbers in its names undone."""
    return _NAME.sub(lambda hit: bytes([int(hit[1], 16)]), text) if b"#" in text else text


def _keep(found: Sweep, name: str, value: str) -> None:
    # file names and paths; the names of fields stand under the same keys
    if value and (name not in _FILES or _PATH.search(value)) and found.room > 0:
        found.room -= len(value)
        found.values.setdefault((_PLACES.get(name, "file"), value))


def _referred(number: int, objects: Objects) -> str:
    """Return the string or stream that is the object *number*, where the sweep has met it."""
    if form := objects.forms.get(number):
        return charset.decode(form.content)
    string = _STRING.match(objects.body(number))
    return _text(string[1]) if string else ""


def _text(string: bytes) -> str:
    """Return the text of a PDF string as it stands in the file."""
    if string.startswith(b"<"):
        raw = _unhexed(string[1:-1])
    else:
        raw = _ESCAPE.sub(_unescaped, string[1:-1])
    return charset.decode(raw).replace("\0", "").strip()


def _unhexed(digits: bytes) -> bytes:
    digits = re.sub(rb"[^0-9A-Fa-f]", b"", digits)
    return binascii.unhexlify(digits + b"0" * (len(digits) % 2))


def _unescaped(hit: re.Match[bytes]) -> bytes:
    if hit[1]:
        return bytes([int(hit[1], 8) & 0xFF])
    return b"" if hit[2] else _ESCAPES.get(hit[3], hit[3])
