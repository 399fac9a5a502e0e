"""Serve rq-dashboard, where queues are watched and failed jobs requeued.

rq-dashboard, because operators know it. Its own program listens on all addresses without a
password, deletes jobs, lets any web page that the operator visits press its buttons, and unpickles
what lies in Redis. Here it is safe to leave running: it listens on this machine unless a login is
set; deleting is off; requests that come from another site or for another host name are refused; and
pickle is replaced by JSON, so that whoever can write to Redis still cannot run code here.
"""

from __future__ import annotations

import hmac
import ipaddress
import sys
from typing import TYPE_CHECKING, Any

import rq.serializers
import rq_dashboard.web
from flask import Flask, Response, request
from rq.serializers import JSONSerializer
from werkzeug.serving import make_server

from tqimap_shared import settings, store
from tqimap_shared.errors import SettingsError, TryLater


if TYPE_CHECKING:
    import argparse

    import redis

LOOPBACK_NAMES = {"localhost"}
DELETING = ("/delete", "/empty")
CHALLENGE = {"WWW-Authenticate": 'Basic realm="tqimap"'}


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `dashboard` to *parser*."""
    parser.add_argument("--port", type=int, help="port to listen on; dashboard.port by default")


def run(options: argparse.Namespace) -> int:
    """Serve until Ctrl-C or SIGTERM. Raises SettingsError for an address that needs a login."""
    loaded = settings.load(options.config)
    client = store.connect(loaded.redis)
    store.check(client)
    page = loaded.dashboard
    if not (loopback(page.host) or page.password.get_secret_value()):
        raise SettingsError("dashboard.host", "others can reach it: set dashboard.password.")
    if page.username and not page.password.get_secret_value():
        raise SettingsError("dashboard.username", "is set, but dashboard.password is not.")
    port = page.port if options.port is None else options.port
    try:
        server = make_server(
            page.host, port, build(client, loaded, store.address(loaded.redis)), threaded=True
        )
    except (OSError, SystemExit):
        raise TryLater(f"dashboard {page.host}:{port}", "cannot be listened on.") from None
    sys.stdout.write(f"rq-dashboard: http://{page.host}:{server.port}/\n")
    sys.stdout.flush()
    server.serve_forever()
    return 0


def loopback(host: str) -> bool:
    """Tell whether only this machine can reach *host*."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host in LOOPBACK_NAMES


def build(client: redis.Redis, loaded: settings.Settings, address: str) -> Flask:
    """Return rq-dashboard as a WSGI application on *client*, shown under *address*."""
    # rq-dashboard fetches jobs without naming a serializer, and rq's default is pickle
    setattr(rq.serializers, "PickleSerializer", JSONSerializer)  # noqa: B010 - a constant to mypy
    rq_dashboard.web.config.serializer = JSONSerializer
    # it connects by URL in each request; ours knows password and certificates
    rq_dashboard.web.from_url = lambda *_args, **_options: (None, client)
    app = Flask("tqimap-dashboard")
    app.config.update(
        RQ_DASHBOARD_REDIS_URL=(address,),
        RQ_DASHBOARD_DISABLE_DELETE=True,
        RQ_DASHBOARD_POLL_INTERVAL=2500,
    )
    app.before_request(lambda: _refuse(loaded.dashboard))
    app.register_blueprint(rq_dashboard.web.blueprint)
    rq_dashboard.web.setup_rq_connection(app)
    return app


def _refuse(page: settings.Dashboard) -> Response | None:
    """Answer requests that a stranger made, or that another site made the browser send."""
    if request.headers.get("Sec-Fetch-Site", "none") not in {"none", "same-origin"}:
        return Response("Requests from other sites are refused.\n", 403)
    host = request.host.rpartition(":")[0] or request.host
    if loopback(page.host) and not loopback(host.strip("[]")):
        # a name of somebody else's that was made to point here
        return Response("This page answers to localhost only.\n", 403)
    if request.path.endswith(DELETING):
        return Response("Deleting is off: a mail is done or it is requeued.\n", 403)
    if page.password.get_secret_value() and not _authorised(request.authorization, page):
        return Response("Please log in.\n", 401, CHALLENGE)
    return None


def _authorised(given: Any, page: settings.Dashboard) -> bool:  # noqa: ANN401 - werkzeug's type
    if given is None:
        return False
    pairs = (
        (given.username or "", page.username),
        (given.password or "", page.password.get_secret_value()),
    )
    # a list: all pairs are compared, so that time does not tell which one is wrong
    return False not in [hmac.compare_digest(a.encode(), b.encode()) for a, b in pairs]
