"""Find and remove objects of any kind."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tqimap_sandbox.threatq.answers import missing


if TYPE_CHECKING:
    from tqimap_sandbox.threatq.reference import Kind
    from tqimap_sandbox.threatq.store import Row, Store

_HELD = ("object_source", "object_tag", "comment", "watch")
_INNER = {"manual_score", "object", "spearphish"}  # columns that no answer shows as they are


def find(store: Store, kind: Kind, key: int) -> Row | None:
    """Return an object's own fields."""
    row = store.get(kind.table, key)
    if row is None or row.get("object", kind.name) != kind.name:
        return None
    return public(row)


def public(row: Row) -> Row:
    """Return what an answer shows of a row."""
    return {name: value for name, value in row.items() if name not in _INNER}


def require(store: Store, kind: Kind, key: int) -> Row:
    """Return an object's own fields; refuse with 404 where there is none."""
    row = find(store, kind, key)
    if row is None:
        raise missing(f"such {kind.name}")
    return row


def remove(store: Store, kind: Kind, key: int) -> None:
    """Remove an object with all that hangs on it; refuse with 404 where there is none."""
    require(store, kind, key)
    store.run(
        "DELETE FROM object_source WHERE object = 'object_attribute' AND object_id IN"
        " (SELECT id FROM object_attribute WHERE object = ? AND object_id = ?)",
        kind.name,
        key,
    )
    for table in (*_HELD, "object_attribute"):
        sql = f"DELETE FROM {table} WHERE object = ? AND object_id = ?"  # noqa: S608 - our own names
        store.run(sql, kind.name, key)
    store.run(
        "DELETE FROM link WHERE (src_type = ?1 AND src_object_id = ?2)"
        " OR (dest_type = ?1 AND dest_object_id = ?2)",
        kind.name,
        key,
    )
    store.run(
        "DELETE FROM content WHERE attachment_id = ?", key if kind.name == "attachment" else 0
    )
    store.delete(kind.table, key)
