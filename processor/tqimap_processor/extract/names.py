"""Tell domains, IPv4 addresses and file names apart in a token that is no URL.

The token's own characters decide here; the words before it are weighed by the scanner.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from tqimap_processor.extract import hosts, prose, urls
from tqimap_processor.extract.addresses import IPV4, ipv4_flags, is_ipv4, mac, quad
from tqimap_processor.extract.finding import CIDR, EMAIL, FILENAME, FQDN, IP, MAC, NO_FLAGS, Hit
from tqimap_processor.extract.tlds import (
    BOTH_TLDS,
    CLASSIC,
    FILE_TLDS,
    TLDS,
    words,
)


if TYPE_CHECKING:
    from collections.abc import Iterator


_NAME = re.compile(r"(?<![\w-])[\w-]++(?:\.[\w-]++)+")
_LATIN_NAME = re.compile(_NAME.pattern, re.ASCII)
_GLUED = re.compile(rf"[A-Za-z0-9]{hosts.NO_BLANKS}|{hosts.NO_BLANKS}[A-Za-z0-9]")
_LOCAL = r"[A-Za-z0-9!#$%&*+/=?_~\u00a1-\uffff.-]"
_MAIL = re.compile(
    rf"(?<!{_LOCAL})({_LOCAL}{{1,128}}+)@(\[[0-9A-Fa-f:.]{{7,45}}\]|[\w-]++(?:\.[\w-]++)+)"
)
_LATIN_MAIL = re.compile(_MAIL.pattern.replace(r"\u00a1-\uffff", ""), re.ASCII)
_LOCAL_START = re.compile(r"[*.!#$%&/?=\u00a1-\u00bf\u2000-\u2bff\ufe0f-]+|(?:.*[/?&])")
_VERP = re.compile(r"(?:[^=]*\+|bounce|prvs|msprvs|srs\d|btv1)[^=]*=", re.IGNORECASE)
_TWO = re.compile(rf"({IPV4})[-_](?:({IPV4})|\d{{1,5}})")
_NUMERIC = re.compile(r"[\d._-]+")
_MASK = re.compile(r"/(\d{1,2})(?![\w./?-])")
_MASK_END = re.compile(r"/(\d{1,2})(?=\.?$|[.,;:)\]])")
# an address beside another
_QUAD_BEFORE = re.compile(rf"(?<![\w.]){IPV4}/\Z")
_QUAD_BEHIND = re.compile(rf"/{IPV4}(?![\w/]|\.\w)")
# firewalls write a port so; a mask or a day is smaller
_SLASH_PORT = re.compile(r"/(\d{3,5})(?![\w./?:-])")
_PORT = re.compile(r":(\d{1,5})(?![\w.])")
IN_ADDRESS = frozenset({"in-address"})

EXTENSIONS = words("""
    exe dll sys scr com pif cpl ocx msi msp bat cmd ps1 psm1 vbs vbe vba js jse wsf wsh hta lnk url
    jar class apk dex ipa dmg pkg deb rpm elf so bin dat db tmp log txt rtf csv tsv json xml yml
    yaml ini cfg conf inf reg doc docx docm dot dotm dotx xls xlsx xlsm xlsb xll xlam ppt pptx pptm
    pps ppsx pdf zip rar 7z gz tgz bz2 xz tar cab iso img vhd vhdx ace arj lzh htm html mht mhtml
    shtml xhtml php asp aspx jsp jspx cgi py pyc pyw pl rb sh bash md c cpp h hpp cs java go rs eml
    msg ics vcf one onepkg pub wll mdb accdb odt ods odp svg png jpg jpeg gif bmp ico tif tiff webp
    mp3 mp4 avi mov wav pem cer crt key p12 pfx der pdb chm swf application appref-ms
    settingcontent-ms library-ms search-ms iqy slk job ps pcap evtx etl dmp sqlite old bak
