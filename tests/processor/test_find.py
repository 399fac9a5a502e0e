"""Findings: grouped, placed, and added to from headers and files."""

from __future__ import annotations

import hashlib

from fixtures.built_mail import decision, mail, mixed, part, report, zipped

from tqimap_processor.find import find
from tqimap_processor.walk import walk
from tqimap_shared.settings import Limits


PDF = b"%PDF-1.4 nothing"


def test_an_indicator_is_one_finding_with_all_its_places() -> None:
    """Defanged in a body and plain in a link, it is one finding; each place has its own text."""
    raw = mixed(
        b"Content-Type: text/plain\r\n\r\nsee hxxp://one-place[.]com/a now",
        b"Content-Type: text/html\r\n\r\n<a href='http://one-place.com/a'>x</a>",
    )
    found = decision(report(raw), "http://one-place.com/a").found
    assert [(one.artefact, one.where, one.text) for one in found] == [
        ("1", "text", "hxxp://one-place[.]com/a"),
        ("2", "a@href", "http://one-place.com/a"),
    ]


def test_offsets_count_in_the_spans_text() -> None:
    """Every place's text is what its span has between start and end."""
    raw = mixed(
        "Content-Type: text/plain\r\n\r\n\u20ac\U0001f600 hxxps://a-b[.]com/ 1.1.1[.]1".encode(),
        part(zipped(("n.txt", b"x@a-b.com and CVE-2024-3400")), "application/zip", name="n.zip"),
    )
    tree = {one.id: one for one in report(raw).artefacts}
    checked = 0
    for one in report(raw).decisions:
        for place in one.found:
            texts = [s.text for s in tree[place.artefact].spans if s.where == place.where]
            if place.where not in {"name", "content"}:
                assert place.text in [text[place.start : place.end] for text in texts]
                checked += 1
    assert checked > 8


def test_subject_and_mailer_are_findings() -> None:
    """The subjects of a mail and of the mails in it, and what wrote them, are findings."""
    inner = mail(b"x", "text/plain", "X-Mailer: Kit 1.0").replace(b"Look at this", b"Inner")
    raw = mixed(b"Content-Type: message/rfc822\r\n\r\n" + inner)
    found = [(one.type, one.value, one.found[0].artefact) for one in report(raw).decisions]
    assert ("Email Subject", "Look at this", "0") in found
    assert ("Email Subject", "Inner", "1") in found
    assert ("X-Mailer", "Kit 1.0", "1") in found


def test_attached_file_that_can_harm_yields_name_and_hashes() -> None:
    """A document, in an archive too, is a finding by its name and by its digests."""
    archive = zipped(("deep.pdf", PDF))
    raw = mixed(part(archive, "application/zip", name="all.zip"))
    outcome = report(raw)
    assert decision(outcome, "deep.pdf").type == "Filename"
    assert decision(outcome, hashlib.sha256(PDF).hexdigest()).found[0].artefact == "1.1"
    for digest in (hashlib.md5(archive), hashlib.sha1(archive), hashlib.sha256(archive)):
        assert decision(outcome, digest.hexdigest()).found[0].where == "content"


def test_script_is_harmful_by_its_name() -> None:
    """Text that runs on a double click counts as a program."""
    raw = mixed(part(b"var a", "text/plain", name="open.js"))
    assert decision(report(raw), "open.js").type == "Filename"


def test_harmless_files_yield_neither_name_nor_hash() -> None:
    """Pictures, inline ones too, and plain texts are files, not indicators."""
    raw = mixed(
        part(b"GIF89a", "image/gif", name="logo.gif"),
        part(b"GIF89a.", "image/gif", "Content-Disposition: inline"),
        part(b"words", "text/plain", name="notes.txt"),
    )
    assert {one.type for one in report(raw).decisions} <= {
        "Email Address",
        "FQDN",
        "Email Subject",
    }


def test_nameless_inline_program_yields_its_hashes_only() -> None:
    """Declaring a program inline does not hide it, and a name that we made up is no finding."""
    program = b"MZ" + bytes(100)
    outcome = report(mixed(part(program, "image/png", "Content-Disposition: inline")))
    assert decision(outcome, hashlib.sha256(program).hexdigest()).found[0].artefact == "1"
    assert "Filename" not in {one.type for one in outcome.decisions}


