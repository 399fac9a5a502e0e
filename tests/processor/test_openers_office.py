"""The openers of OOXML, OpenDocument and encrypted Office documents."""

from __future__ import annotations

import zipfile
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from fixtures.built_documents import EXTERNAL, TYPES, docx, locked_office, odt, padded
from fixtures.built_mail import decision, mixed, part, report, source, zipped

from tqimap_processor.openers import open_artefact
from tqimap_processor.openers.encrypted_office import open_encrypted
from tqimap_processor.openers.odf import open_odf
from tqimap_processor.openers.ooxml import open_ooxml
from tqimap_processor.walk import walk
from tqimap_shared.settings import Limits


if TYPE_CHECKING:
    from tqimap_processor.artefact import Opened

LAUGHS = b'<!DOCTYPE a [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;">]><a><t>http://a.com/ &b;</t></a>'
SHEETS = (
    "<workbook xmlns:r='urn:r'><sheets><sheet name='a' r:id='r1'/>"
    "<sheet name='b' state='veryHidden' r:id='r2'/></sheets></workbook>"
)
SHEET_PARTS = (
    "<Relationships><Relationship Id='r1' Target='worksheets/sheet1.xml'/>"
    "<Relationship Id='r2' Target='/xl/worksheets/sheet2.xml'/></Relationships>"
)


def _spans(opened: Opened) -> dict[str, str]:
    return {span.where: span.text for span in opened.spans}


def _kinds(opened: Opened) -> list[str]:
    return [problem.kind for problem in opened.problems]


def _xlsx(*parts: tuple[str, bytes]) -> Opened:
    workbook = ("xl/workbook.xml", SHEETS.encode())
    relations = ("xl/_rels/workbook.xml.rels", SHEET_PARTS.encode())
    return open_ooxml(source(zipped(TYPES, workbook, relations, *parts)))


@pytest.mark.opens("docx")
def test_text_stands_by_part() -> None:
    """Runs of a paragraph are put together, paragraphs and notes stand apart."""
    body = (
        "<w:p><w:r><w:t>ev</w:t></w:r><w:r><w:t>il.com</w:t></w:r></w:p><w:p><w:t>two</w:t></w:p>"
    )
    opened = open_ooxml(source(docx(body, ("word/footnotes.xml", b"<a><p>note</p></a>"))))
    assert _spans(opened) == {"word/document.xml": "evil.com\ntwo", "word/footnotes.xml": "note"}


def test_finding_names_its_part() -> None:
    """A link in a footnote of an attached document is found there."""
    data = docx("", ("word/footnotes.xml", b"<a><p>http://foot-note.com/</p></a>"))
    outcome = report(mixed(part(data, "application/msword", name="a.docx")))
    found = decision(outcome, "http://foot-note.com/").found[0]
    assert (found.artefact, found.where) == ("1", "word/footnotes.xml")


def test_links_and_templates_are_spans() -> None:
    """Targets of relationships are spans, an external template is a problem beside; schemas not."""
    relations = EXTERNAL.format("attachedTemplate", "http://template.com/x.dotm").encode()
    opened = open_ooxml(source(docx("", ("word/_rels/settings.xml.rels", relations))))
    assert _spans(opened) == {
        "word/_rels/settings.xml.rels Relationship@Target": "http://template.com/x.dotm"
    }
    assert _kinds(opened) == ["external-template"]


def test_field_codes_are_put_together() -> None:
    """A field code that is cut into runs is one span; DDE is a problem beside."""
    runs = "".join(f"<w:r><w:instrText>{one}</w:instrText></w:r>" for one in ("DDE", "AUTO c:\\x"))
    field = f"<w:p><w:r><w:fldChar/></w:r>{runs}</w:p>"
    simple = '<w:fldSimple w:instr="HYPERLINK http://in-field.com/"/>'
    opened = open_ooxml(source(docx(field + simple)))
    code = _spans(opened)["word/document.xml field"]
    assert code == "DDEAUTO c:\\x\nHYPERLINK http://in-field.com/"
    assert _kinds(opened) == ["dde"]


def test_vanished_text_is_hidden() -> None:
    """What a document formats as hidden is a span of its own, marked as not shown."""
    off = '<w:r><w:rPr><w:vanish w:val="0"/></w:rPr><w:t> three</w:t></w:r>'
    body = f"<w:r><w:rPr><w:vanish/></w:rPr><w:t>one</w:t></w:r><w:r><w:t>two</w:t></w:r>{off}"
    opened = open_ooxml(source(docx(body)))
    assert [(span.text, span.hidden) for span in opened.spans] == [
        ("two three", False),
        ("one", True),
    ]


