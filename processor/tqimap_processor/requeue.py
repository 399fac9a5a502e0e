"""Give failed mails all their attempts again, once what made them fail has been put right.

Mails that are waiting, in work or done are left alone, and a second operator who does the same at
the same time does no harm.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from tqimap_shared import queue, settings, store
from tqimap_shared.errors import Never
from tqimap_shared.ledger import Ledger


if TYPE_CHECKING:
    import argparse

LEAST = 4  # characters of a sha: fewer are a slip of the finger


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `requeue` to *parser*."""
    which = parser.add_mutually_exclusive_group(required=True)
    which.add_argument("--all", action="store_true", help="every failed mail")
    which.add_argument(
        "shas", nargs="*", default=[], metavar="SHA", help="the first characters of a mail's sha256"
    )


def run(options: argparse.Namespace) -> int:
    """Requeue and say how many. Raises Never for a SHA that names no mail or several."""
    worker = (loaded := settings.load(options.config)).worker
    client = store.connect(loaded.redis)
    ledger = Ledger(client, settings=worker)
    if options.all:
        number = queue.requeue_all(client, ledger, worker)
    else:
        shas = dict.fromkeys(_find(ledger, beginning.lower()) for beginning in options.shas)
        number = sum(queue.requeue(client, sha, worker) for sha in shas)
    sys.stdout.write(f"{number} {'mail' if number == 1 else 'mails'} requeued\n")
    return 0


def _find(ledger: Ledger, beginning: str) -> str:
    if len(beginning) < LEAST or not set(beginning) <= set("0123456789abcdef"):
        raise Never(beginning, f"is no beginning of a sha256 with at least {LEAST} characters.")
    found = ledger.find(beginning)
    if len(found) != 1:
        many = f"{len(found)} open mails begin" if found else "no open mail begins"
        raise Never(beginning, f"{many} with it.")
    return found[0]
