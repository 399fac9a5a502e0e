"""Tell whether an HTML element hides its content from a reader."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING


if TYPE_CHECKING:
    from collections.abc import Mapping


_NEVER_SHOWN = frozenset({"template", "datalist", "noframes"})
_HIDES = re.compile(
    r"display:none|visibility:(?:hidden|collapse)|mso-hide:all"
    r"|(?<![a-z-])opacity:0?(?:\.0\d*)?(?![\d.])"
    r"|font-size:[01](?:\.\d+)?(?:px|pt|em|rem|%)?(?![\w.])"
    r"|(?:text-indent|left|top|right|margin-left):-\d{3,}"
    r"|(?<![a-z-])(?:max-)?(?:height|width):0(?:px|pt|em|%)?(?![\w.])"
)
_COLOUR = re.compile(r"(?<![a-z-])color:([#\w(),.%]+)")
_BACKGROUND = re.compile(r"background(?:-color)?:([#\w(),.%]+)")
_WHITE = frozenset({"#fff", "#ffffff", "white", "rgb(255,255,255)"})
_STYLE_WINDOW = 4000
_OVERFLOWS = re.compile(r"(?:height|width):0")


def hides(tag: str, attributes: Mapping[str, str | list[str] | None]) -> bool:
    """Say whether an element itself hides what is in it, by tag, attribute or inline style."""
    if tag in _NEVER_SHOWN or "hidden" in attributes:
        return True
    style = attributes.get("style")
    return bool(style) and _style_hides(str(style))


@lru_cache(1024)
def _style_hides(style: str) -> bool:
    """Say whether *style* hides; the elements of a page share few styles."""
    style = re.sub(r"\s+|!important", "", style[:_STYLE_WINDOW].lower())
    found = _HIDES.search(style)
    if found and not (_OVERFLOWS.search(found[0]) and "overflow:hidden" not in style):
        # an empty box shows its content unless what overflows is cut off
        return True
    return _same_colour(style)


def _same_colour(style: str) -> bool:
    colour, background = _COLOUR.search(style), _BACKGROUND.search(style)
    if colour is None or background is None:
        return False
    return _plain(colour[1]) == _plain(background[1])


def _plain(colour: str) -> str:
    return "white" if colour in _WHITE else colour