@pytest.mark.opens("xlsx")
def test_cells_show_their_strings_and_hidden_sheets_are_hidden() -> None:
    """Shared strings stand where cells show them; those that none shows stand apart."""
    runs = b"<r><t>hid</t></r><r><t>den.com</t></r>"
    strings = b"<sst><si><t>seen.com</t></si><si>" + runs + b"</si><si><t>un</t></si></sst>"
    sheet = "<s><row><c t='s'><v>{}</v></c><c t='inlineStr'><is><t>x</t></is></c></row></s>"
    opened = _xlsx(
        ("xl/sharedStrings.xml", strings),
        ("xl/worksheets/sheet1.xml", sheet.format(0).encode()),
        ("xl/worksheets/sheet2.xml", sheet.format(1).encode()),
    )
    assert [(one.where, one.text, one.hidden) for one in opened.spans] == [
        ("xl/worksheets/sheet1.xml", "seen.com\tx", False),
        ("xl/worksheets/sheet2.xml", "hidden.com\tx", True),
        ("xl/sharedStrings.xml", "un", False),
    ]


@pytest.mark.opens("pptx")
def test_hidden_slide_is_hidden() -> None:
    """The text of a slide that is not shown is marked so."""
    slide = b"<sld xmlns='urn:p' show='0'><p>x</p></sld>"
    opened = open_ooxml(source(zipped(TYPES, ("ppt/slides/slide1.xml", slide))))
    assert [(span.text, span.hidden) for span in opened.spans] == [("x", True)]


def test_binary_workbook_yields_its_strings() -> None:
    """The parts of an xlsb are no XML, and their text is found all the same."""
    opened = _xlsx(("xl/sharedStrings.bin", b"\x01\x02" + "http://binary.com/".encode("utf-16-le")))
    assert _spans(opened)["xl/sharedStrings.bin"] == "http://binary.com/"


def test_macro_sheets_are_flagged() -> None:
    """Sheets of Excel 4 macros are a problem, their formulas are text."""
    opened = _xlsx(("xl/macrosheets/sheet1.xml", b"<a><f>EXEC(x)</f></a>"))
    assert (_spans(opened)["xl/macrosheets/sheet1.xml"], _kinds(opened)) == ("EXEC(x)", ["macro"])


def test_embedded_parts_are_children() -> None:
    """Objects, macros and pictures are children, what runs before what shows."""
    data = docx(
        "",
        ("word/media/image1.png", b"png"),
        ("word/embeddings/oleObject1.bin", b"ole"),
        ("word/vbaProject.bin", b"vba"),
        ("word/printerSettings1.bin", b"dull"),
        ("word/afchunk.htm", b"<html>"),
    )
    children = open_ooxml(source(data)).children
    assert [(one.name, one.how) for one in children] == [
        ("word/embeddings/oleObject1.bin", "ooxml-part"),
        ("word/vbaProject.bin", "ooxml-part"),
        ("word/afchunk.htm", "ooxml-part"),
        ("word/media/image1.png", "ooxml-part"),
    ]


def test_document_in_a_document_is_opened() -> None:
    """A workbook inside a letter inside a mail is read where it lies."""
    inner = zipped(TYPES, ("xl/workbook.xml", b"<a b='http://inner-book.com/'/>"))
    outer = docx("", ("word/embeddings/a.xlsx", inner))
    tree = walk(mixed(part(outer, "application/msword", name="a.docx")), Limits())
    assert [(one.id, one.kind) for one in tree[1:]] == [("1", "docx"), ("1.1", "xlsx")]


@pytest.mark.parametrize("kind", ["docx", "odf"])
def test_entities_end_a_part_and_not_the_document(kind: str) -> None:
    """A part that declares entities (laughs, external files) is refused; the others are read."""
    if kind == "docx":
        data = docx("<w:p><w:t>http://b.com/</w:t></w:p>", ("word/footnotes.xml", LAUGHS))
    else:
        data = odt("<text:p>http://b.com/</text:p>", ("styles.xml", LAUGHS))
    opened = open_artefact(kind, source(data))
    assert [span.text for span in opened.spans] == ["http://b.com/"]
    assert [(one.kind, one.detail) for one in opened.problems] == [
        ("malformed", "declares entities")
    ]


def test_plain_doctype_is_no_reason_to_refuse() -> None:
    """Old OpenDocument files have one."""
    manifest = b'<!DOCTYPE a PUBLIC "x" "Manifest.dtd"><a b="http://a.com/"/>'
    opened = open_odf(source(odt("", ("META-INF/manifest.xml", manifest))))
    assert _spans(opened) == {"META-INF/manifest.xml a@b": "http://a.com/"}
    assert not opened.problems


@pytest.mark.parametrize(
    "part_xml",
    [
        b"<a><p>" + b"x" * 3_000_000 + b"</p></a>",
        b"<d>" * 200_000 + b"x" + b"</d>" * 200_000,
        b"<a " + b" ".join(b"a%d='http://a.com/%d'" % (n, n) for n in range(50_000)) + b"/>",
        b"<a><c t='s'><v>0</v></c></a>" * 2,
        b"<worksheet><row><c r='A1'><v>1</v></c><c r='XFD1048576'><v>2</v></c></row></worksheet>",
    ],
    ids=["text", "deep", "attributes", "two roots", "sparse"],
)
def test_hostile_part_stays_within_the_text(part_xml: bytes) -> None:
    """Long text, deep elements, many attributes and far cells end within the artefact's text."""
    limits = Limits(artefact_text=1_000_000)
    data = zipped(TYPES, ("xl/workbook.xml", part_xml))
    opened = open_ooxml(replace(source(data), limits=limits))
    assert "opener-failed" not in _kinds(opened)
    assert sum(len(span.text) for span in opened.spans) <= limits.artefact_text


