"""The glance at short texts: it may only pass over searches that would find nothing."""

from __future__ import annotations

import pytest
from bench.texts import texts
from hypothesis import given, settings
from hypothesis import strategies as st

from tqimap_processor.extract import extract
from tqimap_processor.extract.triggers import MAX_SHORT, beyond, token


PARTS = [
    *("evil", "bad-place", "com", "net", "45", "12", "0a", "ff", "a" * 32, "AS", "asn", "CVE"),
    *("2024", "44228", "http", "hxxp", "C", "etc", "tmp", "HKLM", "SOFTWARE", "mutex", "serial"),
    *("user-agent", "dot", "DOT", "at", "AT", "MAC", "Autonomous System", "\u0430", "\u3002"),
    *(" ", " ", ".", ".", ".", ":", ":", "/", "/", "\\", "-", "_", "@", ",", "[", "]", "(", ")"),
    *("{", "}", "<", ">", "%", "^", "&#46;", "~", "$", "|", '"', "'", "=", "\n", "__", "://"),
]
SILENT = [
    *("Mon, 4 Mar 2024 10:11:12 +0000", "text/html; charset=utf-8", "1.0", "en-US", "12:34:56.789"),
    *("5071a399-663a-4928-b0cc-08dcd8bb0736", "We are sending your order on Friday.", "3 (Normal)"),
]
PLAIN = [
    *("https://www.evil.com/a?b=1&c=2", "Jane Roe <jane.roe@bad-place.com>", "1.2.3.4:8080"),
    *("Your order from shop.bad.com (no. 5-21) was sent.", "Re: invoice_5-21.docx"),
    "https://www.evil.com/click/5d41402abc4b2a76b9719d911017c592?u=1",
    "from mx.bad.com (mx.bad.com [1.2.3.4]) by mail.evil.com with ESMTPS; Mon, 4 Mar 2024",
]


def _same(text: str) -> bool:
    """Say whether *text* gives the same by itself as where it is too long for a glance."""
    return extract(text) == extract(text.ljust(MAX_SHORT + 1, "\n"))


@pytest.mark.parametrize("text", SILENT)
def test_most_fields_are_passed_over(text: str) -> None:
    """Dates, numbers, types and plain words need no search."""
    assert not beyond(text)
    assert not token(text)


@pytest.mark.parametrize("text", PLAIN)
def test_plain_values_need_their_tokens_read_only(text: str) -> None:
    """A link, an address or a file that nobody defanged is read without searching for more."""
    assert token(text)
    assert not beyond(text)
    assert extract(text)


@pytest.mark.parametrize("kind", texts(1))
def test_words_and_lines_are_not_passed_over(kind: str) -> None:
    """What the whole search finds in a word or a line is what a short text of it gives."""
    text = texts(20_000)[kind]
    assert [piece for piece in {*text.split(), *text.splitlines()} if not _same(piece)] == []


@settings(max_examples=400)
@given(st.lists(st.sampled_from(PARTS), max_size=9))
def test_no_mixture_of_signs_is_passed_over(parts: list[str]) -> None:
    """However words and signs are mixed, a short text gives what the whole search finds."""
    assert _same("".join(parts))
