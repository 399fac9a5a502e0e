"""The text opener, and the charsets that all openers decode."""

from __future__ import annotations

import pytest
from fixtures.built_mail import source

from tqimap_processor import charset
from tqimap_processor.openers.text import open_text, unflow


RUSSIAN = "Привет, вход: http://вход.рф/"
JAPANESE = "こんにちは"


@pytest.mark.opens("text")
@pytest.mark.parametrize(
    ("data", "claimed", "text"),
    [
        (RUSSIAN.encode("koi8-r"), "koi8-r", RUSSIAN),
        (RUSSIAN.encode("cp1251"), "windows-1251", RUSSIAN),
        (RUSSIAN.encode(), "", RUSSIAN),
        (RUSSIAN.encode("utf-16"), "", RUSSIAN),
        (RUSSIAN.encode("utf-16-le"), "utf-16", RUSSIAN),
        (RUSSIAN.encode("utf-16-be"), "utf-16", RUSSIAN),
        (RUSSIAN.encode("utf-8-sig"), "koi8-r", RUSSIAN),
        (JAPANESE.encode("iso2022_jp"), "iso-2022-jp", JAPANESE),
        (JAPANESE.encode("iso2022_jp"), "", JAPANESE),
        (JAPANESE.encode("shift_jis"), "Shift_JIS", JAPANESE),
        ("中文".encode("gb18030"), "gb2312", "中文"),
        ("caf\xe9 \u20ac".encode("cp1252"), "", "café €"),
        ("caf\xe9 \u20ac".encode("cp1252"), "iso-8859-1", "café €"),
        (b"plain", "utf-16", "plain"),
        (b"+AGE-b", "utf-7", "ab"),
    ],
)
def test_charsets(data: bytes, claimed: str, text: str) -> None:
    """Text is read by its mark, by its claim, or by what it looks like."""
    assert charset.decode(data, claimed) == text


@pytest.mark.parametrize(
    "claimed",
    [
        "\0",
        "utf-8\0",
        "x" * 10_000,
        "no-such-charset",
        "punycode",
        "idna",
        "undefined",
        "unicode_escape",
        "zlib",
        "base64",
        "rot13",
        "mbcs",
        "../../etc/passwd",
        "",
        "encodings",
        "aliases",
    ],
)
def test_charsets_that_are_none_fall_back(claimed: str) -> None:
    """A charset that is unknown, dangerous or no charset at all is as good as none."""
    assert charset.decode(b"http://a-place.com/ \xc3\xa9", claimed) == "http://a-place.com/ é"


def test_decoded_text_can_always_be_encoded() -> None:
    """Half a surrogate pair, which UTF-7 can spell, does not get through."""
    assert charset.decode(b"a+2AA-b", "utf-7").encode() == b"a?b"


def test_soft_line_breaks_are_undone() -> None:
    """format=flowed text is joined within one depth of quoting; the signature's line stays."""
    flowed = "http://long.com/a/ \nb\n> quoted \n> more\nlast\n-- \nme"
    assert unflow(flowed, delsp=False) == ("http://long.com/a/ b\n> quoted more\nlast\n-- \nme")


def test_delsp_joins_a_broken_link() -> None:
    """With DelSp the blank before a soft break goes too."""
    opened = open_text(source(b"http://long.com/a \r\nbc\r\n", format="Flowed", delsp="Yes"))
    assert opened.spans[0].text == "http://long.com/abc"


def test_link_in_angle_brackets_is_unfolded() -> None:
    """A link broken over lines inside < > is one link again; prose in brackets stays."""
    opened = open_text(
        source(b"see <URL:http://long.com/a\r\n  /b\r\n/c> and <http://x.com some\nday>")
    )
    assert opened.spans[0].text == "see <URL:http://long.com/a/b/c> and <http://x.com some\nday>"


def test_uuencoded_block_is_no_text() -> None:
    """The lines of a uuencoded file do not reach the extractor."""
    opened = open_text(source(b"before\nbegin 644 a.bin\n#86)C\n`\nend\nafter\n"))
    assert opened.spans[0].text == "before\n\nafter\n"
