"""Tell domains, IPv4 addresses and file names apart in a token that is no URL.

The token's own characters decide here; the words before it are weighed by the scanner.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from tqimap_processor.extract import hosts, urls
from tqimap_processor.extract.addresses import IPV4, ipv4_flags, is_ipv4, mac
from tqimap_processor.extract.finding import CIDR, EMAIL, FILENAME, FQDN, IP, MAC, NO_FLAGS, Hit
from tqimap_processor.extract.tlds import (
    BOTH_TLDS,
    CLASSIC,
    FILE_TLDS,
    METHODS,
    TLDS,
    UNLIKELY,
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
_LOCAL_START = re.compile(r"[*.!#$%&/?=-]+|(?:.*[/?&])")
_VERP = re.compile(r"(?:[^=]*\+|bounce|prvs|msprvs|srs\d|btv1)[^=]*=", re.IGNORECASE)
_TWO = re.compile(rf"({IPV4})[-_](?:({IPV4})|\d{{1,5}})")
_NUMERIC = re.compile(r"[\d._-]+")
_MASK = re.compile(r"/(\d{1,2})(?![\w./?-])")
_MASK_END = re.compile(r"/(\d{1,2})(?=\.?$|[.,;:)\]])")
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
# receivers of method calls and attributes in code: always, and before a method's name
CODE = words("""
    self this document window console module exports math java javax util utils obj process
""")
_MAYBE_CODE = words("""
    os sys app object string require system event node item data args result response request config
    ctx array json date element el e i x user form forms file df np pd db conn socket client server
    order items
""")
# what a style sheet begins with: no name of a method behind it makes a domain
_ELEMENTS = words("""
    a body button div footer form h1 h2 h3 h4 h5 header img input label li main nav ol option p
    section select span table tbody td textarea th thead tr ul
""")
# the name of a package is a domain's, backwards
_BACKWARDS = words("com org net")
# first labels that need a second look, if the last one is no plain one
SUSPECT = CODE | _ELEMENTS | _BACKWARDS
# sources that are called so whatever they are about
_SOURCES = words("main lib mod index test tests setup app utils config build script")
# products whose name is a domain's
_PRODUCTS = words("asp.net ado.net vb.net")
PLAIN_TLDS = words("com net org ru info biz cn de fr eu top xyz")
# what stands behind the @ of a Message-ID, never of a mailbox
NO_MAILBOX = words("mail.gmail.com mx.google.com")
_ABBREVIATIONS = words("e.g i.e u.s u.k a.m p.m e.u z.b d.h u.a s.o o.g i.d")


def find(token: str, offset: int, end: int) -> Iterator[Hit]:
    """Yield the hits in characters [*offset*, *end*) of *token*, which hold no URL's scheme."""
    done = offset
    if "@" in token:
        for mail in _MAIL.finditer(token, offset, end):
            yield from _mail(mail)
    # a label that mixes these with Latin letters is a name in running text
    pattern = _NAME if token.isascii() or not _GLUED.search(token) else _LATIN_NAME
    for match in pattern.finditer(token, offset, end):
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
    if before == "\\" and start == 1:
        # the end of a path, as rules match it
        yield from _path_end(name, start, stop)
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


def _path_end(name: str, start: int, stop: int) -> Iterator[Hit]:
    if name.rpartition(".")[2].lower() in EXTENSIONS:
        yield Hit(FILENAME, name, start, stop)


def _numbers(token: str, name: str, start: int, stop: int, before: str, end: int) -> Iterator[Hit]:
    if two := _TWO.fullmatch(name):
        for group in (1, 2):
            if two[group]:
                begin = start + two.start(group)
                yield Hit(IP, two[group], begin, begin + len(two[group]), ipv4_flags(two[group]))
        return
    if not is_ipv4(name) or (before == "/" and token[start - 2 : start - 1].isalnum()):
        return
    flags = ipv4_flags(name)
    mask = _MASK.match(token, stop) or _MASK_END.match(token, stop)
    if mask and int(mask[1]) <= 32:
        yield Hit(CIDR, f"{name}/{int(mask[1])}", start, mask.end(), flags)
        return
    port = _PORT.match(token, stop)
    tail = port.end() if port else stop
    hit = Hit(IP, name, start, stop, flags, (("Port", port[1]),) if port else ())
    if token[tail : tail + 1] == "/" and tail < end:
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
    if canonical and not _is_prose(name, tld, before, after):
        kind = _domain_flags(name, tld, before)
        if kind is not None:
            yield from _domain(token, canonical, start, stop, kind)
            return
    if (
        tld in EXTENSIONS
        and before not in {"/", "\\", "=", "~"}
        and len(name) < 256
        and after != "("
    ):
        yield Hit(
            FILENAME, name, start, stop, frozenset({"file-like"}) if canonical else frozenset()
        )


def _clean(name: str) -> str:
    """Drop what stands before the last label that begins with a hyphen, and hyphens around."""
    name = name.rstrip("-_")
    if name.startswith("__"):
        # bold in Markdown
        name = name.lstrip("_").lstrip(".")
    at = max(name.rfind(".-"), name.rfind("._-"))
    if at >= 0:
        name = name[at + 1 :]
    return name.lstrip("-")


def _is_prose(name: str, tld: str, before: str, after: str) -> bool:
    """Say whether *name* is code, a product, or two sentences without a space between them."""
    lowered = name.lower()
    if after == "{":
        # a selector in a style sheet
        return True
    if lowered in _ABBREVIATIONS or lowered.rpartition(".")[0] in _ABBREVIATIONS:
        return True
    last = name[-len(tld) :]
    if last[0].isupper() and tld not in PLAIN_TLDS and not name.isupper():
        return True
    if last == "NET" and (lowered in _PRODUCTS or not name.isupper()):
        return True
    return tld not in PLAIN_TLDS and _is_code(lowered, tld, before, after)


def _is_code(lowered: str, tld: str, before: str, after: str) -> bool:
    first, _, rest = lowered.partition(".")
    if first in CODE or (tld not in CLASSIC and (after in {"(", "="} or before == "/")):
        return True
    if "." in rest:
        return first in _BACKWARDS and tld not in CLASSIC
    if first in _ELEMENTS and tld not in CLASSIC:
        return True
    return tld in UNLIKELY or (first in _MAYBE_CODE and tld in METHODS)


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
