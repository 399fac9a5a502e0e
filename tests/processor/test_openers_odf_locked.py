"""OpenDocument files that are encrypted."""

from __future__ import annotations

from dataclasses import replace

import pytest
from fixtures.built_documents import odt
from fixtures.built_mail import decision, mixed, part, report, source
from fixtures.locked_odf import as_a_whole, by_part

from tqimap_processor.openers import open_artefact
from tqimap_shared.settings import Limits


CONTENT = b"<d><p>see http://was-locked.com/x</p></d>"


@pytest.mark.parametrize("password", ["infected", "told-4711"])
def test_parts_are_decrypted(password: str) -> None:
    """Each part that one of the known words opens is read as if it had not been encrypted."""
    locked = source(by_part(password, content=CONTENT, styles=b"<d><p>b.com</p></d>"))
    opened = open_artefact("odf", replace(locked, passwords=("told-4711",)))
    assert [(one.where, one.text) for one in opened.spans] == [
        ("content.xml", "see http://was-locked.com/x"),
        ("styles.xml", "b.com"),
    ]
    assert not opened.problems


def test_whole_package_is_decrypted() -> None:
    """What newer programs encrypt as a whole is a child, and the link inside is found."""
    data = as_a_whole("sesame-4711", odt("<text:p>http://was-locked.com/x</text:p>"))
    body = b"Content-Type: text/plain\r\n\r\nPassword: sesame-4711\r\n"
    outcome = report(mixed(body, part(data, "application/octet-stream", name="a.odt")))
    assert decision(outcome, "http://was-locked.com/x").found[0].artefact == "2.1"


@pytest.mark.parametrize(
    ("data", "limits"),
    [
        (by_part("nobody knows", content=CONTENT), {}),
        (as_a_whole("nobody knows", b"PK"), {}),
        (by_part("infected", content=CONTENT), {"key_rounds": 999}),
        (as_a_whole("infected", b"PK"), {"key_rounds": 191}),
        (as_a_whole("infected", b"PK"), {"dictionary": 65_535}),
        (by_part("infected", ("#aes256-cbc", "#blowfish"), content=CONTENT), {}),
        (by_part("infected", ('key-size="32"', 'key-size="99"'), content=CONTENT), {}),
        (by_part("infected", ("</m:manifest>", ""), content=CONTENT), {}),
        (
            by_part(
                "infected",
                ("<m:manifest ", "<!DOCTYPE a [<!ENTITY b 'c'>]><m:manifest "),
                content=CONTENT,
            ),
            {},
        ),
    ],
    ids=["word", "whole", "rounds", "passes", "memory", "cipher", "key", "manifest", "entities"],
)
def test_what_cannot_be_decrypted_says_so(data: bytes, limits: dict[str, int]) -> None:
    """An unknown password, a key that costs too much, and a lie are problems."""
    opened = open_artefact("odf", replace(source(data), limits=Limits(**limits)))
    assert "encrypted" in [one.kind for one in opened.problems]
    assert not opened.children


def test_decrypted_parts_take_of_the_mails_room() -> None:
    """What a part unpacks to is limited like everything that comes out of a mail."""
    data = by_part("infected", content=b"<d><p>" + b"x" * 9_000 + b"</p></d>")
    opened = open_artefact("odf", replace(source(data), room=4_000))
    assert sum(len(one.text) for one in opened.spans) <= 4_000
