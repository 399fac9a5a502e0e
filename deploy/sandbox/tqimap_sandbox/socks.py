"""A small SOCKS 4, 4a and 5 proxy that remembers where it was asked to go.

Our own, because of the free ones none speaks 4, 4a and 5 with passwords correctly. It resolves
names by its own map first, so a name that only the proxy knows can be tried, and it can misbehave
on purpose. CONNECT only; not for the open Internet.
"""

from __future__ import annotations

import contextlib
import hmac
import json
import selectors
import signal
import socket
import socketserver
import struct
import sys
import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from tqimap_sandbox import part


if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator, Mapping

FAULTS = ("refuse", "forbid", "close", "drip", "garbage")
_CHUNK = 65_536
_CONNECT_SECONDS = 10
_DRIP_SECONDS = 0.2
_OK = 0
_GENERAL, _FORBIDDEN, _REFUSED = 1, 2, 5
_GRANTED_4, _REJECTED_4 = 0x5A, 0x5B


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add this part's arguments."""
    parser.add_argument(
        "--port", type=int, default=0, help="port on loopback; a free one by default"
    )
    parser.add_argument("--user", default="", help="user name that SOCKS 5 and 4 must give")
    parser.add_argument(
        "--password",
        default=part.secret("PASSWORD"),
        help="password that SOCKS 5 must give; better by SANDBOX_PASSWORD in the environment",
    )
    parser.add_argument(
        "--name",
        action="append",
        default=[],
        metavar="NAME=ADDRESS",
        help="a name that only this proxy can resolve",
    )
    parser.add_argument("--fault", choices=FAULTS, help="misbehave in this way")
    parser.add_argument(
        "--record", type=Path, metavar="FILE", help="append each destination as a line of JSON"
    )


def run(options: argparse.Namespace) -> int:
    """Serve until SIGTERM or Ctrl-C."""
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    rules = Rules(
        user=options.user,
        password=options.password,
        names=dict(pair.split("=", 1) for pair in options.name),
        fault=options.fault,
        record=options.record,
    )
    with serving(rules, port=options.port) as proxy:
        sys.stdout.write(json.dumps({"ready": f"socks5://127.0.0.1:{proxy.port}"}) + "\n")
        sys.stdout.flush()
        stop.wait()
    return 0


@dataclass(frozen=True, slots=True)
class Rules:
    """Whom the proxy lets in (anyone, if *user* is empty), what it resolves, how it misbehaves."""

    user: str = ""
    password: str = ""
    names: Mapping[str, str] = field(default_factory=dict)
    fault: str | None = None
    record: Path | None = None


@contextlib.contextmanager
def serving(rules: Rules, *, port: int = 0) -> Iterator[Proxy]:
    """Serve on loopback while the block runs; *port* 0 takes a free one."""
    with Proxy(rules, port) as proxy:
        thread = threading.Thread(target=proxy.serve_forever, args=(0.05,), name="socks")
        thread.start()
        try:
            yield proxy
        finally:
            proxy.stop()
            thread.join()


class Proxy(socketserver.ThreadingTCPServer):
    """The listening proxy; *destinations* are the (host, port) pairs as clients gave them."""

    allow_reuse_address = True

    def __init__(self, rules: Rules, port: int) -> None:
        super().__init__(("127.0.0.1", port), _Client)
        self.rules = rules
        self.port = int(self.server_address[1])
        self.destinations: list[tuple[str, int]] = []
        self.stopping = threading.Event()
        self._open: set[socket.socket] = set()

    def asked(self, host: str, port: int) -> None:
        """Remember a destination."""
        self.destinations.append((host, port))
        if self.rules.record:
            with self.rules.record.open("a") as file:
                file.write(json.dumps({"host": host, "port": port}) + "\n")

    @contextlib.contextmanager
    def watching(self, connection: socket.socket) -> Iterator[None]:
        """Let `stop` end *connection* while the block runs."""
        self._open.add(connection)
        try:
            yield
        finally:
            self._open.discard(connection)

    def stop(self) -> None:
        """End the proxy and all its connections."""
        self.stopping.set()
        self.shutdown()
        for connection in tuple(self._open):
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)


