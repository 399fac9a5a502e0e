"""Log one line an event to standard output or to a file per program.

The standard library's logging: rq logs through it too. Known secrets are blotted out of every line,
whoever wrote it; mail content is never logged at all. Times are UTC.
"""

from __future__ import annotations

import logging
import logging.handlers
import sys
import time
from pathlib import Path

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
    for secret in _secrets:
        text = text.replace(secret, "***")
    return text


class _OneLine(logging.Formatter):
    """The line format of the guide of 2018, in UTC, tracebacks folded into the line."""

    converter = staticmethod(time.gmtime)

    def format(self, record: logging.LogRecord) -> str:
        text = scrub(super().format(record))
        return text.replace("\r", "\\r").replace("\n", "\\n")


def configure(program: str, location: str = STDOUT, verbosity: int = 1) -> None:
    """Send all logging to *location*: `stdout`, or a directory that gets `<program>.log`.

    *verbosity* is 1 (Warning), 2 (Info) or 3 (Debug). Raises NotWritable.
    """
    handler: logging.Handler
    if location == STDOUT:
        handler = logging.StreamHandler(sys.stdout)
    else:
        try:
            # "Watched": logrotate may move the file away under us
            handler = logging.handlers.WatchedFileHandler(Path(location) / f"{program}.log")
        except OSError as error:
            raise NotWritable(
                f"log location {location}", f"cannot be written ({error.strerror})."
            ) from None
    handler.setFormatter(_OneLine("%(asctime)s - %(name)s %(levelname)s: %(message)s"))
    root = logging.getLogger()
    for old in root.handlers[:]:
        root.removeHandler(old)
        old.close()
    root.addHandler(handler)
    root.setLevel(LEVELS[verbosity])
    for chatty in ("urllib3", "requests", "imapclient", "mailparser", "werkzeug"):
        # their debug lines show addresses, queries and, imapclient, whole mails
        logging.getLogger(chatty).setLevel(logging.WARNING)
