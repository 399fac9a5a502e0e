"""A ThreatQ stand-in over TLS: the API as far as tqimap needs it, and pages to look at.

Not ThreatQ: written from public descriptions of its API. Everything lives in one state file.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from tqimap_sandbox import part
from tqimap_sandbox.threatq.app import build
from tqimap_sandbox.threatq.certificate import certificate
from tqimap_sandbox.threatq.context import Library
from tqimap_sandbox.threatq.faults import Faults
from tqimap_sandbox.threatq.reference import GENERATIONS, seed
from tqimap_sandbox.threatq.server import serve
from tqimap_sandbox.threatq.settings import change
from tqimap_sandbox.threatq.store import Store
from tqimap_sandbox.threatq.tokens import Identity, enrol


if TYPE_CHECKING:
    import argparse

CLIENT_ID = "5eedf00d5eedf00d5eedf00d5eedf00d"
CLIENT_SECRET = "sandbox-secret"  # noqa: S105 - a throw-away account on loopback
EMAIL = "mailbox@example.org"
PASSWORD = "correct horse"  # noqa: S105 - likewise


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add this part's options."""
    parser.add_argument("--port", type=int, default=8443, help="0 picks a free one")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--state", type=Path, required=True, help="a file; made when missing")
    parser.add_argument("--certificates", type=Path, help="a directory; default: beside the state")
    parser.add_argument("--types", choices=GENERATIONS, default="G3", help="of a new state file")
    parser.add_argument("--expires", type=int, help="seconds an access token lives")
    parser.add_argument("--client-id", default=CLIENT_ID)
    parser.add_argument("--client-secret", default=part.secret("CLIENT_SECRET", CLIENT_SECRET))
    parser.add_argument("--email", default=EMAIL)
    parser.add_argument(
        "--password",
        default=part.secret("PASSWORD", PASSWORD),
        help="better by SANDBOX_PASSWORD in the environment",
    )


def run(options: argparse.Namespace) -> int:
    """Serve until told to stop."""
    options.state.parent.mkdir(parents=True, exist_ok=True)
    who = Identity(options.client_id, options.client_secret, options.email, options.password)
    store = Store(options.state)
    seed(store, options.types)
    enrol(store, who)
    if options.expires is not None:
        change(store, {"expires_in": options.expires})
    issued = certificate(options.certificates or options.state.parent)
    gateway = build(Library(store, who, Faults()))
    where = (options.host, options.port)
    serve(gateway, where, issued, client_id=who.client_id, email=who.email)
    store.close()
    return 0
