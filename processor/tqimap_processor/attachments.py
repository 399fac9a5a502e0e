"""Keep a mail's attachments as files: `<root>/<name>/<sha[:2]>/<sha>/<attachment's name>`.

The content's sha256 in the path makes the same attachment the same file, whatever mail brings it.
"""

from __future__ import annotations

import errno
import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from tqimap_processor import names
from tqimap_shared.errors import NotWritable, Outage


if TYPE_CHECKING:
    from tqimap_processor.artefact import Artefact
    from tqimap_processor.report import Report
    from tqimap_shared.settings import Files

_PASSING = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EMFILE, errno.ENFILE})


def keep(report: Report, files: Files) -> None:
    """Write the attachments of *report* below the root of *files*, if it has one.

    Files are complete or not there, mode 0600; one that is there stays as it is. Raises Outage
    if the disk is full, NotWritable if it may not be written.
    """
    if files.root is None:
        return
    base = files.root / files.name
    try:
        if not files.root.is_dir():
            raise NotWritable(f"files root {files.root}", "is not a directory; create it first.")
        for artefact in report.attachments:
            _keep(artefact, base)
    except OSError as error:
        kind = Outage if error.errno in _PASSING else NotWritable
        raise kind(f"files directory {base}", f"cannot be written ({error.strerror}).") from None


def _keep(artefact: Artefact, base: Path) -> None:
    directory = base / artefact.sha256[:2] / artefact.sha256
    target = directory / names.safe(artefact.name)
    if target.is_symlink() or target.exists():
        return
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor, temporary = tempfile.mkstemp(prefix=".", dir=directory)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(artefact.data)
            file.flush()
            os.fsync(descriptor)
        Path(temporary).replace(target)
    except OSError:
        Path(temporary).unlink(missing_ok=True)
        raise
