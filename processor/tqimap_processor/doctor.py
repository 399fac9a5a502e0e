"""Walk the whole chain, link by link, and name the first that fails; change nothing anywhere.

The links: settings, Redis, ThreatQ, every mailbox from its name to a search, workers, disk.
Exit status: 0 all hold; else that of the first that fails, as in the README.
"""

from __future__ import annotations

import os
import shutil
from datetime import UTC, datetime
from typing import TYPE_CHECKING, cast

from rq.utils import utcparse
from rq.worker_registration import WORKERS_BY_QUEUE_KEY

from tqimap_processor.threatq.reference import Reference
from tqimap_shared import store
from tqimap_shared.doctor.link import Said, walk
from tqimap_shared.doctor.program import arguments, run
from tqimap_shared.errors import TryLater


if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from tqimap_shared.doctor.link import Link, Patient
    from tqimap_shared.threatq import Session

__all__ = ["arguments", "links", "run"]

SILENT = 90  # seconds without a sign after which a worker counts as gone; rq's keys last as long
ROOM = 2**30  # bytes of free disk below which to warn


def links(patient: Patient) -> Iterator[Link]:
    """Try the processor's links."""
    yield from walk("worker", [("alive", lambda: _alive(patient))])
    if patient.session is not None:
        session = patient.session
        yield from walk("ThreatQ", [("tables", lambda: _tables(patient, session))])
    yield from walk("disk", [("attachments", lambda: _disk(patient))])


def _alive(patient: Patient) -> Said:
    """Read rq's worker records without rq, which tidies up while it reads."""
    key = WORKERS_BY_QUEUE_KEY % patient.settings.worker.queue
    client = patient.client
    with store.answering(client):
        names = cast("set[bytes]", client.smembers(key))
        records = [cast("dict[bytes, bytes]", client.hgetall(name)) for name in names]
    seen = [silent for one in records if (silent := _silent(one)) is not None]
    if not seen:
        raise TryLater("worker", "none was ever here, or all have ended; start tqimap-worker.")
    if min(seen) > SILENT:
        raise TryLater("worker", f"the last sign of one is {min(seen):.0f} s old; is it hung?")
    alive = sum(one <= SILENT for one in seen)
    return Said(f"{alive} alive, last seen {max(0.0, min(seen)):.0f} s ago.")


def _silent(record: Mapping[bytes, bytes]) -> float | None:
    """Return for how many seconds a worker has been silent, None if it has ended."""
    beat = record.get(b"last_heartbeat")
    if not beat or record.get(b"death"):
        return None
    return (datetime.now(UTC) - utcparse(beat.decode())).total_seconds()


def _tables(patient: Patient, session: Session) -> Said:
    settings = patient.settings.threatq
    found = Reference.read(session)
    for setting in ("status", "review_status"):
        found.status(f"threatq.{setting}", getattr(settings, setting))
    return Said(f"{len(found.types)} indicator types; both statuses are known.")


def _disk(patient: Patient) -> Said:
    files = patient.settings.files
    if files.root is None:
        return Said("none are kept (files.root is empty).")
    files.check()
    free = shutil.disk_usage(_there(files.root / files.name)).free
    sentence = f"{files.root / files.name}, {free:,} bytes free"
    if os.geteuid() == 0:
        sentence += "; looked at as root, so ask again as the worker's user whether it may write"
    return Said(f"{sentence}.", warns=free < ROOM)


def _there(path: Path) -> Path:
    return path if path.exists() else path.parent
