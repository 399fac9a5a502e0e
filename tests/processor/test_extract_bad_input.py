"""Texts that no person wrote: broken, endless, empty, invisible."""

from __future__ import annotations

import pytest

from tqimap_processor.extract import extract


FOUND = "bad-place.net"


@pytest.mark.parametrize(
    "text",
    [
        "\ud800 bad-place.net \udfff",
        "a\ud800.net bad-place.net",
        "\0bad-place.net\0",
        "bad-\u200bplace.net",
        "\u202ebad-place.net\u202c",
        "\ufeffbad-place.net",
        "bad-place.net\U000e0101",
    ],
)
def test_broken_and_invisible_characters(text: str) -> None:
    """Surrogates, NUL, zero-width and bidi characters hide nothing and break nothing."""
    found = [one for one in extract(text) if one.value == FOUND]
    assert len(found) == 1
    assert FOUND[:4] in text[found[0].start : found[0].end]


@pytest.mark.parametrize("text", ["", " " * 2_000_000, "\n" * 100_000, "\u200b" * 100_000])
def test_blanks_hold_nothing(text: str) -> None:
    """A text without a visible character holds nothing, however long it is."""
    assert list(extract(text)) == []


@pytest.mark.parametrize("piece", ["a", "a.", "x,", "\u0430"])
def test_one_endless_line(piece: str) -> None:
    """Two million characters in one line are read, and what follows them is found."""
    found = extract(piece * (2_000_000 // len(piece)) + " bad-place.net")
    assert [one.value for one in found][-1:] == [FOUND]


def test_what_was_cut_says_so() -> None:
    """Behind the longest token that is read begins another; the URL that was cut is flagged."""
    url, *_ = extract("http://bad-place.net/" + "a" * 4000 + " end")
    assert "truncated" in url.flags
    assert len(url.value) < 4000
