"""Let tests look in and set things up under /sandbox/: no token, but from loopback only."""

from __future__ import annotations

import ipaddress
from typing import Any

from flask import Blueprint, request

from tqimap_sandbox.threatq import journal
from tqimap_sandbox.threatq.answers import Answer, Created, Empty, invalid, many, one, refused
from tqimap_sandbox.threatq.context import body, library, store
from tqimap_sandbox.threatq.listing import number
from tqimap_sandbox.threatq.reference import generation, reference, seed
from tqimap_sandbox.threatq.settings import change, settings
from tqimap_sandbox.threatq.tokens import enrol


routes = Blueprint("control", __name__, url_prefix="/sandbox")


@routes.before_request
def only_loopback() -> None:
    """Refuse everyone who does not ask from this machine."""
    if not ipaddress.ip_address(request.remote_addr or "0.0.0.0").is_loopback:  # noqa: S104 - no bind
        raise refused(403, "The control routes answer on loopback only.")


@routes.get("/journal")
def read_journal() -> dict[str, Any]:
    """List requests, those after `?since=` only."""
    return many(journal.read(store(), number(request.args, "since", 0)))


@routes.delete("/journal")
def clear_journal() -> tuple[str, int]:
    """Forget all requests."""
    store().run("DELETE FROM journal")
    return Empty


@routes.get("/counts")
def counts() -> dict[str, int]:
    """Count files, indicators and relations."""
    return {
        "files": store().number("SELECT COUNT(*) FROM attachment"),
        "indicators": store().number("SELECT COUNT(*) FROM indicator"),
        "relations": store().number("SELECT COUNT(*) FROM link"),
    }


@routes.get("/faults")
def list_faults() -> dict[str, Any]:
    """List the faults that are set."""
    return many(library().faults.listed())


@routes.post("/faults")
def inject() -> Answer:
    """Set a fault."""
    return one(library().faults.inject(body()).described()), Created


@routes.delete("/faults")
def heal() -> tuple[str, int]:
    """Forget all faults."""
    library().faults.clear()
    return Empty


@routes.get("/whitelist")
def list_rules() -> dict[str, Any]:
    """List whitelist rules."""
    return many(store().rows("SELECT * FROM whitelist ORDER BY id"))


@routes.post("/whitelist")
def add_rule() -> Answer:
    """Add a rule: `{"type": "FQDN", "pattern": "*.example.com"}`."""
    given = body()
    kind = reference(store(), "indicator_type", given, "type")
    pattern = given.get("pattern")
    if kind is None or not isinstance(pattern, str) or not pattern:
        raise invalid("pattern", "A rule has a type and a pattern.")
    sql = "INSERT OR IGNORE INTO whitelist (type_id, pattern) VALUES (?, ?)"
    store().run(sql, kind["id"], pattern)
    return one({"type": kind["name"], "pattern": pattern}), Created


@routes.delete("/whitelist")
def clear_rules() -> tuple[str, int]:
    """Forget all rules."""
    store().run("DELETE FROM whitelist")
    return Empty


@routes.get("/settings")
def read_settings() -> dict[str, Any]:
    """Answer the settings."""
    return settings(store())


@routes.put("/settings")
def write_settings() -> dict[str, Any]:
    """Change the settings given."""
    change(store(), body())
    return settings(store())


@routes.delete("/state")
def reset() -> tuple[str, int]:
    """Forget everything, settings and faults too, as a new state file with the same types."""
    held = library()
    types = generation(held.store)
    held.store.empty()
    seed(held.store, types)
    enrol(held.store, held.identity)
    held.faults.clear()
    return Empty


@routes.delete("/tokens")
def revoke() -> tuple[str, int]:
    """Make all tokens worthless."""
    store().run("DELETE FROM token")
    return Empty
