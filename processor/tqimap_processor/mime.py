"""Read a mail into the standard library's message tree, in a way that hostile bytes cannot abuse.

The compat32 policy, because it is the only one that never raised on 8,674 real and malformed
mails. Two changes: `message/*` parts stay opaque bytes (so that a nested mail keeps its exact
bytes and hash, base64 ones decode, and a delivery status cannot cost quadratic time), and long
MIME fields are cut, for their parameters cost quadratic time too.
"""

from __future__ import annotations

import binascii
import quopri
import re
from dataclasses import dataclass
from email._policybase import Compat32
from email.errors import MissingHeaderBodySeparatorDefect
from email.feedparser import FeedParser
from email.message import Message
from string import ascii_letters, digits
from typing import TYPE_CHECKING, Any

from tqimap_processor import charset, header, inlined


if TYPE_CHECKING:
    from collections.abc import Iterator
    from email._policybase import Policy


_ENCODED_WORD = re.compile(
    r"=\?([^?*\s]{1,75})(?:\*[^?\s]{0,20})?\?([bBqQ])\?([^?]*)\?=(?:[ \t\r\n]++(?==\?))?"
)
_NOT_BASE64 = bytes(set(range(256)).difference(f"{ascii_letters}{digits}+/=".encode()))
_CONTINUED = re.compile(r";[^;=*]*\*[^;=]*(?:=[^;]*)?")  # a parameter in pieces (RFC 2231)
_REPAIRS = 10  # each reads the rest of the mail again
_LOST_BOUNDARY = re.compile(rb"(?m)^--([^\r\n]{1,220})\r?\n(?i:content-)")
_COMMENT = re.compile(r"\([^()]{0,200}\)")
_ENCODING = re.compile(r"[a-z0-9-]{2,}")
_PLAIN = frozenset({"", "7bit", "8bit", "binary"})
_MULTIPART = re.compile(r"\s*multipart/", re.IGNORECASE)
_MIME_FIELD = re.compile(rb"(?im)^(?:content-[a-z-]{1,30}|mime-version)[ \t]*+:")
_FIELD_LINE = re.compile(rb"([!-9;-~]{1,76})[ \t]*+:(.*)", re.DOTALL)
_UNREAD = b"X-Unread-Line: "


