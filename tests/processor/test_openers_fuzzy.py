"""Fuzzy hashes of programs and other files."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest
from fixtures.built_mail import decision, mixed, part, report, source

from tqimap_processor.openers import fuzzy, open_artefact
from tqimap_processor.pipeline import examine
from tqimap_shared.settings import Limits, Policy


PROGRAM = b"MZ" + random.Random(4).randbytes(20_000)
# what ssdeep itself says of it
HASH = "384:OkfVfyfPYu/w0x/4bV7SjucXuKl4PsZ0b8MmUTh5R8Vj+HKyw3:Ok9f8PYu/3iwucXuKue0b8M5OVj+Hg"


@pytest.mark.opens(*fuzzy.PROGRAMS)
@pytest.mark.parametrize("kind", fuzzy.PROGRAMS)
def test_program_has_a_fuzzy_hash(kind: str) -> None:
    """It is the one text of a program, and says what it is."""
    (span,) = open_artefact(kind, source(PROGRAM)).spans
    assert (span.where, span.text, span.typed) == ("fuzzy hash", HASH, "Fuzzy Hash")


def test_fuzzy_hash_of_an_attached_program_is_reviewed() -> None:
    """Like the other hashes of a file, it is kept, and nobody called it malicious."""
    outcome = report(mixed(part(PROGRAM, "application/octet-stream", name="a.exe")))
    one = decision(outcome, HASH)
    assert (one.type, one.action.value, one.found[0].artefact) == ("Fuzzy Hash", "review", "1")
    assert "attached" in one.flags


def test_large_program_has_none() -> None:
    """Hashing is slow, so its size is limited, which is said."""
    limited = replace(source(PROGRAM), limits=Limits(fuzzy=1_000))
    opened = open_artefact("exe", limited)
    assert (opened.spans, [one.kind for one in opened.problems]) == ((), ["too-large"])


@pytest.mark.parametrize("is_wanted", [True, False])
def test_other_files_have_one_where_it_is_wanted(*, is_wanted: bool) -> None:
    """Documents get a fuzzy hash by a setting; bodies and harmless files never do."""
    rich = b"{\\rtf1 see http://in-rtf.com/x " + b"word " * 2_000 + b"}"
    raw = mixed(
        b"Content-Type: text/plain\r\n\r\n" + b"some words " * 900,
        part(rich, "application/rtf", name="a.rtf"),
        part(b"plain " * 900, "text/plain", name="b.txt"),
    )
    outcome = examine(raw, limits=Limits(fuzzy_any=is_wanted), policy=Policy())
    found = [one.found[0].artefact for one in outcome.decisions if one.type == "Fuzzy Hash"]
    assert found == (["2"] if is_wanted else [])
    assert decision(outcome, "http://in-rtf.com/x").found[0].artefact == "2"
