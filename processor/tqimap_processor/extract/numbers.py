"""Find what is told by its punctuation alone: IPv6, MAC, CVE, ASN, fuzzy hashes with colons."""

from __future__ import annotations

import re
from string import ascii_letters
from typing import TYPE_CHECKING

from tqimap_processor.extract.addresses import ipv6, ipv6_flags, mac, quad
from tqimap_processor.extract.finding import (
    ASN,
    CIDR,
    CVE,
    FUZZY,
    IP,
    IPV6,
    MAC,
    NO_FLAGS,
    Hit,
    Raw,
)


if TYPE_CHECKING:
    from collections.abc import Iterator

    from tqimap_processor.extract.image import Image


# two colons near each other, unless a clock's
_COLONS = re.compile(rb":(?=[0-9A-Fa-f]{0,4}:)(?!\d\d:\d\d(?::\d\d)?(?![0-9A-Fa-f:]))")
# an IPv4 address may end it
_V6 = re.compile(
    rb"[0-9A-Fa-f]{0,4}(?::[0-9A-Fa-f]{0,4}){2,8}"
    rb"(?:(?:(?<=:)\d{1,3}|(?<=:\d)\d{0,2}|(?<=:\d\d)\d?|(?<=:\d\d\d))(?:\.\d{1,3}){3})?"
)
# the long hardware address, not an IPv6 address with all its zeros
_EUI64 = re.compile(r"[0-9A-Fa-f]{2}(?::[0-9A-Fa-f]{2}){7}")
_V6_BEHIND = re.compile(rb"(?:%[A-Za-z0-9]{1,15})?(?:/(\d{1,3}))?")
_HEX_MAC = re.compile(rb"-(?=[0-9A-Fa-f]{2}-[0-9A-Fa-f]{2}-[0-9A-Fa-f]{2}-[0-9A-Fa-f]{2})")
_MAC_SIZE = 17
_WORD = re.compile(rb"[\w\xff]")
_LETTERS = frozenset(b"0123456789_" + ascii_letters.encode())
_JOINED_BEFORE = frozenset(b"0123456789_:.\xff" + ascii_letters.encode())
_CVE = re.compile(
    rb"cve(?:-id)?[- _:#]{1,3}((?:19|20|2[1-9])\d\d|1[0-8]\d\d)[- _]{1,2}(\d{4,7})(?!\d)"
)
_ASN_NUMBER = rb"(\d{1,10})(?![\w-]|\.\w)"
_ASN = re.compile(
    rb"as(?<!\was)(n[\"']?(?: ?[:=] ?[\"']?|[ #-])?|:? |[:#-]| number:? )?" + _ASN_NUMBER
)
_SPELLED_OUT = re.compile(
    rb"autonomous[ -]system(?:[ :]number)?(?: \(asn?\))?(?::| =)? " + _ASN_NUMBER
)
# what tcpdump writes: a port is a fifth number there
_FLOW = re.compile(
    rb"(\d{1,3}(?:\.\d{1,3}){3})\.\d{1,5} > (\d{1,3}(?:\.\d{1,3}){3})\.\d{1,5}(?=[: ])"
)
_FLOW_SIGN = re.compile(rb" > (?<=\d > )(?=\d)")
_SSDEEP = re.compile(rb":(?<=\d:)(?=[A-Za-z0-9+/]{6,148}+:)")
_SSDEEP_BODY = re.compile(rb":[A-Za-z0-9+/]{6,148}+:[A-Za-z0-9+/]{3,148}+")
# a machine of IBM's and protocols that exchange files, among the words that they stand between
_PROTOCOL = re.compile(
    rb"edi|protocol|transfer|messag|ftps?\b|\bmft\b|b2b|openas2|moveit|goanywhere|gateway|standard"
    rb"|ebms|\bas[1-4][/,]|[/,] ?as[1-4]\b"
)
_NO_SYSTEM = {
    400: re.compile(
        rb"ibm|iseries|system i|midrange|mainframe|legacy|rpg|cobol|db2|os/400|as/400|server"
    ),
    **dict.fromkeys(range(1, 5), _PROTOCOL),
}
# characters around a mention, and mentions that are asked
_AROUND, _ASKED = 40, 32
MAX_ASN = 2**32 - 1


def find(image: Image) -> Iterator[Raw]:
    """Yield the hits of the whole text, with places in it."""
    if b":" in image.bytes:
        yield from _colons(image.bytes)
        yield from _fuzzy(image.bytes)
    if b"-" in image.bytes:
        yield from _dashes(image.bytes)
    if b" > " in image.bytes:
        yield from _flows(image.bytes)
    yield from _cves(image.lower)
    yield from _asns(image)


def _colons(text: bytes) -> Iterator[Raw]:
    done = 0
    for colon in _COLONS.finditer(text):
        at = colon.start()
        if at < done:
            continue
        start = _back(text, at, done)
        run = _V6.match(text, start)
        if run is None:
            continue
        done = run.end()
        if start and text[start - 1] in _JOINED_BEFORE:
            # a label may stand before it
            start = at + 1
            run = _V6.match(text, start) if text[at + 1 : at + 2] != b":" else None
            if run is None:
                continue
        if hit := _colon_run(text, start, run):
            yield hit


