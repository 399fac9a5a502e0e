"""A server that answers each call after the same time, whatever it has to do for it.

The stand-in keeps everything in SQLite as ThreatQ keeps it in a database, and takes about 75 ms of
processor time for an average mail's indicators, on the same cores that are measured. This one keeps
nothing but the ids it gave and the hashes of files, so that clients are what is measured. What must
arrive, and how many calls it takes, is measured at the stand-in.
"""

from __future__ import annotations

import argparse
import hashlib
import itertools
import json
import sys
import time
from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from werkzeug.wrappers import Request, Response

from tqimap_sandbox.threatq.certificate import certificate
from tqimap_sandbox.threatq.server import serve


if TYPE_CHECKING:
    from collections.abc import Iterable
    from wsgiref.types import StartResponse, WSGIEnvironment

    from tqimap_sandbox.threatq.gateway import Gateway

TOKEN = {"access_token": "swift", "token_type": "bearer", "expires_in": 3600, "refresh_token": "r"}


class Swift:
    """A WSGI application; *tables* are the answers for types and statuses."""

    def __init__(self, delay: float, tables: dict[str, Any]) -> None:
        self._delay = delay
        self._tables = tables
        self._numbers: dict[str, int] = defaultdict(itertools.count(1).__next__)
        self._staged: dict[str, str] = {}
        self._files: dict[str, int] = {}

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer one request when its time has come."""
        until = time.monotonic() + self._delay
        request = Request(environ)
        body = json.dumps(self._answer(request, request.path.removeprefix("/api/")))
        time.sleep(max(0.0, until - time.monotonic()))
        return Response(body, content_type="application/json")(environ, start_response)

    def _answer(self, request: Request, path: str) -> dict[str, Any]:
        if path in self._tables:
            return cast("dict[str, Any]", self._tables[path])
        if path == "token":
            request.get_data()
            return TOKEN
        if path in {"attachments", "attachments/upload"}:
            return {"data": self._file(request, path)}
        sent = request.get_json()
        if path.startswith("attachments/"):
            return {"data": []}
        items = sent if isinstance(sent, list) else [sent]
        return {
            "data": [{"id": self._numbers[one["value"]], "value": one["value"]} for one in items]
        }

    def _file(self, request: Request, path: str) -> object:
        if path.endswith("upload"):
            digest = hashlib.md5(request.files["file"].read(), usedforsecurity=False)
            self._staged[request.form["resumableFilename"]] = digest.hexdigest()
            return {}
        if request.method == "GET":
            number = self._files.get(request.args["hash"])
            return [{"id": number}] if number else []
        md5 = self._staged.pop(cast("dict[str, str]", request.get_json())["name"])
        self._files[md5] = self._numbers[md5]
        return {"id": self._files[md5]}


def main() -> int:
    """Serve until told to stop."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--delay", type=float, required=True)
    parser.add_argument("--directory", type=Path, required=True)
    options = parser.parse_args()
    tables = json.loads((options.directory / "tables.json").read_text("utf-8"))
    swift = cast("Gateway", Swift(options.delay, tables))  # any WSGI application will do
    serve(swift, ("127.0.0.1", 0), certificate(options.directory))
    return 0


if __name__ == "__main__":
    sys.exit(main())
