"""The program `tqimap-admin`: the operator's tool.

Each command is a module with `arguments(parser)` and `run(options) -> int`, imported only when it
is called: `explain` needs neither Redis nor ThreatQ, and the dashboard's libraries are optional.
"""

from __future__ import annotations

import argparse
import importlib
import logging
import os
import sys
from typing import TYPE_CHECKING

from tqimap_shared import __version__, log, program
from tqimap_shared.errors import StopProcess, TqimapError


if TYPE_CHECKING:
    from collections.abc import Sequence

PROGRAM = "tqimap-admin"
COMMANDS = {
    "explain": "show what would become of a mail, and why",
    "status": "count what is open, done and failed; say why mails failed",
    "requeue": "give failed mails all their attempts again",
    "replay": "process mails again from their raw bytes, or say what that would change",
    "submit": "take mails out of files, Maildirs and mboxes, as if they had been fetched",
    "verify": "compare mailboxes, ledger, rq and ThreatQ; --heal puts right what differs",
    "doctor": "try every link from the settings to ThreatQ; name the first that fails",
    "dashboard": "serve rq-dashboard, where queues are watched and failed jobs requeued",
}

logger = logging.getLogger(PROGRAM)


def main(arguments: Sequence[str] | None = None) -> int:
    """Parse the command line, run the command, return its exit status."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    command = _parser().parse_args(given[:1]).command
    try:
        parser = parser_of(command)
        options = parser.parse_args(given[1:])
        log.configure(PROGRAM)
        status = int(options.run(options))
        sys.stdout.flush()
    except argparse.ArgumentError as error:
        parser.error(str(error))
    except TqimapError as error:
        return _complain(str(error), error.status)
    except ImportError as error:
        extra = "install tqimap-processor[dashboard]" if command == "dashboard" else "install anew"
        missing = f"{error.name} is not installed, or not for this user to read; {extra}."
        return _complain(f"{command}: {missing}", StopProcess.status)
    except BrokenPipeError:
        # who read our output, say `head`, has seen enough; Python must not write more at its end
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except KeyboardInterrupt:
        return 130
    except Exception:
        # a bug: the traceback goes to the log, which blots out secrets; a person gets one line
        logger.exception("Unexpected fault")
        return _complain("unexpected fault; the log has the details.", TqimapError.status)
    return status


def parser_of(command: str) -> argparse.ArgumentParser:
    """Return the parser of a command's options. Raises ImportError if a library is not there."""
    module = importlib.import_module(f"tqimap_processor.{command}")
    parser = argparse.ArgumentParser(
        prog=f"{PROGRAM} {command}", description=module.__doc__, allow_abbrev=False
    )
    module.arguments(parser)
    program.add_config(parser)
    parser.set_defaults(run=module.run)
    return parser


def _parser() -> argparse.ArgumentParser:
    width = max(map(len, COMMANDS))
    listing = "\n".join(f"  {name:{width}}  {sentence}" for name, sentence in COMMANDS.items())
    parser = argparse.ArgumentParser(
        prog=PROGRAM,
        usage=f"{PROGRAM} [-h] [--version] COMMAND ...",
        description=f"Watch over tqimap.\n\ncommands:\n{listing}",
        epilog=f"{PROGRAM} COMMAND --help describes a command.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("command", choices=COMMANDS, metavar="COMMAND", help=argparse.SUPPRESS)
    parser.add_argument("--version", action="version", version=f"{PROGRAM} {__version__}")
    return parser


def _complain(sentence: str, status: int) -> int:
    print(f"{PROGRAM}: {log.scrub(sentence)}", file=sys.stderr)
    return status


if __name__ == "__main__":
    sys.exit(main())
