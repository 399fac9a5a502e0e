"""Import a raw mail as a Spearphish event, in the vendor's five steps."""

from __future__ import annotations

import email
import email.policy
from typing import TYPE_CHECKING, Any

from flask import Blueprint

from tqimap_sandbox.threatq.answers import Answer, Created, invalid, missing, one
from tqimap_sandbox.threatq.attachments import keep
from tqimap_sandbox.threatq.context import body, store
from tqimap_sandbox.threatq.happenings import happen
from tqimap_sandbox.threatq.imports import EVENTS, begin, close, found_indicators, give, require
from tqimap_sandbox.threatq.reference import EVENT, FILE, INDICATOR
from tqimap_sandbox.threatq.relations import relate


if TYPE_CHECKING:
    from collections.abc import Iterator
    from email.message import EmailMessage

routes = Blueprint("event_imports", __name__)
_PENDING = 1  # an import holds one event, numbered within it until it is committed
_FIELDS = ("title", "happened_at", "description")


def _message(text: str) -> EmailMessage:
    return email.message_from_string(text, policy=email.policy.default)


@routes.post("/api/events/import")
def create() -> Answer:
    """Take the mail and parse it."""
    given = body()
    for field in ("text", "title"):
        if not isinstance(given.get(field), str) or not given[field]:
            raise invalid(field, f"The {field} field is required.")
    message = _message(given["text"])
    body_part = message.get_body(("plain", "html"))
    text = str(body_part.get_content()) if body_part is not None else ""
    return one({"id": begin(EVENTS, given, text)}), Created


def _shown(key: int, given: dict[str, Any]) -> dict[str, Any]:
    event = {"id": _PENDING, **{field: given.get(field) for field in _FIELDS}}
    names = [name for name, _ in _attached(given["text"])]
    files = [{"id": number, "name": name} for number, name in enumerate(names, 1)]
    return one({"id": key, "events": [event], "attachments": files})


def _attached(text: str) -> Iterator[tuple[str, bytes]]:
    for part in _message(text).iter_attachments():
        content = part.get_payload(decode=True)
        if isinstance(content, bytes):
            yield part.get_filename() or "unnamed", content


@routes.put("/api/events/import/<int:key>")
def options(key: int) -> dict[str, Any]:
    """Set the status of what was found."""
    return _shown(key, give(require(EVENTS, key), **body()))


@routes.get("/api/events/import/<int:key>")
def read(key: int) -> dict[str, Any]:
    """Answer the event to be."""
    return _shown(key, require(EVENTS, key)["given"])


@routes.put("/api/events/import/<int:key>/events/<int:pending>")
def change(key: int, pending: int) -> dict[str, Any]:
    """Change the event to be."""
    row = require(EVENTS, key)
    if pending != _PENDING:
        raise missing("such event")
    given = body()
    return _shown(key, give(row, **{name: given[name] for name in _FIELDS if name in given}))


@routes.get("/api/events/import/<int:key>/commit")
def commit(key: int) -> dict[str, Any]:
    """Create the event, the files in the mail and the indicators, related to each other."""
    row = require(EVENTS, key)
    given = row["given"]
    status = given.get("indicator_status_id")
    if status is None:
        raise invalid("indicator_status_id", "The indicator status id field is required.")
    event = happen({**given, "spearphish": given["text"]})
    sources = given.get("sources") or [None]
    for found in found_indicators(row, status=status, source=sources[0]):
        relate(store(), EVENT, event, INDICATOR, {"id": found["id"]})
    for name, content in _attached(given["text"]):
        file = {"name": name, "type": "Spearphish Attachment", "sources": given.get("sources")}
        relate(store(), EVENT, event, FILE, {"id": keep(file, content)})
    close(row)
    return one({"id": key, "events": [{"id": event, "title": given["title"]}]})
