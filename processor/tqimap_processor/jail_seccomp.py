"""seccomp: let a process make only the system calls that reading bytes in memory takes.

A list of what is allowed, so that calls of later kernels are refused too. The filter is written by
hand, for x86_64 and aarch64: libseccomp would be a system library to install, and it wants a
compiler to be found. What is refused fails with EPERM, which openers see as an error.
https://docs.kernel.org/userspace-api/seccomp_filter.html
"""

from __future__ import annotations

import ctypes
import errno
import os
import platform
import struct
import sys
from functools import cache
from typing import NamedTuple


class _Machine(NamedTuple):
    audit: int
    column: int
    foreign: int  # numbers from here on are of another ABI


_MACHINES = {
    "x86_64": _Machine(0xC000003E, 0, 0x40000000),
    "aarch64": _Machine(0xC00000B7, 1, 0xFFFFFFFF),
}
# the numbers on x86_64 and aarch64, from the kernel's tables; None where there is no such call
_CALLS: dict[str, tuple[int | None, int | None]] = {
    "read": (0, 63),
    "write": (1, 64),
    "close": (3, 57),
    "stat": (4, None),
    "fstat": (5, 80),
    "lstat": (6, None),
    "poll": (7, None),
    "lseek": (8, 62),
    "mmap": (9, 222),
    "mprotect": (10, 226),
    "munmap": (11, 215),
    "brk": (12, 214),
    "rt_sigaction": (13, 134),
    "rt_sigprocmask": (14, 135),
    "rt_sigreturn": (15, 139),
    "pread64": (17, 67),
    "readv": (19, 65),
    "writev": (20, 66),
    "access": (21, None),
    "sched_yield": (24, 124),
    "mremap": (25, 216),
    "madvise": (28, 233),
    "nanosleep": (35, 101),
    "getpid": (39, 172),
    "exit": (60, 93),
    "uname": (63, 160),
    "fcntl": (72, 25),
    "getcwd": (79, 17),
    "readlink": (89, None),
    "gettimeofday": (96, 169),
    "getrlimit": (97, 163),
    "getrusage": (98, 165),
    "sysinfo": (99, 179),
    "times": (100, 153),
    "getuid": (102, 174),
    "getgid": (104, 176),
    "geteuid": (107, 175),
    "getegid": (108, 177),
    "getppid": (110, 173),
    "sigaltstack": (131, 132),
    "setrlimit": (160, 164),
    "gettid": (186, 178),
    "time": (201, None),
    "futex": (202, 98),
    "sched_getaffinity": (204, 123),
    "getdents64": (217, 61),
    "set_tid_address": (218, 96),
    "restart_syscall": (219, 128),
    "clock_gettime": (228, 113),
    "clock_getres": (229, 114),
    "clock_nanosleep": (230, 115),
    "exit_group": (231, 94),
    "newfstatat": (262, 79),
    "readlinkat": (267, 78),
    "faccessat": (269, 48),
    "ppoll": (271, 73),
    "set_robust_list": (273, 99),
    "getrandom": (318, 278),
    "membarrier": (324, 283),
    "statx": (332, 291),
    "rseq": (334, 293),
    "faccessat2": (439, 439),
}
_OPEN = (2, None)
_OPENAT = (257, 56)
_IOCTL = (16, 29)
_CLONE = (56, 220)
_CLONE3 = (435, 435)
_TGKILL = (234, 131)
_PRLIMIT64 = (302, 261)
# what starting a program with subprocess takes beside
_PROGRAM_CALLS: dict[str, tuple[int | None, int | None]] = {
    "dup2": (33, None),
    "pipe": (22, None),
    "fork": (57, None),
    "vfork": (58, None),
    "execve": (59, 221),
    "wait4": (61, 260),
    "ftruncate": (77, 46),
    "chdir": (80, 49),
    "arch_prctl": (158, None),
    "epoll_wait": (232, None),
    "epoll_ctl": (233, 21),
    "waitid": (247, 95),
    "epoll_pwait": (281, 22),
    "epoll_create1": (291, 20),
    "dup3": (292, 24),
    "pipe2": (293, 59),
    "memfd_create": (319, 279),
    "close_range": (436, 436),
}
_KILL = (62, 129)
_SETSID = (112, 157)
_WRITING = os.O_ACCMODE | os.O_CREAT | os.O_TRUNC
_TERMINAL_CALLS = (0x5401, 0x5450, 0x5451)  # TCGETS, FIONCLEX, FIOCLEX: Python asks when it opens
_CLONE_THREAD = 0x10000

