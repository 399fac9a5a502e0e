"""Answer who is who: users, sources, tags, object types, search."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, request

from tqimap_sandbox.threatq import embed, listing
from tqimap_sandbox.threatq.answers import many, one
from tqimap_sandbox.threatq.context import store, user
from tqimap_sandbox.threatq.reference import KINDS


routes = Blueprint("people", __name__)


def _user(row: dict[str, Any]) -> dict[str, Any]:
    sql = "SELECT * FROM source WHERE type = 'users' AND reference_id = ?"
    return {**row, "source": store().row(sql, row["id"])}


@routes.get("/api/users/current")
def current() -> dict[str, Any]:
    """Answer the token's user, with source."""
    return one(_user(store().get("user", user().id) or {}))


@routes.get("/api/users")
def users() -> dict[str, Any]:
    """List users."""
    rows, total = listing.select(store(), "user", request.args)
    with_source = "source" in embed.parse(request.args.get("with"))
    return listing.answer(store(), [_user(row) for row in rows] if with_source else rows, total)


@routes.get("/api/sources")
def sources() -> dict[str, Any]:
    """List sources."""
    return listing.answer_table(store(), "source")


@routes.get("/api/tags")
def tags() -> dict[str, Any]:
    """List tags."""
    return listing.answer_table(store(), "tag")


_TYPED = {"indicators": "indicator_type", "events": "event_type", "attachments": "attachment_type"}


@routes.get("/api/objects", strict_slashes=False)
def object_types() -> dict[str, Any]:
    """List the kinds of object with their types and statuses."""
    return many([_object_type(key, collection) for key, collection in enumerate(KINDS, 1)])


def _object_type(key: int, collection: str) -> dict[str, Any]:
    table = _TYPED.get(collection)
    statuses = "SELECT * FROM indicator_status ORDER BY id"
    return {
        "id": key,
        "name": KINDS[collection].name,
        "collection": collection,
        "display_name_plural": collection.replace("_", " ").title(),
        "types": listing.select(store(), table, {"limit": "1000"})[0] if table else [],
        "statuses": store().rows(statuses) if collection == "indicators" else [],
    }


@routes.get("/api/search")
def search() -> dict[str, Any]:
    """Find objects whose value, title or name contains the text."""
    limit, _ = listing.window(store(), request.args)
    rows = store().rows(_SEARCH, request.args.get("query", ""), limit)
    return many(rows)


_SEARCH = """
SELECT id, value, 'indicator' AS object FROM indicator WHERE instr(lower(value), lower(?1))
UNION ALL SELECT id, '"' || title || '" ' || name, 'attachment' FROM attachment
    WHERE instr(lower(title || ' ' || name), lower(?1))
UNION ALL SELECT id, title, 'event' FROM event WHERE instr(lower(title), lower(?1))
UNION ALL SELECT id, coalesce(name, title, value), object FROM other
    WHERE instr(lower(coalesce(name, title, value)), lower(?1))
LIMIT ?2
"""