class _Client(socketserver.StreamRequestHandler):
    """One client's connection."""

    server: Proxy
    rbufsize = 0  # what follows the handshake must stay in the socket

    def handle(self) -> None:
        with (
            self.server.watching(self.connection),
            # the client hung up, or sent what is no SOCKS
            contextlib.suppress(OSError, EOFError, UnicodeError),
        ):
            version = self._take(1)[0]
            if self.server.rules.fault == "garbage":
                self.connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")
            elif version == 4:
                self._socks4()
            elif version == 5:
                self._socks5()

    def _take(self, count: int) -> bytes:
        data = b""
        while len(data) < count:
            more = self.connection.recv(count - len(data))
            if not more:
                raise EOFError
            data += more
        return data

    def _take_text(self) -> str:
        data = b""
        while not data.endswith(b"\0"):
            data += self._take(1)
        return data[:-1].decode()

    def _socks4(self) -> None:
        _, port, address = struct.unpack(">BH4s", self._take(7))
        user = self._take_text()
        named = address[:3] == b"\0\0\0" and address[3] != 0
        host = self._take_text() if named else socket.inet_ntoa(address)
        allowed = user == self.server.rules.user or not self.server.rules.user
        target, status = self._reach(host, port) if allowed else (None, _FORBIDDEN)
        code = _GRANTED_4 if status == _OK else _REJECTED_4
        # the client may hang up before it has read the answer
        with target or contextlib.nullcontext():
            self._answer(struct.pack(">BB", 0, code) + bytes(6))
            self._relay(target)

    def _socks5(self) -> None:
        methods = self._take(self._take(1)[0])
        wanted = 2 if self.server.rules.user else 0
        if wanted not in methods:
            self._answer(b"\x05\xff")
            return
        self._answer(bytes([5, wanted]))
        if wanted and not self._authenticate():
            return
        _, _, _, kind = self._take(4)
        host = self._take_host(kind)
        (port,) = struct.unpack(">H", self._take(2))
        target, status = self._reach(host, port)
        # a long name as bound address gives the drip something to drip
        bound = (
            b"\x03\xff" + b"a" * 255 if self.server.rules.fault == "drip" else b"\x01" + bytes(4)
        )
        with target or contextlib.nullcontext():
            self._answer(bytes([5, status, 0]) + bound + bytes(2))
            self._relay(target)

    def _authenticate(self) -> bool:
        self._take(1)
        user = self._take(self._take(1)[0])
        password = self._take(self._take(1)[0])
        rules = self.server.rules
        right = hmac.compare_digest(user, rules.user.encode()) & hmac.compare_digest(
            password, rules.password.encode()
        )
        self._answer(b"\x01\x00" if right else b"\x01\x01")
        return right

    def _take_host(self, kind: int) -> str:
        if kind == 1:
            return socket.inet_ntop(socket.AF_INET, self._take(4))
        if kind == 4:
            return socket.inet_ntop(socket.AF_INET6, self._take(16))
        return self._take(self._take(1)[0]).decode()

    def _answer(self, data: bytes) -> None:
        if self.server.rules.fault != "drip":
            self.connection.sendall(data)
            return
        for byte in data:
            self.connection.sendall(bytes([byte]))
            self.server.stopping.wait(_DRIP_SECONDS)

    def _reach(self, host: str, port: int) -> tuple[socket.socket | None, int]:
        """Connect to the destination; return socket and SOCKS 5 status."""
        self.server.asked(host, port)
        match self.server.rules.fault:
            case "refuse":
                return None, _REFUSED
            case "forbid":
                return None, _FORBIDDEN
            case "close":
                raise EOFError
        host = self.server.rules.names.get(host, host)
        try:
            return socket.create_connection((host, port), _CONNECT_SECONDS), _OK
        except ConnectionRefusedError:
            return None, _REFUSED
        except OSError:
            return None, _GENERAL

    def _relay(self, target: socket.socket | None) -> None:
        if target is None:
            return
        other = {self.connection: target, target: self.connection}
        with self.server.watching(target), selectors.DefaultSelector() as selector:
            target.settimeout(None)
            for one in other:
                selector.register(one, selectors.EVENT_READ)
            while selector.get_map():
                for key, _ in selector.select():
                    source = key.fileobj
                    assert isinstance(source, socket.socket)
                    if data := source.recv(_CHUNK):
                        other[source].sendall(data)
                    else:
                        selector.unregister(source)
                        with contextlib.suppress(OSError):
                            other[source].shutdown(socket.SHUT_WR)
