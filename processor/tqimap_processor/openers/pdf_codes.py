"""Read the codes that the pages of a PDF show: PDFium draws a page, zxing-cpp searches it.

Drawing, because a QR code may be a picture, a thousand small squares, or a form of either. Pages
that hold nothing of the kind are not drawn, and drawing is told to stop when its time is up.
"""

from __future__ import annotations

import ctypes
import math
import time
from typing import TYPE_CHECKING

from tqimap_processor.artefact import Problem
from tqimap_processor.openers import qr


if TYPE_CHECKING:
    from collections.abc import Iterator

    from tqimap_processor.openers.untrusted import Foreign
    from tqimap_shared.settings import Limits


_SCALE = 2.0  # 144 dots an inch: a code of 2 cm has 113
_SQUARES = 300  # path segments; the smallest QR code has 441 modules
_OBJECTS = 5_000
_NESTING = 3


class Codes:
    """The search for codes in one PDF: what is left of its budgets."""

    def __init__(self, limits: Limits) -> None:
        self.problems: list[Problem] = []
        self._limits = limits
        self._pages = limits.pdf_code_pages
        self._until = time.process_time() + limits.pdf_code_seconds

    def on(self, page: Foreign) -> Iterator[tuple[str, str]]:
        """Yield the codes on *page*: the end of a span's place, and what the code says."""
        segments, pixels = _drawn(page, _NESTING)
        if not pixels and segments < _SQUARES:
            return
        if self._pages <= 0 or time.process_time() > self._until:
            self._tell("too-many", "pages not searched for codes")
            return
        if pixels > self._limits.pixels:
            self._tell("too-large", "a picture on a page: not searched for codes")
            return
        self._pages -= 1
        for number, (kind, text) in enumerate(qr.codes(self._picture(page)), 1):
            yield f" code {number} ({kind})", text

    def _tell(self, kind: str, detail: str) -> None:
        self.problems.append(Problem(kind, detail))

    def _picture(self, page: Foreign) -> Foreign:
        """Draw *page* in grey, as far as it comes in time."""
        from pypdfium2 import PdfBitmap, raw

        width, height = page.get_size()
        room = self._limits.pdf_code_pixels / max(1.0, width * height)
        scale = min(_SCALE, math.sqrt(room))
        size = max(1, int(width * scale)), max(1, int(height * scale))
        bitmap = PdfBitmap.new_native(*size, raw.FPDFBitmap_Gray)
        bitmap.fill_rect((255, 255, 255, 255), 0, 0, *size)
        pause = raw.IFSDK_PAUSE(version=1)
        late = type(pause.NeedToPauseNow)(lambda _: time.process_time() > self._until)
        pause.NeedToPauseNow = late
        flags = raw.FPDF_ANNOT | raw.FPDF_GRAYSCALE
        raw.FPDF_RenderPageBitmap_Start(bitmap, page, 0, 0, *size, 0, flags, ctypes.byref(pause))
        raw.FPDF_RenderPage_Close(page)
        return bitmap.to_pil()


def _drawn(holder: Foreign, nesting: int) -> tuple[int, int]:
    """Return how many lines *holder* draws, and the pixels of its largest picture."""
    from pypdfium2 import raw

    is_page = nesting == _NESTING
    count = raw.FPDFPage_CountObjects if is_page else raw.FPDFFormObj_CountObjects
    get = raw.FPDFPage_GetObject if is_page else raw.FPDFFormObj_GetObject
    segments = pixels = 0
    for number in range(min(count(holder), _OBJECTS)):
        one = get(holder, number)
        kind = raw.FPDFPageObj_GetType(one)
        if kind == raw.FPDF_PAGEOBJ_PATH:
            segments += raw.FPDFPath_CountSegments(one)
        elif kind == raw.FPDF_PAGEOBJ_IMAGE:
            width, height = ctypes.c_uint(), ctypes.c_uint()
            raw.FPDFImageObj_GetImagePixelSize(one, width, height)
            pixels = max(pixels, width.value * height.value)
        elif kind == raw.FPDF_PAGEOBJ_FORM and nesting:
            inner = _drawn(one, nesting - 1)
            segments, pixels = segments + inner[0], max(pixels, inner[1])
    return segments, pixels
