"""Wait on a connection until the server tells of new mail: IDLE, RFC 2177.

Read here, bounded as everything is: imapclient takes half a line for a whole one, and what a server
says before it is ready for an error.
"""

from __future__ import annotations

import select
import socket
import time
from typing import TYPE_CHECKING

from tqimap_fetcher.refusal import telling


if TYPE_CHECKING:
    from tqimap_fetcher.bounded import BoundedClient

_OCTETS = 1_048_576  # room for what the server says meanwhile
_NEWS = ("EXISTS", "RECENT")


class Stop:
    """A wish to stop, which also wakes whoever waits on a connection.

    No event of the standard library: a signal handler that sets one may wait for itself for ever.
    """

    def __init__(self) -> None:
        self._wished = False
        self._reader, self._writer = socket.socketpair()

    def set(self) -> None:
        """Wish it; a signal handler may."""
        self._wished = True
        self._writer.close()

    def is_set(self) -> bool:
        """Whether it is wished."""
        return self._wished

    def wait(self, seconds: float) -> None:
        """Wait for the wish, for *seconds* at most."""
        select.select([self._reader], [], [], seconds)

    def close(self) -> None:
        """Give back what it holds; nobody may wait any more."""
        self._writer.close()
        self._reader.close()

    def fileno(self) -> int:
        """Return what becomes readable with the wish."""
        return self._reader.fileno()


def wait(client: BoundedClient, subject: str, *, seconds: float, stop: Stop) -> bool:
    """Wait until there may be new mail in the selected folder; False after *seconds* or *stop*.

    Raises TryLater when the connection breaks.
    """
    until = time.monotonic() + seconds
    client.imap.allow(_OCTETS)  # for all that is told in one go: a flood ends it
    with telling(subject):
        client.imap.untagged_responses.clear()  # what was said of the mails that there were
        tag = client.imap.begin_idle()
        news = _tells(client)
        while not news and _readable(client, stop, until):
            client.imap.receive()
            news = _tells(client)
        client.imap.allow(_OCTETS)
        client.imap.end_idle(tag)
    return news


def _tells(client: BoundedClient) -> bool:
    """Take what has been said; tell whether it was about new mail."""
    said = client.imap.untagged_responses
    news = any(one in said for one in _NEWS)
    said.clear()
    return news


def _readable(client: BoundedClient, stop: Stop, until: float) -> bool:
    """Wait for an answer; return False when it is time to go on without."""
    left = until - time.monotonic()
    if stop.is_set() or left <= 0:
        return False
    if client.imap.unread():
        return True
    sock = client.imap.sock.fileno()
    ready, _, _ = select.select([sock, stop.fileno()], [], [], left)
    return sock in ready
