"""Start the process that locked-in processes are forked from, and have it fork some.

See `zygote_process` for what it is.
"""

from __future__ import annotations

import json
import os
import socket
import sys
from contextlib import suppress
from typing import TYPE_CHECKING, NamedTuple, Self, cast


if TYPE_CHECKING:
    from tqimap_shared.settings import Limits

PROGRAM = "tqimap_processor.zygote_process"
ANSWER = 60.0  # seconds that an answer may take, the program's start included
MESSAGE = 2**16
INHERITED = ("LD_LIBRARY_PATH",)  # of the environment: some Pythons do not start without it


class GoneError(Exception):
    """The process or the line to it is gone."""


class Ended(NamedTuple):
    """How a forked process ended.

    *alone* if it was not killed by us; *status* as of wait(2); *used* seconds of processor time.
    """

    alone: bool
    status: int
    used: float


class Family:
    """The processes that are forked for one mail."""

    def __init__(self, line: socket.socket) -> None:
        self._line = line
        self._line.settimeout(ANSWER)

    def close(self) -> None:
        """Let all of them be ended."""
        self._line.close()

    def fork(self, line: socket.socket, *, seconds: float, programs: tuple[str, ...]) -> int:
        """Fork a process that serves *line*, with *seconds* of processor time; return its id.

        It may start *programs*. Raises GoneError.
        """
        asked = {"seconds": seconds, "programs": programs}
        return int(self._ask(asked, line.fileno())[0])

    def end(self, pid: int, *, grace: float = 0.0) -> Ended:
        """Kill the process *pid*, which has *grace* seconds to end by itself; raises GoneError."""
        alone, status, used = self._ask({"end": pid, "grace": grace})
        return Ended(bool(alone), int(status), used)

    def _ask(self, fields: dict[str, object], *descriptors: int) -> list[float]:
        try:
            socket.send_fds(self._line, [json.dumps(fields).encode()], descriptors)
            answer = self._line.recv(MESSAGE)
        except OSError as error:
            raise GoneError(str(error)) from None
        if not answer:
            raise GoneError("its line ended")
        return cast("list[float]", json.loads(answer))


class Zygote:
    """The process as its owner sees it; as a context it is ended."""

    def __init__(self, pid: int, line: socket.socket) -> None:
        self._pid = pid
        self._line = line

    @classmethod
    def spawned(cls, limits: Limits) -> Self:
        """Start it as a program of its own."""
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            os.set_inheritable(theirs.fileno(), True)  # noqa: FBT003 - its signature
            pid = os.posix_spawn(
                sys.executable,
                (sys.executable, "-I", "-m", PROGRAM, str(theirs.fileno())),
                {name: os.environ[name] for name in INHERITED if name in os.environ},
                file_actions=[(os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDWR, 0)],
            )
        ours.send(limits.model_dump_json().encode())
        return cls(pid, ours)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def family(self) -> Family:
        """Return a line for one mail, which any fork of the owner may use; raises GoneError."""
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            try:
                socket.send_fds(self._line, [b"family"], [theirs.fileno()])
            except OSError as error:
                ours.close()
                raise GoneError(str(error)) from None
        return Family(ours)

    def lives(self) -> bool:
        """Tell its owner whether it still runs."""
        return not os.waitid(os.P_PID, self._pid, os.WEXITED | os.WNOHANG | os.WNOWAIT)

    def close(self) -> None:
        """End it and all that it forked."""
        # closing is not enough: forks of the owner have this end too
        with suppress(OSError):
            self._line.shutdown(socket.SHUT_RDWR)
        self._line.close()
        with suppress(ChildProcessError):
            os.waitpid(self._pid, 0)
