"""Gather the texts of a structured file with their places, within the budgets of an artefact."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tqimap_processor.artefact import Opened, Problem, Span


if TYPE_CHECKING:
    from tqimap_shared.settings import Limits


_PLACE = 200


class Gathered:
    """Texts under way; places beyond the number told apart are one span, `rest`."""

    def __init__(self, limits: Limits) -> None:
        self._spans: list[Span] = []
        self._rest: list[str] = []
        self._room = limits.artefact_text
        self._most = limits.spans

    @property
    def is_full(self) -> bool:
        """Whether no more text is wanted."""
        return self._room < 0

    def add(self, where: str, text: str, typed: str = "") -> None:
        """Add *text*; *typed* is the ThreatQ type that the file itself gives it."""
        text = text.strip()
        if not text or self._room < 0:
            return
        self._room -= len(text) + 1
        if len(self._spans) >= self._most:
            self._rest.append(text)
            return
        # the end of a long path tells more than its beginning
        place = where if len(where) <= _PLACE else "…" + where[-_PLACE:]
        self._spans.append(Span(place, text, typed=typed))

    def opened(self, *problems: Problem) -> Opened:
        """Return all of it."""
        if self._rest:
            self._spans.append(Span("rest", "\n".join(self._rest)))
        if self._room < 0:
            problems = (*problems, Problem("truncated-text", "no room for more text"))
        return Opened(tuple(self._spans), problems=problems)
