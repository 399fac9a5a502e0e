"""The openers of what Outlook writes: MSG and TNEF."""

from __future__ import annotations

import struct
from dataclasses import replace
from typing import TYPE_CHECKING

import compressed_rtf
import pytest
from fixtures.built_documents import mapi, msg, properties, tnef, under
from fixtures.built_mail import decision, mixed, part, report, source

from tqimap_processor.openers import compound
from tqimap_processor.openers.msg import open_msg
from tqimap_processor.openers.tnef import open_tnef
from tqimap_processor.walk import walk
from tqimap_shared.settings import Limits


if TYPE_CHECKING:
    from tqimap_processor.artefact import Opened

HEADERS = "Received: from a.com\r\nReceived: from b.com\r\nSubject: Of the transport\r\n"
MESSAGE = bytes.fromhex("0703020000000000c000000000000046")
STORAGE = bytes.fromhex("0b00000000000000c000000000000046")
OLE = compound.build({("Workbook",): b"http://in-object.com/"})


def _spans(opened: Opened) -> dict[str, str]:
    return {span.where: span.text for span in opened.spans}


def _with(*inside: dict[tuple[str, ...], bytes]) -> bytes:
    streams = properties({0x0037: "outer"}, {})
    for one in inside:
        streams |= one
    return compound.build(streams)


def _attached(
    texts: dict[int, str], raw: dict[int, bytes], number: int = 0
) -> dict[tuple[str, ...], bytes]:
    return under((f"__attach_version1.0_#{number:08X}",), properties(texts, raw, head=8))


@pytest.mark.opens("msg")
def test_transport_headers_are_spans() -> None:
    """Fields stand as those of a mail do, repeated ones with a number; properties add the rest."""
    opened = open_msg(source(msg({0x007D: HEADERS, 0x0037: "Of Outlook", 0x0E04: "b@c.com"}, {})))
    assert _spans(opened) == {
        "header received": "from a.com",
        "header received 2": "from b.com",
        "header subject": "Of the transport",
        "header to": "b@c.com",
    }


def test_properties_stand_for_missing_headers() -> None:
    """A message that was never sent has its sender and subject in properties."""
    opened = open_msg(source(msg({0x0037: "s", 0x0042: "Ann", 0x5D02: "a@b.com"}, {})))
    assert _spans(opened) == {"header subject": "s", "header from": "Ann a@b.com"}


def test_bodies_are_children() -> None:
    """Plain text, HTML and compressed RTF come out, each with its type."""
    rtf = compressed_rtf.compress(b"{\\rtf1 http://in-rtf.com/}")
    opened = open_msg(source(msg({0x1000: "plain"}, {0x1013: b"<p>html", 0x1009: rtf})))
    assert [(one.how, one.declared_type, one.data) for one in opened.children] == [
        ("body", "text/plain", b"plain"),
        ("body", "text/html", b"<p>html"),
        ("body", "text/rtf", b"{\\rtf1 http://in-rtf.com/}"),
    ]


@pytest.mark.parametrize("page", [1251, 932, 950, 65001])
def test_code_pages(page: int) -> None:
    """Texts of one byte a character are read by the message's code page."""
    text = {1251: "Привет", 932: "日本", 950: "中文", 65001: "é"}[page]
    opened = open_msg(source(msg({0x0037: text}, {}, page=page)))
    assert _spans(opened) == {"header subject": text}


def test_attachments_and_recipients() -> None:
    """Attachments have their long name and type, recipients all their addresses."""
    attached = _attached(
        {0x3707: "long.pdf", 0x3704: "LONG~1.PDF", 0x370E: "application/pdf"}, {0x3701: b"%PDF"}
    )
    recipient = under(
        ("__recip_version1.0_#00000000",), properties({0x3001: "Bo", 0x39FE: "b@c.com"}, {}, head=8)
    )
    opened = open_msg(source(_with(attached, recipient)))
    (child,) = opened.children
    assert (child.name, child.declared_type, child.data, child.how) == (
        "long.pdf", "application/pdf", b"%PDF", "attachment",
    )  # fmt: skip
    assert _spans(opened)["recipient"] == "b@c.com Bo"


def test_message_in_a_message_is_a_nested_mail() -> None:
    """A message that is attached becomes a file of its own, and its link is found in it."""
    inner = properties({0x0037: "inner", 0x1000: "http://inner-message.com/"}, {}, head=24)
    place = ("__attach_version1.0_#00000000", "__substg1.0_3701000D")
    data = _with(under(place, inner), _attached({0x3001: "the inner"}, {}))
    tree = walk(mixed(part(data, "application/vnd.ms-outlook", name="a.msg")), Limits())
    assert [(one.id, one.how, one.kind) for one in tree[1:]] == [
        ("1", "attachment", "msg"),
        ("1.1", "nested-mail", "msg"),
        ("1.1.1", "body", "text"),
    ]
    outcome = report(mixed(part(data, "application/vnd.ms-outlook", name="a.msg")))
    assert decision(outcome, "http://inner-message.com/").found[0].artefact == "1.1.1"


