"""The filter of system calls, run instruction by instruction as the kernels of both machines do.

The numbers of calls stand here a second time, as the kernel's tables have them: `unistd_64.h` of
x86_64, and `asm-generic/unistd.h` for aarch64.
"""

from __future__ import annotations

import errno
import os
import struct
from typing import NamedTuple

import pytest

from tqimap_processor import jail_seccomp


ALLOWED, REFUSED, MISSING, ENDED, PRETENDED = "allowed", "refused", "missing", "ended", "pretended"
AUDIT = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
OWN = 0x7FFFFFFE  # stands for the process's own id
VERDICTS = {
    0x7FFF0000: ALLOWED,
    0x00050000 | errno.EPERM: REFUSED,
    0x00050000 | errno.ENOSYS: MISSING,
    0x80000000: ENDED,
    0x00050000: PRETENDED,
}
# call, numbers on x86_64 and aarch64, arguments, verdict
CALLS: list[tuple[str, int | None, int | None, tuple[int, ...], str]] = [
    ("read", 0, 63, (), ALLOWED),
    ("write", 1, 64, (), ALLOWED),
    ("mmap", 9, 222, (), ALLOWED),
    ("munmap", 11, 215, (), ALLOWED),
    ("brk", 12, 214, (), ALLOWED),
    ("rt_sigreturn", 15, 139, (), ALLOWED),
    ("futex", 202, 98, (), ALLOWED),
    ("clock_gettime", 228, 113, (), ALLOWED),
    ("exit_group", 231, 94, (), ALLOWED),
    ("getrandom", 318, 278, (), ALLOWED),
    ("open to read", 2, None, (0, os.O_RDONLY), ALLOWED),
    ("open to write", 2, None, (0, os.O_WRONLY), REFUSED),
    ("openat to read", 257, 56, (0, 0, os.O_RDONLY | os.O_CLOEXEC), ALLOWED),
    ("openat to write", 257, 56, (0, 0, os.O_RDWR), REFUSED),
    ("openat to create", 257, 56, (0, 0, os.O_CREAT), REFUSED),
    ("openat to truncate", 257, 56, (0, 0, os.O_TRUNC), REFUSED),
    ("openat2", 437, 437, (), REFUSED),
    ("clone of a thread", 56, 220, (0x10000,), ALLOWED),
    ("clone of a process", 56, 220, (17,), REFUSED),
    ("clone3", 435, 435, (), MISSING),
    ("fork", 57, None, (), REFUSED),
    ("vfork", 58, None, (), REFUSED),
    ("execve", 59, 221, (), REFUSED),
    ("execveat", 322, 281, (), REFUSED),
    ("kill", 62, 129, (), REFUSED),
    ("tgkill of itself", 234, 131, (OWN,), ALLOWED),
    ("tgkill of another", 234, 131, (1,), REFUSED),
    ("prlimit64 of itself", 302, 261, (0,), ALLOWED),
    ("prlimit64 of another", 302, 261, (1,), REFUSED),
    ("ioctl TCGETS", 16, 29, (0, 0x5401), ALLOWED),
    ("ioctl TIOCSTI", 16, 29, (0, 0x5412), REFUSED),
    ("socket", 41, 198, (), REFUSED),
    ("connect", 42, 203, (), REFUSED),
    ("sendmsg", 46, 211, (), REFUSED),
    ("ptrace", 101, 117, (), REFUSED),
    ("process_vm_readv", 310, 270, (), REFUSED),
    ("setsid", 112, 157, (), REFUSED),
    ("mount", 165, 40, (), REFUSED),
    ("unshare", 272, 97, (), REFUSED),
    ("setns", 308, 268, (), REFUSED),
    ("bpf", 321, 280, (), REFUSED),
    ("io_uring_setup", 425, 425, (), REFUSED),
    ("perf_event_open", 298, 241, (), REFUSED),
    ("userfaultfd", 323, 282, (), REFUSED),
    ("memfd_create", 319, 279, (), REFUSED),
    ("mkdirat", 258, 34, (), REFUSED),
    ("unlinkat", 263, 35, (), REFUSED),
    ("symlinkat", 266, 36, (), REFUSED),
    ("linkat", 265, 37, (), REFUSED),
    ("renameat2", 316, 276, (), REFUSED),
    ("pidfd_open", 434, 434, (), REFUSED),
    ("one of a later kernel", 999, 999, (), REFUSED),
]
# what differs where 7zz may be started
PROGRAM_CALLS: list[tuple[str, int | None, int | None, tuple[int, ...], str]] = [
    ("execve", 59, 221, (), ALLOWED),
    ("clone of a process", 56, 220, (17,), ALLOWED),
    ("wait4", 61, 260, (), ALLOWED),
    ("pipe2", 293, 59, (), ALLOWED),
    ("memfd_create", 319, 279, (), ALLOWED),
    ("setsid", 112, 157, (), PRETENDED),
    ("kill", 62, 129, (), PRETENDED),
    ("socket", 41, 198, (), REFUSED),
    ("openat to write", 257, 56, (0, 0, os.O_RDWR), REFUSED),
    ("ptrace", 101, 117, (), REFUSED),
]


