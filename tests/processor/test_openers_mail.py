"""The mail opener: parts, names, encodings, header fields."""

from __future__ import annotations

import base64
import re
import zlib
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from fixtures.built_mail import artefacts, decision, mail, mixed, part, report, source
from fixtures.small_cases import signed

from tqimap_processor.openers import open_artefact
from tqimap_processor.openers.mail import open_mail
from tqimap_processor.walk import walk
from tqimap_shared.settings import Limits


if TYPE_CHECKING:
    from tqimap_processor.artefact import Opened

PNG = b"\x89PNG\r\n\x1a\n" + bytes(20)


def _spans(opened: Opened) -> dict[str, str]:
    return {span.where: span.text for span in opened.spans}


@pytest.mark.opens("mail")
def test_every_header_field_is_a_span() -> None:
    """Fields are decoded and unfolded; repeated ones are numbered from the second on."""
    spans = _spans(
        open_mail(
            source(
                b"Received: from a\r\n by b\r\nReceived: from c\r\n"
                b"Subject: =?koi8-r?B?8NLJ18XU?= =?koi8-r?B?IQ==?= and\r\n more\r\n"
                b"X-Odd: \xd0\xbf\r\n\r\nx"
            )
        )
    )
    assert spans["header received"] == "from a by b"
    assert spans["header received 2"] == "from c"
    assert spans["header subject"] == "Привет! and more"
    assert spans["header x-odd"] == "п"


def test_encoded_words_split_inside_a_character_are_joined() -> None:
    """Neighbouring words of one charset are decoded as one run of bytes."""
    spans = _spans(
        open_mail(source(b"Subject: =?utf-8?B?0J8=?= =?utf-8?Q?=D0?= =?UTF-8?Q?=B8?=\n\n"))
    )
    assert spans["header subject"] == "Пи"


def test_parts_say_how_they_are_held() -> None:
    """Bodies, attachments, inline parts and nested mails are told apart."""
    raw = mixed(
        b"Content-Type: text/plain\r\n\r\nhello",
        b"Content-Type: text/html\r\n\r\n<p>hello",
        part(b"%PDF-1.4 x", "application/pdf", name="a.pdf"),
        part(PNG, "image/png", "Content-ID: <1@x>", "Content-Disposition: inline"),
        b"Content-Type: message/rfc822\r\n\r\n" + mail(b"inner"),
    )
    assert artefacts(raw) == {
        "0": "mail mail",
        "1": "body text",
        "2": "body html",
        "3": "attachment pdf a.pdf",
        "4": "inline png part-4",
        "5": "nested-mail mail part-5",
        "5.1": "body text",
    }


def test_nameless_binary_part_is_kept_whole() -> None:
    """A binary part without a name keeps its bytes and is called by its place."""
    alternative = (
        b"Content-Type: multipart/related; boundary=in\r\n\r\n--in\r\n"
        b"Content-Type: text/html\r\n\r\n<p>x\r\n--in\r\n"
        + part(PNG, "application/octet-stream")
        + b"\r\n--in--\r\n"
    )
    tree = walk(mixed(alternative), Limits())
    (kept,) = [one for one in tree if one.kind == "png"]
    assert (kept.name, kept.data, kept.how) == ("part-1.2", PNG, "attachment")


def test_binary_declared_as_text_is_an_attachment() -> None:
    """What declares itself as text and is none does not count as a body."""
    assert artefacts(mixed(part(PNG, "text/plain")))["1"] == "attachment png part-1"


def test_mail_that_is_one_attachment() -> None:
    """A mail may consist of nothing but a file."""
    raw = mail(
        base64.encodebytes(PNG), "image/png; name=a.png", "Content-Transfer-Encoding: base64"
    )
    assert artefacts(raw) == {"0": "mail mail", "1": "attachment png a.png"}


def test_nested_mails_keep_their_headers_and_exact_bytes() -> None:
    """Mails three deep are artefacts of their own, byte for byte."""
    inner = mail(b"http://deep-inside.com/").replace(b"Look at this", b"innermost")
    for cut in ("one", "two"):
        inner = mixed(b"Content-Type: message/rfc822\r\n\r\n" + inner, boundary=cut)
    tree = walk(mixed(b"Content-Type: message/rfc822\r\n\r\n" + inner), Limits())
    deepest = next(one for one in tree if one.id == "1.1.1")
    assert deepest.data.startswith(b"From: Ann")
    assert ("header subject", "innermost") in [(one.where, one.text) for one in deepest.spans]
    assert (
        next(one for one in tree if one.id == "1.1.1.1").spans[0].text == "http://deep-inside.com/"
    )


