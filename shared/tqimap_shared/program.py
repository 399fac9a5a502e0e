"""How a program ends that people or schedulers start: one line for them, one exit status."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tqimap_shared import log
from tqimap_shared.errors import TqimapError


if TYPE_CHECKING:
    import argparse
    import logging
    from collections.abc import Callable

INTERRUPTED = 130


def add_config(parser: argparse.ArgumentParser) -> None:
    """Add the option of an operator's command that says where the settings are."""
    parser.add_argument(
        "-c", "--config", type=Path, default=Path(), help="directory of tqimap.toml (default: here)"
    )


@dataclass(frozen=True, slots=True)
class Program:
    """A running program: its name in messages, its logger, and where its log goes."""

    name: str
    logger: logging.Logger
    location: str

    def run(self, work: Callable[[], int], *, verbosity: int) -> int:
        """Begin the log and do *work*; return its status, or that of the error that ended it.

        The only place where an error becomes a line on standard error.
        """
        try:
            log.configure(self.name, self.location, verbosity)
        except TqimapError as error:
            return self._tell(str(error), error.status)
        try:
            return work()
        except TqimapError as error:
            return self.complain(str(error), error.status)
        except KeyboardInterrupt:
            return self.complain("interrupted; no mail is lost.", INTERRUPTED)
        except Exception:
            # a bug: the traceback goes to the log, which blots out secrets; a person gets one line
            self.logger.exception("Unexpected fault")
            sentence = "unexpected fault; the log has the details."
            return self.complain(sentence, TqimapError.status)

    def complain(self, sentence: str, status: int) -> int:
        """Tell a person; the log too, unless that is the same console."""
        if self.location != log.STDOUT:
            self.logger.critical("%s", sentence)
        return self._tell(sentence, status)

    def _tell(self, sentence: str, status: int) -> int:
        sys.stderr.write(f"{self.name}: {log.scrub(sentence)}\n")
        return status
