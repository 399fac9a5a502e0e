"""Read one XML part of an Office document: its text, its links, its field codes, what it hides."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from tqimap_processor.openers import markup


if TYPE_CHECKING:
    from collections.abc import Mapping


# both families call things by different names, and neither uses the other's for anything else
_LINES = frozenset(
    {"p", "h", "br", "cr", "row", "table-row", "si", "comment", "line-break", "list-item"}
)
_CELLS = frozenset({"c", "tc", "table-cell", "tab", "covered-table-cell"})
_CODES = frozenset({"instrText", "delInstrText"})
_NO_TEXT = frozenset({"binary-data"})
_OFF = frozenset({"0", "false", "off", "none"})
# names of schemas, which every document is full of
_SCHEMA = re.compile(
    r"(?i)https?://(?:schemas\.(?:openxmlformats\.org|microsoft\.com)|purl\.(?:org|oclc\.org)/"
    r"|www\.w3\.org/|docs\.oasis-open\.org|openoffice\.org/|relaxng\.org)|urn:"
)
_TELLING = re.compile(r"(?i)[a-z]:[/\\]|\\\\|www\.|@|\b(?:mailto|javascript|mhtml|file|ms-\w+):")
_LONGEST = 65_536


class PartText:
    """A reader for `markup.read` that keeps what people or programs can follow.

    *room* is how many characters it takes; *strings* are the cells' shared strings.
    """

    def __init__(self, room: int, strings: list[str] | None = None) -> None:
        self.links: dict[tuple[str, str], None] = {}
        self.strings: list[str] = []
        self.used: set[int] = set()
        self._pieces: list[str] = []
        self._hidden: list[str] = []
        self._codes: list[str] = []
        self._code = self._vanished = self._silent = False
        self._shared: str | None = None
        self._known = strings
        self._string: list[str] = []
        self._room = room

    @property
    def shown(self) -> str:
        """The text that a reader sees."""
        return "".join(self._pieces).strip()

    @property
    def hidden(self) -> str:
        """The text of runs that are formatted as hidden."""
        return "".join(self._hidden).strip()

    @property
    def codes(self) -> str:
        """The field codes, such as HYPERLINK and DDEAUTO, one field a line."""
        return "".join(self._codes).strip()

    def start(self, name: str, attributes: Mapping[str, str]) -> None:
        """Take the start of an element."""
        if name in _LINES:
            self._add("\n")
        elif name in _CELLS:
            self._add("\t")
            self._shared = "" if name == "c" and attributes.get("t") == "s" else None
        elif name == "vanish":
            self._vanished = attributes.get("val", "1").lower() not in _OFF
        elif name == "s" and "c" in attributes:
            self._add(" ")
        elif name in {"fldChar", "fldSimple"}:
            self._codes.append("\n" + attributes.get("instr", ""))
        self._code = name in _CODES
        self._silent = name in _NO_TEXT
        if name == "si":
            self._string = []
        for key, value in attributes.items():
            if key != "Type" and _TELLING.search(value) and not _SCHEMA.match(value):
                self._spend(len(value))
                self.links.setdefault((f"{name}@{key}", value[:_LONGEST]))

    def end(self, name: str) -> None:
        """Take the end of an element."""
        if name == "r":
            self._vanished = False
        elif name == "v" and self._shared is not None:
            self._resolve(self._shared)
            self._shared = None
        elif name == "si":
            self.strings.append("".join(self._string))
        self._code = self._silent = False

    def text(self, text: str) -> None:
        """Take text."""
        if self._silent:
            return
        if self._shared is not None:
            self._shared += text[:20]
        elif self._code:
            self._spend(len(text))
            self._codes.append(text)
        else:
            self._string.append(text)
            self._add(text)

    def _resolve(self, index: str) -> None:
        if self._known is not None and index.strip().isdigit() and len(index) < 12:
            number = int(index)
            if number < len(self._known):
                self.used.add(number)
                self._add(self._known[number])

    def _add(self, text: str) -> None:
        self._spend(len(text))
        (self._hidden if self._vanished else self._pieces).append(text)

    def _spend(self, size: int) -> None:
        self._room -= size
        if self._room < 0:
            raise markup.Enough
