"""Read what a locked-in process answers, believing none of it.

Every field is checked for its type, size and sense; what does not fit raises WireError. Hashes
and the texts of places are made here, of what came over the line.
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

from tqimap_processor.artefact import Child, Opened, Problem, Span
from tqimap_processor.child_wire import WireError, checked, number, row, sequence, split, text
from tqimap_processor.extract import Finding
from tqimap_processor.openers import allowance


if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tqimap_processor.child_wire import Frame
    from tqimap_processor.openers import Source


FIELD = 2**20  # characters of a field of the header, and recipients of a mail
VALUE = 2**20  # characters of a finding's value
FINDINGS = 2**16  # in one frame
FLAGS = 64
ATTRIBUTES = 64


def opened(frames: Iterator[Frame], source: Source) -> Opened:
    """Return what was opened, which may not be more than *source* allows; raises WireError."""
    reading = _Opening(source)
    for fields, data in frames:
        reading.add(fields, data)
    return reading.opened()


class _Opening:
    """What came so far, and what may still come."""

    def __init__(self, source: Source) -> None:
        self._spans: list[Span] = []
        self._children: list[Child] = []
        self._problems: tuple[Problem, ...] | None = None
        self._text, self._room = source.text, source.room
        self._most_spans, self._most_children = source.limits.artefact_spans, source.children

    def add(self, fields: dict[str, Any], data: bytes) -> None:
        if "spans" in fields:
            self._add_spans(fields, data)
        elif "child" in fields:
            self._add_child(fields, data)
        else:
            self._problems = _problems(fields.get("problems"))

    def opened(self) -> Opened:
        if self._problems is None:
            raise WireError("no end")
        return Opened(tuple(self._spans), tuple(self._children), self._problems)

    def _add_spans(self, fields: dict[str, Any], data: bytes) -> None:
        given = sequence(fields["spans"], self._most_spans - len(self._spans))
        lengths = [number(one, 0, self._text) for one in given]
        places = row(fields.get("where"), len(lengths))
        hidden = row(fields.get("hidden"), len(lengths))
        typed = row(fields.get("typed"), len(lengths))
        self._text -= sum(lengths)
        if self._text < 0:
            raise WireError("text")
        self._spans += [
            Span(
                text(place, allowance.PLACE),
                piece,
                checked(unseen, bool),
                text(kind, allowance.TYPE),
            )
            for place, piece, unseen, kind in zip(
                places, split(lengths, data), hidden, typed, strict=True
            )
        ]

    def _add_child(self, fields: dict[str, Any], data: bytes) -> None:
        self._room -= len(data)
        if self._room < 0 or len(self._children) >= self._most_children:
            raise WireError("children")
        name, how, declared = row(fields["child"], 3)
        self._children.append(
            Child(
                text(name, allowance.NAME),
                data,
                text(how, allowance.TYPE),
                text(declared, allowance.TYPE),
                _problems(fields.get("problems")),
                _pairs(fields.get("parameters"), allowance.PARAMETERS, allowance.TYPE),
            )
        )


def _problems(value: object) -> tuple[Problem, ...]:
    # more than an opener may return: what was cut is told too
    pairs = _pairs(value, 2 * allowance.PROBLEMS, max(allowance.TYPE, allowance.DETAIL))
    return tuple(Problem(kind, detail) for kind, detail in pairs)


def _pairs(value: object, most: int, size: int) -> tuple[tuple[str, str], ...]:
    pairs = [row(one, 2) for one in sequence(value, most)]
    return tuple((text(first, size), text(second, size)) for first, second in pairs)


def findings(frames: Iterator[Frame], texts: Sequence[str]) -> Iterator[list[Finding]]:
    """Yield the findings of each of *texts* in their order; raises WireError."""
    current: list[Finding] = []
    at = 0
    for fields, _ in frames:
        for value in sequence(fields.get("findings"), FINDINGS):
            which, finding = _finding(value, at, texts)
            while at < which:
                yield current
                current, at = [], at + 1
            current.append(finding)
    yield current
    yield from ([] for _ in texts[at + 1 :])


def _finding(value: object, at: int, texts: Sequence[str]) -> tuple[int, Finding]:
    which, kind, canonical, start, end, flags, attributes = row(value, 7)
    index = number(which, at, len(texts) - 1)
    begins = number(start, 0, len(texts[index]))
    return index, Finding(
        text(kind, allowance.TYPE),
        text(canonical, VALUE),
        begins,
        number(end, begins, len(texts[index])),
        frozenset(text(one, allowance.TYPE) for one in sequence(flags, FLAGS)),
        _pairs(attributes, ATTRIBUTES, VALUE),
    )


def envelope(frames: Iterator[Frame]) -> dict[str, Any]:
    """Return the fields of an envelope; raises WireError."""
    answers = [fields for fields, _ in frames]
    if len(answers) != 1:
        raise WireError("envelope")
    (fields,) = answers
    names = ("message_id", "subject", "sender")
    return {
        **{name: text(fields.get(name), FIELD) for name in names},
        "recipients": tuple(text(one, FIELD) for one in sequence(fields.get("recipients"), FIELD)),
        "date": _date(fields.get("date")),
    }


def _date(value: object) -> datetime | None:
    if value is None:
        return None
    try:
        date = datetime.fromisoformat(text(value, 64))
    except ValueError:
        raise WireError("date") from None
    if date.tzinfo is None:
        raise WireError("date")
    return date