_LOAD, _EQUAL, _AT_LEAST, _ANY_BIT, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
_END, _ERRNO, _ALLOW = 0x80000000, 0x00050000, 0x7FFF0000
_NUMBER, _ARCHITECTURE, _ARGUMENTS = 0, 4, 16
_OWN_PID = 0x7FFFFFFE  # stands for it until it is known
_prctl = ctypes.CDLL(None).prctl
_PR_SET_SECCOMP, _SECCOMP_MODE_FILTER = 22, 2


class _Step(NamedTuple):
    """One instruction of the filter; *yes* and *no* are numbers of instructions to jump over."""

    code: int
    value: int
    yes: int = 0
    no: int = 0


_REFUSE = _Step(_RETURN, _ERRNO | errno.EPERM)
_PASS = _Step(_RETURN, _ALLOW)
_PRETEND = _Step(_RETURN, _ERRNO)  # nothing happens, and it looks like success


def restrict(*, programs: bool = False, signals: bool = False) -> bool:
    """Filter the calls of this process from now on; return whether that is in force.

    With *programs* processes may be started, which cannot leave the process group, so that it can
    be killed as a whole; with *signals* they may be signalled. Needs PR_SET_NO_NEW_PRIVS.
    """
    machine = _MACHINES.get(platform.machine())
    if machine is None or sys.platform != "linux" or sys.maxsize < 2**32:
        return False
    code = _code(machine, programs=programs, signals=signals)
    code = code.replace(struct.pack("I", _OWN_PID), struct.pack("I", os.getpid()))
    program = ctypes.create_string_buffer(code, len(code))
    head = struct.pack("HxxxxxxP", len(code) // 8, ctypes.addressof(program))
    return bool(_prctl(_PR_SET_SECCOMP, ctypes.c_ulong(_SECCOMP_MODE_FILTER), head, 0, 0) == 0)


@cache
def _code(machine: _Machine, *, programs: bool, signals: bool) -> bytes:
    return b"".join(
        struct.pack("HBBI", step.code, step.yes, step.no, step.value)
        for step in _filter(machine, programs=programs, signals=signals)
    )


def prepare() -> None:
    """Build the filters now: for all processes, before they fork."""
    for machine in _MACHINES.values():
        for signals in (False, True):
            _code(machine, programs=signals, signals=signals)


def _filter(machine: _Machine, *, programs: bool, signals: bool) -> list[_Step]:
    plain = _CALLS | (_PROGRAM_CALLS if programs else {})
    numbers = [number for call in plain.values() if (number := call[machine.column]) is not None]
    steps = [
        _Step(_LOAD, _ARCHITECTURE),
        _Step(_EQUAL, machine.audit, yes=1),
        _Step(_RETURN, _END),
        _Step(_LOAD, _NUMBER),
        _Step(_AT_LEAST, machine.foreign, no=1),
        _REFUSE,
    ]
    for number in numbers:
        steps += [_Step(_EQUAL, number, no=1), _PASS]
    for call, checks in (
        (_OPEN, _without(1, _WRITING)),
        (_OPENAT, _without(2, _WRITING)),
        (_CLONE, [_PASS] if programs else _with(0, _CLONE_THREAD)),
        (_TGKILL, _one_of(0, (_OWN_PID,))),
        (_PRLIMIT64, _one_of(0, (0, _OWN_PID))),
        (_IOCTL, _one_of(1, _TERMINAL_CALLS)),
        # the C library falls back to clone, whose flags can be looked at
        (_CLONE3, [_Step(_RETURN, _ERRNO | errno.ENOSYS)]),
        (_SETSID, [_PRETEND if programs else _REFUSE]),
        (_KILL, [_PASS if signals else _PRETEND if programs else _REFUSE]),
    ):
        number = call[machine.column]
        if number is not None:
            steps += [_Step(_EQUAL, number, no=len(checks)), *checks]
    return [*steps, _REFUSE]


def _argument(index: int) -> _Step:
    # the lower half: both machines are little-endian, and all of these are 32 bits wide
    return _Step(_LOAD, _ARGUMENTS + 8 * index)


def _one_of(index: int, values: tuple[int, ...]) -> list[_Step]:
    tests = [step for value in values for step in (_Step(_EQUAL, value, no=1), _PASS)]
    return [_argument(index), *tests, _REFUSE]


def _with(index: int, bits: int) -> list[_Step]:
    return [_argument(index), _Step(_ANY_BIT, bits, no=1), _PASS, _REFUSE]


def _without(index: int, bits: int) -> list[_Step]:
    return [_argument(index), _Step(_ANY_BIT, bits, yes=1), _PASS, _REFUSE]
