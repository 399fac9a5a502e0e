"""The registry: which opener reads what; with it all of them are loaded."""

from __future__ import annotations

import importlib
from dataclasses import replace
from encodings.aliases import aliases
from typing import TYPE_CHECKING, Protocol

from tqimap_processor.artefact import Opened, Problem
from tqimap_processor.openers import (
    archive,
    compressed,
    contentlines,
    encoded,
    encrypted_office,
    fuzzy,
    html,
    jsondoc,
    lnk,
    mail,
    msg,
    odf,
    ole,
    onenote,
    ooxml,
    pdf,
    qr,
    rtf,
    sevenzip,
    shortcut,
    signed,
    table,
    tar,
    text,
    tnef,
    xmldoc,
)
from tqimap_processor.openers.allowance import within
from tqimap_processor.openers.untrusted import attempt


if TYPE_CHECKING:
    from tqimap_processor.openers.source import Source


class Opener(Protocol):
    """Reads one format."""

    def __call__(self, source: Source, /) -> Opened:
        """Return the text and children of *source*, and what was wrong with it."""


OPENERS: dict[str, Opener] = {
    "mail": mail.open_mail,
    "html": html.open_html,
    "text": text.open_text,
    "zip": archive.open_zip,
    "jar": archive.open_zip,
    "apk": archive.open_zip,
    "epub": archive.open_zip,
    **dict.fromkeys(("docx", "xlsx", "pptx"), ooxml.open_ooxml),
    "odf": odf.open_odf,
    "pdf": pdf.open_pdf,
    "rtf": rtf.open_rtf,
    **dict.fromkeys(("ole", "doc", "xls", "ppt"), ole.open_ole),
    "encrypted-office": encrypted_office.open_encrypted,
    "msg": msg.open_msg,
    "tnef": tnef.open_tnef,
    "onenote": onenote.open_onenote,
    "gzip": compressed.open_gzip,
    "bzip2": compressed.open_bzip2,
    "xz": compressed.open_xz,
    "activemime": compressed.open_activemime,
    "zstd": compressed.open_zstd,
    "tar": tar.open_tar,
    "json": jsondoc.open_json,
    "xml": xmldoc.open_xml,
    "svg": html.open_html,
    "csv": table.open_csv,
    "calendar": contentlines.open_contentlines,
    "vcard": contentlines.open_contentlines,
    "url": shortcut.open_entries,
    "desktop": shortcut.open_entries,
    "iqy": shortcut.open_query,
    "plist": shortcut.open_plist,
    "mhtml": mail.open_mail,
    "signed": signed.open_signed,
    "lnk": lnk.open_lnk,
    **dict.fromkeys(qr.KINDS, qr.open_image),
    "heif": qr.unread,
    **dict.fromkeys(fuzzy.PROGRAMS, fuzzy.open_program),
    **dict.fromkeys(sevenzip.KINDS, sevenzip.open_sevenzip),
}


LATE: tuple[str, ...] = (
    "LnkParse3",
    "PIL.Image",
    *(f"PIL.{one}ImagePlugin" for one in ("Avif", "Bmp", "Gif", "Ico", "Jpeg")),
    *(f"PIL.{one}ImagePlugin" for one in ("Png", "Ppm", "Tiff", "WebP")),
    "zxingcpp",
    "encodings.idna",
    "_strptime",
    "compressed_rtf",
    "cryptography.hazmat.primitives.kdf.argon2",
    "msoffcrypto",
    "msoffcrypto.exceptions",
    "olefile",
    "ppdeep",
    "oletools.olevba",
    "oletools.rtfobj",
    "pypdfium2",
    "pypdfium2.raw",
)


def preload() -> None:
    """Import what openers import only when they need it: for all processes, before they fork.

    Among it are the codecs of all charsets.
    """
    names = {name for name in aliases.values() if name not in {"mbcs", "oem"}}
    for name in (*LATE, *(f"encodings.{one}" for one in sorted(names))):
        importlib.import_module(name)


def open_artefact(kind: str, source: Source) -> Opened:
    """Open *source* with all that there is: `open_inside`, then 7zz where an opener asks for it."""
    return within(sevenzip.complete(source, open_inside(kind, source)), source)


def open_inside(kind: str, source: Source) -> Opened:
    """Open *source* with the opener of *kind*, within its budgets; without one, see nothing.

    Whatever an opener raises on hostile bytes becomes the problem `opener-failed`. No process is
    started: where one is needed, the problem `sevenzip.NEEDED` says so.
    """
    opener = OPENERS.get(kind)
    if opener is None:
        return Opened()
    opened = attempt(lambda: within(_opened(opener, kind, source), source), "opener-failed")
    return Opened(problems=(opened,)) if isinstance(opened, Problem) else opened


def _opened(opener: Opener, kind: str, source: Source) -> Opened:
    opened = encoded.revealed(opener(source), kind, source)
    if kind in archive.CARRIERS and (hidden := archive.appended(source.data)):
        opened = replace(opened, children=(*opened.children, hidden))
    if fuzzy.wanted(kind, source):
        opened = replace(opened, spans=(fuzzy.span(source), *opened.spans))
    return opened
