"""Cut what an opener returned to what its artefact may still take of the mail's budgets.

Done where the opener ran, so that no more than this ever leaves a locked-in process.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from tqimap_processor.artefact import Child, Opened, Problem


if TYPE_CHECKING:
    from tqimap_processor.artefact import Span
    from tqimap_processor.openers.source import Source


NAME = 65_536  # characters of a name, far above what is kept of it
PLACE = 1_024  # characters of a place's description
TYPE = 1_024  # characters of a declared type or a parameter
PARAMETERS = 16
PROBLEMS = 100
DETAIL = 1_000  # characters of a problem's detail


def within(opened: Opened, source: Source) -> Opened:
    """Return *opened* cut to the text, children and bytes that *source* allows.

    What was cut is a problem of the artefact.
    """
    spans, short = _within_text(opened.spans, source)
    children, left_out = _within_count(opened.children, source)
    return Opened(spans, children, (*_short(opened.problems), *short, *left_out))


def _within_text(
    spans: tuple[Span, ...], source: Source
) -> tuple[tuple[Span, ...], tuple[Problem, ...]]:
    room = source.text
    kept: list[Span] = []
    for span in spans:
        if len(kept) >= source.limits.artefact_spans:
            left = len(spans) - len(kept)
            return tuple(kept), (Problem("truncated-text", f"{left} places left out"),)
        if len(span.text) > room:
            kept.append(replace(span, where=span.where[:PLACE], text=span.text[:room]))
            return tuple(kept), (Problem("truncated-text", f"text after {source.text} characters"),)
        kept.append(span if len(span.where) <= PLACE else replace(span, where=span.where[:PLACE]))
        room -= len(span.text)
    return tuple(kept), ()


def _within_count(
    children: tuple[Child, ...], source: Source
) -> tuple[tuple[Child, ...], tuple[Problem, ...]]:
    room = source.room
    kept: list[Child] = []
    for child in children[: source.children]:
        if len(child.data) > room:
            break
        room -= len(child.data)
        kept.append(_short_texts(child))
    left = len(children) - len(kept)
    if not left:
        return tuple(kept), ()
    kind = "too-many" if len(kept) == source.children else "too-large"
    return tuple(kept), (Problem(kind, f"{left} of {len(children)} children left out"),)


def _short_texts(child: Child) -> Child:
    return Child(
        child.name[:NAME],
        child.data,
        child.how[:TYPE],
        child.declared_type[:TYPE],
        _short(child.problems),
        tuple((name[:TYPE], value[:TYPE]) for name, value in child.parameters[:PARAMETERS]),
    )


def _short(problems: tuple[Problem, ...]) -> tuple[Problem, ...]:
    return tuple(Problem(one.kind[:TYPE], one.detail[:DETAIL]) for one in problems[:PROBLEMS])