""")
# sources that are called so whatever they are about
_SOURCES = words("main lib mod index test tests setup app utils config build script")
# what stands behind the @ of a Message-ID, never of a mailbox
NO_MAILBOX = words("mail.gmail.com mx.google.com")
# before an address on a path
_HOSTED = ("/dev/tcp/", "/dev/udp/", "direct/", "parent/")


def find(token: str, offset: int, end: int) -> Iterator[Hit]:
    """Yield the hits in characters [*offset*, *end*) of *token*, which hold no URL's scheme."""
    done = offset
    # a label that mixes these with Latin letters is a name in running text
    glued = not token.isascii() and _GLUED.search(token)
    if "@" in token:
        for mail in (_LATIN_MAIL if glued else _MAIL).finditer(token, offset, end):
            yield from _mail(mail)
    for match in (_LATIN_NAME if glued else _NAME).finditer(token, offset, end):
        if match.start() < done:
            continue
        for hit in _judge(token, match, end):
            yield hit
            done = max(done, hit.end)


def _mail(match: re.Match[str]) -> Iterator[Hit]:
    local, domain = match.groups()
    if "=" in local and not _VERP.match(local):
        local = local.rpartition("=")[2]
    if start := _LOCAL_START.match(local):
        local = local[start.end() :]
    host = domain_of(domain)
    begin = match.start(2)
    if host is None:
        return
    kind, name, flags, attributes = host
    inner = begin + (domain[0] == "[")
    if name in NO_MAILBOX or name.endswith(".prod.outlook.com"):
        return
    if local and ".." not in local and local[-1] != "." and len(local) <= 64:
        shown = f"[{name}]" if domain[0] == "[" else name
        value = f"{local.lower()}@{shown}"
        if "*" in local:
            flags |= {"censored"}
        yield Hit(EMAIL, value, begin - 1 - len(local), match.end(), flags, attributes)
    if "unknown-tld" not in flags:
        size = len(domain.strip("[]"))
        yield Hit(kind, name, inner, inner + size, flags | IN_ADDRESS, attributes)


def domain_of(
    domain: str,
) -> tuple[str, str, frozenset[str], tuple[tuple[str, str], ...]] | None:
    """Return type, canonical value, flags and attributes of what follows an `@`."""
    bare = domain.strip("[]")
    if is_ipv4(bare):
        return IP, bare, ipv4_flags(bare), ()
    if ":" in bare:
        return None
    if name := hosts.canonical(bare):
        return FQDN, name, hosts.flags(name), hosts.attributes(name)
    labels = bare.lower().split(".")
    if len(labels) > 2 and labels[-1].isalpha() and labels[-1] not in EXTENSIONS and bare.isascii():
        return FQDN, bare.lower(), frozenset({"unknown-tld"}), ()
    return None


def _judge(token: str, match: re.Match[str], end: int) -> Iterator[Hit]:
    """Yield what the dotted name *match* of *token* is, and the URL that it may begin."""
    name, start, stop = match[0], match.start(), match.end()
    before = token[start - 1 : start] if start else ""
    after = token[stop : stop + 1]
    if before == "\\" and token[: start - 1] in {"", ".", ".."}:
        # the end of a path, as rules match it, or one from here on
        yield from _path_end(name, start, stop)
    if before == "@" and start == 1 and after != "/":
        # the domain of addresses
        yield from _senders(name, start, stop)
    if token[:start] == "\\\\" and stop == end and (flags := quad(name)) is not None:
        # a server without a share
        yield Hit(IP, name, start, stop, flags)
    if before == "@" or (after == "@" and "." in token[stop : stop + 64]) or before in {"%", "\\"}:
        return
    if before == "." and token[start - 2 : start - 1] in {"]", "}", "*"} and start > 2:
        # what stood before the dot was blacked out
        return
    if name[0].isdigit() and _NUMERIC.fullmatch(name):
        yield from _numbers(token, name, start, stop, before, end)
        if name.count(".") != 2:
            return
    if len(name) == 14 and (address := mac(name)):
        # the notation that switches print is what people search for; the other is beside it
        yield Hit(MAC, name.lower(), start, stop, NO_FLAGS, (("Colon Notation", address),))
        return
    yield from _named(token, start, stop, before, after)


def _senders(name: str, start: int, stop: int) -> Iterator[Hit]:
    canonical = hosts.canonical(name)
    if canonical and canonical.rpartition(".")[2] in CLASSIC:
        flags = hosts.flags(canonical) | IN_ADDRESS
        yield Hit(FQDN, canonical, start, stop, flags, hosts.attributes(canonical))


def _path_end(name: str, start: int, stop: int) -> Iterator[Hit]:
    if name.rpartition(".")[2].lower() in EXTENSIONS:
        yield Hit(FILENAME, name, start, stop)


