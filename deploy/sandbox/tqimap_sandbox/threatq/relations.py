"""Relate objects to each other; relating a pair again changes nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tqimap_sandbox.threatq.answers import invalid
from tqimap_sandbox.threatq.attributes import touch
from tqimap_sandbox.threatq.objects import find


if TYPE_CHECKING:
    from tqimap_sandbox.threatq.reference import Kind
    from tqimap_sandbox.threatq.store import Row, Store


def _pair(kind: Kind, key: int, other: Kind, other_key: int) -> str:
    return "|".join(sorted((f"{kind.name}:{key}", f"{other.name}:{other_key}")))


def relate(store: Store, kind: Kind, key: int, other: Kind, given: object) -> int:
    """Relate an object to one given as `{"id": n}`; return the id of the other one."""
    other_key = given.get("id") if isinstance(given, dict) else given
    if not isinstance(other_key, int) or find(store, other, other_key) is None:
        raise invalid(other.collection, f"The selected {other.name} is invalid.")
    pair = _pair(kind, key, other, other_key)
    if store.row("SELECT id FROM link WHERE pair = ?", pair) is None:
        store.insert(
            "link",
            src_type=kind.name,
            src_object_id=key,
            dest_type=other.name,
            dest_object_id=other_key,
            pair=pair,
        )
        touch(store, kind, key)
        touch(store, other, other_key)
    return other_key


_BOTH_WAYS = """
SELECT id, dest_object_id AS other FROM link
    WHERE src_type = ?1 AND src_object_id = ?2 AND dest_type = ?3
UNION SELECT id, src_object_id FROM link
    WHERE dest_type = ?1 AND dest_object_id = ?2 AND src_type = ?3
ORDER BY id
"""


def related(store: Store, kind: Kind, key: int, other: Kind) -> list[Row]:
    """Return the related objects of another kind, each with its `pivot`, oldest relation first."""
    links = store.rows(_BOTH_WAYS, kind.name, key, other.name)
    return [_with_pivot(store, other, link) for link in links]


def related_one(store: Store, kind: Kind, key: int, other: Kind, other_key: int) -> Row:
    """Return one related object with its `pivot`."""
    link = store.row("SELECT id FROM link WHERE pair = ?", _pair(kind, key, other, other_key))
    assert link is not None
    return _with_pivot(store, other, {"id": link["id"], "other": other_key})


def _with_pivot(store: Store, other: Kind, link: Row) -> Row:
    row, pivot = find(store, other, int(link["other"])), store.get("link", int(link["id"]))
    assert row is not None
    assert pivot is not None
    del pivot["pair"]
    return {**row, "pivot": pivot}


def unrelate(store: Store, kind: Kind, key: int, other: Kind, pivots: list[int]) -> None:
    """Remove relations between an object and others of a kind, by pivot id; ignore other ids."""
    here = {row["id"] for row in store.rows(_BOTH_WAYS, kind.name, key, other.name)}
    for pivot in here.intersection(pivots):
        store.delete("link", pivot)
