"""Read the codes that the pages of a PDF show: PDFium draws a page, zxing-cpp searches it.

Drawing, because a QR code may be a picture, a thousand small squares, or a form of either. Pages
that hold nothing of the kind are not drawn, nor are those that take long. Drawing is told to stop
when its time is up, which it heeds now and then.
"""

from __future__ import annotations

import ctypes
import math
import time
from dataclasses import dataclass
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
# objects through which others are seen: each takes a third of a second, and cannot be stopped
_TRANSPARENT = 10


@dataclass(slots=True)
class _Drawn:
    """What a page has drawn: lines, transparent objects, the pixels of its largest picture."""

    segments: int = 0
    transparent: int = 0
    pixels: int = 0


class Codes:
    """The search for codes in one PDF: what is left of its budgets."""

    def __init__(self, limits: Limits, *, tiled: bool) -> None:
        self.problems: list[Problem] = []
        self._limits = limits
        self._tiled = tiled
        self._pages = limits.pdf_code_pages
        self._until = time.process_time() + limits.pdf_code_seconds

    def on(self, page: Foreign) -> Iterator[tuple[str, str]]:
        """Yield the codes on *page*: the end of a span's place, and what the code says."""
        drawn = _Drawn()
        _look(page, drawn, _NESTING)
        if not drawn.pixels and drawn.segments < _SQUARES:
            return
        if self._pages <= 0 or time.process_time() > self._until:
            self._tell("too-many", "pages not searched for codes")
            return
        if drawn.pixels > self._limits.pixels or drawn.transparent > _TRANSPARENT or self._tiled:
            self._tell("too-large", "a page that takes long to draw: not searched for codes")
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


def _look(holder: Foreign, drawn: _Drawn, nesting: int) -> None:
    """Add what *holder*, a page or a form on it, draws."""
    from pypdfium2 import raw

    is_page = nesting == _NESTING
    count = raw.FPDFPage_CountObjects if is_page else raw.FPDFFormObj_CountObjects
    get = raw.FPDFPage_GetObject if is_page else raw.FPDFFormObj_GetObject
    for number in range(min(count(holder), _OBJECTS)):
        one = get(holder, number)
        kind = raw.FPDFPageObj_GetType(one)
        drawn.transparent += bool(raw.FPDFPageObj_HasTransparency(one))
        if kind == raw.FPDF_PAGEOBJ_PATH:
            drawn.segments += raw.FPDFPath_CountSegments(one)
        elif kind == raw.FPDF_PAGEOBJ_IMAGE:
            width, height = ctypes.c_uint(), ctypes.c_uint()
            raw.FPDFImageObj_GetImagePixelSize(one, width, height)
            drawn.pixels = max(drawn.pixels, width.value * height.value)
        elif kind == raw.FPDF_PAGEOBJ_FORM and nesting:
            _look(one, drawn, nesting - 1)
