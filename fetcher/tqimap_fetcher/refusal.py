"""Turn what mail servers say, and what imaplib raises, into errors of ours."""

from __future__ import annotations

import imaplib
import re
from contextlib import contextmanager
from typing import TYPE_CHECKING

from tqimap_fetcher.patience import ServerMisbehaved
from tqimap_shared.errors import StopProcess, TqimapError, TryLater


if TYPE_CHECKING:
    from collections.abc import Iterator

_BACKOFF = re.compile(r"Suggested Backoff Time: (\d{1,9}) milliseconds", re.IGNORECASE)


class Throttled(TryLater):
    """The server asks to be left alone for *seconds*."""

    def __init__(self, subject: str, sentence: str, seconds: float = 0) -> None:
        super().__init__(subject, sentence)
        self.seconds = seconds


def throttled(subject: str, text: str) -> Throttled | None:
    """Read Exchange's throttling notice out of a server's *text*."""
    if found := _BACKOFF.search(text):
        seconds = int(found[1]) / 1000
        return Throttled(subject, f"is throttled; leave it for {seconds:.0f} seconds.", seconds)
    return None


@contextmanager
def telling(subject: str) -> Iterator[None]:
    """Turn what imaplib and imapclient raise into errors of ours, without the server's text.

    The server's text may repeat a command of ours, and so a password.
    """
    try:
        yield
    except TqimapError:
        raise
    except imaplib.IMAP4.readonly:
        raise StopProcess(
            subject, "the folder has become read-only; read mails could not be marked."
        ) from None
    except imaplib.IMAP4.abort as error:
        raise throttled(subject, str(error)) or TryLater(
            subject, "the server ended the connection or lost the thread."
        ) from None
    except imaplib.IMAP4.error as error:
        raise throttled(subject, str(error)) or ServerMisbehaved(
            subject, "the server refused a command that every IMAP server knows."
        ) from None
    except (ValueError, LookupError, TypeError, AssertionError, RecursionError):
        # imaplib and imapclient fail in these ways on answers that are no IMAP
        raise ServerMisbehaved(subject, "the server's answer is not IMAP.") from None
