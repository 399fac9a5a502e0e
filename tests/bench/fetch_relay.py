"""A line to a far server: a relay in this process that delays bytes and may be narrow."""

from __future__ import annotations

import socket
import threading
import time
from collections import deque
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING


if TYPE_CHECKING:
    from collections.abc import Iterator

READ = 65_536
ROOM = 16 * 2**20  # bytes under way in one direction: more than the widest line here holds


@dataclass(slots=True)
class _Way:
    """One direction: bytes that came, each piece with the time at which it is through."""

    delay: float
    rate: float
    pieces: deque[tuple[float, bytes]] = field(default_factory=deque)
    held: int = 0
    free_at: float = 0.0
    change: threading.Condition = field(default_factory=threading.Condition)

    def take(self, source: socket.socket) -> None:
        """Read from *source* until it ends."""
        data = b"-"
        while data:
            try:
                data = source.recv(READ)
            except OSError:
                data = b""
            self._put(data)

    def _put(self, data: bytes) -> None:
        with self.change:
            self.change.wait_for(lambda: self.held < ROOM)
            self.free_at = max(time.monotonic(), self.free_at)
            if self.rate:
                self.free_at += len(data) / self.rate
            self.pieces.append((self.free_at + self.delay, data))
            self.held += len(data)
            self.change.notify_all()

    def give(self, target: socket.socket) -> None:
        """Write to *target* what is through, until the end came."""
        with suppress(OSError):
            while data := self._next():
                target.sendall(data)
        with suppress(OSError):
            target.shutdown(socket.SHUT_WR)

    def _next(self) -> bytes:
        with self.change:
            self.change.wait_for(lambda: self.pieces)
            due, data = self.pieces.popleft()
            self.held -= len(data)
            self.change.notify_all()
        time.sleep(max(0.0, due - time.monotonic()))
        return data


def _carry(client: socket.socket, port: int, delay: float, rate: float) -> None:
    time.sleep(2 * delay)  # TCP's handshake
    with client, socket.create_connection(("127.0.0.1", port)) as server:
        ways = ((client, server, _Way(delay, rate)), (server, client, _Way(delay, rate)))
        for one in (client, server):
            one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        threads = [
            threading.Thread(target=act, args=(end,), daemon=True)
            for source, target, way in ways
            for act, end in ((way.take, source), (way.give, target))
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()


@contextmanager
def relaying(port: int, *, round_trip: float, rate: float = 0) -> Iterator[int]:
    """Relay to *port* of this machine; yield the port to use.

    *round_trip* in seconds, half of it each way; *rate* in bytes a second, 0 for as fast as can be.
    """
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def accept() -> None:
            with suppress(OSError):
                while True:
                    given = (listener.accept()[0], port, round_trip / 2, rate)
                    threading.Thread(target=_carry, args=given, daemon=True).start()

        acceptor = threading.Thread(target=accept, daemon=True)
        acceptor.start()
        try:
            yield int(listener.getsockname()[1])
        finally:
            # closing alone would not wake a thread that waits in accept
            listener.shutdown(socket.SHUT_RDWR)
            acceptor.join()
