"""Ask PDFium for what a page and a document hold: the only module that knows its C interface.

pypdfium2's own classes give text and embedded files; links, annotations and scripts are reached
through the functions that it re-exports one to one.
"""

from __future__ import annotations

import ctypes
from functools import partial
from typing import TYPE_CHECKING

from tqimap_processor.openers import pdf_hidden


if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tqimap_processor.openers.untrusted import Foreign


_LINKS = 5_000  # of one page
_SCRIPTS = 200
_PACKETS = 50
_BOOKMARKS = 2_000
_KEYS = (b"Contents", b"T", b"V", b"DA", b"Subj")
_LONGEST = 65_536  # bytes of one string


def spans(page: Foreign, room: int) -> Iterator[tuple[str, str]]:
    """Yield what stands on *page*: the end of a span's place and its text, *room* characters."""
    text = page.get_textpage()
    try:
        shown, hidden = pdf_hidden.split(page, text, min(text.count_chars(), room))
        yield "", shown
        yield pdf_hidden.PLACE, hidden
        for link in _web_links(text):
            yield " link", link
    finally:
        text.close()
    yield from _links(page)
    yield from _annotations(page)


def forms(pdf: Foreign, room: int) -> bytes | None:
    """Return the XFA form of *pdf*, whose packets in a row are XML; None if beyond *room*."""
    from pypdfium2 import raw

    packets: list[bytes] = []
    for number in range(min(raw.FPDF_GetXFAPacketCount(pdf), _PACKETS)):
        size = ctypes.c_ulong()
        raw.FPDF_GetXFAPacketContent(pdf, number, None, 0, size)
        room -= size.value
        if room < 0:
            return None
        buffer = ctypes.create_string_buffer(size.value or 1)
        raw.FPDF_GetXFAPacketContent(pdf, number, buffer, size.value, size)
        packets.append(buffer.raw[: size.value])
    return b"\n".join(packets)


def document(pdf: Foreign) -> Iterator[tuple[str, str]]:
    """Yield what belongs to no page: metadata, scripts, and the links of bookmarks."""
    for key, value in pdf.get_metadata_dict().items():
        yield f"metadata {key.lower()}", value
    yield from _scripts(pdf)
    yield from _bookmarks(pdf)


def embedded(pdf: Foreign, most: int, room: int) -> Iterator[tuple[str, bytes | None]]:
    """Yield up to *most* embedded files of *pdf*: name and content, None if beyond *room*."""
    for number in range(min(pdf.count_attachments(), most)):
        handle = pdf.get_attachment(number)
        data = _file(handle, room)
        yield handle.get_name(), data
        room -= len(data or b"")


def attached(page: Foreign, room: int) -> Iterator[tuple[str, bytes | None]]:
    """Yield the files of the attachment annotations on *page*."""
    from pypdfium2 import raw

    for annotation in _each_annotation(page):
        if raw.FPDFAnnot_GetSubtype(annotation) == raw.FPDF_ANNOT_FILEATTACHMENT:
            handle = raw.FPDFAnnot_GetFileAttachment(annotation)
            if handle:
                name = _wide(partial(raw.FPDFAttachment_GetName, handle))
                yield name, _file(handle, room)


def _file(handle: Foreign, room: int) -> bytes | None:
    from pypdfium2 import raw

    size = ctypes.c_ulong()
    raw.FPDFAttachment_GetFile(handle, None, 0, size)
    if size.value > room:
        return None
    buffer = ctypes.create_string_buffer(size.value or 1)
    raw.FPDFAttachment_GetFile(handle, buffer, size.value, size)
    return buffer.raw[: size.value]


def _web_links(text: Foreign) -> Iterator[str]:
    """Yield the addresses that PDFium recognises in the text, over line ends too."""
    from pypdfium2 import raw

    links = raw.FPDFLink_LoadWebLinks(text)
    if not links:
        return
    for number in range(min(raw.FPDFLink_CountWebLinks(links), _LINKS)):
        size = raw.FPDFLink_GetURL(links, number, None, 0)
        buffer = (ctypes.c_ushort * max(1, min(size, _LONGEST)))()
        raw.FPDFLink_GetURL(links, number, buffer, len(buffer))
        yield bytes(buffer).decode("utf-16-le", "replace").rstrip("\0")
    raw.FPDFLink_CloseWebLinks(links)


def _links(page: Foreign) -> Iterator[tuple[str, str]]:
    from pypdfium2 import raw

    position, link = ctypes.c_int(0), raw.FPDF_LINK()
    for _ in range(_LINKS):
        if not raw.FPDFLink_Enumerate(page, position, link):
            return
        yield from ((" link", target) for target in _target(page.pdf, raw.FPDFLink_GetAction(link)))


def _target(pdf: Foreign, action: Foreign) -> Iterator[str]:
    """Yield the address and the file that *action* leads to."""
    from pypdfium2 import raw

    if not action:
        return
    yield _narrow(partial(raw.FPDFAction_GetURIPath, pdf, action))
    yield _narrow(partial(raw.FPDFAction_GetFilePath, action))


def _annotations(page: Foreign) -> Iterator[tuple[str, str]]:
    from pypdfium2 import raw

    for annotation in _each_annotation(page):
        for key in _KEYS:
            yield " annotation", _wide(partial(raw.FPDFAnnot_GetStringValue, annotation, key))


def _each_annotation(page: Foreign) -> Iterator[Foreign]:
    from pypdfium2 import raw

    for number in range(min(raw.FPDFPage_GetAnnotCount(page), _LINKS)):
        annotation = raw.FPDFPage_GetAnnot(page, number)
        if annotation:
            try:
                yield annotation
            finally:
                raw.FPDFPage_CloseAnnot(annotation)


def _scripts(pdf: Foreign) -> Iterator[tuple[str, str]]:
    from pypdfium2 import raw

    for number in range(min(raw.FPDFDoc_GetJavaScriptActionCount(pdf), _SCRIPTS)):
        script = raw.FPDFDoc_GetJavaScriptAction(pdf, number)
        if script:
            yield "javascript", _wide(partial(raw.FPDFJavaScriptAction_GetScript, script))
            raw.FPDFDoc_CloseJavaScriptAction(script)


def _bookmarks(pdf: Foreign) -> Iterator[tuple[str, str]]:
    from pypdfium2 import raw

    for number, bookmark in enumerate(pdf.get_toc()):
        if number >= _BOOKMARKS:
            return
        yield "bookmark", bookmark.get_title()
        for target in _target(pdf, raw.FPDFBookmark_GetAction(bookmark)):
            yield "bookmark link", target


def _narrow(call: Callable[[Foreign, int], int]) -> str:
    return _string(call, ctypes.c_void_p).decode("utf-8", "replace").rstrip("\0")


def _wide(call: Callable[[Foreign, int], int]) -> str:
    units = ctypes.POINTER(ctypes.c_ushort)
    return _string(call, units).decode("utf-16-le", "replace").rstrip("\0")


def _string(call: Callable[[Foreign, int], int], pointer: Foreign) -> bytes:
    """Ask twice, as PDFium wants it: for the size, then for the bytes."""
    size = min(call(None, 0), _LONGEST)
    if size <= 0:
        return b""
    buffer = ctypes.create_string_buffer(size)
    call(ctypes.cast(buffer, pointer), size)
    return buffer.raw
