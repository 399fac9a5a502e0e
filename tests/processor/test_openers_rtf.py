"""The openers of RTF and OneNote."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from fixtures.built_documents import native, rtf_object, stored
from fixtures.built_mail import decision, mixed, part, report, source

from tqimap_processor.openers.onenote import open_onenote
from tqimap_processor.openers.rtf import open_rtf
from tqimap_shared.settings import Limits


if TYPE_CHECKING:
    from tqimap_processor.artefact import Opened


def _spans(markup: bytes) -> dict[str, str]:
    return {span.where: span.text for span in open_rtf(source(markup)).spans}


def _kinds(opened: Opened) -> list[str]:
    return [problem.kind for problem in opened.problems]


@pytest.mark.opens("rtf")
@pytest.mark.parametrize(
    ("markup", "text"),
    [
        (rb"{\rtf1 one\par two\tab three}", "one\ntwo\tthree"),
        (rb"{\rtf1\ansi\ansicpg1251 \'d6\'e8}", "Ци"),
        (rb"{\rtf1\ansicpg932 \'93\'fa}", "\ufffd\ufffd"),
        (rb"{\rtf1 \u1062?\u1080?x}", "Циx"),
        (rb"{\rtf1\uc0 \u1062\u1080 x}", "Циx"),
        (rb"{\rtf1 ev{\b il}.com \{x\} a\~b}", "evil.com {x} a b"),
        (rb"{\rtf1{\fonttbl{\f0 Arial;}}{\colortbl;}{\*\generator G}text}", "text"),
        (rb"{\rtf1 a{\pict 0102}b}", "ab"),
        (b"{\\rtf1 one\r\ntwo}", "onetwo"),
        (rb"{\rtf1 {\*\htmltag64 <a href=http://a.com/>}x}", "<a href=http://a.com/>x"),
    ],
)
def test_text(markup: bytes, text: str) -> None:
    """What a reader sees is the span `text`, characters decoded, tables of fonts left out."""
    assert _spans(markup)["text"] == text


def test_fields_and_templates_are_spans() -> None:
    """Links of fields, remote templates and file information have places of their own."""
    markup = (
        rb'{\rtf1{\info{\title T}}{\*\template http://t.com/x}{\field{\*\fldinst HYPERLINK "http://a.com/"}'
        rb"{\fldrslt click}}{\v unseen}}"
    )
    opened = open_rtf(source(markup))
    assert {(one.where, one.text, one.hidden) for one in opened.spans} == {
        ("info", "T", False),
        ("template", "http://t.com/x", False),
        ("field", 'HYPERLINK "http://a.com/"', False),
        ("text", "click", False),
        ("hidden text", "unseen", True),
    }


def test_addresses_in_tables_are_kept_apart() -> None:
    """Names of schemas and of the writing program are no text, and found all the same."""
    found = _spans(b"{\\rtf1{\\*\\xmlnstbl{\\xmlns1 http://a.com/o\r\nne}}{\\*\\generator G}x}")
    assert found == {"text": "x", "unseen": "http://a.com/one\nG"}


def test_finding_names_its_place() -> None:
    """A link in a field of an attached RTF file is found there."""
    data = rb'{\rtf1{\field{\*\fldinst HYPERLINK "http://in-field.com/"}{\fldrslt x}}}'
    outcome = report(mixed(part(data, "application/msword", name="a.doc")))
    assert decision(outcome, "http://in-field.com/").found[0].where == "field"


def test_dynamic_data_and_updates_are_flagged() -> None:
    """Fields that start programs and objects that load themselves are problems."""
    assert _kinds(open_rtf(source(rb"{\rtf1{\*\fldinst DDEAUTO cmd}}"))) == ["dde"]
    assert _kinds(open_rtf(source(rb"{\rtf1{\object\objupdate}}"))) == ["object-update"]


def test_package_is_a_child_with_its_name() -> None:
    """A file dropped into an RTF file comes out under its own name."""
    opened = open_rtf(source(rtf_object(b"Package", native(b"a.exe", b"MZ")[4:])))
    assert [(one.name, one.data, one.how) for one in opened.children] == [
        ("a.exe", b"MZ", "ole-package")
    ]


def test_object_is_a_child() -> None:
    """An OLE file among the digits is a child that is named after its program."""
    content = b"\xd0\xcf\x11\xe0rest"
    (child,) = open_rtf(source(rtf_object(b"Excel.Sheet", content))).children
    assert (child.name, child.data, child.how) == ("Excel.Sheet", content, "rtf-object")


def test_equation_object_is_flagged() -> None:
    """An Equation Editor object is a problem, whatever follows."""
    assert _kinds(open_rtf(source(rtf_object(b"eQuation.3", b"x")))) == ["equation"]


@pytest.mark.parametrize(
    "between",
    [b"{\\staticval abc}", b"\r\n \\fnil\r\n", b" ", b"{\\*\\unknown abc}", b"\\bin2 \x01\0"],
    ids=["destination", "word", "blank", "group", "binary"],
)
def test_disguised_digits_are_read(between: bytes) -> None:
    """Digits that are broken up as droppers do still spell the object."""
    plain = rtf_object(b"Package", native(b"a.exe", b"MZ")[4:])
    head, mark, rest = plain.partition(b"objdata ")
    # the first two bytes of the version may be anything
    digits = rest[4:] if between.startswith(b"\\bin") else rest
    disguised = head + mark + between + digits
    assert [one.name for one in open_rtf(source(disguised)).children] == ["a.exe"]
    middle = head + mark + rest[:21] + between.partition(b"\\bin")[0] + rest[21:]
    assert [one.name for one in open_rtf(source(middle)).children] == ["a.exe"]


def test_unknown_object_yields_its_text() -> None:
    """The strings of an object that nobody knows are a span."""
    wide = "http://moniker.com/x".encode("utf-16-le")
    opened = open_rtf(source(rtf_object(b"OLE2Link", b"\x01\x02" + bytes(9) + b"\x01" + wide)))
    assert {span.where: span.text for span in opened.spans} == {
        "object text": "http://moniker.com/x"
    }


def test_tokens_are_limited_and_the_rest_is_swept() -> None:
    """A file of braces ends at the limit, and an address after them is found."""
    limited = replace(
        source(b"{\\rtf1" + b"{}" * 999 + b" http://late.com/}"), limits=Limits(rtf_tokens=99)
    )
    opened = open_rtf(limited)
    assert opened.spans[0].where == "raw"
    assert "http://late.com/" in opened.spans[0].text
    assert _kinds(opened) == ["truncated-text"]


@pytest.mark.parametrize(
    "data",
    [b"{\\rtf1" + b"{" * 300_000, b"{\\rtf1" + b"\\" * 99_999, b"{\\rt", b"{\\rtf1\\bin-5 x",
     b"{\\rtf1{\\*\\objdata 0105" + b"zz" * 99_999, b"{\\rtf1}}}}}\\bin99999999999 x"],
)  # fmt: skip
def test_broken_files_end(data: bytes) -> None:
    """Depth, cuts and lies end in nothing or a problem."""
    assert "opener-failed" not in _kinds(open_rtf(source(data)))


@pytest.mark.opens("onenote")
def test_stored_file_is_a_child() -> None:
    """A file in a OneNote section comes out, and the text around it is read."""
    text = "see invoice.exe".encode("utf-16-le") + b"\0\0"
    opened = open_onenote(source(stored(b"MZ content") + b"\0" + text))
    assert [(one.name, one.data, one.how) for one in opened.children] == [
        ("part-1", b"MZ content", "onenote-file")
    ]
    assert [(one.where, one.text) for one in opened.spans] == [
        ("text", "see invoice.exe"),
        ("file names", "see invoice.exe"),
    ]


def test_length_that_lies_hides_nothing() -> None:
    """A stored file that claims to be endless does not swallow the next."""
    lying = stored(b"A" * 9).replace(b"\x09\0\0\0\0\0\0\0", b"\xff" * 7 + b"\x7f")
    opened = open_onenote(source(lying + stored(b"second")))
    assert [child.data for child in opened.children][-1] == b"second"


def test_stored_files_are_limited() -> None:
    """Files beyond the room or the number are left out and told."""
    data = stored(b"x" * 50) + stored(b"y" * 50)
    assert [len(one.data) for one in open_onenote(replace(source(data), room=60)).children] == [50]
    limited = replace(source(data), limits=Limits(children=1))
    assert _kinds(open_onenote(limited)) == ["too-large"]
