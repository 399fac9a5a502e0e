"""Answer what all collections share: listing, reading, removing, and what hangs on an object."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, request

from tqimap_sandbox.threatq import attributes, embed, listing, objects, relations, sources
from tqimap_sandbox.threatq.answers import Answer, Created, Empty, invalid, many, missing, one
from tqimap_sandbox.threatq.context import body, items, numbers, store, user
from tqimap_sandbox.threatq.reference import Kind, kind_of


routes = Blueprint("subresources", __name__)
_OBJECT = "/api/<collection>/<int:key>"


def _object(collection: str, key: int) -> Kind:
    kind = kind_of(collection)
    objects.require(store(), kind, key)
    return kind


@routes.get("/api/<collection>")
def listed(collection: str) -> dict[str, Any]:
    """List a collection."""
    return listing.answer_kind(store(), kind_of(collection))


@routes.get(_OBJECT)
def read(collection: str, key: int) -> dict[str, Any]:
    """Answer one object, with what `with` asks for."""
    kind = kind_of(collection)
    return one(listing.embedded(store(), kind, [objects.require(store(), kind, key)])[0])


@routes.delete(_OBJECT)
def remove(collection: str, key: int) -> tuple[str, int]:
    """Remove an object and all that hangs on it."""
    objects.remove(store(), kind_of(collection), key)
    return Empty


@routes.get(f"{_OBJECT}/attributes")
def list_attributes(collection: str, key: int) -> dict[str, Any]:
    """List an object's attributes."""
    below = {*embed.parse(request.args.get("with"))}
    rows = attributes.attributes_of(store(), _object(collection, key), key, below)
    return listing.answer(store(), rows, len(rows))


@routes.post(f"{_OBJECT}/attributes")
def add_attributes(collection: str, key: int) -> Answer:
    """Attach attributes; answer those that were not there."""
    kind = _object(collection, key)
    links = [attributes.attach(store(), kind, key, item, user()) for item in items()]
    below = {"attribute", "sources"}
    rows = [attributes.attribute_row(store(), kind, link, below) for link in links if link]
    return many(rows), Created


def _link(kind: Kind, key: int, link: int) -> dict[str, Any]:
    row = store().get("object_attribute", link)
    if row is None or (row["object"], row["object_id"]) != (kind.name, key):
        raise missing("such attribute")
    return row


@routes.put(f"{_OBJECT}/attributes/<int:link>")
def change_attribute(collection: str, key: int, link: int) -> dict[str, Any]:
    """Change an attribute's value."""
    kind = _object(collection, key)
    row, value = _link(kind, key, link), body().get("value")
    if value is None:
        raise invalid("value", "The value field is required.")
    sql = (
        "SELECT id FROM object_attribute WHERE object = ? AND object_id = ? AND attribute_id = ?"
        " AND value = ? AND id != ?"
    )
    if store().row(sql, kind.name, key, row["attribute_id"], str(value), link) is not None:
        raise invalid("value", "The value has already been taken.")
    store().update("object_attribute", link, value=str(value))
    return one(attributes.attribute_row(store(), kind, _link(kind, key, link), {"attribute"}))


@routes.delete(f"{_OBJECT}/attributes/<int:link>")
def remove_attribute(collection: str, key: int, link: int) -> tuple[str, int]:
    """Detach an attribute."""
    _link(_object(collection, key), key, link)
    store().delete("object_attribute", link)
    store().run(
        "DELETE FROM object_source WHERE object = ? AND object_id = ?", sources.ATTRIBUTE, link
    )
    return Empty


@routes.get(f"{_OBJECT}/sources")
def list_sources(collection: str, key: int) -> dict[str, Any]:
    """List an object's sources with their pivots."""
    rows = sources.sources_of(store(), _object(collection, key).name, key)
    return listing.answer(store(), rows, len(rows))


@routes.post(f"{_OBJECT}/sources")
def add_sources(collection: str, key: int) -> Answer:
    """Attach sources; `existing` is a number here."""
    kind = _object(collection, key)
    pairs = [sources.attach(store(), kind.name, key, item, user()) for item in items()]
    return many([_source(kind, pivot, existing=held) for pivot, held in pairs]), Created


def _source(kind: Kind, pivot: dict[str, Any], *, existing: bool) -> dict[str, Any]:
    source = store().get("source", int(pivot["source_id"]))
    assert source is not None
    fields = ("id", "source_id", "creator_source_id", "tlp_id", "published_at")
    return {
        **{field: pivot[field] for field in (*fields, "created_at", "updated_at")},
        "name": source["name"],
        f"{kind.name}_id": pivot["object_id"],
        "existing": int(existing),
        "deleted_at": None,
    }


