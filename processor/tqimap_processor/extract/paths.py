"""Find Windows and Unix paths, and registry keys.

A blank inside a path is only believed where a separator follows the words behind it.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from tqimap_processor.extract import hosts
from tqimap_processor.extract.addresses import quad
from tqimap_processor.extract.finding import FQDN, IP, PATH, REGISTRY, Hit, Raw
from tqimap_processor.extract.names import EXTENSIONS


if TYPE_CHECKING:
    from collections.abc import Iterator

    from tqimap_processor.extract.image import Image


_WORD = r"(?:[^\\/:*?\"'<>|\s,;\u2018\u2019\u201c\u201d`]++|<[^<>\\\r\n]{1,40}>){1,255}"
# a step may hold blanks, unless a file or another hive ends before them
_STEP = (
    rf"(?!{_WORD}\.(?:exe|dll|sys|bat|ps1|vbs|js|txt|cmd) ){_WORD}"
    rf"(?: and Settings| (?!<?HK)(?!and |or |to |in ){_WORD}){{0,6}} ?\\{{1,2}}"
)
_REST = re.compile(rf"(?:{_STEP}){{0,48}}(?:{_WORD})?")
_DRIVE = re.compile(rb":(?<=[A-Za-z]:)(?<![A-Za-z0-9][A-Za-z]:)\\{1,2}(?=[^\\])")
_VARIABLE = re.compile(rb"%[A-Za-z_()0-9]{2,30}%\\{1,2}")
# what the kernel calls a drive
_VOLUME = re.compile(
    rb"\\(?<![\w\xff\\]\\)(?i:Device)\\(?:HarddiskVolume\d{1,3}|Mup)\\(?=[\w\xff])"
)
_SHARE = re.compile(
    rb"\\\\\\{0,2}(?:[A-Za-z0-9][\w\xff.-]{0,253}(?:@(?:SSL|\d{1,5})){0,2}|[?.](?:\\[A-Za-z]:)?)\\{1,2}(?=[\w\xff$])"
)
_HIVE = (
    rb"(?:EY_(?:LOCAL_MACHINE|CURRENT_USER|CLASSES_ROOT|USERS|CURRENT_CONFIG|PERFORMANCE_DATA)"
    rb"|LM|CU|CR|U|CC)>?:? ?\\{1,2}"
)
_KEYS = re.compile(rb"(?<![A-Za-z0-9_])(?i:HK" + _HIVE + rb")")
# what the kernel calls HKEY_LOCAL_MACHINE and HKEY_USERS
_KERNEL = re.compile(rb"\\(?<![\w\xff\\]\\)(?i:REGISTRY)\\(?i:MACHINE|USER)\\(?=[\w\xff])")
# a short hive before slashes needs a key that is always in it
_SLASHED = re.compile(
    rb"(?<![A-Za-z0-9_])(?i:HK(?:EY_(?:LOCAL_MACHINE|CURRENT_USER|CLASSES_ROOT"
    rb"|USERS|CURRENT_CONFIG)|(?:LM|CU|CR|U|CC):?(?=/(?:software|system|sam|security|hardware"
    rb"|s-1-|\.default|control panel|environment|clsid)/)))/(?=[\w.])"
)
_MAX_SLASHED = 1024
_SPACED_FILE = re.compile(
    r"(?: [^\\/:*?\"'<>|\s,;]{1,60}){1,5}(?<=\.\w{3})\w?(?=[\"']|[.)]?\r?$)", re.MULTILINE
)
# steps with a blank that stand at the end of many
_NAMED_END = re.compile(
    r"(?:Login|Web|User|Application) Data|Local (?:State|Storage|Settings)|Start Menu|Shell Folders"
    r"|Program Files(?: \(x86\))?|Windows (?:NT|Defender|Script Host|Error Reporting)|Control Panel"
    r"|Internet (?:Explorer|Settings)|Terminal Server|Session Manager|Image File Execution Options"
    r"|Active Setup|Installed Components|Browser Helper Objects|Security Center|Scheduled Tasks"
    r"|User Shell Folders|Real-Time Protection|Application Support|Microsoft Antimalware",
    re.IGNORECASE,
)
# a sentence in a script without blanks goes on behind it
_GOES_ON = re.compile(rf"(?<=[A-Za-z0-9]){hosts.NO_BLANKS}{{1,255}}\Z")
_NO_BLANKS = re.compile(hosts.NO_BLANKS)
# a path in quotes may end with words, unless these are what a program is given
_CLOSING = {'"': '"', "'": "'", "`": "`", "\u201c": "\u201d", "\u2018": "\u2019"}
_QUOTED_END = re.compile(r"(?: [\w(&+][\w()&+.,'-]{0,40}){1,5}")
_HIVES = {
    "HKLM": "HKEY_LOCAL_MACHINE", "HKCU": "HKEY_CURRENT_USER", "HKCR": "HKEY_CLASSES_ROOT",
    "HKU": "HKEY_USERS", "HKCC": "HKEY_CURRENT_CONFIG",
}  # fmt: skip
_KERNELS = {"MACHINE": "HKEY_LOCAL_MACHINE", "USER": "HKEY_USERS"}
_IN_PATH = frozenset({"in-path"})
# a share's two backslashes behind these are an escaped one of something else
_NO_SHARE = frozenset({b":", b"\\", b"%", b">", b"\xff"})
_OPENER = {")": "(", "]": "[", "}": "{"}
_UNIX_ROOT = re.compile(
    rb"/(?<![\w./:<)*~-]/)(?:etc|usr|var|tmp|home|opt|bin|sbin|root|dev|proc|sys|lib|lib64|mnt|media"
    rb"|srv|run|boot|Library|Users|Applications|System|private|Volumes|data|sdcard|storage|vendor)/"
)
# a drive or a variable before slashes
_ROOTED = (
    (b":/", re.compile(rb":/(?<=[A-Za-z]:/)(?<![\w\xff.%:-][A-Za-z]:/)(?=[A-Za-z])"), 1),
    (b"%", re.compile(rb"%(?<![\w\xff%]%)[A-Za-z_()]{4,30}%/(?=[\w.])"), 0),
    (b"~", re.compile(rb"~/(?<![\w\xff./:~-]~/)(?=[\w\xff.])"), 0),
    (b"$", re.compile(rb"\$(?:[A-Z]{3,20}|\{[A-Z_]{3,20}\})/(?=[\w.])"), 0),
)
_POWERSHELL = re.compile(rb"\$(?i:env):[A-Za-z()0-9_]{2,30}\\{1,2}")
_UNIX_WORD = r"[\w.+@%~#$={}-]{1,255}+"
_UNIX_REST = re.compile(
    rf"(?:{_UNIX_WORD}(?: (?!and |or |to |in ){_UNIX_WORD}){{0,2}}/){{0,48}}(?:{_UNIX_WORD})?"
)
_MAX_QUOTED = 200
_DOUBLED = re.compile(r"\\{2,}")
_ENDS = ".,;:!?'\")]}\u2026"


def find(text: str, image: Image) -> Iterator[Raw]:
    """Yield the hits of *text*, whose image is *image*, with places in it."""
    hives = list(_hives(image.lower))
    if b"\\" in image.bytes:
        yield from _keys(text, image, hives)
        yield from _windows(text, image)
    if hives:
        yield from _slashed(text, image.bytes, hives)
    if b"/" in image.bytes:
        yield from _unix(text, image.bytes)


def _hives(lower: bytes) -> Iterator[int]:
    """Yield where the name of a hive may begin."""
    at = lower.find(b"hk")
    while at >= 0:
        yield at
        at = lower.find(b"hk", at + 1)


def _keys(text: str, image: Image, hives: list[int]) -> Iterator[Hit]:
    done = 0
    roots = [key.span() for at in hives if (key := _KEYS.match(image.bytes, at))]
    if b"\\registry\\" in image.lower:
        roots += [key.span() for key in _KERNEL.finditer(image.bytes)]
    for begin, tail in sorted(roots):
        if begin < done:
            continue
        start = begin - (text[begin - 1 : begin] == "<")
        hit = _windows_hit(text, start, tail, REGISTRY)
        done = hit.end if hit else tail
        if hit and "<" not in hit.value.partition(">")[2] + ("" if ">" in hit.value else hit.value):
            yield hit


def _slashed(text: str, image: bytes, hives: list[int]) -> Iterator[Hit]:
    """Yield the keys that are written with slashes, as if they had backslashes."""
    done = 0
    for start in hives:
        key = _SLASHED.match(image, start)
        if key is None or start < done:
            continue
        # what stands before it may be a quotation mark
        base = max(0, start - 1)
        turned = text[base : key.end() + _MAX_SLASHED].replace("/", "\\")
        if hit := _windows_hit(turned, start - base, key.end() - base, REGISTRY):
            done = base + hit.end
            yield hit._replace(start=start, end=done)


def _windows(text: str, image: Image) -> Iterator[Raw]:
    done = 0
    for root in sorted(_roots(image)):
        if root[0] >= done and (hit := _windows_hit(text, *root, PATH)):
            yield hit
            if text[hit.start] == "\\":
                yield from _server(text, hit)
            done = hit.end


def _server(text: str, share: Hit) -> Iterator[Raw]:
    """Yield the address or domain whose *share* a path names."""
    written = text[share.start : share.end]
    start = share.start + len(written) - len(written.lstrip("\\"))
    host = written.lstrip("\\").partition("\\")[0].partition("@")[0]
    stop = start + len(host)
    if (flags := quad(host)) is not None:
        yield IP, host, start, stop, flags | _IN_PATH, ()
    elif "." in host and (name := hosts.canonical(host)):
        yield FQDN, name, start, stop, hosts.flags(name) | _IN_PATH, hosts.attributes(name)


def _roots(views: Image) -> Iterator[tuple[int, int]]:
    """Yield where roots of paths begin and end."""
    image = views.bytes
    for match in _DRIVE.finditer(image) if b":\\" in image else ():
        yield match.start() - 1, match.end()
    for match in _VARIABLE.finditer(image) if b"%\\" in image else ():
        yield match.span()
    for match in _POWERSHELL.finditer(image) if b"$env:" in views.lower else ():
        yield match.span()
    for match in _VOLUME.finditer(image) if b"\\device\\" in views.lower else ():
        yield match.span()
    for match in _SHARE.finditer(image) if b"\\\\" in image else ():
        before = image[match.start() - 1 : match.start()] if match.start() else b""
        if not (before.isalnum() or before in _NO_SHARE):
            yield match.span()


def _windows_hit(text: str, start: int, tail: int, kind: str) -> Hit | None:
    rest = _REST.match(text, tail)
    end = rest.end() if rest else tail
    if kind == PATH and text[end : end + 1] == " " and (spaced := _SPACED_FILE.match(text, end)):
        name = text[end : spaced.end()].rpartition(".")[2].lower()
        end = spaced.end() if name in EXTENSIONS else end
    end = _quoted(text, start, end)
    if named := _NAMED_END.match(text, text.rfind("\\", tail - 1, end) + 1):
        end = max(end, named.end())
    closer = text.find(")", tail, end)
    if closer >= 0 and text.find("(", tail, closer) < 0:
        end = closer
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


def _quoted(text: str, start: int, end: int) -> int:
    """Return where the path [*start*, *end*) ends, if it is in quotes and they say so."""
    before = text[max(0, start - 2) : start].rstrip(" ")
    closing = _CLOSING.get(before[-1:])
    if closing is None or "." in text[end - 5 : end]:
        return end
    stop = text.find(closing, end, end + _MAX_QUOTED)
    rest = _QUOTED_END.match(text, end, stop) if stop > end else None
    return rest.end() if rest and text[rest.end() : stop].strip(" ") == "" else end


def _key(written: str) -> str:
    written = _DOUBLED.sub(r"\\", written)
    if written[0] == "\\":
        _, _, hive, rest = written.split("\\", 3)
        return f"{_KERNELS[hive.upper()]}\\{rest}"
    hive, _, rest = written.partition("\\")
    hive = hive.strip("<>: ").upper()
    return f"{_HIVES.get(hive, hive)}\\{rest}"


def _trim(text: str, start: int, end: int) -> int:
    """Cut marks of the sentence from the end, and brackets that were not opened inside."""
    if end > start and not text[end - 1].isascii() and (on := _GOES_ON.search(text[start:end])):
        end = start + on.start()
    while end > start and text[end - 1] in _ENDS + "\\":
        opener = _OPENER.get(text[end - 1])
        if opener and text.find(opener, start, end) >= 0:
            break
        end -= 1
    return end


def _unix(text: str, image: bytes) -> Iterator[Hit]:
    done = 0
    for start, tail in _unix_roots(image):
        before = text[start - 1 : start]
        if start < done or (before.isalpha() and not _NO_BLANKS.match(before)):
            continue
        rest = _UNIX_REST.match(text, tail)
        end = done = _trim(text, start, rest.end() if rest else tail)
        if end > tail:
            yield Hit(PATH, text[start:end], start, end)


def _unix_roots(image: bytes) -> list[tuple[int, int]]:
    """Return where roots before slashes begin and end."""
    roots = [match.span() for match in _UNIX_ROOT.finditer(image)]
    for sign, pattern, back in _ROOTED:
        if sign in image:
            roots += [(match.start() - back, match.end()) for match in pattern.finditer(image)]
    return sorted(roots)