def test_nested_mail_in_base64_is_decoded() -> None:
    """message/rfc822 in base64, which RFC 2046 forbids and gateways send, is read."""
    nested = mail(b"http://in-base64.com/")
    tree = walk(mixed(part(nested, "message/rfc822", name="forwarded.eml")), Limits())
    assert tree[1].data == nested
    assert tree[2].spans[0].text == "http://in-base64.com/"


def test_mail_without_body_or_header() -> None:
    """Emptiness is no error."""
    assert artefacts(b"") == {"0": "mail mail", "1": "body empty"}
    assert artefacts(b"Subject: x\r\n") == {"0": "mail mail", "1": "body empty"}
    assert artefacts(b"\r\n\r\nonly http://a-body.com/")["1"] == "body text"


def test_lost_boundary_is_found_again() -> None:
    """If the declared boundary never appears, the parts are cut at the one that does."""
    raw = mixed(b"Content-Type: text/plain\r\n\r\nhello", part(PNG, "image/png", name="a.png"))
    broken = raw.replace(b'boundary="cut"', b'boundary="tuc"')
    assert artefacts(broken)["2"] == "attachment png a.png"
    assert "malformed" in [one.kind for one in walk(broken, Limits())[0].problems]


def test_lost_boundary_of_a_part_is_found_again() -> None:
    """A multipart inside another is cut too, and keeps its own fields; endless nesting is not."""
    inner = b"--in\r\nContent-Type: text/html\r\n\r\n<a href=http://a.com/>\r\n--in--\r\n"
    head = b"Content-Type: multipart/related; boundary=lost\r\nX-Odd: http://b.com/\r\n\r\n"
    raw = mixed(b"Content-Type: text/plain\r\n\r\nx", head + inner)
    assert artefacts(raw) == {"0": "mail mail", "1": "body text", "2": "body html"}
    assert decision(report(raw), "http://b.com/").found[0].where == "part 2 header x-odd"
    level = b"--%d\r\nContent-Type: multipart/mixed; boundary=lost\r\n\r\n"
    deep = mixed(head + b"".join(level % number for number in range(90)))
    assert len(artefacts(deep)) < 30


def test_multipart_without_any_boundary_is_text() -> None:
    """A multipart that is none still yields what stands in it."""
    assert artefacts(mail(b"http://stray.com/", "multipart/mixed")) == {
        "0": "mail mail",
        "1": "body text",
    }


def test_parameter_with_and_without_a_number_hides_no_part() -> None:
    """A parameter that the standard library cannot put together does not keep a mail closed."""
    odd = "; n*1=a; n*=b"
    raw = mail(
        f"--b\nContent-Type: text/html{odd}; charset=koi8-r\n\n".encode()
        + "<p>один\n--b--\n".encode("koi8-r"),
        f"multipart/mixed{odd}; boundary=b",
    )
    assert artefacts(raw)["1"] == "body html"
    assert [span.text for span in walk(raw, Limits())[1].spans] == ["один"]


def test_missing_closing_boundary_is_a_problem_not_a_loss() -> None:
    """A cut-off mail keeps its parts and says that it is malformed."""
    raw = mixed(b"Content-Type: text/plain\r\n\r\nhello").replace(b"--cut--", b"")
    opened = open_mail(source(raw))
    assert [one.detail for one in opened.problems] == ["CloseBoundaryNotFound"]
    assert len(opened.children) == 1


def test_nul_in_charset_names_is_harmless() -> None:
    """NUL in a charset, of a body, a name or an encoded word, does not stop the reading."""
    raw = mixed(
        b'Content-Type: text/plain; charset="\0"\r\n\r\nhttp://nul-body.com/',
        b"Content-Type: text/plain; charset*=\0''x\r\n\r\nx",
        part(PNG, "image/png", "Content-Disposition: attachment; filename*=\0''a.png"),
    )
    opened = open_mail(source(b"Subject: =?\0?Q?x?=\r\n" + raw))
    assert [child.how for child in opened.children] == ["body", "body", "attachment"]
    assert report(raw).artefacts[1].spans[0].text == "http://nul-body.com/"