@routes.delete(f"{_OBJECT}/sources/<int:pivot>")
def remove_source(collection: str, key: int, pivot: int) -> tuple[str, int]:
    """Detach a source by its pivot's id."""
    kind = _object(collection, key)
    sql = "DELETE FROM object_source WHERE id = ? AND object = ? AND object_id = ?"
    if not store().run(sql, pivot, kind.name, key):
        raise missing("such source")
    return Empty


@routes.get(f"{_OBJECT}/tags")
def list_tags(collection: str, key: int) -> dict[str, Any]:
    """List an object's tags."""
    rows = attributes.tags_of(store(), _object(collection, key), key)
    return listing.answer(store(), rows, len(rows))


@routes.post(f"{_OBJECT}/tags")
def add_tags(collection: str, key: int) -> Answer:
    """Attach tags."""
    return many(attributes.tag_all(store(), _object(collection, key), key, items())), Created


@routes.delete(f"{_OBJECT}/tags/<int:tag>")
def remove_tag(collection: str, key: int, tag: int) -> tuple[str, int]:
    """Detach a tag."""
    kind = _object(collection, key)
    sql = "DELETE FROM object_tag WHERE tag_id = ? AND object = ? AND object_id = ?"
    if not store().run(sql, tag, kind.name, key):
        raise missing("such tag")
    return Empty


@routes.get(f"{_OBJECT}/comments")
def list_comments(collection: str, key: int) -> dict[str, Any]:
    """List an object's comments."""
    below = {*embed.parse(request.args.get("with"))}
    rows = attributes.comments_of(store(), _object(collection, key), key, below)
    return listing.answer(store(), rows, len(rows))


@routes.post(f"{_OBJECT}/comments")
def add_comment(collection: str, key: int) -> Answer:
    """Add a comment."""
    kind, value = _object(collection, key), body().get("value")
    if not isinstance(value, str):
        raise invalid("value", "The value field is required.")
    number = store().insert("comment", object=kind.name, object_id=key, value=value)
    sources.attach_all(store(), "comment", number, body().get("sources"), user())
    row = store().get("comment", number) or {}
    if "sources" in embed.parse(request.args.get("with")):
        row["sources"] = sources.sources_of(store(), "comment", number)
    return one(row), Created


@routes.post(f"{_OBJECT}/watchlist")
def watch(collection: str, key: int) -> Answer:
    """Put an object on the user's watchlist."""
    kind = _object(collection, key)
    sql = "SELECT * FROM watch WHERE object = ? AND object_id = ? AND user_id = ?"
    if store().row(sql, kind.name, key, user().id) is None:
        store().insert("watch", object=kind.name, object_id=key, user_id=user().id)
    return one(store().row(sql, kind.name, key, user().id) or {}), Created


@routes.delete(f"{_OBJECT}/watchlist/<int:watched>")
def unwatch(collection: str, key: int, watched: int) -> tuple[str, int]:
    """Take an object off the watchlist."""
    _object(collection, key)
    if not store().delete("watch", watched):
        raise missing("such entry")
    return Empty


@routes.get(f"{_OBJECT}/<other>")
def list_related(collection: str, key: int, other: str) -> dict[str, Any]:
    """List related objects, each with its pivot."""
    kind, others = _object(collection, key), kind_of(other)
    rows = relations.related(store(), kind, key, others)
    limit, offset = listing.window(store(), request.args)
    page = listing.embedded(store(), others, rows[offset : offset + limit])
    return listing.answer(store(), page, len(rows))


@routes.post(f"{_OBJECT}/<other>")
def relate(collection: str, key: int, other: str) -> Answer:
    """Relate objects; answer them with their pivots, old or new."""
    kind, others = _object(collection, key), kind_of(other)
    keys = [relations.relate(store(), kind, key, others, item) for item in items()]
    rows = [relations.related_one(store(), kind, key, others, number) for number in keys]
    return many(listing.embedded(store(), others, rows)), Created


@routes.delete(f"{_OBJECT}/<other>")
def unrelate(collection: str, key: int, other: str) -> tuple[str, int]:
    """Remove relations by the pivot ids in the body."""
    kind, others = _object(collection, key), kind_of(other)
    relations.unrelate(store(), kind, key, others, numbers())
    return Empty
