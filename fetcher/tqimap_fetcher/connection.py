"""Hold a connection to a mail server while it is needed: sign in, say who we are, log out."""

from __future__ import annotations

import logging
from contextlib import contextmanager, suppress
from imaplib import IMAP4
from typing import TYPE_CHECKING

from tqimap_fetcher.login import NOTHING_KEPT, log_in
from tqimap_fetcher.refusal import telling
from tqimap_fetcher.transport import subject_of
from tqimap_shared import __version__
from tqimap_shared.errors import TqimapError


if TYPE_CHECKING:
    from collections.abc import Iterator

    from tqimap_fetcher.bounded import BoundedClient
    from tqimap_fetcher.kept_tokens import Keep
    from tqimap_shared.settings import Fetch, Mailbox

logger = logging.getLogger(__name__)

_OCTETS = 1_048_576  # room for what a server says unasked
_LOGOUT_SECONDS = 5.0


@contextmanager
def connected(
    settings: Mailbox, fetch: Fetch, keep: Keep = NOTHING_KEPT
) -> Iterator[BoundedClient]:
    """Connect and log in; log out at the end, or just hang up after an error.

    *keep* is where the mailbox's tokens stay between runs.

    Raises Denied, StopProcess and TryLater, each saying what to do.
    """
    client = log_in(settings, fetch, keep)
    try:
        introduce(client, settings)
        yield client
        log_out(client)
    finally:
        client.imap.shutdown()


def introduce(client: BoundedClient, settings: Mailbox) -> None:
    """Say who we are (RFC 2971) where the server has ears for it; some open no folder before."""
    client.imap.allow(_OCTETS)
    with telling(subject_of(settings)):
        if not client.has_capability("ID"):
            return
        try:
            client.id_({"name": "tqimap", "version": __version__})
        except IMAP4.abort:
            raise
        except IMAP4.error:
            logger.debug("%s: does not want to know who we are.", subject_of(settings))


def log_out(client: BoundedClient) -> None:
    """Say good-bye."""
    client.imap.allow(_OCTETS, seconds=_LOGOUT_SECONDS)
    # all is done by now: how the server says good-bye changes nothing
    with suppress(TqimapError, IMAP4.error, ValueError):
        client.imap.logout()
