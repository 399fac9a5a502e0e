"""Keep events, and every other kind of object that has no module of its own.

Whether the real server takes two posts of one event for one is unknown; here each makes an event.
"""

from __future__ import annotations

import hashlib
from typing import Any

from flask import Blueprint

from tqimap_sandbox.threatq import attributes, embed, objects, sources
from tqimap_sandbox.threatq.answers import Answer, Created, invalid, many, one, refused
from tqimap_sandbox.threatq.context import body, items, store, user
from tqimap_sandbox.threatq.reference import EVENT, KINDS, Kind, kind_of, reference
from tqimap_sandbox.threatq.relations import relate
from tqimap_sandbox.threatq.store import now


routes = Blueprint("happenings", __name__)


@routes.post("/api/event/types")
def create_type() -> Answer:
    """Create an event type."""
    name = body().get("name")
    if not isinstance(name, str) or not name:
        raise invalid("name", "The name field is required.")
    if store().named("event_type", name) is not None:
        raise invalid("name", "The name has already been taken.")
    key = store().insert("event_type", name=name, user_editable="Y")
    return one(store().get("event_type", key) or {}), Created


@routes.post("/api/events")
def create_event() -> Answer:
    """Create one event; the answer is an object."""
    key = happen(body())
    tree = embed.parse("type")
    return one(embed.embed(store(), EVENT, objects.require(store(), EVENT, key), tree)), Created


def happen(given: dict[str, Any]) -> int:
    """Create an event with sources, attributes, tags and relations; return its id."""
    title, kind = given.get("title"), reference(store(), "event_type", given, "type")
    if not isinstance(title, str) or not title:
        raise invalid("title", "The title field is required.")
    if kind is None:
        raise invalid("type", "The type field is required.")
    happened = str(given.get("happened_at") or now())
    text = f"{title}|{kind['id']}|{happened}".encode()
    key = store().insert(
        "event",
        type_id=kind["id"],
        title=title,
        happened_at=happened,
        description=given.get("description"),
        spearphish=given.get("spearphish"),
        hash=hashlib.md5(text, usedforsecurity=False).hexdigest(),
    )
    _furnish(EVENT, key, given)
    return key


def _furnish(kind: Kind, key: int, given: dict[str, Any]) -> None:
    sources.attach_all(store(), kind.name, key, given.get("sources"), user())
    attributes.attach_all(store(), kind, key, given.get("attributes"), user())
    attributes.tag_all(store(), kind, key, given.get("tags"))
    for collection, other in KINDS.items():
        for related in given.get(collection) or []:
            relate(store(), kind, key, other, related)


@routes.put("/api/events/<int:key>")
def change_event(key: int) -> dict[str, Any]:
    """Change title, time, description or type."""
    objects.require(store(), EVENT, key)
    given = body()
    fields = ("title", "happened_at", "description")
    changes: dict[str, Any] = {field: given[field] for field in fields if field in given}
    kind = reference(store(), "event_type", given, "type")
    if kind is not None:
        changes["type_id"] = kind["id"]
    store().update("event", key, **changes)
    return one(objects.require(store(), EVENT, key))


@routes.post("/api/events/<int:key>/spearphish")
def add_mail(key: int) -> Answer:
    """Put a raw mail to an event."""
    objects.require(store(), EVENT, key)
    value = body().get("value")
    if not isinstance(value, str) or not value:
        raise invalid("value", "The value field is required.")
    store().update("event", key, spearphish=value)
    return one({"id": key, "event_id": key, "value": value}), Created


@routes.post("/api/<collection>")
def create(collection: str) -> Answer:
    """Create one object of a kind without a module of its own."""
    kind = _plain(collection)
    return one(objects.require(store(), kind, _create(kind, body()))), Created


@routes.post("/api/<collection>/consume")
def consume(collection: str) -> Answer:
    """Create several events or objects of a kind without a module of its own."""
    if collection == EVENT.collection:
        kind, keys = EVENT, [happen(item) for item in items()]
    else:
        kind = _plain(collection)
        keys = [_create(kind, item) for item in items()]
    return many([objects.require(store(), kind, key) for key in keys]), Created


def _plain(collection: str) -> Kind:
    kind = kind_of(collection)
    if kind.table != "other":
        raise refused(405, "The method is not allowed for the requested URL.")
    return kind


def _create(kind: Kind, given: dict[str, Any]) -> int:
    names = {field: given[field] for field in ("name", "title", "value") if given.get(field)}
    if not names:
        raise invalid("name", "The name field is required.")
    text = given.get("description")
    if isinstance(text, list):  # so adversaries are described
        text = "\n".join(str(part.get("value", "")) for part in text if isinstance(part, dict))
    key = store().insert("other", object=kind.name, description=text, **names)
    _furnish(kind, key, given)
    return key
