"""Serve the application over TLS.

cheroot: a threaded HTTP/1.1 server with keep-alive and TLS that is plain Python, so that a fault
can close a connection in the middle of an exchange.
"""

from __future__ import annotations

import json
import signal
import sys
from typing import TYPE_CHECKING, NoReturn

from cheroot import wsgi
from cheroot.ssl.builtin import BuiltinSSLAdapter


if TYPE_CHECKING:
    from tqimap_sandbox.threatq.certificate import Certificate
    from tqimap_sandbox.threatq.gateway import Gateway

THREADS = 16
BACKLOG = 128  # connections the kernel keeps waiting
_IDLE = 30  # seconds a connection may be silent


def serve(application: Gateway, where: tuple[str, int], issued: Certificate, **said: str) -> None:
    """Answer at *where* until SIGTERM or Ctrl-C; say so, and what is *said*, in a line of JSON."""
    server = wsgi.Server(
        where, application, numthreads=THREADS, request_queue_size=BACKLOG, timeout=_IDLE
    )
    pem = str(issued.server_file)
    server.ssl_adapter = BuiltinSSLAdapter(pem, pem)
    signal.signal(signal.SIGTERM, _end)
    server.prepare()
    try:
        _announce(where[0], int(server.bind_addr[1]), ca_file=str(issued.ca_file), **said)
        server.serve()
    except (KeyboardInterrupt, SystemExit):
        pass
    finally:
        server.stop()


def _end(_number: int, _frame: object) -> NoReturn:
    raise SystemExit(0)


def _announce(host: str, port: int, **said: str) -> None:
    name = f"[{host}]" if ":" in host else host
    sys.stdout.write(json.dumps({"ready": f"https://{name}:{port}", **said}) + "\n")
    sys.stdout.flush()
