"""Keep files: uploaded in one call, or in chunks joined to their record by the file's name.

What the real server does with a file it has already is unknown; here every upload makes a row of
its own, so that an upload done twice shows.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

from flask import Blueprint, Response, request

from tqimap_sandbox.threatq import attributes, embed, objects, sources
from tqimap_sandbox.threatq.answers import Answer, Created, invalid, missing, one, refused
from tqimap_sandbox.threatq.context import body, store, user
from tqimap_sandbox.threatq.indicators import flag
from tqimap_sandbox.threatq.locked_zip import locked
from tqimap_sandbox.threatq.reference import FILE, reference


if TYPE_CHECKING:
    from collections.abc import Iterator

    from tqimap_sandbox.threatq.store import Row

routes = Blueprint("attachments", __name__)
MOST_CHUNKS = 10_000
_PLAIN_TEXT = 1


@routes.post("/api/attachments/upload")
def upload() -> dict[str, Any]:
    """Take one chunk (Resumable.js); put the file together when the last one is here."""
    fields = {**request.args.to_dict(), **request.form.to_dict()}
    identifier, name = fields.get("resumableIdentifier"), fields.get("resumableFilename")
    if not identifier or not name or "file" not in request.files:
        raise refused(400, "resumableIdentifier, resumableFilename and file are required.")
    chunk, total = _position(fields)
    store().run(
        "INSERT OR REPLACE INTO chunk VALUES (?, ?, ?, ?)",
        *(user().id, identifier, chunk, request.files["file"].read()),
    )
    complete = _join(identifier, name, total)
    return one({"identifier": identifier, "name": name, "complete": complete})


def _position(fields: dict[str, str]) -> tuple[int, int]:
    chunk, total = (
        fields.get("resumableChunkNumber", "1"),
        fields.get("resumableTotalChunks", "1"),
    )
    if not (chunk.isdecimal() and total.isdecimal()):
        raise refused(400, "Chunk numbers must be numbers.")
    if not 1 <= int(chunk) <= int(total) <= MOST_CHUNKS:
        raise refused(400, "The chunk number is out of range.")
    return int(chunk), int(total)


def _join(identifier: str, name: str, total: int) -> bool:
    """Stage the file under the user's name for it; a file staged there before is replaced."""
    where = "FROM chunk WHERE user_id = ? AND identifier = ? AND number <= ?"
    mine = (user().id, identifier, total)
    if store().number(f"SELECT COUNT(*) {where}", *mine) < total:
        return False
    rows = store().rows(f"SELECT bytes {where} ORDER BY number", *mine)
    whole = b"".join(row["bytes"] for row in rows)
    store().run("INSERT OR REPLACE INTO upload VALUES (?, ?, ?)", user().id, name, whole)
    store().run("DELETE FROM chunk WHERE user_id = ? AND identifier = ?", user().id, identifier)
    return True


@routes.post("/api/attachments")
def create() -> Answer:
    """Make a file's record: of the multipart body, or of the upload staged under its name."""
    if "file" in request.files:
        given: dict[str, Any] = request.form.to_dict()
        content = request.files["file"].read()
        given.setdefault("name", request.files["file"].filename)
    else:
        given = body()
        content = _staged(given.get("name"))
    number = keep(given, content)
    return one(embed.embed(store(), FILE, objects.require(store(), FILE, number), {})), Created


def _staged(name: object) -> bytes:
    row = store().row(
        "DELETE FROM upload WHERE user_id = ? AND name = ? RETURNING bytes", user().id, name
    )
    if row is None:
        raise invalid("name", "No file of that name has been uploaded.")
    return bytes(row["bytes"])


def keep(given: dict[str, Any], content: bytes) -> int:
    """Store a file with its bytes, sources, attributes and tags; return its id."""
    name = given.get("name")
    if not isinstance(name, str) or not name:
        raise invalid("name", "The name field is required.")
    number = store().insert(
        "attachment",
        type_id=_type(given)["id"],
        name=name,
        title=given.get("title") or name,
        hash=hashlib.md5(content, usedforsecurity=False).hexdigest(),
        content_type_id=_PLAIN_TEXT,
        file_size=len(content),
        malware_locked=int(flag(given.get("malware_locked"))),
        description=given.get("description"),
    )
    store().insert("content", attachment_id=number, bytes=content)
    sources.attach_all(store(), FILE.name, number, given.get("sources"), user())
    attributes.attach_all(store(), FILE, number, given.get("attributes"), user())
    attributes.tag_all(store(), FILE, number, given.get("tags"))
    return number


def _type(given: dict[str, Any]) -> Row:
    name = given.get("type")
    if isinstance(name, str) and name and store().named("attachment_type", name) is None:
        store().insert("attachment_type", name=name, is_parsable="N")
    found = reference(store(), "attachment_type", given, "type")
    if found is None:
        raise invalid("type", "The type field is required.")
    return found


@routes.put("/api/attachments/<int:key>")
def change(key: int) -> dict[str, Any]:
    """Change title, type, description or lock."""
    objects.require(store(), FILE, key)
    given = body()
    changes: dict[str, Any] = {
        field: given[field] for field in ("title", "description") if field in given
    }
    if {"type", "type_id"} & given.keys():
        changes["type_id"] = _type(given)["id"]
    if "malware_locked" in given:
        changes["malware_locked"] = int(flag(given["malware_locked"]))
    store().update("attachment", key, **changes)
    return one(objects.require(store(), FILE, key))


@routes.get("/api/attachments/<int:key>/description")
def description(key: int) -> dict[str, Any]:
    """Answer the description alone."""
    return one({"description": objects.require(store(), FILE, key)["description"]})


@routes.get("/api/attachments/<int:key>/download")
def download(key: int) -> Response:
    """Answer the bytes; those of a locked file in a ZIP with a password."""
    return served(objects.require(store(), FILE, key))


def served(row: Row) -> Response:
    """Return a file's bytes as a download, never as something a browser shows."""
    held = store().row("SELECT bytes FROM content WHERE attachment_id = ?", row["id"])
    if held is None:
        raise missing("content")
    name, content = str(row["name"]), bytes(held["bytes"])
    if row["malware_locked"]:
        answer = Response(_packed(name, content))
        name = f"{name}.zip"
    else:
        answer = Response(content)
    answer.content_type = "application/octet-stream"
    answer.headers.set("Content-Disposition", "attachment", filename=_one_line(name))
    answer.headers.set("X-Content-Type-Options", "nosniff")
    return answer


def _packed(name: str, content: bytes) -> Iterator[bytes]:
    """Encrypt while the answer is sent: it takes its time, and the store is for everyone."""
    yield locked(name, content)


def _one_line(name: str) -> str:
    return "".join(letter if letter.isprintable() else "_" for letter in name)
