"""The registry of openers, and what happens when one of them fails."""

from __future__ import annotations

import runpy
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from fixtures.archive_cases import SIGNATURES
from fixtures.built_mail import source
from fixtures.hostile_cases import cases
from fixtures.samples import CLOSED, SAMPLES

from tqimap_processor.detect import detect
from tqimap_processor.openers import OPENERS, open_artefact


if TYPE_CHECKING:
    from collections.abc import Iterator

    from tqimap_processor.artefact import Opened
    from tqimap_processor.openers import Opener, Source

NOTE = b"http://some-place.com/"


def test_every_format_has_its_cases() -> None:
    """Who registers an opener adds a sample of its format, a hostile one, and a unit case.

    The first two are what tests are made of; the third is a test marked with what it opens.
    """
    lacking = {
        "sample": set(OPENERS) - set(SAMPLES) - set(SIGNATURES) - set(CLOSED),
        "hostile case": set(OPENERS) - {one.kind for one in cases(shrink=50)},
        "unit case": set(OPENERS) - set(_marked()),
    }
    assert not {what: sorted(kinds) for what, kinds in lacking.items() if kinds}
    assert sorted((*SAMPLES, *SIGNATURES, *CLOSED)) == sorted(OPENERS)


def _marked() -> Iterator[str]:
    """Yield the kinds that tests of openers are marked with."""
    for path in Path(__file__).parent.glob("test_openers_*.py"):
        loaded = [one for one in sys.modules.values() if vars(one).get("__file__") == str(path)]
        for value in (vars(loaded[0]) if loaded else runpy.run_path(str(path))).values():
            for mark in getattr(value, "pytestmark", ()):
                if getattr(mark, "name", "") == "opens":
                    yield from mark.args


@pytest.mark.parametrize("kind", CLOSED)
def test_closed_file_is_known_and_stays_closed(kind: str) -> None:
    """Programs, and images that cannot be decoded here, are told by their content only."""
    assert detect(CLOSED[kind]) == kind
    opened = open_artefact(kind, source(CLOSED[kind]))
    assert not opened.children
    assert not [span for span in opened.spans if NOTE.decode() in span.text]


@pytest.mark.parametrize("kind", SIGNATURES)
def test_signature_alone_is_malformed(kind: str) -> None:
    """What only begins like a format is taken for it, and found to be none."""
    assert detect(SIGNATURES[kind]) == kind
    opened = open_artefact(kind, source(SIGNATURES[kind]))
    assert [one.kind for one in opened.problems] == ["malformed"]


@pytest.mark.parametrize("kind", SAMPLES)
def test_case_is_detected_and_opened(kind: str) -> None:
    """Each format is recognised by its content, and what it holds comes out."""
    assert detect(SAMPLES[kind]) == kind
    opened = open_artefact(kind, source(SAMPLES[kind]))
    assert not opened.problems
    held = [span.text for span in opened.spans] + [
        one.data.decode("latin-1") for one in opened.children
    ]
    assert any("http://some-place.com/" in one for one in held)


@pytest.mark.parametrize("kind", SAMPLES)
def test_garbled_case_is_no_exception(kind: str) -> None:
    """Each opener survives its format cut short and overwritten in the middle."""
    data = SAMPLES[kind]
    for end in range(0, len(data), max(7, len(data) // 8)):
        assert not _failed(open_artefact(kind, source(data[:end])))
        assert not _failed(open_artefact(kind, source(data[:end] + b"\0\xff\0" + data[end + 3 :])))


def test_kind_without_opener_shows_nothing() -> None:
    """What nobody can open is kept closed."""
    opened = open_artefact("unknown", source(b"\0\1"))
    assert (opened.spans, opened.children, opened.problems) == ((), (), ())


@pytest.mark.parametrize("error", [ValueError, RecursionError, MemoryError, GeneratorExit])
def test_failing_opener_is_a_problem(
    error: type[BaseException], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever an opener raises becomes a problem that names the error and quotes nothing."""
    monkeypatch.setitem(OPENERS, "text", _raising(error("secret content")))
    (problem,) = open_artefact("text", source(b"x")).problems
    assert (problem.kind, problem.detail) == ("opener-failed", error.__name__)


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit])
def test_end_of_the_job_is_not_an_openers_failure(
    error: type[BaseException], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A deadline or an interrupt that strikes inside an opener goes on to who set it."""
    monkeypatch.setitem(OPENERS, "text", _raising(error()))
    with pytest.raises(error):
        open_artefact("text", source(b"x"))


def _failed(opened: Opened) -> bool:
    return any(one.kind == "opener-failed" for one in opened.problems)


def _raising(error: BaseException) -> Opener:
    def opener(source: Source, /) -> Opened:
        del source
        raise error

    return opener
