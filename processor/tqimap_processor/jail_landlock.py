"""Landlock: let a process see no file but the code it runs, whatever its user may read.

Three system calls, made directly: the packages for it are development releases, and this is all
there is to it. Kernels know more and more rights (the ABI's number): what a kernel does not know is
left out. https://docs.kernel.org/userspace-api/landlock.html
"""

from __future__ import annotations

import ctypes
import os
import struct
import sys
from pathlib import Path
from typing import TYPE_CHECKING


if TYPE_CHECKING:
    from collections.abc import Iterable


_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446  # the same on every architecture
WITH_SIGNALS = 6  # the ABI from which on signals stay inside
_VERSION = 1  # flag of _CREATE_RULESET: ask for the ABI
_PATH_BENEATH = 1
_EXECUTE, _READ_FILE, _READ_DIR = 1 << 0, 1 << 2, 1 << 3
_FILES = {1: 13, 2: 14, 3: 15, 5: 16}  # ABI: number of rights on files from there on
_BIND_AND_CONNECT = 0b11  # of TCP, from ABI 4 on
_SIGNALS_AND_ABSTRACT_SOCKETS = 0b11  # to processes outside, from ABI 6 on
_syscall = ctypes.CDLL(None, use_errno=True).syscall


def abi() -> int:
    """Return the version of Landlock that the kernel offers; 0 if none."""
    if sys.platform != "linux":
        return 0
    return max(0, int(_syscall(_CREATE_RULESET, None, ctypes.c_size_t(0), _VERSION)))


def restrict(readable: Iterable[str], programs: Iterable[str] = ()) -> bool:
    """Leave this process nothing but reading below *readable* and executing *programs*.

    No TCP either, no signals and no abstract sockets to other processes, as far as the kernel knows
    how. Return whether that is in force; it needs PR_SET_NO_NEW_PRIVS.
    """
    version = abi()
    if not version:
        return False
    rights = (1 << max(n for since, n in _FILES.items() if since <= version)) - 1
    attribute = struct.pack(
        "QQQ",
        rights,
        _BIND_AND_CONNECT if version >= 4 else 0,
        _SIGNALS_AND_ABSTRACT_SOCKETS if version >= WITH_SIGNALS else 0,
    )
    size = ctypes.c_size_t(8 if version < 4 else 16 if version < WITH_SIGNALS else 24)
    ruleset = _syscall(_CREATE_RULESET, attribute, size, 0)
    if ruleset < 0:
        return False
    for path in readable:
        _allow(ruleset, path, _READ_FILE | (_READ_DIR if Path(path).is_dir() else 0))
    for path in programs:
        _allow(ruleset, path, _READ_FILE | _EXECUTE)
    done = int(_syscall(_RESTRICT_SELF, ruleset, 0)) == 0
    os.close(ruleset)
    return done


def _allow(ruleset: int, path: str, rights: int) -> None:
    """Add a rule; one that cannot be added leaves *path* forbidden."""
    try:
        directory = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except OSError:
        return
    rule = struct.pack("=Qi", rights, directory)
    _syscall(_ADD_RULE, ruleset, _PATH_BENEATH, rule, 0)
    os.close(directory)