class Step(NamedTuple):
    """An instruction as it is given to the kernel: struct sock_filter."""

    code: int
    yes: int
    no: int
    value: int


def verdict(program: bytes, audit: int, number: int, arguments: tuple[int, ...]) -> str:
    """Run the filter *program* over a call, which is a struct seccomp_data, as the kernel does."""
    padded = (*arguments, *(0,) * (6 - len(arguments)))
    data = struct.pack("<IIQ6Q", number, audit, 0, *padded)
    steps = [Step(*one) for one in struct.iter_unpack("<HBBI", program)]
    place = held = 0
    while steps[place].code != 0x06:
        step = steps[place]
        place += 1
        if step.code == 0x20:
            (held,) = struct.unpack_from("<I", data, step.value)
            continue
        held_true = {
            0x15: held == step.value,
            0x35: held >= step.value,
            0x45: bool(held & step.value),
        }[step.code]
        place += step.yes if held_true else step.no
    return VERDICTS[steps[place].value]


def filter_of(machine: str, *, programs: bool = False, signals: bool = False) -> bytes:
    """Return the filter for *machine*, which need not be this one."""
    wanted = jail_seccomp._MACHINES[machine]
    return jail_seccomp._code(wanted, programs=programs, signals=signals)


@pytest.mark.parametrize("machine", AUDIT)
@pytest.mark.parametrize("is_starter", [False, True], ids=["reads", "starts 7zz"])
def test_each_machine_has_its_own_numbers(machine: str, *, is_starter: bool) -> None:
    """What reading takes is allowed and nothing that harms is, by the numbers of either machine."""
    program = filter_of(machine, programs=is_starter)
    told, wanted = {}, {}
    for name, x86, arm, arguments, answer in PROGRAM_CALLS if is_starter else CALLS:
        number = {"x86_64": x86, "aarch64": arm}[machine]
        if number is not None:
            wanted[name] = answer
            told[name] = verdict(program, AUDIT[machine], number, arguments)
    assert told == wanted


@pytest.mark.parametrize("machine", AUDIT)
def test_call_of_another_architecture_ends_the_process(machine: str) -> None:
    """Numbers of 32-bit programs mean other calls: who uses one is ended."""
    for audit in {0x40000003, 0x40000028, *AUDIT.values()} - {AUDIT[machine]}:
        assert verdict(filter_of(machine), audit, 0, ()) == ENDED


def test_calls_of_x32_are_refused() -> None:
    """The other ABI of x86_64 has its own bit in the number."""
    assert verdict(filter_of("x86_64"), AUDIT["x86_64"], 0x40000000, ()) == REFUSED


def test_signals_are_sent_where_they_cannot_leave() -> None:
    """Where Landlock confines them, 7zz may be ended."""
    for machine, number in (("x86_64", 62), ("aarch64", 129)):
        program = filter_of(machine, programs=True, signals=True)
        assert verdict(program, AUDIT[machine], number, ()) == ALLOWED


@pytest.mark.parametrize("machine", AUDIT)
def test_filter_is_one_that_kernels_take(machine: str) -> None:
    """It has at most 4,096 instructions, jumps only inside itself, and ends with an answer."""
    for is_starter in (False, True):
        program = filter_of(machine, programs=is_starter)
        steps = [Step(*one) for one in struct.iter_unpack("<HBBI", program)]
        assert len(steps) <= 4096
        assert steps[-1].code == 0x06
        for place, step in enumerate(steps):
            assert place + 1 + max(step.yes, step.no) < len(steps) or step.code == 0x06
