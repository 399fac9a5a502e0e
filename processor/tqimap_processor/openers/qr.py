"""Read QR and other two-dimensional codes in images, with zxing-cpp on what Pillow decodes.

zxing-cpp read 18 of 18 code images of the study, 28 ms an image. Pillow is asked for the size
first: a PNG of 17 kB can be 144 million pixels.
"""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

from tqimap_processor.artefact import Opened, Problem, Span


if TYPE_CHECKING:
    from PIL.Image import Image

    from tqimap_processor.openers.source import Source


KINDS = ("png", "jpeg", "gif", "bmp", "webp", "tiff", "ico", "avif")
_FORMATS = ("PNG", "JPEG", "GIF", "BMP", "WEBP", "TIFF", "ICO", "AVIF")
_BROKEN = (
    OSError,
    ValueError,
    SyntaxError,
    LookupError,
    TypeError,
    ArithmeticError,
    EOFError,
    RuntimeError,
    MemoryError,
)
_FRAMES = 4
_LEAST = 20


def open_image(source: Source) -> Opened:
    """Return what the codes in *source* say, each as a span."""
    import PIL.Image

    try:
        with PIL.Image.open(io.BytesIO(source.data), formats=_FORMATS) as image:
            if image.width * image.height > source.limits.pixels:
                detail = f"{image.width} x {image.height} pixels: not searched for codes"
                return Opened(problems=(Problem("too-large", detail),))
            return Opened(tuple(_codes(image)))
    except PIL.Image.DecompressionBombError:
        return Opened(problems=(Problem("too-large", "not searched for codes"),))
    except _BROKEN as error:
        return Opened(problems=(Problem("malformed", type(error).__name__),))


def _codes(image: Image) -> list[Span]:
    import zxingcpp

    if min(image.width, image.height) < _LEAST:
        return []
    spans: list[Span] = []
    seen: set[str] = set()
    for frame in range(min(getattr(image, "n_frames", 1), _FRAMES)):
        image.seek(frame)
        for code in zxingcpp.read_barcodes(_grey(image)):
            if code.text and code.text not in seen:
                seen.add(code.text)
                spans.append(Span(f"code {len(spans) + 1} ({code.format.name})", code.text))
    return spans


def _grey(image: Image) -> Image:
    """Return *image* in grey, what is transparent in white: mail programs show it so."""
    if image.has_transparency_data:
        import PIL.Image

        flat = PIL.Image.new("RGBA", image.size, "white")
        flat.alpha_composite(image.convert("RGBA"))
        return flat.convert("L")
    return image.convert("L")
