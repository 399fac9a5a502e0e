"""What only a reader of a PDF's pages sees, or does not see: codes, hidden text, XFA forms."""

from __future__ import annotations

import io
from dataclasses import replace
from time import process_time

import PIL.Image
import pytest
from fixtures.built_documents import packed, pages, shown, stream
from fixtures.built_mail import decision, mixed, part, report, source
from fixtures.small_cases import code

from tqimap_processor.openers.pdf import open_pdf
from tqimap_shared.settings import Limits


LINK = "https://qr-place.com/x"
DRAW = b"q 100 0 0 100 72 500 cm /I Do Q"
USE = b"/Resources << /XObject << /I %d 0 R >> >> /X"


def _grey(scale: int = 4) -> PIL.Image.Image:
    return PIL.Image.open(io.BytesIO(code(LINK, scale=scale))).convert("L")


def _picture() -> bytes:
    image = _grey()
    size = b"/Width %d /Height %d /ColorSpace /DeviceGray /BitsPerComponent 8" % image.size
    return stream(b"/Type /XObject /Subtype /Image " + size, image.tobytes())


def _squares() -> bytes:
    image = _grey(scale=1)
    dark = [
        (place % image.width, place // image.width)
        for place, grey in enumerate(image.tobytes())
        if grey < 128
    ]
    return b"".join(b"%d %d 4 4 re f\n" % (72 + x * 4, 700 - y * 4) for x, y in dark)


def _form() -> bytes:
    return stream(b"/Type /XObject /Subtype /Form /BBox [0 0 600 800]", _squares())


def _texts(data: bytes, **limits: int) -> dict[str, str]:
    opened = open_pdf(replace(source(data), limits=Limits(**limits)))
    return {span.where: span.text for span in opened.spans}


@pytest.mark.parametrize(
    "data",
    [
        pages(DRAW, page=USE % 6, more=(_picture(),)),
        pages(_squares()),
        pages(b"/I Do", page=USE % 6, more=(_form(),)),
    ],
    ids=["picture", "squares", "form"],
)
def test_code_on_a_page_is_found(data: bytes) -> None:
    """A code is found with its page, whether it is a picture or drawn."""
    assert _texts(data) == {"page 1 code 1 (QRCode)": LINK}


def test_code_in_an_attached_document_is_an_indicator() -> None:
    """A link that only a telephone reads is a finding like any other."""
    data = pages(shown(b"scan this"), DRAW, page=USE % 8, more=(_picture(),))
    outcome = report(mixed(part(data, "application/pdf", name="a.pdf")))
    assert decision(outcome, LINK).found[0].where == "page 2 code 1 (QRCode)"


@pytest.mark.parametrize(
    ("limits", "problem"),
    [({"pdf_code_pages": 1}, "too-many"), ({"pixels": 10_000}, "too-large")],
)
def test_drawing_is_limited(limits: dict[str, int], problem: str) -> None:
    """Pages beyond the number, and pictures beyond the size, are said not to be searched."""
    data = pages(DRAW, DRAW, page=USE % 8, more=(_picture(),))
    opened = open_pdf(replace(source(data), limits=Limits(**limits)))
    assert [one.kind for one in opened.problems] == [problem]
    assert len(opened.spans) == (1 if problem == "too-many" else 0)


CLEAR = b"/Resources << /ExtGState << /G << /ca 0.5 >> >> >> /X"
TILES = (
    b"/Type /Pattern /PatternType 1 /PaintType 1 /TilingType 1 /BBox [0 0 1 1] /XStep 0.01"
    b" /YStep 0.01 /Resources << >>"
)


@pytest.mark.parametrize(
    "data",
    [
        pages(b"/G gs\n" + b"0 0 600 800 re f\n" * 500, page=CLEAR),
        pages(b"0 0 600 800 re f\n" * 100, more=(stream(TILES, b"0 0 1 1 re f"),)),
        pages(_squares().replace(b"\n", b"\n" * 9) + b"0 0 600 800 re f\n" * 20_000),
    ],
    ids=["transparent", "tiles", "many"],
)
def test_page_that_takes_long_is_given_up(data: bytes) -> None:
    """What cannot be stopped once it is begun is not begun, and the rest is stopped."""
    start = process_time()
    assert _texts(data, pdf_code_seconds=1) == {}
    assert process_time() - start < 10


def test_large_page_is_drawn_smaller() -> None:
    """The pixels of a page are limited, whatever size it claims."""
    data = pages(DRAW, page=USE % 6 + b" /UserUnit 9", more=(_picture(),))
    vast = data.replace(b"[0 0 600 800]", b"[0 0 14000 14000]")
    assert _texts(vast, pdf_code_pixels=250_000) == {}
    assert _texts(data, pdf_code_pixels=250_000) == {"page 1 code 1 (QRCode)": LINK}


@pytest.mark.parametrize(
    "trick",
    [
        b"1 1 1 rg (gone) Tj",
        b"3 Tr (gone) Tj",
        b"/F1 0.5 Tf (gone) Tj",
        b"0 2000 Td (gone) Tj",
        b"-900 0 Td (gone) Tj",
    ],
    ids=["white", "invisible", "tiny", "above", "beside"],
)
def test_text_that_nobody_sees_is_hidden(trick: bytes) -> None:
    """It has a place of its own, and the text around it is left as it is."""
    content = b"BT /F1 12 Tf 72 700 Td (seen) Tj 0 -20 Td " + trick + b" ET"
    opened = open_pdf(source(pages(content)))
    assert [(one.where, one.text, one.hidden) for one in opened.spans] == [
        ("page 1", "seen", False),
        ("page 1 hidden text", "gone", True),
    ]


@pytest.mark.parametrize(
    "content",
    [
        b"0 0 1 rg 0 600 600 200 re f BT /F1 12 Tf 72 700 Td 1 1 1 rg (seen) Tj ET",
        b"q 600 0 0 800 0 0 cm /I Do Q BT 3 Tr /F1 12 Tf 72 700 Td (seen) Tj ET",
    ],
    ids=["white on blue", "scanned"],
)
def test_text_on_a_ground_is_not_hidden(content: bytes) -> None:
    """White on a colour is read, and so is what a scanner put behind its picture."""
    fonts = b"/Resources << /Font << /F1 3 0 R >> /XObject << /I 6 0 R >> >> /X"
    opened = open_pdf(source(pages(content, page=fonts, more=(_picture(),))))
    assert ("page 1", "seen", False) in [(one.where, one.text, one.hidden) for one in opened.spans]


def test_form_of_another_kind_is_a_child() -> None:
    """An XFA form, which hides its content from readers of PDF, is read as the XML that it is."""
    packets = (
        packed(b"", b'<x:xdp xmlns:x="http://ns.adobe.com/xdp/">'),
        packed(b"", b'<template><submit target="http://in-form.com/x"/></template>'),
        packed(b"", b"</x:xdp>"),
    )
    form = b"/AcroForm << /XFA [(preamble) 6 0 R (template) 7 0 R (postamble) 8 0 R] >>"
    data = pages(shown(b"x"), catalog=form, more=packets)
    outcome = report(mixed(part(data, "application/pdf", name="a.pdf")))
    place = decision(outcome, "http://in-form.com/x").found[0]
    assert (place.artefact, place.where) == ("1.1", "/x:xdp/template/submit/@target")
    limited = open_pdf(replace(source(data), room=50))
    assert (limited.children, [one.kind for one in limited.problems]) == ((), ["too-large"])
