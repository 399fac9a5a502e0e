"""Run a program on bytes that nobody trusts, and read what it writes within limits.

The bytes lie in memory (memfd), so neither input nor output needs a disk. The program gets no
environment, no input, no other descriptor; memory, CPU time, time and output are limited.
"""

from __future__ import annotations

import os
import resource
import selectors
import signal
import subprocess
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self


if TYPE_CHECKING:
    from collections.abc import Callable

    from tqimap_shared.settings import Limits


_STEP = 65_536
_MOST_ERRORS = 65_536


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a run gave: *is_cut* if it wrote more than was wanted, *is_late* if it took too long."""

    out: bytes
    errors: bytes
    status: int
    is_cut: bool = False
    is_late: bool = False


class Subprogram:
    """A program and the bytes that it reads from a file in memory; all runs share one time limit.

    *name* is the last component of the file's path.
    """

    def __init__(self, program: str, data: bytes, limits: Limits) -> None:
        self._program = program
        self._limits = limits
        self._deadline = time.monotonic() + limits.unpacker_wall
        self._cpu = float(limits.unpacker_cpu)
        self._file = os.memfd_create("input", os.MFD_CLOEXEC)
        with open(self._file, "wb", closefd=False) as file:
            file.write(data)
        self.name = str(self._file)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._file)

    def run(self, *arguments: str, most: int) -> Outcome:
        """Run the program with *arguments* and the file; read at most *most* bytes of its output.

        A NUL in an argument is cut off with what follows: no program can be given one.
        """
        if self._cpu <= 0 or time.monotonic() >= self._deadline:
            return Outcome(b"", b"", -signal.SIGKILL, is_late=True)
        given = [one.partition("\0")[0].encode("utf-8", "surrogateescape") for one in arguments]
        before = _cpu()
        with subprocess.Popen(  # noqa: S603 - our own program; the arguments pass through no shell
            [self._program, *given, b"-mmt1", b"-sccUTF-8", f"/proc/self/fd/{self.name}"],
            # at its end: nothing to read. In the jail no device can be opened
            stdin=self._file,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            pass_fds=[self._file],
            env={},
            cwd="/",
            start_new_session=True,
            preexec_fn=self._limiting(),  # noqa: PLW1509 - it makes system calls only
        ) as process:
            try:
                outcome = self._read(process, most)
            finally:
                process.kill()
        self._cpu -= _cpu() - before
        return outcome if outcome.is_cut or outcome.is_late else self._ended(outcome, process)

    def _ended(self, outcome: Outcome, process: subprocess.Popen[bytes]) -> Outcome:
        late = process.returncode in {-signal.SIGXCPU, -signal.SIGKILL}
        return Outcome(outcome.out, outcome.errors, process.returncode, is_late=late)

    def _limiting(self) -> Callable[[], None]:
        """Return what the new process does before it becomes the program: system calls only."""
        seconds, memory = max(1, round(self._cpu)), self._limits.unpacker_memory

        def limit() -> None:
            resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
            resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds + 1))
            resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
            resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
            resource.setrlimit(resource.RLIMIT_NOFILE, (16, 16))

        return limit

    def _read(self, process: subprocess.Popen[bytes], most: int) -> Outcome:
        """Read both pipes until they end, the output is enough, or the time is up."""
        assert process.stdout is not None
        assert process.stderr is not None
        out, errors = bytearray(), bytearray()
        with selectors.DefaultSelector() as selector:
            selector.register(process.stdout, selectors.EVENT_READ, out)
            selector.register(process.stderr, selectors.EVENT_READ, errors)
            while selector.get_map():
                left = self._deadline - time.monotonic()
                if left <= 0 or not _step(selector, left):
                    return Outcome(bytes(out), bytes(errors), 0, is_late=True)
                del errors[_MOST_ERRORS:]
                if len(out) >= most:
                    return Outcome(bytes(out[:most]), bytes(errors), 0, is_cut=True)
        # the pipes end before the process does
        process.wait(max(1.0, self._deadline - time.monotonic()))
        return Outcome(bytes(out), bytes(errors), process.returncode)


def _step(selector: selectors.BaseSelector, seconds: float) -> bool:
    """Read a step from whichever pipe has one; return whether one had."""
    ready = selector.select(seconds)
    for key, _ in ready:
        if step := os.read(key.fd, _STEP):
            key.data.extend(step)
        else:
            selector.unregister(key.fileobj)
    return bool(ready)


def _cpu() -> float:
    """Return the CPU seconds of all children that ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime
