"""The process that all locked-in processes are forked from: parsers loaded, and nothing secret.

A fork of the worker would hold its credentials in memory, whatever it may open or call. So the
worker starts this program, with an empty environment; it is never told a secret, reads no mail and
does nothing but fork, and end what it forked. (Browsers do the same, and call it so.) As small as
it is, forks of it are cheaper, too.

Whoever works on a mail has a line for it. When that line ends, for whatever reason, so does every
process that was forked over it; when the worker ends, so does this one, with all of its own.
"""

from __future__ import annotations

import ctypes
import gc
import json
import os
import select
import signal
import socket
import sys
import time
from contextlib import suppress
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, NoReturn, cast

from tqimap_processor import child, jail, jail_seccomp, openers
from tqimap_processor.extract import extract
from tqimap_processor.openers import sevenzip
from tqimap_processor.zygote import MESSAGE, Ended


if TYPE_CHECKING:
    from tqimap_shared.settings import Limits

IGNORED = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)  # the worker has a mail to end first
_PR_SET_PDEATHSIG = 1  # prctl(2)
_WARMING = {
    "mail": b"Date: Thu, 1 Jan 2026 00:00:00 +0000\nContent-Type: multipart/mixed; boundary=b\n\n"
    b"--b\n\nsome text\n--b\nContent-Type: text/html\n\n<p>\n--b--\n",
    "html": b'<p style="color:red">see <a href="http://example.com/">this</a></p>',
    "text": b"hxxps://www[.]example[.]com/a and 192.0.2[.]1",
}


class _Server:
    """The process from within: families, by the descriptors of their lines, and their members."""

    def __init__(self, line: socket.socket, limits: Limits) -> None:
        self._line = line
        self._limits = limits
        self._families: dict[int, tuple[socket.socket, set[int]]] = {}
        self._poll = select.poll()
        self._poll.register(line, select.POLLIN)

    def serve(self) -> None:
        """Serve until the owner's line ends, then end everything."""
        while True:
            for number, _ in self._poll.poll():
                if number in self._families:
                    self._heed(number)
                elif not self._adopt():
                    for one in tuple(self._families):
                        self._part_with(one)
                    return

    def _adopt(self) -> bool:
        data, descriptors, _, _ = socket.recv_fds(self._line, MESSAGE, 1)
        for number in descriptors:
            self._families[number] = (socket.socket(fileno=number), set())
            self._poll.register(number, select.POLLIN)
        return bool(data)

    def _heed(self, number: int) -> None:
        line, members = self._families[number]
        try:
            data, descriptors, _, _ = socket.recv_fds(line, MESSAGE, 1)
            if data:
                fields = json.loads(data)
                answer = (
                    self._fork(fields, descriptors[0], members)
                    if descriptors
                    else _end(fields["end"], fields["grace"], members)
                )
                line.send(json.dumps(answer).encode())
        except OSError:
            data = b""
        if not data:
            self._part_with(number)

    def _fork(self, fields: dict[str, Any], line: int, members: set[int]) -> tuple[int]:
        parent = os.getpid()
        try:
            pid = os.fork()
            if not pid:
                programs = tuple(fields["programs"])
                child.run(jail.Terms(line, self._limits, fields["seconds"], parent, programs))
        finally:
            os.close(line)
        members.add(pid)
        return (pid,)

    def _part_with(self, number: int) -> None:
        line, members = self._families.pop(number)
        self._poll.unregister(number)
        line.close()
        for pid in tuple(members):
            _end(pid, 0, members)


def _end(pid: int, grace: float, members: set[int]) -> Ended:
    members.remove(pid)
    latest = time.monotonic() + grace
    flags = os.WEXITED | os.WNOHANG | os.WNOWAIT
    while not (alone := os.waitid(os.P_PID, pid, flags)) and time.monotonic() < latest:
        time.sleep(0.002)
    # the group keeps its number until it is waited for, so nobody else is hit
    for kill in (os.killpg, os.kill):
        with suppress(ProcessLookupError, PermissionError):
            kill(pid, signal.SIGKILL)
    _, status, usage = os.wait4(pid, 0)
    return Ended(bool(alone), status, usage.ru_utime + usage.ru_stime)


def serve(line: socket.socket, limits: Limits) -> NoReturn:
    """Be the process, until the line ends."""
    try:
        os.setsid()
        for number in IGNORED:
            signal.signal(number, signal.SIG_IGN)
        if sys.platform == "linux":
            ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        _Server(line, limits).serve()
    finally:
        os._exit(0)


def load(limits: Limits) -> None:
    """Do what every fork would do anew: load parsers, build tables.

    What is there by then is kept out of the collector's way, or each fork would copy it.
    """
    openers.preload()
    jail_seccomp.prepare()
    sevenzip.binary()
    for kind, data in _WARMING.items():
        openers.open_inside(kind, openers.Source(data, limits, len(data)))
    for _ in extract(_WARMING["text"].decode()):
        pass
    gc.collect()
    gc.freeze()


if __name__ == "__main__":
    _line = socket.socket(fileno=int(sys.argv[1]))
    # not pydantic's model: loading it would make every fork a third dearer
    _limits = cast("Limits", SimpleNamespace(**json.loads(_line.recv(MESSAGE))))
    load(_limits)
    serve(_line, _limits)
