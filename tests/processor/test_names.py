"""File names made out of what a mail calls its attachments."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tqimap_processor import names


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("invoice.pdf", "invoice.pdf"),
        ("Rechnung März.pdf", "Rechnung März.pdf"),
        ("../../etc/passwd", "passwd"),
        ("C:\\Users\\x\\evil.exe", "evil.exe"),
        ("/", "unnamed"),
        ("", "unnamed"),
        ("..", "unnamed"),
        (".bashrc", "bashrc"),
        ("a\x00b\r\nc.txt", "abc.txt"),
        ("gpj\u202eexe.scr", "gpjexe.scr"),
        ('a:b*c?"d".txt', "a_b_c__d_.txt"),
        ("trailing. . ", "trailing"),
        ("bad\udcff.txt", "bad.txt"),
    ],
)
def test_a_name_becomes_one_harmless_component(name: str, expected: str) -> None:
    """Paths, control and direction characters and leading dots do not survive."""
    assert names.safe(name) == expected


def test_a_long_name_keeps_its_suffix() -> None:
    """What a file is can be told by its suffix, so the stem is what gets shorter."""
    short = names.safe(f"{'ü' * 500}.docx")
    assert short.endswith("ü.docx")
    assert len(short.encode()) <= names.LONGEST
    assert len(names.safe("x." + "y" * 500).encode()) <= names.LONGEST


@given(st.text())
def test_no_name_leads_anywhere_else(name: str) -> None:
    """Whatever the name, the result is a short component that is neither hidden nor a directory."""
    made = names.safe(name)
    assert made
    assert not set(made) & set("/\\\0\r\n")
    assert not made.startswith(".")
    assert len(made.encode()) <= names.LONGEST
