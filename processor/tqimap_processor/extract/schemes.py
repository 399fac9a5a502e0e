"""Find schemes that were broken: `hxxp`, `meow`, `fxp`, `h**p`, `https:/`, `http__`."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING


if TYPE_CHECKING:
    from collections.abc import Iterator

    from tqimap_processor.extract.refanging import Edit


# a colon with what may stand behind it, unless all is as it should be
_ODD_COLON = re.compile(
    r":(?:(?=//[ /])|//(?<!http://)(?<!https://)(?<!ftp://)(?<!ftps://)|(?=\\)|/(?!/)|__)"
)
_ODD_LINE = re.compile(r"__(?<=[pPsSwW]__)")
_SCHEME = re.compile(
    r"(?<![A-Za-z0-9])(?:h([tx*_z]{1,3})p|meow|f([tx*]{1,2})p)(s?)"
    r" ?(?::///?|:\\/\\/|:\\\\?|:/|:?__)(?: {1,2}(?=[\w-]{1,63}\.\w)|(?=[\w\[]))",
    re.IGNORECASE,
)
_BACK = 9
_AHEAD = 72
_PLAIN = frozenset({"http://", "https://", "ftp://", "ftps://"})


def find(text: str) -> Iterator[Edit]:
    """Yield the edits of *text* in the order of their places."""
    for pattern in (_ODD_COLON, _ODD_LINE):
        for odd in pattern.finditer(text):
            at = odd.start()
            match = _SCHEME.search(text, max(0, at - _BACK), at + _AHEAD)
            if match and match.end() > at and match[0].lower() not in _PLAIN:
                name = "ftp" if match[2] else "http"
                yield match.start(), match.end(), f"{name}{match[3].lower()}://"
