"""Answer POST /api/{collection}/query: the search index's view of the library.

Its shape is flat: an integer score, tags as text, sources in one level, absent keys for what is
missing. The real index lags behind writes; this one does not.
"""

from __future__ import annotations

import base64
import binascii
import operator
from functools import partial
from typing import TYPE_CHECKING, Any

from flask import Blueprint, request

from tqimap_sandbox.threatq import listing
from tqimap_sandbox.threatq.answers import refused
from tqimap_sandbox.threatq.attributes import attributes_of, tags_of
from tqimap_sandbox.threatq.context import body, store
from tqimap_sandbox.threatq.reference import INDICATOR, Kind, kind_of
from tqimap_sandbox.threatq.sources import sources_of


if TYPE_CHECKING:
    from collections.abc import Callable

    from tqimap_sandbox.threatq.store import Row

routes = Blueprint("query", __name__)
_NAMES = {
    "indicator": ", t.name AS type_name, s.name AS status_name,"
    " coalesce(o.manual_score, 0) AS score",
    "attachment": ", t.name AS type_name",
    "event": ", t.name AS type_name",
}
_JOINS = {
    "indicator": " JOIN indicator_type t ON t.id = o.type_id"
    " JOIN indicator_status s ON s.id = o.status_id",
    "attachment": " JOIN attachment_type t ON t.id = o.type_id",
    "event": " JOIN event_type t ON t.id = o.type_id",
}
_HIDDEN = {"manual_score", "object", "spearphish"}
_MENTIONED = ("value", "title", "name", "description")


def _documents(kind: Kind) -> list[Row]:
    names, joins = _NAMES.get(kind.name, ""), _JOINS.get(kind.name, "")
    where = " WHERE o.object = ?" if kind.table == "other" else ""
    sql = f"SELECT o.*{names} FROM {kind.table} o{joins}{where}"  # noqa: S608 - our own names
    rows = store().rows(sql, *([kind.name] if where else []))
    return [{key: row[key] for key in row.keys() - _HIDDEN} for row in rows]


def _compared(
    compare: Callable[[Any, Any], bool],
) -> Callable[[object, object], bool]:
    def test(held: object, wanted: object) -> bool:
        if isinstance(held, int):
            return str(wanted).lstrip("-").isdigit() and compare(held, int(str(wanted)))
        return held is not None and compare(str(held), str(wanted))

    return test


def _contains(held: object, wanted: object) -> bool:
    return str(wanted).lower() in str(held or "").lower()


def _equals(held: object, wanted: object) -> bool:
    if isinstance(wanted, list):
        return any(_equals(held, one) for one in wanted)
    return str(held).lower() == str(wanted).lower()


_OPERATORS: dict[str, Callable[[object, object], bool]] = {
    "+gte": _compared(operator.ge),
    "+lte": _compared(operator.le),
    "+gt": _compared(operator.gt),
    "+lt": _compared(operator.lt),
    "+contains": _contains,
    "+is": _equals,
}


def matches(document: Row, asked: object) -> bool:
    """Say whether a document meets criteria: `+and` and `+or` over lists, fields, operators."""
    if isinstance(asked, list):
        return all(matches(document, one) for one in asked)
    if not isinstance(asked, dict):
        raise refused(400, "Criteria are objects.")
    return all(_met(document, key, wanted) for key, wanted in asked.items())


def _met(document: Row, key: str, wanted: object) -> bool:
    if key in {"+and", "+or"}:
        listed = wanted if isinstance(wanted, list) else [wanted]
        quantifier = all if key == "+and" else any
        return quantifier(matches(document, one) for one in listed)
    if key.startswith("+"):
        raise refused(400, f"The operator {key} is unknown.")
    if key == "mentions":
        return any(_field(document.get(name), wanted, _contains) for name in _MENTIONED)
    if key not in document:
        raise refused(400, f"The field {key} is unknown.")
    return _field(document[key], wanted, _equals)


def _field(held: object, wanted: object, default: Callable[[object, object], bool]) -> bool:
    if not isinstance(wanted, dict):
        return default(held, wanted)
    if not wanted.keys() <= _OPERATORS.keys():
        raise refused(400, f"Operators on fields are {sorted(_OPERATORS)}.")
    return all(_OPERATORS[key](held, value) for key, value in wanted.items())


@routes.post("/api/<collection>/query")
def query(collection: str) -> dict[str, Any]:
    """Search a collection by `criteria` and `filters`; page by offset or by cursor."""
    kind, asked = kind_of(collection), body()
    found = [
        document
        for document in _documents(kind)
        if matches(document, asked.get("criteria") or {})
        and matches(document, asked.get("filters") or {})
    ]
    _sort(found, request.args.get("sort", "id"))
    limit, offset = listing.window(store(), request.args)
    mark = request.args.get("cursorMark")
    offset = offset if mark is None else _offset(mark)
    page = [_flat(kind, document) for document in found[offset : offset + limit]]
    answer = {
        "total": len(found),
        "limit": limit,
        "data": [_picked(document, asked.get("fields")) for document in page],
    }
    if mark is None:
        return {**answer, "offset": offset}
    return {**answer, "nextCursorMark": _mark(offset + len(page)) if page else mark}


def _sort(found: list[Row], sort: str) -> None:
    for term in reversed([*sort.split(","), "id"]):  # stable: the first term sorts last
        name = term.strip()
        found.sort(key=partial(_orderly, name.lstrip("-")), reverse=name.startswith("-"))


def _orderly(name: str, document: Row) -> tuple[int, int, str]:
    value = document.get(name)
    if isinstance(value, int):
        return (1, value, "")
    return (0 if value is None else 2, 0, str(value))


def _mark(offset: int) -> str:
    return base64.urlsafe_b64encode(str(offset).encode()).decode()


def _offset(mark: str) -> int:
    if mark == "*":
        return 0
    try:
        return int(base64.urlsafe_b64decode(mark))
    except (ValueError, binascii.Error) as error:
        raise refused(400, "The cursorMark is not one of ours.") from error


def _flat(kind: Kind, document: Row) -> Row:
    key = int(document["id"])
    below = {"sources"}
    answer = {
        **document,
        "published_at": document["created_at"],
        "tags": [tag["name"] for tag in tags_of(store(), kind, key)],
        "sources": [
            _flat_source(kind, document, row) for row in sources_of(store(), kind.name, key)
        ],
        "attributes": attributes_of(store(), kind, key, below),
    }
    return {name: value for name, value in answer.items() if value not in (None, [])}


def _flat_source(kind: Kind, document: Row, row: Row) -> Row:
    pivot = row["pivot"]
    answer = {
        "id": pivot["id"],
        "source_id": row["id"],
        "name": row["name"],
        "source_type": row["type"],
        f"{kind.name}_id": document["id"],
        "creator_source_id": pivot["creator_source_id"],
        "reference_id": row["reference_id"],
        "tlp_id": row["tlp_id"],
        "published_at": row["published_at"],
        "created_at": row["created_at"],
    }
    if kind == INDICATOR:
        answer["indicator_type_id"] = document["type_id"]
        answer["indicator_status_id"] = document["status_id"]
    return {name: value for name, value in answer.items() if value is not None}


def _picked(document: Row, names: object) -> Row:
    if not isinstance(names, list) or not names:
        return document
    return {name: document[name] for name in ["id", *names] if name in document}