def test_part_of_a_file_has_no_hash() -> None:
    """What could not be read whole has a name among the findings, but no digest."""
    archive = zipped(("a.exe", b"MZ" + bytes(2_000)))
    cut = archive[:50] + b"\xff\xff" + archive[52:]
    raw = mixed(part(cut, "application/zip", name="x.zip"))
    outcome = report(raw)
    assert decision(outcome, "a.exe").type == "Filename"
    assert not [p for one in outcome.decisions for p in one.found if p.artefact == "1.1"][1:]


def test_doubt_is_cleared_by_a_place_without_it() -> None:
    """A name that is a link's host here and stands alone there is not just a link's host."""
    raw = mail(b"http://both-ways.com/x and both-ways.com")
    assert "in-url" not in decision(report(raw), "both-ways.com").flags
    raw = mail(b"http://one-way.com/x")
    assert "in-url" in decision(report(raw), "one-way.com").flags


def test_machines_fields_cannot_clear_a_doubt() -> None:
    """That a relay repeats the sender's domain does not make it more than the sender's domain."""
    raw = mail(
        b"x", "text/plain", "Authentication-Results: mx; dkim=pass header.d=sender-house.com"
    )
    flags = decision(report(raw), "sender-house.com").flags
    assert "in-address" in flags
    assert "transport" not in flags


def test_hidden_only_if_all_places_are() -> None:
    """The flag says that a reader sees the indicator nowhere."""
    page = b"<p style='display:none'>http://hid-den.com/a http://see-n.com/a</p>http://see-n.com/a"
    outcome = report(mail(page, "text/html"))
    assert "hidden" in decision(outcome, "http://hid-den.com/a").flags
    assert "hidden" not in decision(outcome, "http://see-n.com/a").flags


def test_digest_inside_a_link_says_so() -> None:
    """A token in a link is not mistaken for what somebody listed."""
    digest = hashlib.md5(b"x").hexdigest()
    assert "in-url" in decision(report(mail(f"http://a-b.com/{digest}".encode())), digest).flags
    assert "in-url" not in decision(report(mail(f"md5 {digest}".encode())), digest).flags


def test_findings_and_places_are_limited() -> None:
    """Beyond the limits nothing is kept, and what was left out is counted."""
    body = b" ".join(b"http://h%d.many-hosts.com/" % n for n in range(50)) + b" 1.1.1.1" * 50
    tree = walk(mail(body), Limits())
    found, problems = find(tree, Limits(findings=20, sightings=3))
    assert len(found) == 20
    assert problems[0].kind == "too-many"
    found, problems = find(tree, Limits(sightings=3))
    assert max(len(one.found) for one in found) == 3
    assert not problems


def test_every_part_is_remembered() -> None:
    """However often an indicator stands in one attachment, a place in the others is kept too."""
    often, once = b"8.8.4.4 " * 50, b"and 8.8.4.4"
    tree = walk(
        mixed(
            part(often, "text/plain", name="a.txt"),
            part(once, "text/plain", name="b.txt"),
            part(once + b" again", "text/plain", name="c.txt"),
        ),
        Limits(),
    )
    indicators, _ = find(tree, Limits(sightings=2))
    (found,) = [one for one in indicators if one.value == "8.8.4.4"]
    assert [one.artefact for one in found.found] == ["1", "1", "2", "3"]


def test_file_that_its_opener_cannot_read_has_its_hash() -> None:
    """A broken or locked document is whole as a file, so its digests are findings."""
    broken = b"%PDF-1.7 broken"
    outcome = report(mixed(part(broken, "application/pdf", name="broken.pdf")))
    assert outcome.artefacts[1].problems
    assert decision(outcome, hashlib.sha256(broken).hexdigest()).type == "SHA-256"


def test_part_of_a_document_has_a_hash_but_no_name() -> None:
    """What Office calls `oleObject1.bin` in every document says nothing; its digest does."""
    inner = ("word/embeddings/oleObject1.bin", b"\xd0\xcf\x11\xe0 object")
    outer = zipped(("[Content_Types].xml", b"<x/>"), ("word/document.xml", b"<w/>"), inner)
    outcome = report(mixed(part(outer, "application/msword", name="letter.docx")))
    names = [one.value for one in outcome.decisions if one.type == "Filename"]
    assert names == ["letter.docx"]
    assert decision(outcome, hashlib.sha256(inner[1]).hexdigest()).found[0].artefact == "1.1"
