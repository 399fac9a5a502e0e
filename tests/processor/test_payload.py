"""What is said to ThreatQ about an indicator and about a file."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from fixtures.reports import MESSAGE, artefact, decision, report, seen

from tqimap_processor.artefact import Problem
from tqimap_processor.report import Action
from tqimap_processor.threatq import payload
from tqimap_processor.threatq.places import Places
from tqimap_shared.settings import ThreatQ


if TYPE_CHECKING:
    from tqimap_shared.threatq import Record


PDF = artefact("2", "invoice.pdf", b"%PDF", "attachment", Problem("encrypted", "no password"))
ZIP = artefact("3", "docs.zip", b"PK")
INNER = artefact("3.1", "inner.docx", b"PK2", "archive-entry", Problem("truncated"))
UNNAMED = artefact("3.1.1", "", b"text", "body")
REPORT = report(PDF, ZIP, INNER, UNNAMED)
ALWAYS = [
    ("Mail Subject", "Invoice overdue"),
    ("Mail From", "billing@evil.example"),
    ("Message-ID", "<1@mail.example>"),
    ("Mail SHA-256", "e" * 64),
]


def pairs(record: Record) -> list[tuple[str, str]]:
    """Return an object's attributes as pairs."""
    return [(one["name"], one["value"]) for one in record["attributes"]]


def test_an_indicator_says_where_it_was_found_and_why_it_was_kept() -> None:
    """The whole object as it goes to ThreatQ."""
    one = replace(
        decision("URL", "http://evil.example/a", seen("page 3", "hxxp://evil[.]example/a", "2")),
        flags=frozenset({"defanged"}),
        attributes=(("Wrapped By", "Safe Links"),),
    )
    ours = [{"name": "Intelligence Mailbox", "tlp_id": 2}]
    said = [
        ("Found In", "invoice.pdf (attachment 1), page 3"),
        ("Reason", "public"),
        ("Wrapped By", "Safe Links"),
        ("Defanged", "hxxp://evil[.]example/a"),
        *ALWAYS,
    ]
    assert payload.indicator(one, Places(REPORT), ThreatQ(tlp="AMBER")) == {
        "type": {"name": "URL"},
        "value": "http://evil.example/a",
        "status": {"name": "Active"},
        "sources": ours,
        "attributes": [{"name": n, "value": v, "sources": ours} for n, v in said],
    }


def test_a_decision_to_review_has_its_own_status() -> None:
    """Without a TLP the source is a bare name."""
    one = decision("FQDN", "maybe.example", action=Action.REVIEW)
    made = payload.indicator(one, Places(REPORT), ThreatQ(review_status="Look At"))
    assert made["status"] == {"name": "Look At"}
    assert made["sources"] == [{"name": "Intelligence Mailbox"}]


@pytest.mark.parametrize(
    ("number", "where", "expected"),
    [
        ("0", "header subject", "mail, header subject"),
        ("1", "a@href", "mail body, a@href"),
        ("2", "page 3", "invoice.pdf (attachment 1), page 3"),
        ("3", "", "docs.zip (attachment 2)"),
        ("3.1", "word/footnotes.xml", "inner.docx in docs.zip (attachment 2), word/footnotes.xml"),
        ("3.1.1", "text", "body in inner.docx in docs.zip (attachment 2), text"),
        ("9.9", "text", "mail, text"),
    ],
)
def test_a_place_leads_a_person_there(number: str, where: str, expected: str) -> None:
    """Attachments are counted as a reader counts them, nested things name what they are in."""
    one = decision("FQDN", "evil.example", seen(where, "evil.example", number))
    assert Places(REPORT).of(one, 5) == [expected]


def test_places_are_listed_once_and_not_without_end() -> None:
    """Several hits in one place are one place; the rest is counted."""
    found = [seen(f"page {n // 2}", "evil.example", "2") for n in range(20)]
    listed = Places(REPORT).of(decision("FQDN", "evil.example", *found), 3)
    assert listed == [*(f"invoice.pdf (attachment 1), page {n}" for n in range(3)), "7 more places"]


def test_attributes_are_short_single_lines() -> None:
    """Empty ones are left out, doubles too, control characters go, long ones end in an ellipsis."""
    made = payload.attributes(
        [
            ("A", "x\r\n\x00 y"),
            ("A", "x y"),
            ("B", " "),
            ("", "z"),
            ("C", "é" * 2000),
            ("D", "\udcff"),
        ],
        ThreatQ(max_attribute=10),
    )
    assert [(one["name"], one["value"]) for one in made] == [
        ("A", "x y"),
        ("C", "é" * 9 + "…"),
        ("D", "?"),
    ]


def test_a_file_goes_by_its_content_and_shows_its_name() -> None:
    """ThreatQ joins the calls of an upload by name, so the name is unique to the content."""
    odd = artefact("2", "Rechnung März/../a b.pdf", b"%PDF")
    assert payload.file(odd, ThreatQ(tlp="RED")) == {
        "name": f"{odd.sha256[:16]}-a_b.pdf",
        "title": "Rechnung März/../a b.pdf",
        "type": "Spearphish Attachment",
        "malware_locked": True,
        "sources": [{"name": "Intelligence Mailbox", "tlp_id": 1}],
    }
    assert payload.file(artefact("2", "", b"x"), ThreatQ())["title"] == "unnamed"


def test_a_file_says_what_could_not_be_read_of_it() -> None:
    """Problems anywhere inside an attachment are told on it, with the name of what has them."""
    body = artefact("1", "", b"b", "body", Problem("too-large", "2 MiB"))
    mail = replace(REPORT, artefacts=(REPORT.artefacts[0], body, *REPORT.artefacts[2:]))
    made = payload.file_attributes([ZIP], mail, ThreatQ())
    assert [(one["name"], one["value"]) for one in made] == [
        *ALWAYS,
        ("Mail Date", "2026-01-02T03:04:05+00:00"),
        ("File Name", "docs.zip"),
        ("SHA-256", ZIP.sha256),
        ("Detected Type", "text/plain"),
        ("Declared Type", "application/octet-stream"),
        ("Problem", "inner.docx: truncated"),
        ("Mail Problem", "too-large: 2 MiB"),
    ]
    first = payload.file_attributes([PDF], mail, ThreatQ())
    assert ("Problem", "encrypted: no password") in pairs({"attributes": first})


def test_the_same_content_twice_has_both_names() -> None:
    """One File, every name that the mail gave it."""
    made = payload.file_attributes([PDF, replace(PDF, id="4", name="b.pdf")], REPORT, ThreatQ())
    named = [value for name, value in pairs({"attributes": made}) if name == "File Name"]
    assert named == ["invoice.pdf", "b.pdf"]


def test_a_mail_without_headers_still_says_which_it_was() -> None:
    """What is missing is left out; the mail's sha256 is always there."""
    bare = replace(
        REPORT, message=replace(MESSAGE, subject="", sender="", message_id="", date=None)
    )
    made = payload.indicator(decision("FQDN", "evil.example"), Places(bare), ThreatQ())
    assert [name for name, _ in pairs(made)] == ["Found In", "Reason", "Mail SHA-256"]
