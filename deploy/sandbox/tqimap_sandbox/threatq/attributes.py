"""Attach attributes, tags and comments to objects of any kind."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tqimap_sandbox.threatq import sources
from tqimap_sandbox.threatq.answers import invalid
from tqimap_sandbox.threatq.store import now


if TYPE_CHECKING:
    from tqimap_sandbox.threatq.context import User
    from tqimap_sandbox.threatq.reference import Kind
    from tqimap_sandbox.threatq.store import Row, Store


def named_row(store: Store, table: str, name: str) -> Row:
    """Return the attribute or tag of that name, made where it is new."""
    found = store.named(table, name)
    if found is None:
        found = store.get(table, store.insert(table, name=name))
    assert found is not None
    return found


def attach_all(store: Store, kind: Kind, key: int, given: object, user: User) -> None:
    """Attach the attributes a request lists."""
    for attribute in given if isinstance(given, list) else []:
        attach(store, kind, key, attribute, user)


def attach(store: Store, kind: Kind, key: int, given: dict[str, Any], user: User) -> Row | None:
    """Attach one attribute with its sources; return the link, None if it was there already."""
    name, value = _name_and_value(given)
    attribute = named_row(store, "attribute", name)
    sql = (
        "SELECT * FROM object_attribute"
        " WHERE object = ? AND object_id = ? AND attribute_id = ? AND value = ?"
    )
    found = store.row(sql, kind.name, key, attribute["id"], value)
    link = (
        int(found["id"])
        if found is not None
        else store.insert(
            "object_attribute",
            object=kind.name,
            object_id=key,
            attribute_id=attribute["id"],
            value=value,
            published_at=given.get("published_at"),
        )
    )
    inherited = [{"name": _own_name(store, user), **_tlp(given)}]
    sources.attach_all(store, sources.ATTRIBUTE, link, given.get("sources") or inherited, user)
    touch(store, kind, key)
    return None if found is not None else store.get("object_attribute", link)


def _name_and_value(given: dict[str, Any]) -> tuple[str, str]:
    if not isinstance(given, dict):
        raise invalid("attributes", "An attribute must be an object.")
    for field in ("name", "value"):
        if given.get(field) is None:
            raise invalid(field, f"The {field} field is required.")
    return str(given["name"]), str(given["value"])


def _own_name(store: Store, user: User) -> str:
    row = store.get("source", user.source_id)
    assert row is not None
    return str(row["name"])


def _tlp(given: dict[str, Any]) -> dict[str, Any]:
    return {field: given[field] for field in ("tlp", "tlp_id") if field in given}


def touch(store: Store, kind: Kind, key: int) -> None:
    """Move an object's `touched_at`, and nothing else."""
    store.run(f"UPDATE {kind.table} SET touched_at = ? WHERE id = ?", now(), key)  # noqa: S608 - our own name


def attributes_of(store: Store, kind: Kind, key: int, below: set[str]) -> list[Row]:
    """Return an object's attributes; *below* may ask for `attribute` and `sources`."""
    rows = store.rows(
        "SELECT * FROM object_attribute WHERE object = ? AND object_id = ? ORDER BY id",
        kind.name,
        key,
    )
    return [attribute_row(store, kind, row, below) for row in rows]


def attribute_row(store: Store, kind: Kind, row: Row, below: set[str]) -> Row:
    """Render one link between an object and an attribute."""
    attribute = store.get("attribute", int(row["attribute_id"]))
    assert attribute is not None
    answer = {
        "id": row["id"],
        f"{kind.name}_id": row["object_id"],
        "attribute_id": row["attribute_id"],
        "name": attribute["name"],
        "value": row["value"],
        **{stamp: row[stamp] for stamp in ("created_at", "updated_at", "touched_at")},
    }
    if "attribute" in below:
        answer["attribute"] = attribute
    if "sources" in below:
        answer["sources"] = sources.sources_of(
            store, sources.ATTRIBUTE, int(row["id"]), f"{kind.name}_attribute"
        )
    return answer


def tag_all(store: Store, kind: Kind, key: int, given: object) -> list[Row]:
    """Attach tags given as names or objects with names; return their rows."""
    listed = given if isinstance(given, list) else [given] if given else []
    return [_tag(store, kind, key, tag) for tag in listed]


def _tag(store: Store, kind: Kind, key: int, given: object) -> Row:
    name = given.get("name") if isinstance(given, dict) else given
    if not isinstance(name, str) or not name.strip():
        raise invalid("tags", "The tag name field is required.")
    tag = named_row(store, "tag", name.strip())
    store.run(
        "INSERT OR IGNORE INTO object_tag (object, object_id, tag_id) VALUES (?, ?, ?)",
        kind.name,
        key,
        tag["id"],
    )
    return tag


def tags_of(store: Store, kind: Kind, key: int) -> list[Row]:
    """Return an object's tags."""
    return store.rows(
        "SELECT tag.* FROM tag JOIN object_tag ON tag.id = tag_id"
        " WHERE object = ? AND object_id = ? ORDER BY tag.id",
        kind.name,
        key,
    )


def comments_of(store: Store, kind: Kind, key: int, below: set[str]) -> list[Row]:
    """Return an object's comments; *below* may ask for `sources`."""
    sql = "SELECT * FROM comment WHERE object = ? AND object_id = ? ORDER BY id"
    rows = store.rows(sql, kind.name, key)
    for row in rows:
        if "sources" in below:
            row["sources"] = sources.sources_of(store, "comment", int(row["id"]))
    return rows