def test_file_names_are_decoded() -> None:
    """Names come from RFC 2231, from encoded words, from raw bytes, and from Content-Type."""
    fields = {
        "Content-Disposition: attachment; filename*=utf-8''%D0%BF.pdf": "п.pdf",
        "Content-Disposition: attachment; filename*0=a; filename*1=b.pdf": "ab.pdf",
        'Content-Disposition: attachment; filename="=?utf-8?B?0L8=?=.pdf"': "п.pdf",
        'Content-Disposition: attachment; filename="п.pdf"': "п.pdf",
    }
    for field, name in fields.items():
        head = f"Content-Type: application/pdf\r\n{field}\r\n\r\n%PDF-1.4".encode()
        assert artefacts(mixed(head))["1"] == f"attachment pdf {name}"
    assert artefacts(mixed(part(b"%PDF-1", "application/pdf; name=t.pdf")))["1"].endswith("t.pdf")


def test_base64_is_read_as_leniently_as_mail_programs_do() -> None:
    """Foreign characters, missing padding and several runs do not lose content."""
    head = b"Content-Type: application/pdf\r\nContent-Transfer-Encoding: BASE64 \r\n\r\n"
    for body in (b"JVBERi0x!\r\n*Lj*Q=", b"JVBERi0xLjQ", b"JVBERi0xLg==\r\nNA=="):
        assert open_mail(source(mixed(head + body))).children[0].data == b"%PDF-1.4"


def test_quoted_printable_is_undone() -> None:
    """A link broken by soft line breaks is whole again."""
    raw = mail(
        b"http://long.com/a=3Db=\r\nc", "text/plain", "Content-Transfer-Encoding: quoted-printable"
    )
    assert walk(raw, Limits())[1].spans[0].text == "http://long.com/a=bc"


def test_uuencoded_file_in_a_body_is_an_attachment() -> None:
    """uuencode, with and without a MIME encoding, yields the file."""
    block = b"begin 644 a.bin\n" + b"#86)C\n" + b"`\nend\n"
    tree = walk(mail(b"words\n" + block + b"more\n"), Limits())
    assert [(one.how, one.name, one.data) for one in tree[2:]] == [("attachment", "a.bin", b"abc")]
    raw = mixed(
        b"Content-Type: application/x\r\nContent-Transfer-Encoding: x-uuencode\r\n\r\n" + block
    )
    assert walk(raw, Limits())[1].data == b"abc"


def test_text_beside_the_parts_is_hidden_text() -> None:
    """Preamble and epilogue are read, and marked as not shown."""
    raw = mixed(b"Content-Type: text/plain\r\n\r\nx").replace(
        b"\r\n\r\n--cut", b"\r\n\r\npre\r\n--cut", 1
    )
    spans = open_mail(source(raw + b"post")).spans
    assert [(one.where, one.text) for one in spans if one.hidden] == [
        ("preamble", "pre"),
        ("epilogue", "post"),
    ]


def test_link_in_a_parts_own_header_is_found() -> None:
    """A part can lead elsewhere by its header alone."""
    raw = mixed(
        b'Content-Type: message/external-body; access-type=URL; URL="http://outside.com/a"\r\n\r\nx',
        b"Content-Type: text/html\r\nContent-Location: http://base-place.com/\r\n\r\n<p>",
    )
    found = {one.value: one.found[0].where for one in report(raw).decisions if one.type == "URL"}
    assert found == {
        "http://outside.com/a": "part 1 header content-type",
        "http://base-place.com/": "part 2 header content-location",
    }


def test_delivery_status_is_a_body() -> None:
    """A bounce's machine-readable part is text, and the returned head is a mail."""
    raw = mixed(
        b"Content-Type: message/delivery-status\r\n\r\nFinal-Recipient: rfc822; a@b.com\r\n",
        b"Content-Type: text/rfc822-headers\r\n\r\n" + mail(b""),
    )
    tree = artefacts(raw)
    assert tree["1"] == "body text"
    assert tree["2"] == "nested-mail mail part-2"


