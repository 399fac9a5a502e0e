"""Wait for a server, but neither in silence nor for a drip: patience is spent and earned back."""

from __future__ import annotations

import io
import time
from typing import TYPE_CHECKING

from tqimap_shared.errors import TryLater


if TYPE_CHECKING:
    import socket

    from _typeshed import WriteableBuffer

    from tqimap_shared.settings import Fetch


class ServerMisbehaved(TryLater):
    """The server's answer is no IMAP, or more than the settings accept."""


class Receiver(io.RawIOBase):
    """The receiving half of a socket, with patience.

    Patience is the time that the server may keep us waiting; it is spent by waiting and earned
    back by bytes. A drip of single bytes spends it, a slow line does not; our own pauses cost none.
    At most *quiet* seconds of it may pass without a byte.
    """

    def __init__(self, sock: socket.socket, subject: str, limits: Fetch) -> None:
        self._sock = sock
        self._subject = subject
        self._limits = limits
        self.patience = limits.command_timeout
        self.quiet = limits.idle_timeout
        self.received = 0

    def readable(self) -> bool:
        """Tell io.BufferedReader that bytes come from here."""
        return True

    def readinto(self, buffer: WriteableBuffer) -> int:
        """Wait for bytes; raises TryLater where patience ends."""
        begin = time.monotonic()
        seconds = max(min(self.quiet, self.patience), 0.01)
        try:
            if seconds != self._sock.gettimeout():
                self._sock.settimeout(seconds)  # a system call
            count = self._sock.recv_into(buffer)
        except TimeoutError:
            raise self._late(seconds) from None
        except OSError:
            raise TryLater(self._subject, "the connection broke.") from None
        earned = count / self._limits.slowest - (time.monotonic() - begin)
        self.patience = min(self.patience + earned, self._limits.command_timeout)
        if self.patience <= 0:
            raise self._late(0)
        self.received += count
        return count

    def _late(self, seconds: float) -> TryLater:
        """Say what ended after the last wait of *seconds*."""
        if seconds == self.quiet:
            return TryLater(self._subject, "the server stopped answering.")
        return ServerMisbehaved(
            self._subject, "the server answers too slowly (fetch.command_timeout, slowest)."
        )
