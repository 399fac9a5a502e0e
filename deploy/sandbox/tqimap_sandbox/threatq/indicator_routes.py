"""Answer /api/indicators and its neighbours."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from flask import Blueprint, request

from tqimap_sandbox.threatq import embed, listing, objects, sources
from tqimap_sandbox.threatq.answers import Answer, Created, invalid, many, missing, one
from tqimap_sandbox.threatq.context import body, items, store, user
from tqimap_sandbox.threatq.indicators import admit, want
from tqimap_sandbox.threatq.reference import INDICATOR, reference


if TYPE_CHECKING:
    from tqimap_sandbox.threatq.store import Row

routes = Blueprint("indicators", __name__)


@routes.post("/api/indicators")
def create() -> Answer:
    """Create one or several; the answer is always a list."""
    rows = admit(store(), items(), user(), request.args.get("normalize"))
    tree = embed.parse(request.args.get("with", "type"))
    answers = [embed.embed(store(), INDICATOR, row, tree) for row in rows]
    return many(answers), Created


@routes.post("/api/indicators/consume")
@routes.post("/api/indicators/consume/new")
def consume() -> Answer:
    """Create or update many; each comes back once."""
    rows = admit(store(), items(), user(), request.args.get("normalize"))
    once = {row["id"]: row for row in reversed(rows)}  # the first says whether it existed before
    return many([once[key] for key in sorted(once)]), Created


@routes.get("/api/indicators/<int:key>/details")
def details(key: int) -> dict[str, Any]:
    """Answer with all relations embedded."""
    row = objects.require(store(), INDICATOR, key)
    return one(embed.embed(store(), INDICATOR, row, embed.parse(embed.DETAILS)))


@routes.put("/api/indicators/<int:key>")
def change(key: int) -> dict[str, Any]:
    """Change status, value, type or description, whatever the status is."""
    row = objects.require(store(), INDICATOR, key)
    given = {**request.args.to_dict(), **body()}
    changes = _changes(row, given)
    if changes:
        store().update("indicator", key, **changes)
    if given.get("sources"):
        sources.attach_all(store(), INDICATOR.name, key, given["sources"], user())
    changed = objects.require(store(), INDICATOR, key)
    tree = embed.parse(request.args.get("with", "status,type"))
    return one(embed.embed(store(), INDICATOR, changed, tree))


def _changes(row: Row, given: dict[str, Any]) -> dict[str, Any]:
    changes: dict[str, Any] = {}
    status = reference(store(), "indicator_status", given, "status")
    if status is not None:
        changes["status_id"] = status["id"]
    if "description" in given:
        changes["description"] = given["description"]
    if {"value", "type", "type_id"} & given.keys():
        changes |= _renamed(row, given)
    return changes


def _renamed(row: Row, given: dict[str, Any]) -> dict[str, Any]:
    held = {"value": row["value"], "type_id": row["type_id"]}
    item = want(store(), {**held, **given}, "N")
    taken = store().row("SELECT id FROM indicator WHERE hash = ?", item.hash)
    if taken is not None and taken["id"] != row["id"]:
        raise invalid("value", "The value has already been taken.")
    return {
        "value": item.value,
        "hash": item.hash,
        "type_id": item.type["id"],
        "class": item.type["class"],
    }


@routes.get("/api/indicator/<int:key>/scores")
def scores(key: int) -> dict[str, Any]:
    """Answer the score alone."""
    row = objects.require(store(), INDICATOR, key)
    return one(embed.score(store(), INDICATOR, row) or {})


@routes.put("/api/indicator/<int:key>/scores")
def set_score(key: int) -> dict[str, Any]:
    """Set the manual score, 0 to 10, or take it back with null."""
    objects.require(store(), INDICATOR, key)
    manual = body().get("manual_score")
    if manual is not None and not (isinstance(manual, int) and 0 <= manual <= 10):
        raise invalid("manual_score", "The manual score must be between 0 and 10.")
    store().update("indicator", key, manual_score=manual)
    return scores(key)


_TABLES = {
    ("indicator", "types"): "indicator_type",
    ("indicator", "statuses"): "indicator_status",
    ("event", "types"): "event_type",
    ("attachments", "types"): "attachment_type",
}


def _table(family: str, table: str) -> str:
    found = _TABLES.get((family, table))
    if found is None:
        raise missing("such collection")
    return found


@routes.get("/api/<any(indicator, event, attachments):family>/<any(types, statuses):table>")
def reference_table(family: str, table: str) -> dict[str, Any]:
    """List types or statuses."""
    return listing.answer_table(store(), _table(family, table))


@routes.get(
    "/api/<any(indicator, event, attachments):family>/<any(types, statuses):table>/<int:key>"
)
def reference_row(family: str, table: str, key: int) -> dict[str, Any]:
    """Answer one type or status."""
    row = store().get(_table(family, table), key)
    if row is None:
        raise missing("such type or status")
    return one(row)
