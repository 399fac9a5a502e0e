"""Turn MAPI properties, which MSG and TNEF share, into spans and children.

Property ids and types: [MS-OXPROPS], [MS-OXCDATA]. A message is a mapping of ids to values:
strings are text, all else is bytes.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tqimap_processor import charset, mime
from tqimap_processor.artefact import Child, Problem, Span
from tqimap_processor.openers.untrusted import attempt


if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from tqimap_shared.settings import Limits


BINARY, TEXT, WIDE_TEXT, OBJECT = 0x0102, 0x001E, 0x001F, 0x000D
SUBJECT, BODY, HTML, RTF, HEADERS = 0x0037, 0x1000, 0x1013, 0x1009, 0x007D
CONTENT = 0x3701
_CODEPAGES = (0x3FDE, 0x3FFD, 0x66C3)
# header fields that are rebuilt where the transport's own are missing
_FIELDS = (
    ("subject", (SUBJECT, 0x0E1D)),
    ("from", (0x0042, 0x0065, 0x5D02)),
    ("sender", (0x0C1A, 0x0C1F, 0x5D01)),
    ("to", (0x0E04,)),
    ("cc", (0x0E03,)),
    ("bcc", (0x0E02,)),
    ("reply-to", (0x0050, 0x0C19)),
    ("message-id", (0x1035,)),
    ("in-reply-to", (0x1042,)),
)
_ADDRESS = (0x39FE, 0x3003, 0x3001)
_LONG_NAME, _SHORT_NAME, _DISPLAY_NAME, _LONG_PATH = 0x3707, 0x3704, 0x3001, 0x370D
_TYPE, _CONTENT_ID = 0x370E, 0x3712
# a page number that means UTF-8, UTF-7 or ASCII in Windows' own way
_PAGES = {65001: "utf-8", 65000: "utf-7", 20127: "", 1200: "utf-16-le", 28591: "cp1252"}


@dataclass(frozen=True, slots=True)
class Message:
    """The properties of a message or an attachment: texts, bytes, and the code page of texts."""

    texts: Mapping[int, str] = field(default_factory=dict, repr=False)
    raw: Mapping[int, bytes] = field(default_factory=dict, repr=False)
    page: str = ""

    def text(self, *ids: int) -> str:
        """Return the first text among the properties *ids*, or nothing."""
        return next((self.texts[one] for one in ids if self.texts.get(one)), "")


def page_of(number: int) -> str:
    """Return the charset of the Windows code page *number*, or an empty string."""
    return _PAGES[number] if number in _PAGES else charset.known(f"cp{number}")


def page(numbers: Mapping[int, int]) -> str:
    """Return the charset that a message's integer properties name."""
    return next((found for one in _CODEPAGES if (found := page_of(numbers.get(one, 0)))), "")


def spans(message: Message, limits: Limits) -> Iterator[Span]:
    """Yield the header fields of *message*: the transport's, or what its properties say."""
    names: set[str] = set()
    if raw := message.text(HEADERS):
        root = mime.parse(_header_block(raw, limits), limits.part_field_bytes)
        count: dict[str, int] = {}
        for name, value in root.fields():
            count[name] = count.get(name, 0) + 1
            names.add(name)
            yield Span(f"header {name}" + (f" {count[name]}" if count[name] > 1 else ""), value)
    for name, ids in _FIELDS:
        values = dict.fromkeys(message.texts[one] for one in ids if message.texts.get(one))
        if name not in names and values:
            yield Span(f"header {name}", " ".join(values))


def recipient(message: Message) -> str:
    """Return the name and the addresses of a recipient's properties."""
    return " ".join(dict.fromkeys(message.texts[one] for one in _ADDRESS if one in message.texts))


def bodies(message: Message, limits: Limits) -> tuple[list[Child], list[Problem]]:
    """Return the bodies of *message* as children: plain text, HTML and RTF, as far as there are."""
    children: list[Child] = []
    problems: list[Problem] = []
    if text := message.text(BODY):
        children.append(_body(text.encode("utf-8", "replace"), "text/plain", "utf-8"))
    if text := message.text(HTML):
        children.append(_body(text.encode("utf-8", "replace"), "text/html", "utf-8"))
    elif html := message.raw.get(HTML):
        children.append(_body(html, "text/html", message.page))
    if packed := message.raw.get(RTF):
        unpacked = rich_text(packed, limits)
        if isinstance(unpacked, Problem):
            problems.append(unpacked)
        elif unpacked:
            children.append(_body(unpacked, "text/rtf", ""))
    return children, problems


def rich_text(packed: bytes, limits: Limits) -> bytes | Problem:
    """Unpack the compressed RTF of a message ([MS-OXRTFCP]).

    compressed-rtf, because it is that algorithm and nothing else.
    """
    if len(packed) > limits.compressed_rtf:
        return Problem("too-large", "compressed RTF is not read")
    return attempt(lambda: _unpacked(packed))


def _unpacked(packed: bytes) -> bytes:
    import compressed_rtf

    return bytes(compressed_rtf.decompress(packed))


def attachment(message: Message, data: bytes, how: str = "attachment") -> Child:
    """Return an attachment of the properties *message* with the content *data*."""
    name = message.text(_LONG_NAME, _LONG_PATH, _SHORT_NAME, _DISPLAY_NAME)
    inline = how == "attachment" and bool(message.text(_CONTENT_ID))
    return Child(name, data, "inline" if inline else how, message.text(_TYPE).lower())


def _body(data: bytes, declared: str, claimed: str) -> Child:
    return Child("", data, "body", declared, parameters=(("charset", claimed),) if claimed else ())


def _header_block(raw: str, limits: Limits) -> bytes:
    lines = raw.replace("\r\n", "\n").strip("\n").split("\n")[: limits.header_lines]
    # the first line may be of Exchange's own making
    if lines and lines[0].startswith("Microsoft Mail Internet Headers"):
        lines = lines[1:]
    kept = "\r\n".join(line[: limits.field_bytes] for line in lines)[: limits.header_bytes]
    return kept.replace("\0", "").encode("utf-8", "replace") + b"\r\n\r\n"
