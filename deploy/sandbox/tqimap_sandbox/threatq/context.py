"""Reach what a request works with: the store, the user, the body."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from flask import current_app, g, request

from tqimap_sandbox.threatq.answers import refused


if TYPE_CHECKING:
    from tqimap_sandbox.threatq.faults import Faults
    from tqimap_sandbox.threatq.store import Store
    from tqimap_sandbox.threatq.tokens import Identity

NAME = "threatq"


@dataclass(frozen=True, slots=True)
class Library:
    """What the application holds for its whole life."""

    store: Store
    identity: Identity
    faults: Faults


@dataclass(frozen=True, slots=True)
class User:
    """Who asks: the user's id and the source their objects get by default."""

    id: int
    source_id: int


def library() -> Library:
    """Return what the running application holds."""
    return cast("Library", current_app.extensions[NAME])


def store() -> Store:
    """Return the running application's store."""
    return library().store


def user() -> User:
    """Return who made this request."""
    return cast("User", g.user)


def body() -> dict[str, Any]:
    """Return the request's JSON object, `{}` without a body; refuse anything else with 400."""
    given = _json()
    if given is None:
        return {}
    if not isinstance(given, dict):
        raise refused(400, "The body must be a JSON object.")
    return given


def items() -> list[dict[str, Any]]:
    """Return the request's JSON objects: one, or an array of them."""
    given = _json()
    listed = given if isinstance(given, list) else [given]
    if not all(isinstance(item, dict) for item in listed):
        raise refused(400, "The body must be a JSON object or an array of them.")
    return listed


def _json() -> Any:  # noqa: ANN401 - JSON from outside is anything
    if not request.get_data(cache=True):
        return None
    given = request.get_json(force=True, silent=True)
    if given is None:
        raise refused(400, "The body is not JSON.")
    return given


def numbers() -> list[int]:
    """Return the request's JSON array of ids."""
    given = _json()
    if not isinstance(given, list) or not all(isinstance(number, int) for number in given):
        raise refused(400, "The body must be an array of ids.")
    return given
