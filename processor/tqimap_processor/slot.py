"""Give each worker of a host a name that it keeps when it is killed and started again.

A worker that comes back under its old name knows which jobs were its own and takes them up at once,
where rq alone would wait for a lease of more than a minute. The name is locked by a Unix socket in
Linux' abstract namespace: the kernel frees it with the process, however that ends, and no file is
left behind.
"""

from __future__ import annotations

import hashlib
import os
import socket
import sys
from dataclasses import dataclass, field

from tqimap_shared.errors import StopProcess


SLOTS = 256  # workers of one host on one queue


@dataclass(frozen=True, slots=True)
class Slot:
    """A worker's name. *own* says that no other process of this host can have it."""

    name: str
    own: bool
    lock: socket.socket | None = field(default=None, repr=False)


def take(realm: str, name: str = "") -> Slot:
    """Take *name*, or the first free one of this host, among the workers of *realm*.

    *realm* is text that tells one installation from another. Raises StopProcess when the name is
    taken.
    """
    host = socket.gethostname()
    if sys.platform != "linux":
        return Slot(name or f"{host}-{os.getpid()}", own=False)
    for candidate in [name] if name else [f"{host}-{number}" for number in range(1, SLOTS + 1)]:
        if lock := _lock(realm, candidate):
            return Slot(candidate, own=True, lock=lock)
    if name:
        raise StopProcess(f"--name {name}", "a worker of this name is running here already.")
    raise StopProcess(host, f"has {SLOTS} workers already.")


def _lock(realm: str, name: str) -> socket.socket | None:
    digest = hashlib.sha256(f"{realm}\0{name}".encode()).hexdigest()[:32]
    lock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    try:
        lock.bind(f"\0tqimap-worker-{digest}")
    except OSError:
        lock.close()
        return None
    return lock
