"""What is fuzzed: the scan of raw mail, the detector, and every opener that is our own code.

A target takes bytes and raises `Found` if they did what no bytes may do: make an opener raise,
leave its budgets, or take long. What other people's parsers raise is caught where they are called,
so that is found here, too, if it is not.
"""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING

from fixtures.built_documents import native, vba
from fixtures.built_mail import mail, mixed, part, source
from fixtures.locked_odf import as_a_whole, by_part
from fixtures.samples import SAMPLES

from tqimap_processor import header, inlined, message, mime
from tqimap_processor.artefact import Opened
from tqimap_processor.detect import detect
from tqimap_processor.openers import (
    compound,
    encoded,
    macros,
    ole_objects,
    open_inside,
    pdf_sweep,
)
from tqimap_processor.walk import walk
from tqimap_shared.settings import Limits


if TYPE_CHECKING:
    from collections.abc import Callable

LONGEST = 65_536  # bytes of an input
SLOW = 5.0  # processor seconds for that
# one of several kinds that share an opener; those that are other people's code are left out
KINDS = (
    *("mail", "html", "text", "zip", "docx", "xlsx", "odf", "rtf", "ole", "xls", "ppt"),
    *("encrypted-office", "msg", "tnef", "onenote", "gzip", "bzip2", "xz", "zstd", "tar", "json"),
    *("xml", "svg", "csv", "calendar", "url", "iqy", "plist", "lnk", "signed"),
)
_PASSWORD = "infected"
_LETTERS = (
    b"atob('aHR0cDovL2EuY29tLw=='); x = \"UEsD\" + \"BAAA\"; unescape('%3Ch%u0074ml%3E')"
    b" String.fromCharCode(60,104,116,109,108,62,32,32) Chr(104)&Chr(116)&Chr(116)&Chr(112)"
    b" moc.a//:ptth c^u^r^l hex(2):68,00,74,00,74,00,70,00 68747470 3a2f2f -enc aAB0AHQAcAA6AC8A"
)
_SHORT = Limits(header_bytes=4000, header_lines=100, field_bytes=500)
_LIMITS = Limits(artefact_text=200_000, unpacked=8 * 2**20, key_rounds=10_000)


class Found(Exception):  # noqa: N818 - it is one
    """An input did what none may do."""


def timed(target: Callable[[bytes], None], data: bytes) -> None:
    """Run *target* on *data*; raises Found, also if it takes long."""
    start = time.process_time()
    target(data)
    if (took := time.process_time() - start) > SLOW:
        raise Found(f"took {took:.1f} s")


def _opener(kind: str) -> Callable[[bytes], None]:
    def target(data: bytes) -> None:
        given = replace(source(data), limits=_LIMITS, room=_LIMITS.unpacked, text=200_000)
        opened = open_inside(kind, given)
        failed = [one.detail for one in opened.problems if one.kind == "opener-failed"]
        if failed:
            raise Found(f"an opener raised {failed[0]}")
        if sum(len(one.text) for one in opened.spans) > given.text:
            raise Found("more text than allowed")
        if sum(len(one.data) for one in opened.children) > given.room:
            raise Found("more bytes than allowed")
        for span in opened.spans:
            span.text.encode()

    return target


def _scan(data: bytes) -> None:
    message.over_limit(data, _LIMITS)
    message.clean(data)
    message.envelope(data, _LIMITS)


def _header(data: bytes) -> None:
    if header.over(header.cut(header.block(data), _SHORT), _SHORT):
        raise Found("a header over its limits")


def _mime(data: bytes) -> None:
    raw = message.clean(data)
    if message.over_limit(raw, _LIMITS):
        return
    for node in mime.nodes(mime.parse(raw, _LIMITS.part_field_bytes), _LIMITS.part_field_bytes):
        told = (*node.part.fields(), (node.part.file_name, node.part.parameter("charset")))
        for name, value in told:
            f"{name}{value}".encode("utf-8", "surrogateescape")
        list(inlined.files(node.part.content()))


def _detect(data: bytes) -> None:
    for declared in ("", "text/html", "message/rfc822", "text/csv"):
        if not detect(data, declared):
            raise Found("no kind")


def _walk(data: bytes) -> None:
    tree = walk(data, _LIMITS)
    if not tree or tree[0].id != "0":
        raise Found("no tree")


def _sweep(data: bytes) -> None:
    pdf_sweep.sweep(data, _LIMITS)


def _compound(data: bytes) -> None:
    """Read a compound file, and rebuild it: what is in it must stay."""
    file = compound.read(source(data))
    rebuilt = compound.read(source(compound.build(file.streams)))
    if not file.problems and dict(rebuilt.streams) != dict(file.streams):
        raise Found("streams differ after rebuilding")


def _objects(data: bytes) -> None:
    ole_objects.package(data)
    list(ole_objects.in_slides(data, LONGEST))
    list(ole_objects.sheets(data))
    ole_objects.is_locked(data)


def _encoded(data: bytes) -> None:
    given = replace(source(data), limits=_LIMITS, room=_LIMITS.unpacked)
    found = encoded.revealed(Opened(), "svg", given)
    if sum(len(one.data) for one in found.children) > given.room:
        raise Found("more bytes than allowed")


def _macros(data: bytes) -> None:
    macros.read(data, _LIMITS)


TARGETS: dict[str, Callable[[bytes], None]] = {
    "scan": _scan,
    "header": _header,
    "mime": _mime,
    "detect": _detect,
    "walk": _walk,
    "pdf-sweep": _sweep,
    "compound": _compound,
    "objects": _objects,
    "encoded": _encoded,
    **{kind: _opener(kind) for kind in KINDS},
}


def corpus(name: str) -> list[bytes]:
    """Return the inputs that the target *name* starts from."""
    whole = [mail(b"see http://a.com/"), mixed(part(SAMPLES["zip"], "application/zip", name="a"))]
    more = {
        **dict.fromkeys(("scan", "header", "mime"), whole),
        "detect": list(SAMPLES.values()),
        "walk": [
            *whole,
            mixed(*(part(SAMPLES[kind], "a/b", name=kind) for kind in ("rtf", "msg"))),
        ],
        "pdf-sweep": [SAMPLES["pdf"]],
        "compound": [SAMPLES["doc"], SAMPLES["msg"]],
        "encoded": [_LETTERS],
        "objects": [native(b"a.exe", b"MZ"), vba(b"Sub a"), SAMPLES["xls"]],
        "odf": [by_part(_PASSWORD, content=b"<a/>"), as_a_whole(_PASSWORD, SAMPLES["odf"])],
    }
    own = [SAMPLES[name]] if name in SAMPLES else []
    return [one for one in (*own, *more.get(name, [])) if len(one) <= LONGEST]
