"""Take mails out of files, directories, Maildirs and mboxes, as if they had been fetched.

Known ones are recognised, so it may be repeated; what is too large or no mail is named and left.
"""

from __future__ import annotations

import logging
import sys
import time
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

from tqimap_processor import archive
from tqimap_shared import pressure, queue, settings, store
from tqimap_shared.envelope import Envelope, Location
from tqimap_shared.errors import Never
from tqimap_shared.ledger import Admission, Ledger


if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator

    import redis

SUBMITTED = "submitted"  # the mailbox that such mails are said to be from
PAUSE = 2.0  # seconds between two looks whether there is room again

logger = logging.getLogger(__name__)


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `submit` to *parser*."""
    parser.add_argument(
        "paths",
        nargs="+",
        type=Path,
        metavar="PATH",
        help="a mail, a Maildir, an mbox, a directory",
    )


def run(options: argparse.Namespace) -> int:
    """Submit and say how many. Raises Never for a PATH that is not there, at the beginning."""
    for path in options.paths:
        if not path.exists():
            raise Never(str(path), "is not there.")
    loaded = settings.load(options.config)
    client = store.connect(loaded.redis)
    for sentence in store.check(client):
        logger.warning("%s", sentence)
    office = _Office(client, loaded)
    for path in options.paths:
        office.take(path)
    sys.stdout.write(f"{office.summary()}\n")
    return 0


class _Office:
    """Where mails are handed in; counts them."""

    def __init__(self, client: redis.Redis, loaded: settings.Settings) -> None:
        self._client = client
        self._settings = loaded
        self._ledger = Ledger(client, settings=loaded.worker)
        self._counts: Counter[str] = Counter()

    def take(self, path: Path) -> None:
        """Admit the mails below *path*, and have them worked on."""
        limits, group, octets = self._settings.fetch, list[Envelope](), 0
        for envelope in self._envelopes(path):
            if len(group) >= limits.admit_messages or octets > limits.admit_bytes:
                self._admit(group)
                group, octets = [], 0
            group.append(envelope)
            octets += len(envelope.raw)
        self._admit(group)

    def summary(self) -> str:
        """Say what became of all."""
        names = (*Admission, archive.TOO_LARGE, archive.NO_MAIL, archive.UNREADABLE)
        counted = ", ".join(f"{self._counts[name]} {name}" for name in names)
        number = sum(self._counts[one] for one in Admission)
        return f"{number} {'mail' if number == 1 else 'mails'} submitted: {counted}"

    def _envelopes(self, path: Path) -> Iterator[Envelope]:
        number = 0
        for file in archive.files(path):
            for piece in archive.pieces(file, most=self._settings.limits.raw):
                if piece.fault:
                    self._counts[piece.fault] += 1
                    sys.stderr.write(f"{file}, mail {piece.number}: {piece.fault}\n")
                else:
                    number += 1
                    yield Envelope.seal(Location(SUBMITTED, str(path), 0, number), piece.raw)

    def _admit(self, group: list[Envelope]) -> None:
        if not group:
            return
        self._wait_for_room()
        for envelope, admission in zip(group, self._ledger.admit(group), strict=True):
            self._counts[admission] += 1
            if admission is not Admission.DONE:
                queue.enqueue(self._client, envelope.sha256, self._settings.worker)

    def _wait_for_room(self) -> None:
        """Wait while Redis or the workers have enough; what was submitted is safe meanwhile."""
        told = ""
        while held := pressure.held(self._client, self._ledger, self._settings.redis):
            if not told:
                told = held
                sys.stderr.write(f"waiting: {held}\n")
            time.sleep(PAUSE)