PART = b"Content-Type: text/html\r\nContent-Transfer-Encoding: base64\r\n\r\nPHA+eA=="
CUT = b"--c\r\n%s\r\n--c--\r\n" % PART
MIXED = b"Content-Type: multipart/mixed; boundary=c\r\n\r\n"


@pytest.mark.parametrize(
    "raw",
    [
        b"\xef\xbb\xbf" + MIXED + CUT,
        MIXED.replace(b":", b" :") + CUT,
        b"From: a@b.com\r\nno field\r\n" + MIXED + CUT,
        b"Content-Type: text/plain\r\n" + MIXED + CUT,
        (MIXED + CUT).replace(b"\r\n", b"\r\r\n"),
        MIXED + CUT.replace(b"Encoding:", b"Encoding :"),
        MIXED + CUT.replace(b"base64", b"(odd) base64"),
        MIXED + CUT.replace(b"base64", b'"base64"'),
        MIXED + CUT.replace(b"base64", b"base64, 7bit"),
        MIXED + CUT.replace(b"base64", b"=?us-ascii?q?base64?="),
        MIXED + CUT.replace(b"Content-Tr", b"Content-Transfer-Encoding: 7bit\r\nContent-Tr"),
        MIXED + b"--c\r\n\r\nx\r\n--c--\r\n" + CUT,
    ],
)
def test_odd_headers_hide_no_part(raw: bytes) -> None:
    """What one mail program reads must not be lost because the standard library does not."""
    tree = walk(raw, Limits())
    assert b"<p>x" in [one.data for one in tree if one.kind == "html"]


def test_line_that_is_no_field_is_kept() -> None:
    """A header that goes on behind such a line is read on, and so is the line."""
    opened = open_mail(
        source(b"From: a@b.com\r\nsee http://a.com\r\nContent-Type: text/html\r\n\r\n<p>")
    )
    assert _spans(opened)["header x-unread-line"] == "see http://a.com"
    assert [one.data for one in opened.children] == [b"<p>"]


def test_mailbox_in_a_file_holds_mails() -> None:
    """Of several mails in one file each is one."""
    inside = b"From a@b.com Mon Mar  2 09:00:00 2026\r\n" + mail(b"one")
    tree = artefacts(mixed(part(inside + b"\r\n\r\n" + inside, "application/mbox", name="a")))
    assert (tree["1"], tree["1.1"]) == ("attachment mail a", "nested-mail mail")


@pytest.mark.opens("signed")
def test_signed_mail_is_opened() -> None:
    """What is only signed is read, in one piece or in many, whoever signed it."""
    inside = b"Content-Type: text/html\r\n\r\n<p>x"
    whole = signed(inside)
    place = whole.index(bytes([4, len(inside)]))
    pieces = b"".join(bytes([4, 1, byte]) for byte in inside)
    # lengths are left open up to the string that is in pieces
    starts = re.compile(rb"([\x30\xa0]).(?=[\x06\xa0\x30\x02\x04])", re.DOTALL)
    head = starts.sub(lambda hit: hit[1] + b"\x80", whole[: place + 1])[:-1]
    ends = bytes(2 * head.count(b"\x80"))
    for data in (whole, head + b"\x24\x80" + pieces + b"\0\0" + ends):
        tree = artefacts(mixed(part(data, "application/pkcs7-mime", name="smime.p7m")))
        assert tree["1.1"] == "signed-content mail"
        assert tree["1.1.1"] == "body html"


def _element(tag: int, body: bytes) -> bytes:
    return bytes([tag, 0x82]) + len(body).to_bytes(2, "big") + body


def test_packed_mail_is_unpacked_within_its_room() -> None:
    """What S/MIME compressed is read whole or not at all: no room is no leave to go on for ever."""
    inside = b"Subject: packed\r\n\r\n" + b"x" * 100_000
    name = _element(0x06, bytes.fromhex("2a864886f70d0109100109"))
    packed = _element(0xA0, _element(0x04, zlib.compress(inside)))
    content = _element(0x30, _element(0x30, _element(0x06, b"data") + packed))
    given = source(_element(0x30, name + _element(0xA0, content)))
    (child,) = open_artefact("signed", given).children
    assert child.data == inside
    for room in (0, 1_000):
        opened = open_artefact("signed", replace(given, room=room))
        assert not opened.children
        assert [one.kind for one in opened.problems] == ["too-large"]
