"""Stream XML through expat: elements, attributes and text, and no entity of its own.

The standard library's expat without a tree: its memory stays flat under a text node of a gibibyte
and a million levels. A declared entity ends the reading (billion laughs, external entities); a mere
DOCTYPE, which old OpenDocument files have, does not.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from xml.parsers import expat

from tqimap_processor.artefact import Problem


if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Protocol

    class Reader(Protocol):
        """Takes what a document holds, in order. Names are local: `w:p` is `p`."""

        def start(self, name: str, attributes: Mapping[str, str]) -> None:
            """Take the start of an element."""

        def end(self, name: str) -> None:
            """Take the end of an element."""

        def text(self, text: str) -> None:
            """Take text; raise Enough to end the reading."""


_STEP = 65_536
_PREFIX = " "


class Enough(Exception):  # noqa: N818 - it ends a reading and is no error
    """Raised by a reader that wants no more."""


class _Entity(Exception):  # noqa: N818 - likewise
    """The document declares an entity."""


def read(data: bytes, reader: Reader) -> Problem | None:
    """Read *data* into *reader*; return what ended it before its end."""
    parser = expat.ParserCreate(namespace_separator=_PREFIX)
    parser.buffer_text = True
    parser.ordered_attributes = False
    parser.SetParamEntityParsing(expat.XML_PARAM_ENTITY_PARSING_NEVER)
    parser.EntityDeclHandler = _refuse
    parser.StartElementHandler = lambda name, attributes: reader.start(
        _local(name), {_local(key): value for key, value in attributes.items()}
    )
    parser.EndElementHandler = lambda name: reader.end(_local(name))
    parser.CharacterDataHandler = reader.text
    try:
        for start in range(0, len(data), _STEP):
            parser.Parse(data[start : start + _STEP], False)  # noqa: FBT003 - expat takes no keyword
        parser.Parse(b"", True)  # noqa: FBT003 - likewise
    except Enough:
        return Problem("truncated-text", "the rest of a part")
    except _Entity:
        return Problem("malformed", "declares entities")
    except (expat.ExpatError, ValueError, LookupError) as error:
        return Problem("malformed", type(error).__name__)
    return None


def _local(name: str) -> str:
    return name.rpartition(_PREFIX)[2]


def _refuse(*declaration: object) -> None:
    raise _Entity(len(declaration))
