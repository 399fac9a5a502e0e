"""One run at a time for a mailbox: cron may start the next while the last still works.

flock(2), because the kernel drops it with the process, however that dies. It only saves work:
admitting a mail twice is harmless, so two hosts on one mailbox lose nothing.
"""

from __future__ import annotations

import fcntl
import hashlib
from contextlib import contextmanager
from typing import TYPE_CHECKING

from tqimap_shared.errors import NotWritable


if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@contextmanager
def only_run(directory: Path, mailbox: str) -> Iterator[bool]:
    """Yield whether this process alone may fetch *mailbox*; the lock ends with the block."""
    digest = hashlib.sha256(mailbox.encode()).hexdigest()[:12]
    path = directory / f".tqimap-{digest}.lock"
    try:
        file = path.open("a")
    except OSError as error:
        raise NotWritable(str(path), f"cannot be written ({error.strerror}).") from None
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
        else:
            yield True
