"""The PDF opener: text by page, links, actions, embedded files, passwords, bombs."""

from __future__ import annotations

import base64
import zlib
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from fixtures.bombs import laughing, layered, looping, page_tree
from fixtures.built_documents import locked_pdf, packed, pages, shown, stream
from fixtures.built_mail import decision, mixed, part, report, source

from tqimap_processor.openers.pdf import open_pdf
from tqimap_processor.openers.pdf_sweep import sweep
from tqimap_shared.settings import Limits


if TYPE_CHECKING:
    from tqimap_processor.artefact import Opened

MIB = 2**20
ADDRESS = b"/URI (http://a.com/)"
LINK = b"/Annots [<< /Type /Annot /Subtype /Link /Rect [0 0 9 9] /A << /S /URI /URI (%s) >> >>]"


def _spans(data: bytes) -> list[tuple[str, str]]:
    return [(span.where, span.text) for span in open_pdf(source(data)).spans]


def _kinds(opened: Opened) -> list[str]:
    return [problem.kind for problem in opened.problems]


@pytest.mark.opens("pdf")
def test_text_stands_by_page() -> None:
    """Each page's text is a span that names the page."""
    assert _spans(pages(shown(b"one"), shown(b"two"))) == [("page 1", "one"), ("page 2", "two")]


def test_finding_names_its_page() -> None:
    """A link on page 2 of an attached PDF is found there."""
    data = pages(shown(b"one"), shown(b"see http://second-page.com/x"))
    outcome = report(mixed(part(data, "application/pdf", name="a.pdf")))
    found = decision(outcome, "http://second-page.com/x")
    assert "page 2" in {place.where for place in found.found}


def test_link_annotation() -> None:
    """The address under a link is a span of its page, whatever the text says."""
    data = pages(shown(b"click"), page=LINK % b"http://under-link.com/")
    assert ("page 1 link", "http://under-link.com/") in _spans(data)


def test_address_over_two_lines() -> None:
    """An address that the text breaks over lines is whole as a link of its page."""
    text = b"BT /F1 12 Tf 72 700 Td (http://two-lines.com/abc-) Tj 0 -14 Td (def) Tj ET"
    assert ("page 1 link", "http://two-lines.com/abc-def") in _spans(pages(text))


@pytest.mark.parametrize(
    ("catalog", "more", "where", "text"),
    [
        (b"/OpenAction << /S /URI /URI (http://opens.com/) >>", (), "raw uri", "http://opens.com/"),
        (b"/OpenAction << /S /URI /URI <687474703A2F2F612E636F6D2F> >>", (),
         "raw uri", "http://a.com/"),
        (rb"/OpenAction << /S /URI /URI (http:\057\057b.com\050x\051) >>", (),
         "raw uri", "http://b.com(x)"),
        (b"/OpenAction << /S /JavaScript /JS (app.launchURL\\('http://j.com/'\\)) >>", (),
         "raw javascript", "app.launchURL('http://j.com/')"),
        (b"/OpenAction << /S /JavaScript /JS 6 0 R >>", (packed(b"", b"go('http://k.com/')"),),
         "raw javascript", "go('http://k.com/')"),
        (b"/OpenAction << /S /URI /#55R#49 (http://a.com/#41b) >>", (),
         "raw uri", "http://a.com/#41b"),
        (b"/OpenAction << /S /URI /URI 6 0 R >>", (b"(http://far.com/)",),
         "raw uri", "http://far.com/"),
        (b"/OpenAction << /S /Launch /F (\\\\\\\\server\\\\x.exe) >>", (),
         "raw file", "\\\\server\\x.exe"),
        (b"/Names << /JavaScript << /Names [(a) << /S /JavaScript /JS (in_names) >>] >> >>", (),
         "javascript", "in_names"),
    ],
)  # fmt: skip
def test_actions(catalog: bytes, more: tuple[bytes, ...], where: str, text: str) -> None:
    """What a document does on its own is a span: addresses, files, scripts, also by reference."""
    assert (where, text) in _spans(pages(shown(b"x"), catalog=catalog, more=more))