class Part(Message):
    """A node of the message tree, whose `message/*` parts the parser takes for plain bytes."""

    # get_payload() would decode it by the declared charset and lose bytes
    _payload: object

    def get_content_type(self) -> str:
        """Return the type by which the parser decides whether to look inside."""
        declared = super().get_content_type()
        return "application/octet-stream" if declared.startswith("message/") else declared

    @property
    def declared_type(self) -> str:
        """The MIME type that the part really declares."""
        return super().get_content_type()

    def get_param(
        self,
        param: str,
        failobj: object = None,
        header: str = "content-type",
        unquote: bool = True,  # noqa: FBT001, FBT002 - email's signature
    ) -> Any:  # noqa: ANN401 - email's signature
        """Return a parameter as the base does, which cannot sort `n*=` and `n*1=`: then neither."""
        try:
            return super().get_param(param, failobj, header, unquote)
        except TypeError:
            plain = Part(self.policy)
            plain[header] = _CONTINUED.sub("", self.get(header, ""))
            return Message.get_param(plain, param, failobj, header, unquote)

    @property
    def encoding(self) -> str:
        """The Content-Transfer-Encoding, in lower case: of several the one that encodes."""
        told = (printable(one) for one in self.get_all("content-transfer-encoding", [""]))
        plain = (_COMMENT.sub("", decode_words(one)).lower() for one in told)
        named = [one[0] for text in plain if (one := _ENCODING.search(text))]
        return next((one for one in named if one not in _PLAIN), "".join(named[:1]))

    @property
    def disposition(self) -> str:
        """`attachment`, `inline` or empty."""
        return self._text("content-disposition").split(";")[0].strip().lower()

    @property
    def file_name(self) -> str:
        """The name by Content-Disposition or Content-Type, decoded, or an empty string."""
        return self.parameter("filename", "content-disposition") or self.parameter("name")

    def parameter(self, name: str, header: str = "content-type") -> str:
        """Return the parameter *name* of *header* as text, or an empty string."""
        try:
            value = self.get_param(name, "", header)
        except (ValueError, LookupError):
            return ""
        if isinstance(value, tuple):
            claimed, _, text = value
            # the standard library unquotes to latin-1, that is, to bytes
            return charset.decode(text.encode("latin-1", "surrogateescape"), claimed or "utf-8")
        return decode_words(printable(value))

    @property
    def raw_content(self) -> bytes:
        """The payload as it stands in the mail; nothing if there are parts in it."""
        payload = self._payload if isinstance(self._payload, str) else ""
        return payload.encode("utf-8", "surrogateescape")

    def content(self) -> bytes:
        """Return the payload with its transfer encoding undone as leniently as readers do."""
        raw = self.raw_content
        if self.encoding == "base64":
            return decode_base64(raw)
        if self.encoding == "quoted-printable":
            return quopri.decodestring(raw)
        if self.encoding in {"x-uuencode", "uuencode", "uue", "x-uue"}:
            return next((data for _, data in inlined.files(raw)), raw)
        return raw

    def fields(self) -> Iterator[tuple[str, str]]:
        """Yield the header fields in order: lower-case name, unfolded and decoded value."""
        for name, value in self.items():
            yield name.lower(), _unfolded(value)

    def field(self, name: str) -> str:
        """Return the first header field *name* as `fields` does, or an empty string."""
        return _unfolded(self.get(name, ""))

    def _text(self, name: str) -> str:
        return printable(self.get(name, ""))


@dataclass(frozen=True, slots=True)
class Node:
    """A part and its MIME path: `1.2` is the second part of the first; the root's is empty."""

    path: str
    part: Part


class _Policy(Compat32):
    """compat32 that cuts MIME fields to *field_bytes* characters."""

    field_bytes: int = 4096

    def header_source_parse(self, sourcelines: list[str]) -> tuple[str, str]:
        name, value = super().header_source_parse(sourcelines)
        # the name may hold what a strict parser refuses; only its use as a key matters here
        return name, value[: self.field_bytes] if name.lower().startswith("content-") else value

    def header_fetch_parse(self, name: str, value: str) -> str:  # noqa: ARG002 - email's signature
        # the base would wrap undecoded bytes in an object that loses them
        return value


def parse(raw: bytes, field_bytes: int) -> Part:
    """Parse *raw* into a tree of parts. The caller has checked the limits before."""
    cutting: Any = _Policy  # typeshed knows no settings but the standard library's
    policy: Policy[Message] = cutting(field_bytes=field_bytes)
    parser = FeedParser(Part, policy=policy)
    parser.feed(raw.removeprefix(b"\xef\xbb\xbf").decode("ascii", "surrogateescape"))
    root = parser.close()
    assert isinstance(root, Part)
    return root if (whole := _with_rest_of_header(root)) is None else parse(whole, field_bytes)


def nodes(root: Part, field_bytes: int) -> Iterator[Node]:
    """Yield *root* and all parts below it, in the order of the mail.

    A multipart whose boundary never appears is cut at the one that does; a few are.
    """
    pending, left = [Node("", root)], _REPAIRS
    while pending:
        node = pending.pop()
        if left and (repaired := _repaired(node.part, field_bytes)):
            node, left = Node(node.path, repaired), left - 1
        yield node
        if node.part.is_multipart():
            inner = [
                Node(f"{node.path}.{number}".lstrip("."), part)
                for number, part in enumerate(node.part.get_payload(), 1)
                if isinstance(part, Part)
            ]
            if left and (more := _behind(node.part, field_bytes)):
                inner.append(Node(f"{node.path}.{len(inner) + 1}".lstrip("."), more))
                left -= 1
            pending.extend(reversed(inner))