def test_object_in_a_message_is_an_attachment() -> None:
    """A storage that is no message is an OLE file of its own."""
    place = ("__attach_version1.0_#00000000", "__substg1.0_3701000D")
    (child,) = open_msg(source(_with({(*place, "Workbook"): b"x"}))).children
    assert (child.how, child.data[:4]) == ("attachment", b"\xd0\xcf\x11\xe0")


def test_compressed_rtf_is_limited() -> None:
    """Unpacking it is slow, so its size is limited; broken RTF is a problem."""
    data = msg({0x1000: "x"}, {0x1009: compressed_rtf.compress(b"{\\rtf1}" * 9)})
    limited = replace(source(data), limits=Limits(compressed_rtf=20))
    assert [one.kind for one in open_msg(limited).problems] == ["too-large"]
    broken = msg({0x1000: "x"}, {0x1009: b"no rtf at all"})
    assert [one.kind for one in open_msg(source(broken)).problems] == ["malformed"]


def test_message_without_anything_is_a_problem() -> None:
    """A file with the name of a message and no property says so."""
    data = compound.build({("__properties_version1.0",): b""})
    assert [one.kind for one in open_msg(source(data)).problems] == ["malformed"]


@pytest.mark.opens("tnef")
def test_tnef_attachments() -> None:
    """Plain attachments have the name of their title, or the better one of their properties."""
    better = mapi((0x1F, 0x3707, "long name.pdf".encode("utf-16-le")))
    data = tnef(
        (0x69002, b""), (0x18010, b"a.txt\0"), (0x6800F, b"one"),
        (0x69002, b""), (0x18010, b"LONG~1.PDF\0"), (0x6800F, b"two"), (0x69005, better),
    )  # fmt: skip
    assert [(one.name, one.data) for one in open_tnef(source(data)).children] == [
        ("a.txt", b"one"),
        ("long name.pdf", b"two"),
    ]


def test_tnef_message_properties() -> None:
    """Subject, sender and bodies come from attributes and from properties."""
    named = (
        struct.pack("<HH16sII", 0x1F, 0x8005, bytes(16), 0, 7)
        + struct.pack("<II", 1, 2)
        + b"x\0\0\0"
    )
    number = struct.pack("<HHI", 3, 0x3FDE, 65001)
    body = struct.pack("<HHII", 0x1F, 0x1000, 1, 8) + "text".encode("utf-16-le")
    data = tnef((0x18004, b"Subject\0"), (0x69003, struct.pack("<I", 3) + named + number + body))
    opened = open_tnef(source(data))
    assert _spans(opened) == {"header subject": "Subject"}
    assert [(one.how, one.data) for one in opened.children] == [("body", b"text")]


@pytest.mark.parametrize(
    ("content", "how", "data"),
    [
        (MESSAGE + tnef((0x18004, b"in\0")), "nested-mail", tnef((0x18004, b"in\0"))),
        (STORAGE + OLE, "attachment", OLE),
        (b"%PDF-1.7", "attachment", b"%PDF-1.7"),
    ],
    ids=["message", "object", "file"],
)  # fmt: skip
def test_tnef_embedded_objects(content: bytes, how: str, data: bytes) -> None:
    """Messages and objects that lie in an attachment's properties come out whole."""
    packed = tnef((0x69002, b""), (0x6800F, b"picture"), (0x69005, mapi((0xD, 0x3701, content))))
    assert [(one.how, one.data) for one in open_tnef(source(packed)).children] == [(how, data)]


def test_winmail_dat_in_a_mail() -> None:
    """A link in a file in winmail.dat is found at its place in the tree."""
    data = tnef((0x69002, b""), (0x18010, b"a.txt\0"), (0x6800F, b"http://in-winmail.com/"))
    outcome = report(mixed(part(data, "application/ms-tnef", name="winmail.dat")))
    assert decision(outcome, "http://in-winmail.com/").found[0].artefact == "1.1"


@pytest.mark.parametrize(
    "data",
    [
        tnef(),
        tnef((0x69003, b"\xff\xff\xff\xff" * 9)),
        tnef((0x69003, struct.pack("<IHHI", 1, 0x101F, 0x1000, 0xFFFFFFFF))),
        tnef((0x69003, struct.pack("<IHHI", 0xFFFFFFFF, 0x1003, 0x1000, 0xFFFFFFFF))),
        tnef((0x8000, b"\0"))[:-4],
    ],
)
def test_broken_tnef_is_a_problem(data: bytes) -> None:
    """Counts and lengths that lie end in a problem."""
    assert [one.kind for one in open_tnef(source(data)).problems] == ["malformed"]


def test_tnef_attachments_are_limited() -> None:
    """Attachments beyond the number of children are left out and told."""
    data = tnef(*[(0x69002, b""), (0x6800F, b"x")] * 3)
    opened = open_tnef(replace(source(data), limits=Limits(children=2)))
    assert len(opened.children) == 2
    assert [one.kind for one in opened.problems] == ["too-many"]
