"""Tell the text of a PDF page that its reader does not see: invisible, white, tiny or outside.

White text counts as hidden only where nothing is drawn below it, and invisible text only where no
picture lies behind it: a scanned page has its text so.
"""

from __future__ import annotations

import ctypes
from itertools import groupby
from typing import TYPE_CHECKING


if TYPE_CHECKING:
    from collections.abc import Iterator

    from tqimap_processor.openers.untrusted import Foreign

    Box = tuple[float, float, float, float]

PLACE = " hidden text"
_OBJECTS = 5_000  # of one page that are looked at
_WHITE = 250
_CLEAR = 10  # opacity, of 255
_TINY = 1.0  # points
_INVISIBLE = 3  # FPDF_TEXTRENDERMODE_INVISIBLE


def split(page: Foreign, text: Foreign, count: int) -> tuple[str, str]:
    """Return of the first *count* characters of *page* those seen, and those not seen."""
    unseen = set(_unseen(page))
    if not unseen:
        return _range(text, 0, count), ""
    shown: list[str] = []
    hidden: list[str] = []
    start = 0
    for is_unseen, run in groupby(_owners(text, count), key=unseen.__contains__):
        length = sum(1 for _ in run)
        (hidden if is_unseen else shown).append(_range(text, start, length))
        start += length
    return "".join(shown), " ".join(hidden)


def _range(text: Foreign, start: int, count: int) -> str:
    return str(text.get_text_range(start, count, errors="replace")) if count else ""


def _owners(text: Foreign, count: int) -> Iterator[int]:
    """Yield for each character the address of the object that it belongs to."""
    from pypdfium2 import raw

    owner = 0
    for number in range(count):
        # blanks and line ends that PDFium puts in belong to none
        owner = _address(raw.FPDFText_GetTextObject(text, number)) or owner
        yield owner


def _unseen(page: Foreign) -> Iterator[int]:
    from pypdfium2 import raw

    count = min(raw.FPDFPage_CountObjects(page), _OBJECTS)
    objects = [raw.FPDFPage_GetObject(page, number) for number in range(count)]
    kinds = [raw.FPDFPageObj_GetType(one) for one in objects]
    has_picture = raw.FPDF_PAGEOBJ_IMAGE in kinds
    doubtful = []
    for one, kind in zip(objects, kinds, strict=True):
        if kind != raw.FPDF_PAGEOBJ_TEXT:
            continue
        if raw.FPDFTextObj_GetTextRenderMode(one) == _INVISIBLE:
            if not has_picture:
                yield _address(one)
        elif _is_pale(one):
            doubtful.append(one)
        elif _is_away(_box(one), page.get_bbox()):
            yield _address(one)
    grounds = [
        _box(one)
        for one, kind in zip(objects, kinds, strict=True)
        if doubtful and kind != raw.FPDF_PAGEOBJ_TEXT
    ]
    for one in doubtful:
        if not any(_covers(ground, _box(one)) for ground in grounds):
            yield _address(one)


def _is_pale(one: Foreign) -> bool:
    from pypdfium2 import raw

    parts = [ctypes.c_uint() for _ in range(4)]
    if not raw.FPDFPageObj_GetFillColor(one, *parts):
        return False
    *colour, opacity = (part.value for part in parts)
    return min(colour) >= _WHITE or opacity <= _CLEAR


def _is_away(box: Box, page: Box) -> bool:
    left, bottom, right, top = box
    is_tiny = 0 < top - bottom < _TINY
    return is_tiny or right < page[0] or left > page[2] or top < page[1] or bottom > page[3]


def _covers(ground: Box, box: Box) -> bool:
    across, up = (box[0] + box[2]) / 2, (box[1] + box[3]) / 2
    return ground[0] <= across <= ground[2] and ground[1] <= up <= ground[3]


def _box(one: Foreign) -> Box:
    from pypdfium2 import raw

    edges = [ctypes.c_float() for _ in range(4)]
    raw.FPDFPageObj_GetBounds(one, *edges)
    left, bottom, right, top = (edge.value for edge in edges)
    return left, bottom, right, top


def _address(one: Foreign) -> int:
    return ctypes.cast(one, ctypes.c_void_p).value or 0