def _repaired(part: Part, field_bytes: int) -> Part | None:
    if part.is_multipart():
        return None
    if whole := _with_rest_of_header(part):
        return parse(whole, field_bytes)
    # of several types the first counts, and another one may be what a reader goes by
    if not any(_MULTIPART.match(str(one)) for one in part.get_all("content-type", [])):
        return None
    body = part.content()
    found = _LOST_BOUNDARY.search(body)
    if found is None:
        return None
    cut = _cut_at(found[1], body, field_bytes)
    for name, value in part.items():
        if name.lower() != "content-type":
            cut[name] = value
    return cut


def _cut_at(boundary: bytes, body: bytes, field_bytes: int) -> Part:
    head = b'Content-Type: multipart/mixed; boundary="%s"\n\n' % boundary.rstrip()
    return parse(head + body, field_bytes)


def _behind(part: Part, field_bytes: int) -> Part | None:
    """Return what stands behind the end of a multipart, if that has parts, too."""
    rest = (part.epilogue or "").encode("utf-8", "surrogateescape")
    found = _LOST_BOUNDARY.search(rest)
    return _cut_at(found[1], rest, field_bytes) if found else None


def _with_rest_of_header(part: Part) -> bytes | None:
    """Return *part* with a header that goes on behind a line that is no field, if it does.

    Such lines, and fields with a blank before their colon, end a header for the standard library.
    They are fields of their own here, so that what is in them is read.
    """
    missing = any(isinstance(one, MissingHeaderBodySeparatorDefect) for one in part.defects)
    raw = part.raw_content if missing else b""
    head = header.block(raw)
    if not _MIME_FIELD.search(head):
        return None
    lines = [_as_field(line) for line in head.splitlines()]
    known = [f"{name}: {value}".encode("utf-8", "surrogateescape") for name, value in part.items()]
    return b"\n".join((*known, *lines)) + raw[len(head) :]


def _as_field(line: bytes) -> bytes:
    found = _FIELD_LINE.fullmatch(line)
    return b"%s:%s" % found.groups() if found else line if line[:1] in b" \t" else _UNREAD + line


def printable(value: object) -> str:
    """Return a header value of the tree as text: its undecoded bytes as UTF-8 or cp1252."""
    text = str(value)
    if text.isascii():
        return text
    return charset.decode(text.encode("utf-8", "surrogateescape"))


def _unfolded(value: object) -> str:
    text = printable(value).replace("\r", "").replace("\n", "")
    return decode_words(text).strip()


def decode_words(text: str) -> str:
    """Decode the RFC 2047 encoded words of *text*, joining the bytes of neighbours."""
    if "=?" not in text:
        return text
    pieces: list[str] = []
    end, claimed, held = 0, "", b""
    for word in _ENCODED_WORD.finditer(text):
        if word.start() != end or word[1].lower() != claimed:
            pieces.append(charset.decode(held, claimed))
            held = b""
        pieces.append(text[end : word.start()])
        claimed, end = word[1].lower(), word.end()
        held += _word_bytes(word[2], word[3])
    pieces += [charset.decode(held, claimed), text[end:]]
    return "".join(pieces)


def _word_bytes(encoding: str, text: str) -> bytes:
    data = text.encode("utf-8", "replace")
    if encoding in "bB":
        try:
            return binascii.a2b_base64(data, strict_mode=True)
        except binascii.Error:
            return decode_base64(data)
    return quopri.decodestring(data, header=True)


def decode_base64(data: bytes) -> bytes:
    """Decode base64 as mail programs do: foreign characters ignored, several runs joined."""
    runs = data.translate(None, _NOT_BASE64).split(b"=")
    return b"".join(_decode_run(run) for run in runs if run)


def _decode_run(run: bytes) -> bytes:
    if len(run) % 4 == 1:
        run = run[:-1]
    return binascii.a2b_base64(run + b"=" * (-len(run) % 4))
