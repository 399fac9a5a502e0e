"""The driver `tqIMAP`: the first run enrols, later runs fetch once and exit.

argparse, because the guide of 2018 shows argparse's help.
"""

from __future__ import annotations

import argparse
import logging
import os
import signal
from pathlib import Path
from typing import TYPE_CHECKING

from tqimap_fetcher import connector, enrol, run, state
from tqimap_shared import __version__, log
from tqimap_shared import settings as settings_module
from tqimap_shared.errors import NotWritable, TqimapError
from tqimap_shared.program import Program
from tqimap_shared.threatq import Session


if TYPE_CHECKING:
    from collections.abc import Sequence

    from tqimap_shared.settings import Files, Mailbox, Settings

PROGRAM = "tqIMAP"
CREATED = "Connector has been created, please use UI for final configuration"

logger = logging.getLogger(settings_module.CONNECTOR)


def parser() -> argparse.ArgumentParser:
    """Describe the command line."""
    parser = argparse.ArgumentParser(
        prog=PROGRAM,
        description="Fetch unread mail from IMAP and hand it to the workers that read it into "
        "ThreatQ. The first run asks for ThreatQ's address and account and creates the connector "
        "there; later runs fetch once and exit.",
        epilog="Exit status: 0 done, held back, or another run is at work; 2 wrong command line; "
        "65 a server said a final no; 69 feed off or incomplete in the UI; 70 a fault in tqIMAP; "
        "73 a directory is not writable; 75 a server is away, run again; 77 login, permission or "
        "certificate refused; 78 wrong configuration.",
        allow_abbrev=False,
    )
    add = parser.add_argument
    add(
        "-ll",
        "--loglocation",
        default=log.STDOUT,
        help="This sets the logging location for this connector. The location should exist and be "
        "writable by the current user. A special value of 'stdout' means to log to the console "
        "(the default).",
    )
    add(
        "-c",
        "--config",
        type=Path,
        default=Path(),
        help="This is the location of the configuration file for the connector. This location must "
        "have read and write permissions for the current user. If no config file is given, the "
        "current directory will be used. This file is also where some information from each run "
        "of the connector may be put (e.g. last run time, private OAuth, etc).",
    )
    add(
        "-v",
        "--verbosity",
        type=int,
        choices=(1, 2, 3),
        default=1,
        help="This is the logging verbosity level. The default is 1 (Warning).",
    )
    add("-f", dest="root", type=Path, metavar="DIR", help="Root directory for attachments.")
    add("--files", metavar="NAME", help="Directory under -f where attachments are kept.")
    add(
        "--watch",
        action="store_true",
        help="Do not exit: keep a connection to each mailbox and fetch as soon as mail comes, "
        "until SIGTERM or SIGINT.",
    )
    add("--version", action="version", version=f"{PROGRAM} {__version__}")
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the driver and return its exit status."""
    options = parser().parse_args(arguments)
    program = Program(PROGRAM, logger, options.loglocation)
    return program.run(lambda: _run(options, program), verbosity=options.verbosity)


def _must_be_usable(directory: Path) -> None:
    subject = f"config directory {directory}"
    if not os.access(directory, os.R_OK | os.W_OK | os.X_OK):
        raise NotWritable(subject, "must be there, readable and writable for this user.")
    if not directory.is_dir():
        raise NotWritable(subject, "is not a directory; create it first.")


def _run(options: argparse.Namespace, program: Program) -> int:
    _must_be_usable(options.config)
    memory = state.load(options.config)
    memory.last_run, memory.last_error = state.now(), ""
    try:
        return _enrol_or_fetch(options, program, memory)
    except TqimapError as error:
        memory.last_error = log.scrub(str(error))
        raise
    finally:
        state.save(options.config, memory)


def _enrol_or_fetch(options: argparse.Namespace, program: Program, memory: state.State) -> int:
    loaded = settings_module.load(options.config)
    settings = enrol.complete(loaded, root=options.root, name=options.files)
    asked = settings.threatq != loaded.threatq
    with Session(settings.threatq) as session:
        found, created = connector.ensure(session, settings.threatq, memory.connector_id)
    memory.connector_id = found.id if found else None
    if asked or created or enrol.lacking(options.config):
        enrol.write(options.config, settings)
    if asked or created:
        return _enrolled(created=created)
    _compare(settings.files, loaded.files)
    if options.watch:
        return _watch(settings, options.config, memory)
    faults = run.fetch_all(connector.mailboxes(settings, found), settings, options.config, memory)
    for fault in faults[1:]:
        program.complain(str(fault), fault.status)
    if faults:
        raise faults[0]
    return 0


def _watch(settings: Settings, directory: Path, memory: state.State) -> int:
    """Watch until a signal says that it is enough."""
    from tqimap_fetcher import idle, watch  # noqa: PLC0415 - cron's runs need neither

    stop = idle.Stop()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    state.save(directory, memory)

    def mailboxes() -> list[Mailbox]:
        with Session(settings.threatq) as session:
            found, _ = connector.ensure(session, settings.threatq, memory.connector_id)
        return connector.mailboxes(settings, found)

    watch.watch(run.begin(settings, directory, memory), mailboxes, stop)
    return 0


def _enrolled(*, created: bool) -> int:
    if created:
        print("Connector configured. Set information in UI.")
        logger.critical(CREATED)
    else:
        print("Configuration written.")
    return 0


def _compare(given: Files, files: Files) -> None:
    """Say when -f or --files are not what the workers read; only a first run writes them."""
    kept = files.root and files.root.resolve()
    if (given.root and given.root.resolve(), given.name) != (kept, files.name):
        logger.warning(
            "-f and --files are not those of %s, which the workers follow: %s and %s.",
            settings_module.FILE_NAME,
            files.root,
            files.name,
        )
