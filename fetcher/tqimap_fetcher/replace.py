"""Put a file in another's place in one step: readers, and a crash, see the one or the other."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from tqimap_shared.errors import NotWritable


def replace(path: Path, content: bytes) -> None:
    """Make *content* that of the file *path*, mode 0600, and leave nothing else behind.

    A symbolic link stays one; the file that it points to is replaced. Raises NotWritable.
    """
    try:
        _replace(path.resolve(), content)
    except OSError as error:
        raise NotWritable(str(path), f"cannot be written ({error.strerror}).") from None


def _replace(path: Path, content: bytes) -> None:
    descriptor, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(descriptor)
        Path(name).replace(path)
    except OSError:
        Path(name).unlink(missing_ok=True)
        raise
    parent = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(parent)
    finally:
        os.close(parent)
