"""Find schemes that were broken: `hxxp`, `meow`, `fxp`, `h**p`, `https:/`, `http__`."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING


if TYPE_CHECKING:
    from tqimap_processor.extract.refanging import Edit


# a colon with what may stand behind it, unless all is as it should be
_ODD_COLON = re.compile(
    rb":(?<=[pPsSwW\s)\]]:)(?:(?=//[ /\]])|//(?<!http://)(?<!https://)(?<!ftp://)(?<!ftps://)|(?=\\)|/(?!/)|__)"
)
_ODD_LINE = re.compile(rb"__(?<=[pPsSwW]__)")
_SCHEME = re.compile(
    rb"(?:\[?(?<![A-Za-z0-9])(?:h[tx*_z]{1,3}p|meow|f([tx*]{1,2})p)|hxxp)(s?|\[s\]|\(s\))"
    rb"(?: ?(?::///?|:\\/\\/|:\\\\?|:/|:?__)|\]://|://\])"
    rb"(?: {1,2}(?=[\w\xff-]{1,63}\.[\w\xff])|(?=[\w\xff\[]))",
    re.IGNORECASE,
)
_ODD = ((b":", _ODD_COLON), (b"_", _ODD_LINE))
_BACK = 11
_AHEAD = 72
_PLAIN = frozenset({b"http://", b"https://", b"ftp://", b"ftps://"})


def find(image: bytes) -> list[Edit]:
    """Return the edits of the text whose image is *image*, in no particular order."""
    edits: list[Edit] = []
    for sign, pattern in _ODD:
        for odd in pattern.finditer(image) if sign in image else ():
            at = odd.start()
            match = _SCHEME.search(image, max(0, at - _BACK), at + _AHEAD)
            if match and match.end() > at and match[0].lower() not in _PLAIN:
                name = "ftp" if match[1] else "http"
                edits.append((*match.span(), f"{name}{'s' if match[2] else ''}://"))
    return edits
