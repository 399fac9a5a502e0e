"""Judge and canonicalise host names.

The standard library's IDNA 2003 codec serves where a name is not ASCII: it is lenient (it folds
ligatures and full-width letters, as a browser's address bar does) and needs no table of its own.
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

from tqimap_processor.extract.tlds import TLDS, words


MAX_NAME = 253
MAX_LABEL = 63
LABEL = r"[A-Za-z0-9_\-\u00a1-\uffff]"
# scripts that are written without blanks: Thai, Japanese, Chinese
NO_BLANKS = r"[\u0e00-\u0e7f\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff]"
ASCII_NAME = re.compile(
    r"(?:[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9])?\.)+(?:[a-z]{2,24}|i2p|xn--[a-z0-9-]{2,59})"
)
# what most names are; labels of more than 63 characters and odd hyphens are looked for apart
_SIMPLE = re.compile(r"(?:[a-z0-9-]++\.)+([a-z]++)")
RESERVED = words("""
    example invalid localhost test local lan internal localdomain home corp intranet arpa
""")
_EXAMPLES = words("example.com example.net example.org example.edu")
# scripts of one language beside each other and beside Latin: Unicode Technical Standard 39
_TOGETHER = (
    words("LATIN CJK IDEOGRAPHIC HIRAGANA KATAKANA KATAKANA-HIRAGANA"),
    words("LATIN CJK IDEOGRAPHIC HANGUL"),
    words("LATIN CJK IDEOGRAPHIC BOPOMOFO"),
)
_NONE: frozenset[str] = frozenset()


@lru_cache(maxsize=16384)
def canonical(name: str) -> str | None:
    """Return the A-labels of the host *name* in lower case, or None if it is no domain name."""
    name = name.lower()
    simple = _SIMPLE.fullmatch(name)
    if simple and len(name) <= MAX_LABEL and "-." not in name and name[0] != "-":
        return name if simple[1] in TLDS and ".-" not in name else None
    if not name.isascii():
        name = to_ascii(name)
    if len(name) > MAX_NAME or not ASCII_NAME.fullmatch(name):
        return None
    if name.rpartition(".")[2] not in TLDS:
        return None
    # an underscore serves service names and hosts, never the label that was registered
    return None if "_" in name.rsplit(".", 2)[-2] else name


@lru_cache(maxsize=4096)
def to_ascii(name: str) -> str:
    """Return *name* with A-labels for its U-labels; a label that has none stays as it is."""
    try:
        return name.encode("idna").decode().lower()
    except UnicodeError:
        return name


@lru_cache(maxsize=4096)
def to_unicode(name: str) -> str:
    """Return *name* with U-labels for its A-labels; a label that has none stays as it is."""
    try:
        return name.encode().decode("idna")
    except UnicodeError:
        return name


def flags(name: str) -> frozenset[str]:
    """Say what is special about the canonical *name*: `reserved`, `idn`, `mixed-script`."""
    if name[name.rfind(".") + 1 :] in RESERVED or name[-11:] in _EXAMPLES or "xn--" in name:
        return _special(name)
    return _NONE


@lru_cache(maxsize=4096)
def _special(name: str) -> frozenset[str]:
    said = set()
    if name.rpartition(".")[2] in RESERVED or ".".join(name.split(".")[-2:]) in _EXAMPLES:
        said.add("reserved")
    if "xn--" in name:
        said.add("idn")
        if any(_is_mixed(_scripts(label)) for label in to_unicode(name).split(".")):
            said.add("mixed-script")
    return frozenset(said)


def attributes(name: str) -> tuple[tuple[str, str], ...]:
    """Return the U-label of the canonical *name* as an attribute if it has one."""
    if "xn--" not in name:
        return ()
    shown = to_unicode(name)
    return () if shown == name else (("U-label", shown),)


def _is_mixed(scripts: set[str]) -> bool:
    """Say whether *scripts* do not go together: Japanese and Korean write in several at once."""
    return len(scripts) > 1 and not any(scripts <= together for together in _TOGETHER)


def _scripts(label: str) -> set[str]:
    return {unicodedata.name(c, "?").partition(" ")[0] for c in label if c.isalpha()}
