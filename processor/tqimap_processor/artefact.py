"""A mail as a tree of artefacts: the nouns that openers, walk and findings share.

Only the standard library is imported here. Nothing in this module does anything.
"""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Problem:
    """Something about an artefact that a person should know: a value, never an exception.

    *kind* is a short stable word with hyphens (`truncated`, `malformed`, `encrypted`, `too-deep`,
    `too-many`, `too-large`, `name-traversal`, ...), *detail* a sentence or a number.
    """

    kind: str
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Span:
    """A piece of decoded text and its place inside its artefact.

    *where* is for people and stable: `text`, `header subject`, `a@href`, `page 3`, `comment`.
    Offsets of findings count characters in *text*. *hidden* text is not shown to a reader. *typed*
    is the ThreatQ type that the artefact itself gives the whole text, if it gives one.
    """

    where: str
    text: str
    hidden: bool = False
    typed: str = ""


@dataclass(frozen=True, slots=True)
class Child:
    """What an opener found inside its artefact.

    *how* says how it was reached: `body`, `attachment`, `inline`, `nested-mail`, `archive-entry`,
    `data-url`. *name* is evidence, never a path; *declared_type* is the MIME type that the
    container claims, empty if it claims none; *parameters* are that type's which matter for reading
    it (`charset`, `format`, `delsp`).
    """

    name: str
    data: bytes = field(repr=False)
    how: str
    declared_type: str = ""
    problems: tuple[Problem, ...] = ()
    parameters: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Opened:
    """What an opener returns: text with places, children, and what went wrong."""

    spans: tuple[Span, ...] = ()
    children: tuple[Child, ...] = ()
    problems: tuple[Problem, ...] = ()


@dataclass(frozen=True, slots=True)
class Artefact:
    """A node of the tree: the mail itself (`0`), its parts (`1`, `2`), theirs (`2.1`).

    *kind* is the detected type, *declared_type* the claimed one. Hashes are hexadecimal. *whole*
    says whether *data* is all of the file: the hash of a part is nobody's.
    """

    id: str
    parent: str | None
    name: str
    how: str
    kind: str
    declared_type: str
    size: int
    sha256: str
    data: bytes = field(repr=False)
    spans: tuple[Span, ...] = field(default=(), repr=False)
    problems: tuple[Problem, ...] = ()
    whole: bool = True

    @property
    def top(self) -> str:
        """The id of the mail's own part that this artefact is, or came out of; `0` for the mail."""
        return self.id.partition(".")[0]
