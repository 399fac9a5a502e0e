"""Keep programs running however often they are killed, and find the processes below them.

Everything started here dies with this process: the kernel sees to it (parent death signal).
"""

from __future__ import annotations

import os
import signal
import subprocess
import time
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from tqimap_sandbox.part import die_with_parent


if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

PAUSE = 0.2  # seconds before a killed program is started again, as a supervisor would
PATIENCE = 20  # seconds that a program may take to end


class Process(NamedTuple):
    """What the kernel says about a process: its state, parent, group, session and command."""

    pid: int
    command: str
    state: str
    parent: int
    group: int
    session: int


@dataclass(slots=True)
class Program:
    """A program that is started again whenever it has ended."""

    name: str
    command: Sequence[str]
    environment: dict[str, str]
    output: Path
    starts: int = 0
    process: subprocess.Popen[bytes] | None = None
    _again: float = field(default=0.0, repr=False)
    _started: float = field(default=0.0, repr=False)

    @property
    def age(self) -> float:
        """Seconds since it was started."""
        return time.monotonic() - self._started

    @property
    def pid(self) -> int:
        """The running process, 0 if there is none."""
        return self.process.pid if self.process is not None and self.process.poll() is None else 0

    def start(self) -> None:
        """Start it; its output is appended to a file."""
        self.process = start(self.command, self.environment, self.output)
        self.starts += 1
        self._started = time.monotonic()

    def tend(self) -> None:
        """Start it again a moment after it has ended."""
        if self.pid:
            self._again = 0.0
        elif not self._again:
            self._again = time.monotonic() + PAUSE
        elif time.monotonic() > self._again:
            self.start()
            self._again = 0.0

    def end(self) -> None:
        """End it, in order if it heeds SIGTERM."""
        if self.process is not None:
            end(self.process)


def start(
    command: Sequence[str], environment: dict[str, str], output: Path
) -> subprocess.Popen[bytes]:
    """Start a process of ours in a session of its own: Ctrl-C is for us alone."""
    with output.open("ab") as file:
        return subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=subprocess.STDOUT,
            env=environment,
            start_new_session=True,
            preexec_fn=die_with_parent,  # noqa: PLW1509 - no threads run here
        )


def end(process: subprocess.Popen[bytes]) -> None:
    """End a process that may be frozen."""
    if process.poll() is not None:
        return
    process.send_signal(signal.SIGCONT)
    process.terminate()
    try:
        process.wait(PATIENCE)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def children(*parents: int) -> list[Process]:
    """Return the living children of *parents*."""
    found: list[Process] = []
    for parent in parents:
        with suppress(OSError):
            for one in Path(f"/proc/{parent}/task/{parent}/children").read_text("ascii").split():
                found += _look(int(one))
    return [one for one in found if one.state != "Z"]


def send(pid: int, number: signal.Signals, *, parent: int) -> bool:
    """Send a signal to the child *pid* of *parent*; False if there is no such process any more."""
    with suppress(OSError):
        # by a descriptor: a number could name somebody else's process by the time it is used
        descriptor = os.pidfd_open(pid)
        try:
            if any(one.parent == parent for one in _look(pid)):
                signal.pidfd_send_signal(descriptor, number)
                return True
        finally:
            os.close(descriptor)
    return False


def _look(pid: int) -> Iterator[Process]:
    with suppress(OSError):
        number, _, rest = Path(f"/proc/{pid}/stat").read_text("utf-8", "replace").partition(" (")
        command, _, facts = rest.rpartition(") ")
        state, parent, group, session, *_ = facts.split()
        yield Process(int(number), command, state, int(parent), int(group), int(session))
