"""Serve the application over TLS.

cheroot: a threaded HTTP/1.1 server with keep-alive and TLS that is plain Python, so that a fault
can close a connection in the middle of an exchange. It shakes hands where it accepts, so that one
silent client would hold up all; here the thread that serves the connection does it.
"""

from __future__ import annotations

import json
import signal
import sys
from typing import TYPE_CHECKING, NoReturn

from cheroot import wsgi
from cheroot.server import HTTPConnection
from cheroot.ssl.builtin import BuiltinSSLAdapter


if TYPE_CHECKING:
    import socket
    import ssl

    from tqimap_sandbox.threatq.certificate import Certificate
    from tqimap_sandbox.threatq.gateway import Gateway

THREADS = 16
BACKLOG = 128  # connections the kernel keeps waiting
_IDLE = 30  # seconds a connection may be silent
_HANDSHAKE = 5  # seconds a client may take to speak TLS


class _Adapter(BuiltinSSLAdapter):
    """Wrap a socket without a word from the client."""

    def wrap(self, sock: socket.socket) -> tuple[ssl.SSLSocket, dict[str, str]]:
        wrapped = self.context.wrap_socket(sock, server_side=True, do_handshake_on_connect=False)
        return wrapped, {"wsgi.url_scheme": "https", "HTTPS": "on"}


class _Connection(HTTPConnection):
    """Shake hands before the first request."""

    _greeted = False

    def communicate(self) -> bool:
        """Serve one request; say whether the connection stays open."""
        if not self._greeted:
            try:
                self.socket.settimeout(_HANDSHAKE)
                self.socket.do_handshake()
                self.socket.settimeout(_IDLE)
            except OSError:
                return False  # gone, or no TLS: nothing that could be answered
            self._greeted = True
        return bool(super().communicate())  # type: ignore[no-untyped-call] # cheroot types half


def serve(application: Gateway, where: tuple[str, int], issued: Certificate, **said: str) -> None:
    """Answer at *where* until SIGTERM or Ctrl-C; say so, and what is *said*, in a line of JSON."""
    server = wsgi.Server(
        where, application, numthreads=THREADS, request_queue_size=BACKLOG, timeout=_IDLE
    )
    pem = str(issued.server_file)
    server.ssl_adapter = _Adapter(pem, pem)
    server.ConnectionClass = _Connection
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
