"""Say yes and no the way ThreatQ does: one `data` envelope, two forms of error body."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any


if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

Answer = tuple[dict[str, Any], int]
Created = 201
Empty = ("", 204)


class Refusal(Exception):  # noqa: N818 - it is an answer, not a fault of the program
    """A request answered with *status* and *body*; its transaction is undone."""

    def __init__(self, status: int, body: Mapping[str, Any], sentence: str) -> None:
        super().__init__(status)
        self.status = status
        self.body = body
        self.sentence = sentence


def invalid(field: str, sentence: str) -> Refusal:
    """Refuse a field's value: 400, form A."""
    return Refusal(400, {"data": {"errors": {field: [sentence]}}}, sentence)


def refused(status: int, sentence: str) -> Refusal:
    """Refuse the request as a whole: form B."""
    return Refusal(status, {"errors": [sentence]}, sentence)


def missing(what: str) -> Refusal:
    """Say that there is no such object: 404, form B."""
    return refused(404, f"No {what} was found.")


def one(item: Mapping[str, Any]) -> dict[str, Any]:
    """Wrap a single object."""
    return {"data": item}


def many(items: Sequence[Mapping[str, Any]], total: int | None = None) -> dict[str, Any]:
    """Wrap a list with the number of all there are."""
    return {"total": len(items) if total is None else total, "data": list(items)}
