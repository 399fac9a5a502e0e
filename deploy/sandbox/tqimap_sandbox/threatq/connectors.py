"""Register connectors ("Incoming Feeds") and keep what an operator fills in.

The shape is a proposal: the real registration calls are not public. A field given with `label` or
`type` is a definition: it replaces an earlier definition of the same key, and its `value` counts
only where the key is new. A field given with `key` and `value` alone sets the value.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from flask import Blueprint, request

from tqimap_sandbox.threatq import embed, listing
from tqimap_sandbox.threatq.answers import Answer, Created, Empty, invalid, missing, one
from tqimap_sandbox.threatq.context import body, store
from tqimap_sandbox.threatq.indicators import flag
from tqimap_sandbox.threatq.reference import reference, tlp_id


if TYPE_CHECKING:
    from tqimap_sandbox.threatq.store import Row, Store

routes = Blueprint("connectors", __name__)


@routes.get("/api/connector/categories")
def categories() -> dict[str, Any]:
    """List the tabs of the Incoming Feeds page."""
    return listing.answer_table(store(), "connector_category")


@routes.get("/api/connectors")
def listed() -> dict[str, Any]:
    """List connectors; `with` takes category, tlp and custom_fields."""
    rows, total = listing.select(store(), "connector", request.args)
    return listing.answer(store(), [_embedded(row) for row in rows], total)


@routes.get("/api/connectors/<int:key>")
def read(key: int) -> dict[str, Any]:
    """Answer one connector."""
    return one(_embedded(require(store(), key)))


def _embedded(row: Row) -> Row:
    tree = embed.parse(request.args.get("with"))
    full = rendered(store(), row)
    return {name: value for name, value in full.items() if name in row or name in tree}


def rendered(store: Store, row: Row) -> Row:
    """Return a connector with category, tlp and custom fields."""
    return {
        **row,
        "category": store.get("connector_category", int(row["category_id"])),
        "tlp": store.get("tlp", int(row["tlp_id"] or 0)),
        "custom_fields": fields(store, int(row["id"])),
    }


def require(store: Store, key: int) -> Row:
    """Return a connector's row; refuse with 404 where there is none."""
    row = store.get("connector", key)
    if row is None:
        raise missing("such connector")
    return row


def fields(store: Store, key: int) -> list[Row]:
    """Return a connector's fields in their order, secrets in clear: `mask` is for pages only."""
    rows = store.rows("SELECT * FROM connector_field WHERE connector_id = ? ORDER BY id", key)
    for row in rows:
        row["mask"] = bool(row["mask"])
        row["options"] = json.loads(row["options"]) if row["options"] else None
    return rows


@routes.post("/api/connectors")
def create() -> Answer:
    """Register a connector: it is off, and owns a source of its name."""
    given = body()
    name = _name(given)
    if store().named("connector", name) is not None:
        raise invalid("name", "The name has already been taken.")
    key = store().insert(
        "connector",
        name=name,
        category_id=_category(given),
        indicator_status_id=(_status(given) or {"id": 1})["id"],
        tlp_id=tlp_id(store(), given),
        is_active=int(flag(given.get("is_active", 0))),
        is_notifiable=0,
        source_id=0,
    )
    store().update("connector", key, source_id=_own_source(key, name))
    merge(store(), key, given.get("custom_fields") or [])
    return one(rendered(store(), require(store(), key))), Created


def _name(given: dict[str, Any]) -> str:
    name = given.get("name")
    if not isinstance(name, str) or not name.strip():
        raise invalid("name", "The name field is required.")
    return name.strip()


def _category(given: dict[str, Any]) -> int:
    row = reference(store(), "connector_category", given, "category")
    if row is None:
        raise invalid("category", "The category field is required.")
    return int(row["id"])


def _status(given: dict[str, Any]) -> Row | None:
    return reference(store(), "indicator_status", given, "indicator_status")


def _own_source(key: int, name: str) -> int:
    found = store().named("source", name)
    if found is None:
        return store().insert("source", type="connectors", reference_id=key, name=name)
    store().update("source", int(found["id"]), type="connectors", reference_id=key)
    return int(found["id"])


@routes.put("/api/connectors/<int:key>")
def update(key: int) -> dict[str, Any]:
    """Change a connector: name, toggle, last import, status, definitions and values of fields."""
    change(store(), require(store(), key), body())
    return one(rendered(store(), require(store(), key)))


def change(store: Store, row: Row, given: dict[str, Any]) -> None:
    """Apply what a client or the page asks for."""
    changes: dict[str, Any] = {}
    if "name" in given and _name(given) != row["name"]:
        changes["name"] = _rename(store, row, _name(given))
    for switch in ("is_active", "is_notifiable"):
        if switch in given:
            changes[switch] = int(flag(given[switch]))
    if "last_import_at" in given:
        changes["last_import_at"] = given["last_import_at"]
    status = reference(store, "indicator_status", given, "indicator_status")
    if status is not None:
        changes["indicator_status_id"] = status["id"]
    store.update("connector", int(row["id"]), **changes)
    merge(store, int(row["id"]), given.get("custom_fields") or [])


def _rename(store: Store, row: Row, name: str) -> str:
    taken = store.named("connector", name)
    if taken is not None and taken["id"] != row["id"]:
        raise invalid("name", "The name has already been taken.")
    if store.named("source", name) is None:
        store.update("source", int(row["source_id"]), name=name)
    return name


def merge(store: Store, key: int, given: object) -> None:
    """Merge fields by key, without overwriting saved values by definitions."""
    for field in given if isinstance(given, list) else []:
        if not isinstance(field, dict) or not isinstance(field.get("key"), str):
            raise invalid("custom_fields", "A field must have a key.")
        sql = "SELECT * FROM connector_field WHERE connector_id = ? AND key = ?"
        found = store.row(sql, key, field["key"])
        if found is None:
            value = str(field.get("value") or "")
            _define(store, {"connector_id": key, "key": field["key"], "value": value}, field)
        elif {"label", "type"} & field.keys():
            _define(store, {"id": found["id"]}, field)
        elif "value" in field:
            value = _allowed(found, str(field["value"] or ""))
            store.update("connector_field", int(found["id"]), value=value)


def _define(store: Store, held: dict[str, Any], field: dict[str, Any]) -> None:
    options = field.get("options")
    definition = {
        "label": str(field.get("label") or field["key"]),
        "type": str(field.get("type") or "text"),
        "mask": int(flag(field.get("mask", 0))),
        "options": json.dumps(options) if isinstance(options, list) else None,
        "help": field.get("help"),
        "user_editable": int(flag(field.get("user_editable", 1))),
    }
    if "id" in held:
        store.update("connector_field", held["id"], **definition)
    else:
        store.insert("connector_field", **held, **definition)


def _allowed(found: Row, value: str) -> str:
    if found["options"] and value and value not in json.loads(found["options"]):
        raise invalid(str(found["key"]), "The selected value is invalid.")
    return value


@routes.delete("/api/connectors/<int:key>")
def remove(key: int) -> tuple[str, int]:
    """Remove a connector; its source and what came from it stay."""
    require(store(), key)
    store().run("DELETE FROM connector_field WHERE connector_id = ?", key)
    store().delete("connector", key)
    return Empty


@routes.post("/api/connectors/<int:key>/notifications/toggle")
def notify(key: int) -> dict[str, Any]:
    """Switch the health e-mails of a feed on or off."""
    change(store(), require(store(), key), {"is_notifiable": body().get("is_notifiable", 0)})
    return one(require(store(), key))
