"""Embed what `with` asks for, plain (`type`) and dotted (`indicators.type`)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tqimap_sandbox.threatq import attributes, relations, sources
from tqimap_sandbox.threatq.answers import refused
from tqimap_sandbox.threatq.reference import KINDS


if TYPE_CHECKING:
    from collections.abc import Callable

    from tqimap_sandbox.threatq.reference import Kind
    from tqimap_sandbox.threatq.store import Row, Store

Tree = dict[str, Any]
DETAILS = (
    "type,status,score,tags,sources,comments.sources,attributes.attribute,attributes.sources,"
    "indicators,attachments,events,adversaries,signatures"
)
_SCORE_CONFIG = "7f8b888a2d2b462310d5227aa75e8c4a78973a96"


def parse(text: str | None) -> Tree:
    """Read a `with` parameter into nested dictionaries."""
    tree: Tree = {}
    for path in (text or "").split(","):
        branch = tree
        for name in path.strip().split("."):
            if name:
                branch = branch.setdefault(name, {})
    return tree


def embed(store: Store, kind: Kind, row: Row, tree: Tree) -> Row:
    """Return an object's row with the relations of *tree* embedded."""
    answer = dict(row)
    for name, below in tree.items():
        answer[name] = _relation(store, kind, row, name, below)
    return answer


def _relation(store: Store, kind: Kind, row: Row, name: str, below: Tree) -> object:
    if name in _OWN:
        return _OWN[name](store, kind, row, set(below))
    collection = _snake(name)
    if "_" in name or collection not in KINDS:
        # so do some releases, for names they do not know and for all with an underscore
        raise refused(500, f"Call to undefined relationship [{name}] on model [{kind.name}].")
    other = KINDS[collection]
    return [
        embed(store, other, found, below)
        for found in relations.related(store, kind, int(row["id"]), other)
    ]


def _snake(name: str) -> str:
    return "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in name)


def _type(store: Store, kind: Kind, row: Row, _below: set[str]) -> object:
    return store.get(f"{kind.name}_type", int(row["type_id"])) if "type_id" in row else None


def _status(store: Store, _kind: Kind, row: Row, _below: set[str]) -> object:
    return store.get("indicator_status", int(row["status_id"])) if "status_id" in row else None


def score(store: Store, kind: Kind, row: Row, _below: set[str] | None = None) -> Row | None:
    """Return an indicator's score as the relational listings give it: text with two decimals."""
    if kind.name != "indicator":
        return None
    sql = "SELECT manual_score FROM indicator WHERE id = ?"
    manual = store.rows(sql, row["id"])[0]["manual_score"]
    return {
        "indicator_id": row["id"],
        "generated_score": "0.00",
        "manual_score": None if manual is None else f"{manual}.00",
        "score_config_hash": _SCORE_CONFIG,
        "created_at": row["created_at"],
        "updated_at": row["updated_at"],
    }


def _sources(store: Store, kind: Kind, row: Row, _below: set[str]) -> object:
    return sources.sources_of(store, kind.name, int(row["id"]))


def _attributes(store: Store, kind: Kind, row: Row, below: set[str]) -> object:
    return attributes.attributes_of(store, kind, int(row["id"]), below)


def _comments(store: Store, kind: Kind, row: Row, below: set[str]) -> object:
    return attributes.comments_of(store, kind, int(row["id"]), below)


def _tags(store: Store, kind: Kind, row: Row, _below: set[str]) -> object:
    return attributes.tags_of(store, kind, int(row["id"]))


def _watchlist(store: Store, kind: Kind, row: Row, _below: set[str]) -> object:
    sql = "SELECT * FROM watch WHERE object = ? AND object_id = ?"
    return store.rows(sql, kind.name, row["id"])


def _spearphish(store: Store, _kind: Kind, row: Row, _below: set[str]) -> object:
    found = store.row("SELECT id, spearphish AS value FROM event WHERE id = ?", row["id"])
    return None if found is None or found["value"] is None else found


_OWN: dict[str, Callable[[Store, Kind, Row, set[str]], object]] = {
    "type": _type,
    "status": _status,
    "score": score,
    "sources": _sources,
    "attributes": _attributes,
    "comments": _comments,
    "tags": _tags,
    "watchlist": _watchlist,
    "spearphish": _spearphish,
}
