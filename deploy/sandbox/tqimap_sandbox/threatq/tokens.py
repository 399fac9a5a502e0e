"""Give out access tokens for three grants, and recognise them.

A refresh replaces both tokens at once: the old pair is worthless from then on.
"""

from __future__ import annotations

import hmac
import secrets
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from flask import Blueprint, Request, request

from tqimap_sandbox.threatq.answers import Refusal, refused
from tqimap_sandbox.threatq.context import User, library
from tqimap_sandbox.threatq.settings import setting


if TYPE_CHECKING:
    from tqimap_sandbox.threatq.store import Row, Store

routes = Blueprint("tokens", __name__)
_SCHEME = "Bearer "  # case matters: a real server was seen refusing "bearer"
_KEPT = 86400  # seconds the refresh token of an expired access token still works


@dataclass(frozen=True, slots=True)
class Identity:
    """The one account of the stand-in, by password or as a private client."""

    client_id: str
    client_secret: str
    email: str
    password: str


def enrol(store: Store, identity: Identity) -> None:
    """Make sure that the account and its source exist."""
    with store.transaction():
        found = store.row("SELECT id FROM user WHERE email = ?", identity.email)
        if found is not None:
            return
        key = store.insert("user", email=identity.email, display_name=identity.email)
        store.insert("source", type="users", reference_id=key, name=identity.email)


@routes.post("/api/token")
def grant() -> dict[str, Any]:
    """Answer a grant with tokens; bad data with 400, form B."""
    holder, given = library(), _given(request)
    user_id = _GRANTS.get(str(given.get("grant_type")), _no_grant)(holder.store, given)
    access, refresh = secrets.token_hex(32), secrets.token_hex(32)
    lifetime = int(setting(holder.store, "expires_in"))
    holder.store.run("DELETE FROM token WHERE expires < ?", time.time() - _KEPT)
    holder.store.insert(
        "token", access=access, refresh=refresh, user_id=user_id, expires=time.time() + lifetime
    )
    return {
        "access_token": access,
        "token_type": "bearer",
        "expires_in": lifetime,
        "refresh_token": refresh,
    }


def _given(asked: Request) -> dict[str, Any]:
    given: dict[str, Any] = {**asked.args.to_dict(), **asked.form.to_dict()}
    document = asked.get_json(silent=True)
    if isinstance(document, dict):
        given |= document
    if asked.authorization is not None and asked.authorization.type == "basic":
        given["client_id"] = asked.authorization.username
        given["client_secret"] = asked.authorization.password
    return given


def _same(given: dict[str, Any], **expected: str) -> bool:
    pairs = [(str(given.get(key, "")), value) for key, value in expected.items()]
    return all(hmac.compare_digest(one.encode(), other.encode()) for one, other in pairs)


def _password(store: Store, given: dict[str, Any]) -> int:
    who = library().identity
    if not _same(given, client_id=who.client_id, email=who.email, password=who.password):
        raise refused(400, "The user credentials were incorrect.")
    return _account(store)


def _private(store: Store, given: dict[str, Any]) -> int:
    who = library().identity
    if not _same(given, client_id=who.client_id, client_secret=who.client_secret):
        raise refused(400, "Client authentication failed.")
    return _account(store)


def _refresh(store: Store, given: dict[str, Any]) -> int:
    row = store.row("SELECT * FROM token WHERE refresh = ?", str(given.get("refresh_token")))
    if row is None:
        raise refused(400, "The refresh token is invalid.")
    store.run("DELETE FROM token WHERE refresh = ?", row["refresh"])
    return int(row["user_id"])


def _no_grant(_store: Store, _given: dict[str, Any]) -> int:
    raise refused(400, "The authorization grant type is not supported.")


_GRANTS = {"password": _password, "client_credentials": _private, "refresh_token": _refresh}


def _account(store: Store) -> int:
    email = library().identity.email
    return store.number("SELECT id FROM user WHERE email = ?", email)


def bearer(store: Store, header: str) -> User:
    """Return whose token an Authorization header carries; refuse with 401."""
    row = None
    if header.startswith(_SCHEME):
        row = store.row("SELECT * FROM token WHERE access = ?", header.removeprefix(_SCHEME))
    if row is None or row["expires"] <= time.time():
        raise unauthorised()
    return User(int(row["user_id"]), source_of(store, row))


def source_of(store: Store, row: Row) -> int:
    """Return the id of the source that stands for a token's user."""
    sql = "SELECT id FROM source WHERE type = 'users' AND reference_id = ?"
    return store.number(sql, row["user_id"])


def unauthorised() -> Refusal:
    """Say that the token is wrong or has expired."""
    return refused(401, "Unauthenticated.")
