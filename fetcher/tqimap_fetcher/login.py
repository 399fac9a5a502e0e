"""Log in to an IMAP server and open the folder, or say clearly why that cannot be.

The server's own text never leaves this module: it may repeat the command, and so the password.
"""

from __future__ import annotations

import logging
from datetime import UTC, datetime
from imaplib import IMAP4
from typing import TYPE_CHECKING

from tqimap_fetcher.bounded import BoundedClient
from tqimap_fetcher.kept_tokens import Keep
from tqimap_fetcher.refusal import telling, throttled
from tqimap_fetcher.secret_files import with_secrets
from tqimap_fetcher.sign_in import passes, sign_in
from tqimap_fetcher.transport import connect, encrypt, peer_of, subject_of
from tqimap_shared.errors import StopProcess, TryLater


if TYPE_CHECKING:
    from collections.abc import Mapping

    from tqimap_shared.errors import TqimapError
    from tqimap_shared.settings import Fetch, Mailbox

logger = logging.getLogger(__name__)

NOTHING_KEPT = Keep()


def log_in(mailbox: Mailbox, fetch: Fetch, keep: Keep = NOTHING_KEPT) -> BoundedClient:
    """Connect to *mailbox* and log in; *keep* is where its tokens stay between runs.

    Raises Denied, StopProcess and TryLater.
    """
    mailbox = ready(mailbox)
    subject = subject_of(mailbox)
    if sentence := expiry(mailbox):
        logger.warning("mailbox %s: %s", mailbox.name, sentence)
    sock = connect(mailbox, seconds=fetch.connect_timeout)
    with telling(subject):
        client = BoundedClient(sock, mailbox.server, subject=subject, limits=fetch)
        try:
            secure(client, mailbox, fetch)
            sign_in(client, mailbox, keep, seconds=fetch.connect_timeout)
        except BaseException:
            client.imap.shutdown()
            raise
    return client


def open_folder(client: BoundedClient, mailbox: Mailbox, fetch: Fetch) -> Mapping[bytes, object]:
    """Select the mailbox's folder; return imapclient's SELECT response.

    For writing, where anything is to be written. Raises StopProcess if it cannot be opened, or not
    so that read mails can be marked where they are to be.
    """
    subject = f"{subject_of(mailbox)} folder {mailbox.folder}"
    # a server may have to read a large folder first, without a word
    client.imap.allow(fetch.max_search_line, quiet=fetch.command_timeout)
    with telling(subject):
        try:
            selected: Mapping[bytes, object] = client.select_folder(
                mailbox.folder, readonly=mailbox.only_looks
            )
        except IMAP4.readonly:
            raise read_only(subject) from None
        except IMAP4.abort:
            raise
        except IMAP4.error as error:
            raise unopened(client, subject, str(error)) from None
        if mailbox.take == "unread" and not _markable(selected):
            raise read_only(subject)
        if not isinstance(selected.get(b"UIDVALIDITY"), int):
            raise StopProcess(subject, "the server numbers no mails (no UIDVALIDITY).")
    return selected


def ready(mailbox: Mailbox) -> Mailbox:
    """Return *mailbox* with the secrets of its files. Raises StopProcess if something lacks."""
    if lacking := mailbox.lacking():
        names = " and ".join(f"mailbox.{name}" for name in lacking)
        raise StopProcess(f"mailbox {mailbox.name}", f"set {names}.")
    return with_secrets(mailbox)


def expiry(mailbox: Mailbox) -> str | None:
    """Say when the mailbox's secret ends, if that is soon or past (`secret_expires`)."""
    if mailbox.secret_expires is None:
        return None
    days = (mailbox.secret_expires - datetime.now(UTC).date()).days
    if days > mailbox.secret_warn_days:
        return None
    when = f"expires in {days} days, on" if days >= 0 else "expired on"
    return f"its secret {when} {mailbox.secret_expires}; make a new one and set secret_expires."


def secure(client: BoundedClient, mailbox: Mailbox, fetch: Fetch) -> None:
    """Begin TLS where that is done by STARTTLS; refuse a server that skips the login."""
    subject = subject_of(mailbox)
    if client.imap.state != "NONAUTH":
        raise StopProcess(
            subject, "the server skips the login (PREAUTH); somebody may be on the way."
        )
    if mailbox.security == "starttls":
        client.imap.upgrade(
            lambda sock: encrypt(sock, mailbox, peer_of(mailbox), seconds=fetch.connect_timeout)
        )
    elif mailbox.security == "none":
        logger.warning(
            "%s: the connection is NOT encrypted (mailbox.security = none); anyone on the way can "
            "read the password and the mail.",
            subject,
        )


def unopened(client: BoundedClient, subject: str, text: str) -> TqimapError:
    """Return what the refusal *text* of a SELECT or EXAMINE means."""
    if wait := throttled(subject, text):
        return wait
    if passes(client, text):
        return TryLater(subject, "cannot be opened at the moment.")
    if "not connected" in text:
        # Exchange's way to say that IMAP is off for a mailbox
        return StopProcess(subject, "IMAP is switched off for this user; switch it on.")
    return StopProcess(subject, "cannot be opened; check mailbox.folder.")


def read_only(subject: str) -> StopProcess:
    """Return the error for a folder in which nothing can be marked."""
    return StopProcess(
        subject,
        "is read-only for this user: mails could not be marked as read and would be fetched "
        "again and again; give the user write access, or set mailbox.take to new and mailbox.done "
        "to nothing.",
    )


def _markable(selected: Mapping[bytes, object]) -> bool:
    r"""Tell whether \Seen will stay; some servers answer OK to a STORE that changes nothing."""
    flags = selected.get(b"PERMANENTFLAGS")
    if isinstance(flags, tuple):
        return b"\\seen" in [flag.lower() for flag in flags]
    return bool(selected.get(b"READ-WRITE"))
