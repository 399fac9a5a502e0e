"""Find Windows and Unix paths, and registry keys.

A blank inside a path is only believed where a separator follows the words behind it.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from tqimap_processor.extract.finding import PATH, REGISTRY, Hit
from tqimap_processor.extract.names import EXTENSIONS


if TYPE_CHECKING:
    from collections.abc import Iterator

    from tqimap_processor.extract.image import Image


_WORD = r"(?:[^\\/:*?\"'<>|\s,;\u2018\u2019\u201c\u201d`]++|<[^<>\\\r\n]{1,40}>){1,255}"
# a step may hold blanks, unless a file or another hive ends before them
_STEP = (
    rf"(?!{_WORD}\.(?:exe|dll|sys|bat|ps1|vbs|js|txt|cmd) ){_WORD}"
    rf"(?: (?!<?HK)(?!and |or |to |in ){_WORD}){{0,6}} ?\\{{1,2}}"
)
_REST = re.compile(rf"(?:{_STEP}){{0,48}}(?:{_WORD})?")
_DRIVE = re.compile(rb":(?<=[A-Za-z]:)(?<![A-Za-z0-9][A-Za-z]:)\\{1,2}(?=[^\\])")
_VARIABLE = re.compile(rb"%[A-Za-z_()0-9]{2,30}%\\{1,2}")
_SHARE = re.compile(
    rb"\\\\\\{0,2}(?:[A-Za-z0-9][\w\xff.-]{0,253}(?:@(?:SSL|\d{1,5})){0,2}|[?.])\\{1,2}(?=[\w\xff$])"
)
_HIVE = (
    rb"(?:EY_(?:LOCAL_MACHINE|CURRENT_USER|CLASSES_ROOT|USERS|CURRENT_CONFIG|PERFORMANCE_DATA)"
    rb"|LM|CU|CR|U|CC)>?:?\\{1,2}"
)
_KEYS = tuple(
    re.compile(hk + rb"(?<![A-Za-z0-9_]" + hk + rb")(?i:" + _HIVE + rb")")
    for hk in (b"HK", b"hk", b"Hk")
)
_SPACED_FILE = re.compile(
    r"(?: [^\\/:*?\"'<>|\s,;]{1,60}){1,5}(?<=\.\w{3})\w?(?=[\"']|\r?$)", re.MULTILINE
)
_HIVES = {
    "HKLM": "HKEY_LOCAL_MACHINE", "HKCU": "HKEY_CURRENT_USER", "HKCR": "HKEY_CLASSES_ROOT",
    "HKU": "HKEY_USERS", "HKCC": "HKEY_CURRENT_CONFIG",
}  # fmt: skip
# a share's two backslashes behind these are an escaped one of something else
_NO_SHARE = frozenset({b":", b"\\", b"%", b">", b"\xff"})
_OPENER = {")": "(", "]": "[", "}": "{"}
_UNIX_ROOT = re.compile(
    rb"/(?<![\w\xff./:<)*~-]/)(?:etc|usr|var|tmp|home|opt|bin|sbin|root|dev|proc|sys|lib|lib64|mnt|media"
    rb"|srv|run|boot|Library|Users|Applications|System|private|Volumes|data|sdcard|storage|vendor)/"
)
_HOME = re.compile(rb"~/(?<![\w\xff./:~-]~/)(?=[\w\xff.])")
_UNIX_WORD = r"[\w.+@%~#$={}-]{1,255}+"
_UNIX_REST = re.compile(
    rf"(?:{_UNIX_WORD}(?: (?!and |or |to |in ){_UNIX_WORD}){{0,2}}/){{0,48}}(?:{_UNIX_WORD})?"
)
_DOUBLED = re.compile(r"\\{2,}")
_ENDS = ".,;:!?'\")]}"


def find(text: str, image: Image) -> Iterator[Hit]:
    """Yield the hits of *text*, whose image is *image*, with places in it."""
    if b"\\" in image.bytes:
        yield from _keys(text, image.bytes)
        yield from _windows(text, image.bytes)
    if b"/" in image.bytes:
        yield from _unix(text, image.bytes)


def _keys(text: str, image: bytes) -> Iterator[Hit]:
    done = 0
    for root in (root for pattern in _KEYS for root in pattern.finditer(image)):
        if root.start() < done:
            continue
        start = root.start() - (text[root.start() - 1 : root.start()] == "<")
        hit = _windows_hit(text, start, root.end(), REGISTRY)
        done = hit.end if hit else root.end()
        if hit and "<" not in hit.value.partition(">")[2] + ("" if ">" in hit.value else hit.value):
            yield hit


def _windows(text: str, image: bytes) -> Iterator[Hit]:
    done = 0
    for root in sorted(_roots(image)):
        if root[0] >= done and (hit := _windows_hit(text, *root, PATH)):
            yield hit
            done = hit.end


def _roots(image: bytes) -> Iterator[tuple[int, int]]:
    """Yield where roots of paths begin and end."""
    for match in _DRIVE.finditer(image):
        yield match.start() - 1, match.end()
    for match in _VARIABLE.finditer(image) if b"%" in image else ():
        yield match.span()
    for match in _SHARE.finditer(image):
        before = image[match.start() - 1 : match.start()] if match.start() else b""
        if not (before.isalnum() or before in _NO_SHARE):
            yield match.span()


def _windows_hit(text: str, start: int, tail: int, kind: str) -> Hit | None:
    rest = _REST.match(text, tail)
    end = rest.end() if rest else tail
    if kind == PATH and text[end : end + 1] == " " and (spaced := _SPACED_FILE.match(text, end)):
        name = text[end : spaced.end()].rpartition(".")[2].lower()
        end = spaced.end() if name in EXTENSIONS else end
    end = _trim(text, start, end)
    if end <= tail:
        return None
    written = text[start:end]
    if kind == REGISTRY:
        return Hit(REGISTRY, _key(written), start, end)
    if "\\\\" in written[1:]:
        lead = written[:2] if written.startswith("\\\\") else ""
        written = lead + _DOUBLED.sub(r"\\", written[len(lead) :])
    return Hit(PATH, written, start, end)


def _key(written: str) -> str:
    hive, _, rest = _DOUBLED.sub(r"\\", written).partition("\\")
    hive = hive.strip("<>:").upper()
    return f"{_HIVES.get(hive, hive)}\\{rest}"


def _trim(text: str, start: int, end: int) -> int:
    """Cut marks of the sentence from the end, and brackets that were not opened inside."""
    while end > start and text[end - 1] in _ENDS + "\\":
        opener = _OPENER.get(text[end - 1])
        if opener and text.find(opener, start, end) >= 0:
            break
        end -= 1
    return end


def _unix(text: str, image: bytes) -> Iterator[Hit]:
    done = 0
    for pattern in (_UNIX_ROOT, _HOME) if b"~" in image else (_UNIX_ROOT,):
        for root in pattern.finditer(image):
            if root.start() < done:
                continue
            rest = _UNIX_REST.match(text, root.end())
            end = _trim(text, root.start(), rest.end() if rest else root.end())
            done = end
            if end > root.end():
                yield Hit(PATH, text[root.start() : end], root.start(), end)