def _numbers(token: str, name: str, start: int, stop: int, before: str, end: int) -> Iterator[Hit]:
    name = name.rstrip("-_")
    stop = start + len(name)
    if two := _TWO.fullmatch(name):
        for group in (1, 2):
            if two[group]:
                begin = start + two.start(group)
                yield Hit(IP, two[group], begin, begin + len(two[group]), ipv4_flags(two[group]))
        return
    if not is_ipv4(name):
        return
    behind = before == "/" and token[start - 2 : start - 1].isalnum()
    if behind and not (
        token[:start].lower().endswith(_HOSTED)
        or _QUAD_BEFORE.search(token[max(0, start - 17) : start])
    ):
        # the version of a product
        return
    flags = ipv4_flags(name)
    mask = _MASK.match(token, stop) or _MASK_END.match(token, stop)
    if mask and int(mask[1]) <= 32:
        yield Hit(CIDR, f"{name}/{int(mask[1])}", start, mask.end(), flags)
        return
    port = _PORT.match(token, stop) or _SLASH_PORT.match(token, stop)
    tail = port.end() if port else stop
    hit = Hit(IP, name, start, stop, flags, (("Port", port[1]),) if port else ())
    if (
        token[tail : tail + 1] == "/"
        and tail < end
        and not (behind or _QUAD_BEHIND.match(token, tail))
    ):
        whole = urls.schemeless(token, start, hit, tail)
        yield from whole
        if whole:
            hit = Hit(IP, name, start, stop, flags | urls.IN_URL)
    yield hit


def _named(token: str, start: int, stop: int, before: str, after: str) -> Iterator[Hit]:
    name = _clean(token[start:stop])
    if "." not in name:
        return
    stop = start + token[start:stop].rindex(name) + len(name)
    start = stop - len(name)
    tld = name.rpartition(".")[2].lower()
    canonical = hosts.canonical(name)
    if canonical and not prose.is_prose(name, tld, before, after):
        kind = _domain_flags(name, tld, before)
        if kind is not None:
            yield from _domain(token, canonical, start, stop, kind)
            return
    if (
        tld in EXTENSIONS
        and before not in {"/", "\\", "=", "~"}
        and len(name) < 256
        and after != "("
        and name.lower() not in prose.LIBRARIES
    ):
        yield Hit(
            FILENAME, name, start, stop, frozenset({"file-like"}) if canonical else frozenset()
        )


def _clean(name: str) -> str:
    """Drop what stands before the last label that begins with a hyphen, and hyphens around."""
    if "-" not in name and "_" not in name:
        return name
    name = name.rstrip("-_")
    if name.startswith("__"):
        # bold in Markdown
        name = name.lstrip("_").lstrip(".")
    at = max(name.rfind(".-"), name.rfind("._-"))
    if at >= 0:
        name = name[at + 1 :]
    return name.lstrip("-")


def _domain_flags(name: str, tld: str, before: str) -> frozenset[str] | None:
    """Return the flags of a domain, or None if *name* is a file's."""
    *labels, _ = name.lower().split(".")
    if tld in FILE_TLDS and (len(labels) == 1 or before == "/" or labels[-1].isdigit()):
        return None
    if labels[-1] in EXTENSIONS and tld in EXTENSIONS and labels[-1] not in TLDS:
        return None
    if tld in EXTENSIONS and len(labels) == 1 and labels[0] in _SOURCES:
        return None
    if tld == "so" and (labels[0].startswith("lib") or before == "/"):
        return None
    shared = tld in BOTH_TLDS or tld in FILE_TLDS
    return frozenset({"file-like"}) if shared and len(labels) == 1 else frozenset()


def _domain(
    token: str, canonical: str, start: int, stop: int, said: frozenset[str]
) -> Iterator[Hit]:
    flags = hosts.flags(canonical) | said
    attributes = hosts.attributes(canonical)
    port = _PORT.match(token, stop)
    tail = port.end() if port else stop
    hit = Hit(
        FQDN, canonical, start, stop, flags, attributes + ((("Port", port[1]),) if port else ())
    )
    if token[tail : tail + 1] == "/" and (whole := urls.schemeless(token, start, hit, tail)):
        yield from whole
        hit = Hit(FQDN, canonical, start, stop, flags | urls.IN_URL, attributes)
    yield hit