def test_shared_string_repeated_is_limited() -> None:
    """A long string that many cells show comes out no more often than the text allows."""
    strings = b"<sst><si><t>" + b"x" * 100_000 + b"</t></si></sst>"
    sheet = b"<s><row>" + b"<c t='s'><v>0</v></c>" * 10_000 + b"</row></s>"
    opened = _xlsx(("xl/sharedStrings.xml", strings), ("xl/worksheets/sheet1.xml", sheet))
    assert sum(len(span.text) for span in opened.spans) <= Limits().artefact_text
    assert "truncated-text" in _kinds(opened)


def test_parts_beyond_limits_are_problems() -> None:
    """Too many parts, parts beyond the room, and broken parts are said and end nothing."""
    many = zipped(TYPES, *((f"word/{n}.xml", b"<a/>") for n in range(20)))
    limited = replace(source(many), limits=Limits(archive_entries=10))
    assert _kinds(open_ooxml(limited)) == ["too-many"]
    large = docx("<w:p>text</w:p>", ("word/big.xml", b"<a>" + b"x" * 9000 + b"</a>"))
    assert "too-large" in _kinds(open_ooxml(replace(source(large), room=4000)))
    assert _kinds(open_ooxml(source(docx("</w:p>")))) == ["malformed"]
    assert _kinds(open_ooxml(source(b"PK\x03\x04"))) == ["malformed"]


def test_archive_with_a_folder_called_word_is_an_archive() -> None:
    """Without the list of its types no program takes it for a document."""
    data = zipped(("word/a.txt", b"http://a.com/"))
    tree = walk(mixed(part(data, "application/zip", name="a.zip")), Limits())
    assert [one.kind for one in tree[1:]] == ["zip", "text"]


@pytest.mark.opens("odf")
def test_opendocument() -> None:
    """Text, links, hidden tables, macros and pictures of an OpenDocument."""
    styles = (
        '<style:style style:name="t1"><style:table-properties table:display="false"/></style:style>'
    )
    hidden = '<table:table table:style-name="t1"><text:p>hid.com</text:p></table:table>'
    link = '<text:p><text:a xlink:href="http://a.com/">click</text:a></text:p>'
    macro = b"<m>Sub AutoOpen</m>"
    data = odt(styles + link + hidden, ("Basic/S/M.xml", macro), ("Pictures/1.png", b"png"))
    opened = open_odf(source(data))
    assert [(one.where, one.text, one.hidden) for one in opened.spans] == [
        ("content.xml", "click", False),
        ("content.xml hidden text", "hid.com", True),
        ("content.xml a@href", "http://a.com/", False),
        ("Basic/S/M.xml", "Sub AutoOpen", False),
    ]
    assert _kinds(opened) == ["macro"]
    assert [one.name for one in opened.children] == ["Pictures/1.png"]


def test_encrypted_opendocument_says_so() -> None:
    """What an OpenDocument encrypts is a problem, not broken XML."""
    manifest = ("META-INF/manifest.xml", b"<m><file-entry/><encryption-data/></m>")
    kind = ("mimetype", b"application/vnd.oasis.opendocument.text")
    locked = zipped(kind, ("content.xml", b"\x01\x02"), manifest, method=zipfile.ZIP_STORED)
    assert _kinds(open_odf(source(locked))) == ["encrypted"]


@pytest.mark.opens("encrypted-office")
@pytest.mark.parametrize("password", ["VelvetSweatshop", "infected", "told-4711"])
def test_encrypted_document_is_decrypted(password: str) -> None:
    """Excel's default, customary passwords, and those that the mail tells are tried."""
    plain = padded(docx("<w:p>x</w:p>"))
    locked = source(locked_office(plain, password))
    (child,) = open_encrypted(replace(locked, passwords=("told-4711",))).children
    assert (child.data, child.how) == (plain, "decrypted")


def test_password_in_the_mail_opens_an_encrypted_document() -> None:
    """The body tells the password; the link inside is found."""
    locked = locked_office(padded(docx("<w:p>http://was-locked.com/</w:p>")), "sesame-4711")
    body = b"Content-Type: text/plain\r\n\r\nPassword: sesame-4711\r\n"
    outcome = report(mixed(part(locked, "application/msword", name="a.docx"), body))
    assert decision(outcome, "http://was-locked.com/").found[0].artefact == "1.1"


def test_key_that_costs_too_much_is_not_tried() -> None:
    """A document that asks for more hash rounds than allowed stays closed, quickly."""
    locked = locked_office(padded(docx("x")), "infected")
    costly = locked.replace(b'spinCount="2"', b'spinCount="9"')
    limited = replace(source(costly), limits=Limits(key_rounds=8))
    assert _kinds(open_encrypted(limited)) == ["encrypted"]


def test_unknown_password_is_a_problem() -> None:
    """A document that no known password opens says so."""
    assert _kinds(open_encrypted(source(locked_office(padded(docx("x")), "nobody knows")))) == [
        "encrypted"
    ]
