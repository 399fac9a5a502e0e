"""Stand between the connection and the application: time, journal, faults."""

from __future__ import annotations

import errno
import time
from typing import TYPE_CHECKING

from werkzeug.wrappers import Request, Response

from tqimap_sandbox.threatq import faults, journal


if TYPE_CHECKING:
    from collections.abc import Iterable
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

    from tqimap_sandbox.threatq.faults import Fault, Faults
    from tqimap_sandbox.threatq.store import Store

_UNSEEN = ("/sandbox/", "/static/")  # neither broken nor written down
_BEHIND = "X-Sandbox"  # a test that only looks says "unseen" here, for the same


class Gateway:
    """Pass requests to the application, broken where a fault says so."""

    def __init__(self, application: WSGIApplication, store: Store, broken: Faults) -> None:
        self._application = application
        self._store = store
        self._faults = broken

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer one request; raise ConnectionResetError to have its connection closed."""
        request = Request(environ)
        if request.path.startswith(_UNSEEN) or request.headers.get(_BEHIND) == "unseen":
            return self._application(environ, start_response)
        started = time.monotonic()
        fault = self._faults.choose(request.method, request.path)
        answer = self._answer(environ, fault)
        journal.write(
            self._store,
            request.method,
            (request.path, request.query_string.decode("latin-1")),
            journal.DROPPED if answer is None else answer.status_code,
            millis=(time.monotonic() - started) * 1000,
            fault=None if fault is None else fault.kind,
        )
        if answer is None:
            # the server closes a connection that reports a reset, and says nothing about it
            raise ConnectionResetError(errno.ECONNRESET, "dropped on purpose")
        return answer(environ, start_response)

    def _answer(self, environ: WSGIEnvironment, fault: Fault | None) -> Response | None:
        if fault is not None and not fault.takes_effect:
            return None if fault.kind in faults.DROP else fault.answer()
        answer = Response.from_app(self._application, environ, buffered=True)
        if fault is None:
            return answer
        if fault.kind == "slow":
            time.sleep(fault.delay)
            return answer
        return None if fault.kind in faults.DROP else fault.answer()
