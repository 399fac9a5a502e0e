"""A locked-in process seen from outside: start it, ask it, kill it, say how it ended."""

from __future__ import annotations

import os
import signal
import socket
import time
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any

from tqimap_processor import child_wire
from tqimap_processor.child_wire import WireError


if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tqimap_processor.child_wire import Frame
    from tqimap_processor.zygote import Family


START = 30.0  # seconds that a new process may take until it is locked in
FAREWELL = 1.0  # seconds that a process may take to end after closing its line
BEAT = 5.0  # seconds between two signs of life to whoever waits for us


class CrashError(Exception):
    """A locked-in process did not answer; *how* says in words what became of it."""

    def __init__(self, how: str) -> None:
        super().__init__(how)
        self.how = how


class Cell:
    """One locked-in process and the line to it.

    *seconds* of processor time are given to it, *beat* is called every few seconds while one waits
    for it. Raises GoneError if there is nothing to fork it from.
    """

    def __init__(
        self,
        family: Family,
        *,
        seconds: float,
        beat: Callable[[], None],
        programs: tuple[str, ...] = (),
    ) -> None:
        self._family = family
        self._beat = beat
        self._beaten = time.monotonic()
        self._deadline = self._beaten + START
        self._used = 0.0
        self._line, theirs = socket.socketpair()
        try:
            with theirs:
                self._pid = family.fork(theirs, seconds=seconds, programs=programs)
            ready, _ = self._receive(0)
            self.missing = tuple(map(str, ready.get("ready", ())))
        except BaseException:
            self._line.close()
            raise

    def close(self) -> None:
        """Close the line, at which the process ends."""
        self._line.close()

    def ask(
        self, fields: dict[str, Any], data: bytes, *, room: int, seconds: float
    ) -> Iterator[Frame]:
        """Send a request and yield the frames of the answer, with at most *room* bytes in each.

        Raises CrashError, after which the process is dead.
        """
        self._deadline = time.monotonic() + seconds
        self._send(child_wire.pack(fields, data))
        self._send(data)
        while "end" not in (frame := self._receive(room))[0]:
            yield frame

    def used(self) -> float:
        """Return the seconds of processor time that the process has used."""
        if self._pid:
            # clock_getcpuclockid(3), which Python does not have; Linux' numbering
            with suppress(OSError):
                return time.clock_gettime(((~self._pid) << 3) | 2)
        return self._used

    def end(self, *, grace: float = 0.0) -> str:
        """Kill the process and all that it may have started; say how it had ended by itself.

        It is given *grace* seconds for that.
        """
        if not self._pid:
            return ""
        ended = self._family.end(self._pid, grace=grace)
        self._pid, self._used = 0, ended.used
        self._line.close()
        return _told(ended.status) if ended.alone else "stopped"

    def _send(self, data: bytes) -> None:
        view = memoryview(data)
        while view:
            view = view[self._within(partial(self._line.send, view)) :]

    def _receive(self, room: int) -> Frame:
        try:
            return child_wire.unpack(self._read, room)
        except WireError:
            self.end()
            raise CrashError("a broken answer") from None

    def _read(self, size: int) -> bytes:
        data = bytearray(size)
        view = memoryview(data)
        while view:
            got = self._within(partial(self._line.recv_into, view))
            if not got:
                raise self._ended()
            view = view[got:]
        return bytes(data)

    def _within(self, act: Callable[[], int]) -> int:
        """Do *act*, which sends or receives, before the deadline; meanwhile show signs of life."""
        while (left := self._deadline - time.monotonic()) > 0:
            self._show_life()
            self._line.settimeout(min(left, BEAT))
            try:
                return act()
            except TimeoutError:
                continue
            except OSError:
                raise self._ended() from None
        self.end()
        raise CrashError("no answer in time")

    def _show_life(self) -> None:
        if time.monotonic() - self._beaten >= BEAT:
            self._beaten = time.monotonic()
            self._beat()

    def _ended(self) -> CrashError:
        """Return how the process ended, whose end of the line is closed."""
        return CrashError(self.end(grace=FAREWELL))


def _told(status: int) -> str:
    if not os.WIFSIGNALED(status):
        return f"ended with status {os.WEXITSTATUS(status)}"
    number = os.WTERMSIG(status)
    return _SIGNALS.get(number) or f"killed by signal {number}"


_SIGNALS: dict[int, str] = {
    signal.SIGABRT: "aborted (SIGABRT)",
    signal.SIGKILL: "killed (SIGKILL)",
    signal.SIGSEGV: "a wild memory access (SIGSEGV)",
    signal.SIGBUS: "a wild memory access (SIGBUS)",
    signal.SIGSYS: "a forbidden system call (SIGSYS)",
    signal.SIGXCPU: "out of processor time (SIGXCPU)",
}
