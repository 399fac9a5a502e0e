"""Draw how many times as long others take: bars on a logarithmic scale, as SVG written by hand."""

from __future__ import annotations

import math
from html import escape
from typing import TYPE_CHECKING


if TYPE_CHECKING:
    from collections.abc import Sequence


# of a row, of the names on the left, of a tenfold, in pixels
_ROW, _LEFT, _TENFOLD = 18, 200, 150
_STYLE = (
    "text{font:12px sans-serif;fill:#57606a}.bar{fill:#8c959f}.mark{stroke:#cf222e;"
    "stroke-dasharray:3}.line{stroke:#d0d7de}"
)


def svg(title: str, bars: Sequence[tuple[str, float]], mark: float) -> str:
    """Return a picture of *bars*, names and ratios of at least 1, with a dashed line at *mark*."""
    top = 2 * _ROW
    bottom = top + _ROW * len(bars)
    width = _LEFT + _x(max(ratio for _, ratio in bars)) + 60
    size = f"0 0 {width} {bottom + _ROW}"
    pieces = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="{size}" role="img">',
        f"<title>{escape(title)}</title><style>{_STYLE}</style>",
        f'<text x="4" y="14">{escape(title)}</text>',
    ]
    tenfolds = range(1 + int(math.log10(max(ratio for _, ratio in bars))))
    pieces += [_line(10**power, top, bottom, "line") for power in tenfolds]
    pieces += [
        f'<text x="{_LEFT - 6}" y="{y + 13}" text-anchor="end">{escape(name)}</text>'
        f'<rect class="bar" x="{_LEFT}" y="{y + 3}" width="{_x(ratio)}" height="{_ROW - 6}"/>'
        f'<text x="{_LEFT + _x(ratio) + 5}" y="{y + 13}">{ratio:.0f}</text>'
        for y, (name, ratio) in zip(range(top, bottom, _ROW), bars, strict=True)
    ]
    return "\n".join([*pieces, _line(mark, top, bottom, "mark"), "</svg>\n"])


def _x(ratio: float) -> int:
    return round(_TENFOLD * math.log10(max(1.0, ratio)))


def _line(ratio: float, top: int, bottom: int, kind: str) -> str:
    x = _LEFT + _x(ratio)
    return (
        f'<line class="{kind}" x1="{x}" y1="{top}" x2="{x}" y2="{bottom}"/>'
        f'<text x="{x}" y="{bottom + 14}" text-anchor="middle">{ratio:g}</text>'
    )
