"""Tell the number of a version or a section from an IPv4 address by the words around it."""

from __future__ import annotations

import re

from tqimap_processor.extract.tlds import words


def _bytes(text: str) -> frozenset[bytes]:
    return frozenset(word.encode() for word in words(text))


# words that make the dotted quad behind them a number, and products whose number stands there
_WORDS = _bytes("""
    version versions ver build release releases firmware revision rev oid section sect chapter v
    windows firefox thunderbird chrome chromium safari opera openssl openssh openjdk jdk jre java
    tomcat weblogic websphere coldfusion acrobat photoshop libreoffice winrar kernel junos fortios
    fortiproxy fortimanager pan-os panos xe xr esxi vcenter sonicos screenconnect secure
    rhel centos ubuntu debian patch hotfix sdk framework plugin driver
    ios ipados macos log4j activemq anydesk teamviewer assembly dll smbios jquery struts winscp
    filezilla putty 7-zip curl libcurl wget busybox zlib libpng libwebp ghostscript ffmpeg glibc
    electron webkit flash foxit
""")
# verbs before these: `fixed in 7.2.4.1`, `prior to 3.2.1.0`
_VERBS = {
    b"in": _bytes("fixed patched resolved addressed introduced corrected"),
    b"to": _bytes(
        "upgrade upgraded upgrading update updated updating downgrade downgraded prior up"
    ),
    b"with": _bytes("starting beginning"),
    b"from": _bytes("upgrade upgraded upgrading update updated updating migrating starting"),
    b"than": _bytes("earlier older newer later lower higher less"),
}
# words that do so if the number is a small one
_WEAK = _bytes("before since until below")
# between the word and its number; a sentence may end there too
_AFTER_WORD = b" \t\"'([:="
_GAP = _AFTER_WORD + b".<"
_LAST = frozenset(word[-1] for word in (*_WORDS, *_VERBS, *_WEAK))
# what stands directly before a version, and before that
_NEXT = frozenset(_AFTER_WORD)
_NEAR = _LAST | frozenset(_GAP)
_AHEAD = re.compile(
    rb" (?:and|or) (?:earlier|later|prior|below|older|newer|above|higher|lower)\b(?! \d)"
    rb"| \((?:fixed|patched) in |\+ "
)
_ALSO = (b" a", b" o", b" (", b"+ ")
# between the numbers of a list
_LIST = re.compile(rb"[ ,;/(-]{0,2}(?:and|or|through|thru|to|until|up to|&|bis)?[ -]{0,2}")
# nothing so far away is its neighbour
FAR = 12
_BACK = 28
_LARGE = 64


def is_version(lower: bytes, start: int, end: int) -> bool:
    """Say whether the dotted quad [*start*, *end*) of the image *lower* is no address."""
    # nearly all are settled by the two characters before them
    if start and lower[start - 1] not in _NEXT:
        return False
    if start > 1 and lower[start - 2] in _NEAR:
        before = lower[max(0, start - _BACK) : start].rstrip(_GAP)
        if before and before[-1] in _LAST and _says(before, lower[start:end]):
            return True
    return lower[end : end + 2] in _ALSO and _AHEAD.match(lower, end) is not None


def goes_on(lower: bytes, last: int, start: int) -> bool:
    """Say whether the number at *start* is the next of a list whose last one ended at *last*.

    They are less than FAR characters apart.
    """
    return _LIST.fullmatch(lower, last, start) is not None


def too_large(quad: bytes) -> bool:
    """Say whether *quad* is an address whatever stands around it: few versions have such numbers.

    To upload a version costs a look; to take an address for one costs the address.
    """
    return sum(int(octet) >= _LARGE for octet in quad.split(b".")) > 1


def _says(before: bytes, quad: bytes) -> bool:
    """Say whether the last words of *before* announce that *quad* is a version."""
    said = before.split()
    last = re.split(rb"[^a-z0-9-]", said[-1])[-1]
    if verbs := _VERBS.get(last):
        return len(said) > 1 and said[-2].lstrip(b"([") in verbs
    if last in _WEAK:
        octets = set(quad.split(b"."))
        return len(octets) > 1 and all(int(octet) < _LARGE for octet in octets)
    return last in _WORDS or last.rpartition(b"-")[2] in _WORDS or last.endswith(b"version")
