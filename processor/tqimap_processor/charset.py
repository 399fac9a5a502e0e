"""Turn bytes of any claimed charset into text, always.

The standard library's codecs, behind a check of the name: some of them are quadratic (`punycode`),
some run escapes (`unicode_escape`), and a NUL in a name is a ValueError. A claim is believed only
as far as the bytes allow it.
"""

from __future__ import annotations

import codecs
import re


_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.:+-]{0,39}")
_BOMS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
# what senders call so, and what browsers and mail programs read instead
_MEANT = {
    "ascii": "",
    "iso8859-1": "cp1252",
    "gb2312": "gb18030",
    "gbk": "gb18030",
    "shift_jis": "cp932",
    "euc_kr": "cp949",
    "iso8859-9": "cp1254",
    "tis-620": "cp874",
}
_ALIASES = {
    "x-sjis": "cp932",
    "cp-850": "cp850",
    "iso-8859-8-i": "iso8859-8",
    "windows-874": "cp874",
    "x-gbk": "gb18030",
    "x-mac-roman": "mac-roman",
    "unicode-1-1-utf-7": "utf-7",
    "ansi": "cp1252",
}
_REFUSED = frozenset({"idna", "punycode", "undefined", "unicode_escape", "raw_unicode_escape"})
_WIDE = ("utf-16", "utf-32")
_ISO_2022 = re.compile(rb"\x1b(?:\$[@B]|\([BJ])")
_ISO_2022_WINDOW = 65_536


def known(name: str) -> str:
    """Return Python's name for the charset *name*, or an empty string if it is none to be used."""
    name = name.strip().strip("'\"").lower()
    if not _NAME.fullmatch(name):
        return ""
    name = _ALIASES.get(name, name)
    try:
        codec = codecs.lookup(name)
        # the only public way to tell a charset from codecs like zlib
        b"a".decode(name)
    except UnicodeError:
        pass
    except (LookupError, ValueError, AttributeError, ImportError):
        return ""
    if codec.name.replace("-", "_") in _REFUSED:
        return ""
    return _MEANT.get(codec.name, codec.name)


def decode(data: bytes, claimed: str = "") -> str:
    """Return the text of *data*: by its byte-order mark, its claim, as UTF-8, or as cp1252.

    Never fails; what a charset does not know becomes U+FFFD.
    """
    for mark, name in _BOMS:
        if data.startswith(mark):
            return data.decode(name, "replace")
    name = _wide(data) if (name := known(claimed)).startswith(_WIDE) else name
    if not name and _ISO_2022.search(data, 0, _ISO_2022_WINDOW) and data.isascii():
        name = "iso2022_jp_ext"
    if name and name != "utf-8":
        return _replace(data, name)
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        return data.decode("utf-8" if name else "cp1252", "replace")


def _replace(data: bytes, name: str) -> str:
    try:
        text = data.decode(name, "replace")
    except (LookupError, ValueError):
        # some codecs know no "replace"
        return data.decode("latin-1")
    # UTF-7 can spell halves of surrogate pairs, which no other encoding can write
    return text.encode("utf-8", "replace").decode("utf-8") if name == "utf-7" else text


def _wide(data: bytes) -> str:
    """Name the UTF-16 or UTF-32 that *data* really is, or nothing: the zero bytes tell."""
    head = data[:4096]
    even, odd = head[::2].count(0), head[1::2].count(0)
    if not even and not odd:
        # no Latin letter at all is plausible for Asian text only, and never for ASCII bytes
        return "" if head.isascii() else "utf-16-be"
    if head[:4].count(0) == 3:
        return "utf-32-be" if head[:3] == b"\0\0\0" else "utf-32-le"
    return "utf-16-be" if even >= odd else "utf-16-le"
