"""Open XML: every text and attribute with its path; STIX 1 and OpenIOC values with their types.

expat of the standard library, as a stream: it fetches nothing, and at the first declaration of an
entity the file is read as plain text instead, so that nothing can multiply.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from xml.parsers import expat

from tqimap_processor import charset
from tqimap_processor.artefact import Opened, Problem, Span
from tqimap_processor.openers import cybox, openioc
from tqimap_processor.openers.gathered import Gathered


if TYPE_CHECKING:
    from tqimap_processor.openers.source import Source


_STEP = 65_536
_SHOWN = 400
_DEEPEST = 100_000  # elements inside one another: each takes a kilobyte


class _DeclaredError(Exception):
    """An entity is declared."""


class _FullError(Exception):
    """There is no room for more text."""


@dataclass(slots=True)
class Element:
    """An open element: its path, its local name, and what is told of its content by others.

    *before* holds the attributes of the element that stood before it, under the same parent.
    """

    path: str
    name: str
    attributes: dict[str, str]
    before: dict[str, str]
    text: list[str] = field(default_factory=list)
    counts: dict[str, int] = field(default_factory=dict)
    last: dict[str, str] = field(default_factory=dict)


def open_xml(source: Source) -> Opened:
    """Return the texts and attributes of *source*, or its text as it is where it is no XML."""
    if len(source.data) > source.limits.structured:
        return _as_text(source, Problem("too-large", "read as text, not as XML"))
    reading = _Reading(Gathered(source.limits))
    try:
        reading.read(source.data)
    except _FullError:
        pass
    except _DeclaredError:
        return _as_text(source, Problem("entities", "declares entities: read as text"))
    except (expat.ExpatError, ValueError, LookupError) as error:
        # what came before is in the text too
        return _as_text(source, Problem("malformed", f"read as text: {type(error).__name__}"))
    return reading.gathered.opened()


def _as_text(source: Source, problem: Problem) -> Opened:
    return Opened((Span("text", charset.decode(source.data, source.charset)),), problems=(problem,))


class _Reading:
    """One file being read: the elements that are open, outermost first."""

    def __init__(self, gathered: Gathered) -> None:
        self.gathered = gathered
        self._open = [Element("", "", {}, {})]

    def read(self, data: bytes) -> None:
        parser = expat.ParserCreate()
        parser.buffer_text = True
        parser.ordered_attributes = False
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.CharacterDataHandler = self._text
        parser.CommentHandler = self._comment
        parser.ProcessingInstructionHandler = self._instruction
        parser.EntityDeclHandler = self._declared
        for start in range(0, len(data), _STEP):
            parser.Parse(data[start : start + _STEP], False)  # noqa: FBT003 - expat takes no keyword
        parser.Parse(b"", True)  # noqa: FBT003 - likewise

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        if len(self._open) > _DEEPEST:
            raise ValueError
        parent = self._open[-1]
        count = parent.counts[name] = parent.counts.get(name, 0) + 1
        step = f"{name}[{count}]" if count > 1 else name
        path = f"{parent.path[-_SHOWN:]}/{step}"
        element = Element(path, name.rpartition(":")[2], attributes, parent.last)
        parent.last = attributes
        self._open.append(element)
        for key, value in attributes.items():
            self.gathered.add(f"{path}/@{key}", value)
        if self.gathered.is_full:
            raise _FullError

    def _end(self, _: str) -> None:
        element = self._open.pop()
        text = "".join(element.text).strip()
        if not text:
            return
        found = openioc.typed(element, self._open[-1], text) or cybox.typed(
            element, self._open, text
        )
        for kind, value in found or [("", text)]:
            self.gathered.add(element.path, value, kind)
        if self.gathered.is_full:
            raise _FullError

    def _text(self, text: str) -> None:
        self._open[-1].text.append(text)

    def _comment(self, text: str) -> None:
        self.gathered.add(f"{self._open[-1].path or '/'} comment", text)

    def _instruction(self, target: str, text: str) -> None:
        self.gathered.add(f"{self._open[-1].path or '/'} <?{target[:40]}?>", text)

    def _declared(self, *_: object) -> None:
        raise _DeclaredError
