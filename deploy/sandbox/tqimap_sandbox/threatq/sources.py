"""Attach sources to objects and attributes: a source is made when its name is new."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tqimap_sandbox.threatq.answers import invalid
from tqimap_sandbox.threatq.reference import tlp_id


if TYPE_CHECKING:
    from tqimap_sandbox.threatq.context import User
    from tqimap_sandbox.threatq.store import Row, Store

ATTRIBUTE = "object_attribute"  # the kind of holder an attribute is


def named_source(store: Store, name: str) -> Row:
    """Return the source of that name, made as one of `other_sources` where it is new."""
    found = store.named("source", name)
    if found is None:
        key = store.insert("source", type="other_sources", reference_id=0, name=name)
        store.run("UPDATE source SET reference_id = id WHERE id = ?", key)
        found = store.get("source", key)
    assert found is not None
    return found


def attach_all(store: Store, holder: str, key: int, given: object, user: User) -> None:
    """Attach the sources a request lists, or the user's own where it lists none."""
    listed = given if isinstance(given, list) else [given] if given else []
    for source in listed:
        attach(store, holder, key, source, user)
    if not listed:
        _attach_id(store, holder, key, user.source_id, user)


def attach(store: Store, holder: str, key: int, given: object, user: User) -> tuple[Row, bool]:
    """Attach one source, an object or a bare name; return its pivot and whether it was there.

    A TLP given later replaces none and a laxer one, never a stricter one.
    """
    wanted = given if isinstance(given, dict) else {"name": given}
    name = wanted.get("name")
    if not isinstance(name, str) or not name.strip():
        raise invalid("sources", "The source name field is required.")
    source = named_source(store, name.strip())
    tlp = tlp_id(store, wanted)
    return _attach_id(
        store,
        holder,
        key,
        int(source["id"]),
        user,
        tlp_id=source["tlp_id"] if tlp is None else tlp,
        published_at=wanted.get("published_at"),
    )


def _attach_id(
    store: Store,
    holder: str,
    key: int,
    source_id: int,
    user: User,
    **more: Any,  # noqa: ANN401
) -> tuple[Row, bool]:
    sql = "SELECT * FROM object_source WHERE object = ? AND object_id = ? AND source_id = ?"
    found = store.row(sql, holder, key, source_id)
    if found is None:
        store.insert(
            "object_source",
            object=holder,
            object_id=key,
            source_id=source_id,
            creator_source_id=user.source_id,
            **more,
        )
    elif _stricter(store, more.get("tlp_id"), found["tlp_id"]):
        store.update("object_source", int(found["id"]), tlp_id=more["tlp_id"])
    row = store.row(sql, holder, key, source_id)
    assert row is not None
    return row, found is not None


def _stricter(store: Store, offered: int | None, held: int | None) -> bool:
    if offered is None or held is None:
        return offered is not None
    return _rank(store, offered) < _rank(store, held)


def _rank(store: Store, key: int) -> int:
    return store.number("SELECT rank FROM tlp WHERE id = ?", key)


def sources_of(store: Store, holder: str, key: int, called: str = "") -> list[Row]:
    """Return the sources of an object or attribute as listings embed them, with pivots.

    A pivot names its holder after the kind, or as it is *called* there.
    """
    rows = store.rows(
        "SELECT source.id, type, reference_id, name, object_source.tlp_id, published_at,"
        " object_source.created_at, object_source.updated_at, object_source.id AS pivot_id,"
        " source_id, creator_source_id FROM object_source JOIN source ON source.id = source_id"
        " WHERE object = ? AND object_id = ? ORDER BY object_source.id",
        holder,
        key,
    )
    return [_with_pivot(row, called or holder, key) for row in rows]


def _with_pivot(row: Row, holder: str, key: int) -> Row:
    pivot = {
        "id": row.pop("pivot_id"),
        f"{holder}_id": key,
        "source_id": row.pop("source_id"),
        "creator_source_id": row.pop("creator_source_id"),
    }
    return {**row, "pivot": pivot}
