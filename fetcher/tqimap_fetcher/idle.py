"""Wait on a connection until the server tells of new mail: IDLE, RFC 2177.

imapclient begins and ends it; what comes in between is read here, bounded as everything is, because
imapclient's own reading takes half a line for a whole one.
"""

from __future__ import annotations

import select
import socket
import threading
import time
from typing import TYPE_CHECKING

from tqimap_fetcher.bounded import telling


if TYPE_CHECKING:
    from tqimap_fetcher.bounded import BoundedClient

_OCTETS = 1_048_576  # room for what the server says meanwhile
_NEWS = ("EXISTS", "RECENT")


class Stop:
    """A wish to stop, which also wakes whoever waits on a connection."""

    def __init__(self) -> None:
        self._event = threading.Event()
        self._reader, self._writer = socket.socketpair()

    def set(self) -> None:
        """Wish it; a signal handler may."""
        self._event.set()
        self._writer.close()

    def is_set(self) -> bool:
        """Whether it is wished."""
        return self._event.is_set()

    def wait(self, seconds: float) -> bool:
        """Wait for the wish, for *seconds* at most; return whether it came."""
        return self._event.wait(seconds)

    def fileno(self) -> int:
        """Return what becomes readable with the wish."""
        return self._reader.fileno()


def wait(client: BoundedClient, subject: str, *, seconds: float, stop: Stop) -> bool:
    """Wait until there may be new mail in the selected folder; False after *seconds* or *stop*.

    Raises TryLater when the connection breaks.
    """
    until = time.monotonic() + seconds
    news = False
    client.imap.allow(_OCTETS)
    with telling(subject):
        client.idle()
        while not news and _readable(client, stop, until):
            client.imap.allow(_OCTETS)
            client.imap.receive()
            news = any(client.imap.untagged_responses.pop(one, None) for one in _NEWS)
            client.imap.untagged_responses.clear()
        client.imap.allow(_OCTETS)
        client.idle_done()
    return news


def _readable(client: BoundedClient, stop: Stop, until: float) -> bool:
    """Wait for an answer; return False when it is time to go on without."""
    if client.imap.unread():
        return True
    sock, seconds = client.imap.sock.fileno(), max(until - time.monotonic(), 0)
    ready, _, _ = select.select([sock, stop.fileno()], [], [], seconds)
    return sock in ready and not stop.is_set()
