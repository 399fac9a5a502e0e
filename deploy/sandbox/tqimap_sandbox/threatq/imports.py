"""Import text in steps: parse, look, set options, commit; `commit` is a GET that writes.

Committing an import of a stored file relates what was found to that file, as the pages of the
real product do.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from flask import Blueprint, request

from tqimap_sandbox.threatq import objects
from tqimap_sandbox.threatq.answers import (
    Answer,
    Created,
    Empty,
    invalid,
    many,
    missing,
    one,
    refused,
)
from tqimap_sandbox.threatq.context import body, store, user
from tqimap_sandbox.threatq.indicators import admit, flag
from tqimap_sandbox.threatq.parser import parse
from tqimap_sandbox.threatq.reference import FILE, INDICATOR
from tqimap_sandbox.threatq.relations import relate


if TYPE_CHECKING:
    from tqimap_sandbox.threatq.store import Row

routes = Blueprint("imports", __name__)
TEXT, EVENTS = "text", "event"


def begin(kind: str, given: dict[str, Any], text: str) -> int:
    """Remember an import and what was found in its text; return its id."""
    found = [sighting._asdict() for sighting in parse(text)]
    return store().insert(
        "import",
        kind=kind,
        state="open",
        user_id=user().id,
        given=json.dumps(given),
        found=json.dumps(found),
    )


def require(kind: str, key: int) -> Row:
    """Return an import that is not committed yet; 404 for unknown ones, 400 for committed ones."""
    row = store().row("SELECT * FROM import WHERE id = ? AND kind = ?", key, kind)
    if row is None:
        raise missing("such import")
    if row["state"] != "open":
        raise refused(400, "The import has already been committed.")
    return {**row, "given": json.loads(row["given"]), "found": json.loads(row["found"])}


def give(row: Row, **more: Any) -> dict[str, Any]:  # noqa: ANN401 - JSON
    """Add options to an import and return all of them."""
    given: dict[str, Any] = {**row["given"], **more}
    store().update("import", int(row["id"]), given=json.dumps(given))
    return given


def found_indicators(row: Row, *, status: object, source: object) -> list[Row]:
    """Create the indicators an import found; return their rows."""
    given = row["given"]
    shared = {
        "status_id": status,
        "sources": [source] if source else None,
        "normalize": "Y" if flag(given.get("normalize")) else "N",
        "derive": given.get("derive"),
    }
    return admit(store(), [{**one_found, **shared} for one_found in row["found"]], user())


def close(row: Row) -> None:
    """Mark an import as committed."""
    store().update("import", int(row["id"]), state="committed")


@routes.post("/api/imports")
def create() -> Answer:
    """Parse a text, a stored file or an uploaded one."""
    upload = request.files.get("file")
    given = body() if upload is None else request.form.to_dict()
    _parsable(given)
    text = _text(given) if upload is None else upload.read().decode("utf-8", "replace")
    return one({"id": begin(TEXT, {**given, "text": None}, text)}), Created


def _parsable(given: dict[str, Any]) -> None:
    key = str(given.get("content_type_id", ""))
    row = store().get("attachment_type", int(key)) if key.isdecimal() else None
    if row is None or row["is_parsable"] != "Y":
        raise invalid("content_type_id", "The selected content type id is invalid.")


def _text(given: dict[str, Any]) -> str:
    if given.get("attachment_id") is not None:
        row = objects.require(store(), FILE, int(given["attachment_id"]))
        held = store().row("SELECT bytes FROM content WHERE attachment_id = ?", row["id"])
        return bytes(held["bytes"]).decode("utf-8", "replace") if held else ""
    if not isinstance(given.get("text"), str) or not given["text"]:
        raise invalid("text", "The text field is required.")
    return str(given["text"])


@routes.get("/api/imports/<int:key>/indicators")
def preview(key: int) -> dict[str, Any]:
    """List what was found, before anything is created."""
    rows = []
    for number, found in enumerate(require(TEXT, key)["found"], 1):
        kind = store().named("indicator_type", found["type"]) or {}
        rows.append(
            {"id": number, "value": found["value"], "type_id": kind.get("id"), "objectlinks": []}
        )
    return many(rows)


@routes.put("/api/imports/<int:key>")
def options(key: int) -> dict[str, Any]:
    """Set status, source, normalising and deletion."""
    given = give(require(TEXT, key), **body())
    return one({"id": key, **{name: value for name, value in given.items() if name != "text"}})


@routes.get("/api/imports/<int:key>/commit")
def commit(key: int) -> dict[str, Any]:
    """Create what was found, and relate it to the stored file."""
    row = require(TEXT, key)
    given = row["given"]
    status, source = given.get("indicator_global_status"), given.get("import_source")
    rows = found_indicators(row, status=status, source=source)
    if given.get("attachment_id") is not None:
        _settle(int(given["attachment_id"]), rows, delete=flag(given.get("delete_after_import")))
    close(row)
    return one({"id": key, "indicators": rows})


def _settle(file_id: int, rows: list[Row], *, delete: bool) -> None:
    for row in rows:
        relate(store(), FILE, file_id, INDICATOR, {"id": row["id"]})
    if delete:
        objects.remove(store(), FILE, file_id)


@routes.delete("/api/imports/<int:key>")
def abandon(key: int) -> tuple[str, int]:
    """Give an import up."""
    require(TEXT, key)
    store().delete("import", key)
    return Empty
