"""Lock this process in, for good: what it does next may be done by whoever wrote a mail.

Layers that do not rest on each other: limits of the kernel on memory, time, files and processes; no
privileges to gain; nothing inherited; Landlock and seccomp. Outside Linux only the limits hold.
"""

from __future__ import annotations

import contextlib
import ctypes
import math
import os
import resource
import signal
import struct
import sys
import sysconfig
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tqimap_processor import jail_landlock, jail_seccomp


if TYPE_CHECKING:
    from tqimap_shared.settings import Limits


FILES = "Landlock (files)"
CALLS = "seccomp (system calls)"
DESCRIPTORS = 16
PROCESSES = 1024
LAST = 2**31 - 1
_PR_SET_PDEATHSIG, _PR_SET_DUMPABLE, _PR_SET_NO_NEW_PRIVS = 1, 4, 38  # prctl(2)
_CAPABILITIES_VERSION = 0x20080522  # capset(2)
_LOADERS = tuple(map(str, Path("/").glob("lib*/ld-*.so*")))
_LIBRARIES = ("/lib", "/lib64", "/usr/lib", "/usr/lib64", "/etc/ld.so.cache")
_SIGNALS = (signal.SIGALRM, signal.SIGCHLD, signal.SIGINT, signal.SIGTERM, signal.SIGPROF)


@dataclass(frozen=True, slots=True)
class Terms:
    """What a process may still do once it is locked in.

    *line* is the descriptor that stays open, *seconds* of processor time are left in all, and the
    process ends with *parent*. The only programs that it may start are *programs*.
    """

    line: int
    limits: Limits
    seconds: float
    parent: int
    programs: tuple[str, ...] = ()


def enter(terms: Terms) -> tuple[str, ...]:
    """Lock this process in and return what of it the system cannot do, in words for a person.

    A process can do this only once.
    """
    for number in _SIGNALS:
        signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    os.setsid()
    _forget(terms.line)
    _limit(terms)
    if sys.platform != "linux":
        return (FILES, CALLS)
    _give_up_privileges(terms.parent)
    missing = []
    programs = (*terms.programs, *_LOADERS) if terms.programs else ()
    if not jail_landlock.restrict((*_CODE, *(_LIBRARIES if programs else ())), programs):
        missing.append(FILES)
    signals = bool(programs) and jail_landlock.abi() >= jail_landlock.WITH_SIGNALS
    if not jail_seccomp.restrict(programs=bool(programs), signals=signals):
        missing.append(CALLS)
    return tuple(missing)


def allow(seconds: float) -> None:
    """Let the kernel end this process after *seconds* more of processor time."""
    _, most = resource.getrlimit(resource.RLIMIT_CPU)
    wanted = math.ceil(time.process_time() + seconds)
    resource.setrlimit(resource.RLIMIT_CPU, (min(wanted, most), most))


def _forget(line: int) -> None:
    """Drop what was inherited: environment, terminal, files, connections."""
    os.environ.clear()
    nothing = os.open(os.devnull, os.O_RDWR)
    for number in range(3):
        os.dup2(nothing, number)
    os.closerange(3, line)
    os.closerange(line + 1, LAST)


def _limit(terms: Terms) -> None:
    programs = bool(terms.programs)
    for kind, most in (
        (resource.RLIMIT_AS, terms.limits.memory),
        (resource.RLIMIT_CPU, math.ceil(time.process_time() + terms.seconds)),
        # a program is given its input as a file in memory
        (resource.RLIMIT_FSIZE, terms.limits.artefact if programs else 0),
        (resource.RLIMIT_NOFILE, DESCRIPTORS),
        (resource.RLIMIT_CORE, 0),
        # counted for the user, not for this process
        (resource.RLIMIT_NPROC, PROCESSES if programs else 0),
    ):
        # macOS has no limit on address space; and a limit may be lower already
        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(kind, (most, most))


def _give_up_privileges(parent: int) -> None:
    # root's own: to raise limits, to trace, to read everything
    _libc.capset(struct.pack("Ii", _CAPABILITIES_VERSION, 0), bytes(24))
    for option, value in (
        (_PR_SET_NO_NEW_PRIVS, 1),
        (_PR_SET_DUMPABLE, 0),
        (_PR_SET_PDEATHSIG, signal.SIGKILL),
    ):
        _libc.prctl(option, ctypes.c_ulong(value), 0, 0, 0)
    if os.getppid() != parent:
        os._exit(1)  # it was killed before the line above


def _code() -> tuple[str, ...]:
    """Return the directories of Python's and our own modules: some are imported late."""
    names = ("stdlib", "platstdlib", "purelib", "platlib")
    return (*dict.fromkeys(map(sysconfig.get_path, names)), str(Path(__file__).parent))


# made before forking: each process would do it anew
_CODE = _code()
_libc = ctypes.CDLL(None)