def test_active_content_is_flagged() -> None:
    """Scripts and programs are a problem that names them, also when their names are disguised."""
    data = pages(
        shown(b"x"), catalog=b"/OpenAction << /S /J#61vaScript /JS (x) >> /AA << /S /Launch >>"
    )
    (problem,) = open_pdf(source(data)).problems
    assert (problem.kind, problem.detail) == ("active-content", "JavaScript, Launch")


def test_scripts_are_hidden_text() -> None:
    """Nobody reads a script, so it is marked as not shown."""
    data = pages(shown(b"x"), catalog=b"/OpenAction << /S /JavaScript /JS (alert) >>")
    assert [span.hidden for span in open_pdf(source(data)).spans] == [False, True]


def test_objects_that_no_page_shows_are_swept() -> None:
    """A link in a packed object that nothing refers to is found."""
    inside = b"9 0 << /S /URI /URI (http://orphan.com/) >>"
    orphan = packed(b"/Type /ObjStm /N 1 /First 4", inside)
    assert ("raw uri", "http://orphan.com/") in _spans(pages(shown(b"x"), more=(orphan,)))


@pytest.mark.parametrize(
    ("filters", "body"),
    [
        (b"[/ASCII85Decode /FlateDecode]", base64.a85encode(zlib.compress(ADDRESS)) + b"~>"),
        (b"[/ASCIIHexDecode /FlateDecode]", zlib.compress(ADDRESS).hex().encode() + b">"),
        (b"[/FlateDecode /FlateDecode]", zlib.compress(zlib.compress(ADDRESS))),
    ],
)  # fmt: skip
def test_layers_of_filters_are_undone(filters: bytes, body: bytes) -> None:
    """Streams that are packed twice or spelled in letters are swept too."""
    data = pages(shown(b"x"), more=(stream(b"/Filter " + filters, body),))
    assert ("uri", "http://a.com/") in sweep(data, Limits()).values


def test_embedded_files_are_children() -> None:
    """A file that the document carries is a child with its name."""
    names = b"/Names << /EmbeddedFiles << /Names [(a) 6 0 R] >> >>"
    file = b"<< /Type /Filespec /F (b.exe) /UF (b.exe) /EF << /F 7 0 R >> >>"
    data = pages(shown(b"x"), catalog=names, more=(file, packed(b"", b"MZ-content")))
    (child,) = open_pdf(source(data)).children
    assert (child.name, child.data, child.how) == ("b.exe", b"MZ-content", "pdf-embedded")


def test_embedded_file_beyond_the_room_is_left_out() -> None:
    """What the mail has no room for is a problem."""
    names = b"/Names << /EmbeddedFiles << /Names [(a) 6 0 R] >> >>"
    file = b"<< /Type /Filespec /F (b.exe) /EF << /F 7 0 R >> >>"
    data = pages(shown(b"x"), catalog=names, more=(file, packed(b"", b"x" * 500)))
    opened = open_pdf(replace(source(data), room=400))
    assert not opened.children
    assert "too-large" in _kinds(opened)


def test_pages_beyond_the_limit_are_not_read() -> None:
    """The number of pages is limited, and the number there is told."""
    limited = replace(source(pages(*[shown(b"x")] * 4)), limits=Limits(pdf_pages=2))
    opened = open_pdf(limited)
    assert [span.where for span in opened.spans] == ["page 1", "page 2"]
    assert [(one.kind, one.detail) for one in opened.problems] == [("too-many", "4 pages")]


def test_text_is_limited() -> None:
    """No more text comes out than an artefact may have."""
    limited = replace(source(pages(shown(b"x" * 90), shown(b"y"))), limits=Limits(artefact_text=50))
    assert sum(len(span.text) for span in open_pdf(limited).spans) <= 50


