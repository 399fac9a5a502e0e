"""Put the stand-in together: a Flask application that does each request in one transaction.

Flask: small, well known, blueprints keep each part of the API in a module of its own.
"""

from __future__ import annotations

import sys
import traceback
from typing import TYPE_CHECKING

from flask import Flask, g, render_template, request
from werkzeug.exceptions import HTTPException

from tqimap_sandbox.threatq import (
    attachments,
    connectors,
    control,
    event_imports,
    happenings,
    imports,
    indicator_routes,
    pages,
    people,
    query,
    subresources,
    tokens,
)
from tqimap_sandbox.threatq.answers import Refusal
from tqimap_sandbox.threatq.context import NAME, Library, library
from tqimap_sandbox.threatq.gateway import Gateway


if TYPE_CHECKING:
    from flask.typing import ResponseReturnValue

_PARTS = (
    tokens,
    control,
    indicator_routes,
    attachments,
    connectors,
    happenings,
    imports,
    event_imports,
    pages,
    people,
    query,
    subresources,
)


class StandIn(Flask):
    """The application; an answer leaves only after its transaction is committed."""

    def dispatch_request(self) -> ResponseReturnValue:
        """Read the body, then check the token and run the view, alone and all or nothing."""
        request.get_data(cache=True, parse_form_data=True)
        held = library()
        with held.store.transaction():
            if request.path.startswith("/api/") and request.path != "/api/token":
                g.user = tokens.bearer(held.store, request.headers.get("Authorization", ""))
            return super().dispatch_request()


def build(held: Library) -> Gateway:
    """Return the WSGI application."""
    app = StandIn(__name__)
    app.extensions[NAME] = held
    app.json.sort_keys = False  # type: ignore[attr-defined] # the default provider has it
    for part in _PARTS:
        app.register_blueprint(part.routes)
    app.register_error_handler(Refusal, _refusal)
    app.register_error_handler(HTTPException, _http)
    app.register_error_handler(Exception, _crash)
    return Gateway(app, held.store, held.faults)


def _for_programs() -> bool:
    return request.path.startswith(("/api/", "/sandbox/"))


def _refusal(error: Refusal) -> ResponseReturnValue:
    if _for_programs():
        return dict(error.body), error.status
    return render_template("refused.html", sentence=error.sentence), error.status


def _http(error: HTTPException) -> ResponseReturnValue:
    if _for_programs():
        return {"errors": [error.description]}, error.code or 500
    return render_template("refused.html", sentence=error.description), error.code or 500


def _crash(error: Exception) -> ResponseReturnValue:
    traceback.print_exception(error, file=sys.stderr)
    return {"errors": ["Server Error"]}, 500
