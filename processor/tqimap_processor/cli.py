"""The program `tqimap-worker`: take mails from Redis and bring what is in them to ThreatQ, always.

argparse, as the fetcher's driver: the options they share mean the same.
"""

from __future__ import annotations

import argparse
import logging
import re
import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from tqimap_processor import prefork, slot, worker
from tqimap_processor.policy import Rules
from tqimap_shared import __version__, log, store
from tqimap_shared import settings as settings_module
from tqimap_shared.errors import SettingsError
from tqimap_shared.program import Program


if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tqimap_shared.settings import Settings

PROGRAM = "tqimap-worker"
NAME = re.compile(r"[A-Za-z0-9_.-]{1,64}")

logger = logging.getLogger(PROGRAM)


def parser() -> argparse.ArgumentParser:
    """Describe the command line."""
    parser = argparse.ArgumentParser(
        prog=PROGRAM,
        description="Take fetched mail from Redis, find indicators and files in it and bring them "
        "to ThreatQ. Runs until SIGTERM, and ends the mail in hand first; start as many as there "
        "are processor cores.",
        epilog="Exit status: 0 told to end, or the queue is empty with --burst; 2 wrong command "
        "line; 70 a fault in tqimap-worker; 73 a directory is not writable; 75 Redis is away, "
        "start again; 77 Redis refuses the login; 78 wrong configuration, or a Redis that could "
        "lose mails.",
        allow_abbrev=False,
    )
    add = parser.add_argument
    add(
        "-ll",
        "--loglocation",
        default=log.STDOUT,
        help="directory of the log, which must exist and be writable; 'stdout' (the default) logs "
        "to the console",
    )
    add(
        "-c",
        "--config",
        type=Path,
        default=Path(),
        help="directory of tqimap.toml; the current directory by default",
    )
    add(
        "-v",
        "--verbosity",
        type=int,
        choices=(1, 2, 3),
        default=1,
        help="1 warnings (default), 2 a line for each mail, 3 everything",
    )
    add("-f", dest="root", type=Path, metavar="DIR", help="root directory for attachments")
    add("--files", metavar="NAME", help="directory under -f where attachments are kept")
    add(
        "--burst",
        action="store_true",
        help="end when the queue is empty; attempts put off until later are not waited for",
    )
    add(
        "--jobs-per-fork",
        type=_count,
        metavar="N",
        help="let one process work on N mails, where a new one for each is the default: cheaper, "
        "and what a mail leaves in memory stays longer",
    )
    add(
        "--name",
        type=_name,
        help="name of this worker, unique at this Redis and the same at each start; by default "
        "host name and the first free number",
    )
    add("--version", action="version", version=f"{PROGRAM} {__version__}")
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the worker and return its exit status."""
    options = parser().parse_args(arguments)
    program = Program(PROGRAM, logger, options.loglocation)
    return program.run(lambda: _work(options), verbosity=options.verbosity)


def load(options: argparse.Namespace) -> Settings:
    """Read the settings of the directory of -c, with -f and --files over them."""
    directory: Path = options.config
    settings = settings_module.load(directory)
    files = settings.files.overridden(root=options.root, name=options.files)
    files.check()
    if missing := settings.threatq.missing():
        raise SettingsError(
            str(directory / settings_module.FILE_NAME),
            f"{', '.join(missing)}: not set; run tqIMAP once to enrol.",
        )
    # lists that cannot be read show now, and those that can are in memory before the first fork
    Rules.of(settings.policy)
    return settings.model_copy(update={"files": files})


def _work(options: argparse.Namespace) -> int:
    settings = load(options)
    client = store.connect(settings.redis)
    for sentence in store.check(client):
        logger.warning("%s", sentence)
    realm = f"{store.address(settings.redis)} {settings.worker.queue}"
    kind: Callable[..., worker.MailWorker] = worker.MailWorker
    if options.jobs_per_fork:
        kind = partial(prefork.PreforkWorker, jobs_per_fork=options.jobs_per_fork)
    own = slot.take(realm, options.name or "")
    worker.run(client, settings, own, burst=options.burst, kind=kind)
    return 0


def _name(text: str) -> str:
    if not NAME.fullmatch(text):
        raise argparse.ArgumentTypeError("letters, digits, '_', '.' and '-' only, at most 64")
    return text


def _count(text: str) -> int:
    if not (text.isascii() and text.isdigit() and int(text)):
        raise argparse.ArgumentTypeError("a number from 1 on")
    return int(text)


if __name__ == "__main__":
    sys.exit(main())
