"""Log one line an event to standard output or to a file per program.

The standard library's logging: rq logs through it too. Known secrets are blotted out of every line,
whoever wrote it; mail content is never logged at all. Times are UTC.
"""

from __future__ import annotations

import logging
import logging.handlers
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import TextIO

from tqimap_shared.errors import NotWritable


STDOUT = "stdout"
LEVELS = {1: logging.WARNING, 2: logging.INFO, 3: logging.DEBUG}
_LEAST_SECRET = 4  # characters; blotting out shorter ones would garble every line

_secrets: set[str] = set()


def hide(*secrets: str) -> None:
    """Blot *secrets* out of every line logged from now on."""
    _secrets.update(secret for secret in secrets if len(secret) >= _LEAST_SECRET)


def scrub(text: str) -> str:
    """Return *text* on one line, without the secrets given to `hide`."""
    # the longest first: one may be part of another
    for secret in sorted(_secrets, key=len, reverse=True):
        text = text.replace(secret, "***")
    return text


class _OneLine(logging.Formatter):
    """The line format of the guide of 2018, in UTC, tracebacks folded into the line."""

    converter = staticmethod(time.gmtime)

    def format(self, record: logging.LogRecord) -> str:
        text = scrub(super().format(record))
        return text.replace("\r", "\\r").replace("\n", "\\n")


class _Lossy(logging.Handler):
    """Go on without the log when it cannot be written, and say so once.

    The standard library would print the line's arguments, and with them what `scrub` takes out.
    """

    _told = False

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - the library's name
        del record
        if self._told:
            return
        self._told = True
        error = sys.exc_info()[1]
        reason = getattr(error, "strerror", None) or type(error).__name__
        with suppress(OSError, ValueError):
            sys.stderr.write(f"The log cannot be written ({reason}); the work goes on.\n")


class _ToConsole(_Lossy, logging.StreamHandler[TextIO]):
    pass


class _ToFile(_Lossy, logging.handlers.WatchedFileHandler):
    """A file that logrotate may move away under us."""


def configure(program: str, location: str = STDOUT, verbosity: int = 1) -> None:
    """Send all logging to *location*: `stdout`, or a directory that gets `<program>.log`.

    *verbosity* is 1 (Warning), 2 (Info) or 3 (Debug). Raises NotWritable.
    """
    handler: logging.Handler
    if location == STDOUT:
        handler = _ToConsole(sys.stdout)
    else:
        try:
            handler = _ToFile(Path(location) / f"{program}.log", encoding="utf-8")
        except OSError as error:
            raise NotWritable(
                f"log location {location}", f"cannot be written ({error.strerror})."
            ) from None
    handler.setFormatter(_OneLine("%(asctime)s - %(name)s %(levelname)s: %(message)s"))
    root = logging.getLogger()
    for old in root.handlers[:]:
        root.removeHandler(old)
        with suppress(OSError):
            old.close()
    root.addHandler(handler)
    root.setLevel(LEVELS[verbosity])
    for chatty in ("urllib3", "requests", "imapclient", "mailparser", "werkzeug"):
        # their debug lines show addresses, queries and, imapclient, whole mails
        logging.getLogger(chatty).setLevel(logging.WARNING)
