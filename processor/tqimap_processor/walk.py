"""Open a mail and all that is in it, level by level, within budgets for the whole tree.

Breadth first, so that a deep bomb cannot starve what lies near the surface. Openers know nothing of
depth, counts or duplicates; this module knows nothing of formats.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING

from tqimap_processor import passwords, tricks
from tqimap_processor.artefact import Artefact, Child, Opened, Problem
from tqimap_processor.detect import detect
from tqimap_processor.openers import Source, qr
from tqimap_processor.reading import HERE


if TYPE_CHECKING:
    from tqimap_processor.artefact import Span
    from tqimap_processor.reading import Reader
    from tqimap_shared.settings import Limits


ROOT = "0"
# what may tell a password is read before what may need one
_RANKS = {
    **dict.fromkeys(("pdf", "docx", "xlsx", "pptx", "odf"), 2),
    **dict.fromkeys(("zip", "7z", "rar", "arj", "encrypted-office"), 3),
}
_KEYLESS = frozenset({"mail", "html", "text", "xml", "json", "csv", "calendar", *qr.KINDS})
# what a container says of a child that it could not read to its end
_PARTIAL = frozenset({"encrypted", "truncated", "malformed", "unsupported"})


@dataclass(frozen=True, slots=True)
class _Pending:
    id: str
    parent: str | None
    child: Child
    kind: str


def _rank(pending: _Pending) -> int:
    return 0 if pending.child.how == "body" else _RANKS.get(pending.kind, 1)


def walk(raw: bytes, limits: Limits, reader: Reader = HERE) -> tuple[Artefact, ...]:
    """Return the artefacts of the mail *raw*, the mail first, then level by level.

    *reader* opens each.
    """
    walking = _Walk(limits, reader)
    level = [_Pending(ROOT, None, Child("", raw, "mail", "message/rfc822"), "mail")]
    depth = 0
    while level:
        level = walking.visit(level, depth)
        depth += 1
    return tuple(walking.artefacts)


class _Walk:
    """One mail's walk: what has been seen, and what is left of its budgets."""

    def __init__(self, limits: Limits, reader: Reader) -> None:
        self.artefacts: list[Artefact] = []
        self._limits = limits
        self._reader = reader
        self._first: dict[tuple[str, str, object], str] = {}
        self._named = 1
        self._images = 0
        self._bytes = limits.unpacked
        self._text = limits.text
        self._passwords: tuple[str, ...] = ()
        self._unread: list[tuple[tuple[Span, ...], list[str]]] = []

    def visit(self, level: list[_Pending], depth: int) -> list[_Pending]:
        """Open all of *level* and return the next one."""
        opened: dict[str, tuple[Artefact, tuple[Child, ...]]] = {}
        for pending in sorted(level, key=_rank):
            opened[pending.id] = self._open(pending, depth)
        following: list[_Pending] = []
        for pending in level:
            artefact, children = opened[pending.id]
            self.artefacts.append(artefact)
            prefix = "" if artefact.id == ROOT else f"{artefact.id}."
            following += [
                _Pending(
                    f"{prefix}{number}",
                    artefact.id,
                    child,
                    detect(child.data, child.declared_type),
                )
                for number, child in enumerate(children, 1)
            ]
        return following

    def _open(self, pending: _Pending, depth: int) -> tuple[Artefact, tuple[Child, ...]]:
        child = pending.child
        digest = hashlib.sha256(child.data).hexdigest()
        kind = pending.kind
        refused = self._refusal(pending, digest, kind, depth)
        opened = Opened(problems=refused) if refused else self._opened(child, kind)
        self._unread.append((opened.spans, [one.name for one in opened.children]))
        artefact = Artefact(
            id=pending.id,
            parent=pending.parent,
            name=tricks.kept(child.name),
            how=child.how,
            kind=kind,
            declared_type=child.declared_type,
            size=len(child.data),
            sha256=digest,
            data=child.data,
            spans=opened.spans,
            problems=(*child.problems, *tricks.problems(child.name), *opened.problems),
            whole=not any(one.kind in _PARTIAL for one in child.problems),
        )
        return artefact, opened.children

    def _refusal(
        self, pending: _Pending, digest: str, kind: str, depth: int
    ) -> tuple[Problem, ...]:
        """Say why *pending* is not opened, if it is not."""
        child = pending.child
        if depth > self._limits.depth:
            return (Problem("too-deep", f"not opened below depth {self._limits.depth}"),)
        if len(child.data) > self._limits.artefact and pending.id != ROOT:
            return (Problem("too-large", f"not opened: {len(child.data)} bytes"),)
        # the same bytes under another charset are another text
        key = (digest, kind, child.parameters)
        first = self._first.setdefault(key, pending.id)
        if first != pending.id and child.data:
            return (Problem("duplicate", f"same content as {first}"),)
        self._images += kind in qr.KINDS
        if kind in qr.KINDS and self._images > self._limits.images:
            return (Problem("too-many", f"images after {self._limits.images} not searched"),)
        return ()

    def _told(self) -> tuple[str, ...]:
        """Return the passwords told so far: most mails hold nothing that needs one."""
        most = self._limits.passwords
        more = [passwords.offered(spans, most, names) for spans, names in self._unread]
        self._passwords = tuple(dict.fromkeys(chain(self._passwords, *more)))
        self._unread.clear()
        return self._passwords

    def _opened(self, child: Child, kind: str) -> Opened:
        limits = self._limits
        source = Source(
            child.data,
            limits=limits,
            room=max(0, self._bytes),
            declared_type=child.declared_type,
            parameters=dict(child.parameters),
            passwords=() if kind in _KEYLESS else self._told(),
            text=min(limits.artefact_text, self._text),
            children=max(0, min(limits.children, limits.artefacts - self._named)),
        )
        opened = self._reader.open(kind, source)
        self._text -= sum(len(span.text) for span in opened.spans)
        self._bytes -= sum(len(one.data) for one in opened.children)
        self._named += len(opened.children)
        return opened
