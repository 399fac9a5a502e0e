"""Open a mail and all that is in it, level by level, within budgets for the whole tree.

Breadth first, so that a deep bomb cannot starve what lies near the surface. Openers know nothing of
depth, counts or duplicates; this module knows nothing of formats.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tqimap_processor import passwords, tricks
from tqimap_processor.artefact import Artefact, Child, Opened, Problem, Span
from tqimap_processor.detect import detect
from tqimap_processor.openers import Source, open_artefact, qr


if TYPE_CHECKING:
    from tqimap_shared.settings import Limits


ROOT = "0"


@dataclass(frozen=True, slots=True)
class _Pending:
    id: str
    parent: str | None
    child: Child


def walk(raw: bytes, limits: Limits) -> tuple[Artefact, ...]:
    """Return the artefacts of the mail *raw*, the mail first, then level by level."""
    walking = _Walk(limits)
    level = [_Pending(ROOT, None, Child("", raw, "mail", "message/rfc822"))]
    depth = 0
    while level:
        level = walking.visit(level, depth)
        depth += 1
    return tuple(walking.artefacts)


class _Walk:
    """One mail's walk: what has been seen, and what is left of its budgets."""

    def __init__(self, limits: Limits) -> None:
        self.artefacts: list[Artefact] = []
        self._limits = limits
        self._first: dict[tuple[str, str, object], str] = {}
        self._named = 1
        self._images = 0
        self._bytes = limits.unpacked
        self._text = limits.text
        self._passwords: tuple[str, ...] = ()

    def visit(self, level: list[_Pending], depth: int) -> list[_Pending]:
        """Open all of *level* and return the next one."""
        opened: dict[str, tuple[Artefact, tuple[Child, ...]]] = {}
        # bodies first: they may tell the password of an archive that stands before them
        for pending in sorted(level, key=lambda one: one.child.how != "body"):
            opened[pending.id] = self._open(pending, depth)
        following: list[_Pending] = []
        for pending in level:
            artefact, children = opened[pending.id]
            self.artefacts.append(artefact)
            prefix = "" if artefact.id == ROOT else f"{artefact.id}."
            following += [
                _Pending(f"{prefix}{number}", artefact.id, child)
                for number, child in enumerate(children, 1)
            ]
        return following

    def _open(self, pending: _Pending, depth: int) -> tuple[Artefact, tuple[Child, ...]]:
        child = pending.child
        digest = hashlib.sha256(child.data).hexdigest()
        kind = "mail" if pending.id == ROOT else detect(child.data, child.declared_type)
        refused = self._refusal(pending, digest, kind, depth)
        opened = Opened(problems=refused) if refused else self._opened(child, kind)
        spans, short = self._within_text(opened.spans)
        kept, left_out = self._within_count(opened.children)
        if opened.spans:
            more = passwords.offered(spans, self._limits.passwords)
            self._passwords = tuple(dict.fromkeys((*self._passwords, *more)))
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
            spans=spans,
            problems=(
                *child.problems,
                *tricks.problems(child.name),
                *opened.problems,
                *short,
                *left_out,
            ),
        )
        return artefact, kept

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

    def _opened(self, child: Child, kind: str) -> Opened:
        return open_artefact(
            kind,
            Source(
                child.data,
                limits=self._limits,
                room=max(0, self._bytes),
                declared_type=child.declared_type,
                parameters=dict(child.parameters),
                passwords=self._passwords,
            ),
        )

    def _within_text(self, spans: tuple[Span, ...]) -> tuple[tuple[Span, ...], tuple[Problem, ...]]:
        """Cut *spans* to the text that may still be read."""
        room = start = min(self._limits.artefact_text, self._text)
        kept: list[Span] = []
        for span in spans:
            if len(span.text) > room:
                kept.append(Span(span.where, span.text[:room], span.hidden))
                self._text -= start
                return tuple(kept), (Problem("truncated-text", f"text after {start} characters"),)
            kept.append(span)
            room -= len(span.text)
        self._text -= start - room
        return tuple(kept), ()

    def _within_count(
        self, children: tuple[Child, ...]
    ) -> tuple[tuple[Child, ...], tuple[Problem, ...]]:
        """Cut *children* to the number and bytes that the mail may still have."""
        most = min(self._limits.children, self._limits.artefacts - self._named)
        kept: list[Child] = []
        for child in children[: max(0, most)]:
            if len(child.data) > self._bytes:
                break
            self._bytes -= len(child.data)
            kept.append(child)
        self._named += len(kept)
        if len(kept) == len(children):
            return children, ()
        kind = "too-many" if len(kept) == max(0, most) else "too-large"
        left = len(children) - len(kept)
        return tuple(kept), (Problem(kind, f"{left} of {len(children)} children left out"),)