@pytest.mark.parametrize(
    "bomb",
    [
        pages(zlib.compress(bytes(40 * MIB))),
        pages(shown(b"x" * 40 * MIB)),
        layered(300 * MIB),
        looping(2),
        laughing(11),
    ],
    ids=["page", "text", "layers", "loop", "laughs"],
)  # fmt: skip
def test_bombs_do_not_reach_pdfium(bomb: bytes) -> None:
    """What would end PDFium's process is only swept, and its links are found all the same."""
    bomb = bomb.replace(b"%PDF-1.7\n", b"%PDF-1.7\n99 0 obj << /URI (http://bomb.com/) >> endobj\n")
    opened = open_pdf(source(bomb))
    assert [(one.kind, one.detail) for one in opened.problems] == [
        ("too-large", "a page unpacks to too much; only swept")
    ]
    assert [(span.where, span.text) for span in opened.spans] == [("raw uri", "http://bomb.com/")]


def test_form_that_draws_itself_once_is_read() -> None:
    """A plain loop costs nothing, and the page's text is read."""
    assert _kinds(open_pdf(source(looping(1)))) == []


def test_streams_beyond_the_limit_are_not_swept() -> None:
    """The number of streams that are swept is limited."""
    limited = replace(source(pages(shown(b"x"), shown(b"y"))), limits=Limits(pdf_streams=1))
    assert "too-many" in _kinds(open_pdf(limited))


@pytest.mark.parametrize(
    "data",
    [
        b"%PDF-1.7\n",
        b"%PDF-1.7\n1 0 obj\n" + b"[" * 300_000,
        b"%PDF-1.7\n" + b"/URI (" * 100_000,
        b"%PDF-1.7\n" + b"/URI <41" * 100_000,
        b"%PDF-1.7\n" + b"1 0 obj << /URI 1 0 R >> stream\n" * 20_000,
        page_tree(b"2 0 R", 9),
        page_tree(b"", 999_999_999),
        pages(shown(b"x")).replace(b"trailer\n<<", b"trailer\n<< /Prev 9"),
    ],
    ids=["empty", "deep", "open", "hex", "owners", "kids", "count", "prev"],
)
def test_broken_documents_end(data: bytes) -> None:
    """Loops, depths and lies end in a problem or in nothing."""
    assert "opener-failed" not in _kinds(open_pdf(source(data)))


def test_page_of_many_parts_counts_as_one() -> None:
    """A page whose content is one stream two hundred times over is as large as all of it."""
    data = pages(b"q " * 100_000).replace(b"/Contents 5 0 R", b"/Contents [%s]" % (b"5 0 R " * 200))
    assert "too-large" in _kinds(open_pdf(source(data)))


def test_large_document_of_small_pages_is_read() -> None:
    """What counts is the largest page, not the sum."""
    data = pages(*[shown(b"x" * 2000)] * 30)
    opened = open_pdf(source(data))
    limited = replace(source(data), limits=Limits(pdf_content=4000))
    assert open_pdf(limited).spans == opened.spans != ()


@pytest.mark.parametrize("password", ["", "infected", "told-4711"])
def test_encrypted_document_is_opened(password: str) -> None:
    """The empty password, customary ones, and those that the mail tells are tried; links follow."""
    data = locked_pdf(pages(shown(b"secret"), page=LINK % b"http://locked.com/"), password)
    opened = open_pdf(replace(source(data), passwords=("told-4711",)))
    assert ("page 1", "secret") in [(span.where, span.text) for span in opened.spans]
    assert ("page 1 link", "http://locked.com/") in [(one.where, one.text) for one in opened.spans]


def test_unknown_password_is_a_problem() -> None:
    """An encrypted document that cannot be read says so."""
    data = locked_pdf(pages(shown(b"secret")), "nobody knows")
    assert _kinds(open_pdf(source(data))) == ["encrypted"]


def test_scripts_of_an_encrypted_document_are_swept() -> None:
    """What only the sweep finds is found in encrypted documents too."""
    data = pages(shown(b"x"), catalog=b"/OpenAction << /S /URI /URI (http://opens.com/) >>")
    spans = open_pdf(source(locked_pdf(data, ""))).spans
    assert ("raw uri", "http://opens.com/") in [(span.where, span.text) for span in spans]