def _flows(text: bytes) -> Iterator[Raw]:
    for sign in _FLOW_SIGN.finditer(text):
        back = max(0, sign.start() - 22)
        start = max(text.rfind(blank, back, sign.start()) for blank in (b" ", b"\n", b"\t"))
        flow = _FLOW.match(text, max(back, start + 1))
        if flow is None:
            continue
        for group in (1, 2):
            address = flow[group].decode()
            if (flags := quad(address)) is not None:
                yield IP, address, *flow.span(group), flags, ()


def _back(text: bytes, at: int, done: int) -> int:
    """Step over at most four hexadecimal digits before *at*."""
    start = at
    while start > max(done, at - 4) and text[start - 1] in b"0123456789abcdefABCDEF":
        start -= 1
    return start


def _colon_run(text: bytes, start: int, run: re.Match[bytes]) -> Raw | None:
    spelled = run[0].decode()
    end = run.end()
    after = text[end : end + 1]
    if spelled[-1] == ":" and spelled[-2:] != "::":
        spelled, end = spelled[:-1], end - 1
    if after == b":" or _WORD.match(after):
        return None
    if len(spelled) == _MAC_SIZE and (address := mac(spelled)):
        return MAC, address, start, end, NO_FLAGS, ()
    if _EUI64.fullmatch(spelled):
        return None
    # the host of a URL is found with it
    if text[max(0, start - 3) : start] == b"//[" or not (address := ipv6(spelled)):
        return None
    flags = ipv6_flags(address)
    behind = _V6_BEHIND.match(text, end) if after in {b"%", b"/"} else None
    if behind and behind[1] and int(behind[1]) <= 128:
        return CIDR, f"{address}/{int(behind[1])}", start, behind.end(), flags, ()
    return IPV6, address, start, end, flags, ()


def _dashes(text: bytes) -> Iterator[Raw]:
    for dash in _HEX_MAC.finditer(text):
        start = dash.start() - 2
        if start >= 0 and _stands_alone(text, start, end := start + _MAC_SIZE):
            address = mac(text[start:end].decode("latin-1"))
            if address:
                yield Hit(MAC, address, start, end)


def _stands_alone(text: bytes, start: int, end: int) -> bool:
    """Say whether neither a letter or digit nor another hyphen is beside [*start*, *end*)."""
    before, after = text[start - 1 : start] if start else b"", text[end : end + 1]
    return not any(side == b"-" or _WORD.match(side) for side in (before, after))


def _cves(lower: bytes) -> Iterator[Raw]:
    for match in _CVE.finditer(lower):
        # a script without blanks may stand before it
        if not (match.start() and lower[match.start() - 1] in _LETTERS):
            value = f"CVE-{match[1].decode()}-{match[2].decode()}"
            yield CVE, value, match.start(), match.end(), NO_FLAGS, ()


def _asns(image: Image) -> Iterator[Raw]:
    text, lower = image.bytes, image.lower
    if b"autonomous" in lower:
        for said in _SPELLED_OUT.finditer(lower):
            if 0 < (number := int(said[1])) <= MAX_ASN:
                yield ASN, f"AS{number}", said.start(), said.end(), NO_FLAGS, ()
    known: dict[bytes, str | None] = {}
    for start, end in [match.span() for match in _ASN.finditer(lower)]:
        spelled = text[start:end]
        if spelled not in known:
            known[spelled] = _asn(spelled, lower)
        if asn := known[spelled]:
            yield ASN, asn, start, end, NO_FLAGS, ()


def _asn(spelled: bytes, lower: bytes) -> str | None:
    """Return the AS number *spelled* in the text *lower*, None if it is something else."""
    match = _ASN.match(spelled.lower())
    # `as 5` is English
    if match is None or not (
        spelled[:2] == b"AS" or (spelled[:2] == b"as" and (match[1] or b"n")[:1] == b"n")
    ):
        return None
    number = int(match[2])
    if match[1] is None and number in _NO_SYSTEM and _is_product(lower, number):
        return None
    return f"AS{number}" if 0 < number <= MAX_ASN else None


def _is_product(lower: bytes, number: int) -> bool:
    """Say whether *number* names a machine or a protocol in the text *lower*, not a network."""
    words, spelled = _NO_SYSTEM[number], b"as%d" % number
    at = lower.find(spelled)
    for _ in range(_ASKED):
        if at < 0:
            return False
        if words.search(lower, max(0, at - _AROUND), at + len(spelled) + _AROUND):
            return True
        at = lower.find(spelled, at + 1)
    return False


def _fuzzy(text: bytes) -> Iterator[Raw]:
    for colon in _SSDEEP.finditer(text):
        start = colon.start()
        while start > max(0, colon.start() - 8) and text[start - 1] in b"0123456789":
            start -= 1
        body = _SSDEEP_BODY.match(text, colon.start())
        if body is None or start == colon.start() or (start and _WORD.match(text, start - 1)):
            continue
        size = int(text[start : colon.start()])
        # ssdeep's block size is 3 times a power of two
        if size % 3 == 0 and (size // 3).bit_count() == 1:
            yield Hit(FUZZY, text[start : body.end()].decode(), start, body.end(), NO_FLAGS,
                      (("Algorithm", "ssdeep"),))  # fmt: skip
