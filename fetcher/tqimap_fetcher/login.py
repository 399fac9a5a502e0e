"""Log in to an IMAP server and open the folder, or say clearly why that cannot be.

The server's own text never leaves this module: it may repeat the command, and so the password.
"""

from __future__ import annotations

import logging
from imaplib import IMAP4
from typing import TYPE_CHECKING

from tqimap_fetcher.bounded import BoundedClient, telling, throttled
from tqimap_fetcher.transport import connect, encrypt, peer_of, subject_of
from tqimap_shared import log
from tqimap_shared.errors import Denied, StopProcess, TryLater


if TYPE_CHECKING:
    from collections.abc import Mapping

    from tqimap_shared.errors import TqimapError
    from tqimap_shared.settings import Fetch, Mailbox

logger = logging.getLogger(__name__)

# RFC 5530: response codes that pass
_PASSING = ("UNAVAILABLE", "INUSE", "LIMIT", "SERVERBUG")


def log_in(mailbox: Mailbox, fetch: Fetch) -> BoundedClient:
    """Connect to *mailbox* and log in; raises Denied, StopProcess and TryLater."""
    _check(mailbox)
    subject = subject_of(mailbox)
    log.hide(mailbox.password.get_secret_value(), mailbox.proxy_password.get_secret_value())
    sock = connect(mailbox, seconds=fetch.connect_timeout)
    with telling(subject):
        client = BoundedClient(sock, mailbox.server, subject=subject, limits=fetch)
        try:
            _encrypt(client, mailbox, fetch)
            _authenticate(client, mailbox)
        except BaseException:
            client.imap.shutdown()
            raise
    return client


def open_folder(client: BoundedClient, mailbox: Mailbox, fetch: Fetch) -> Mapping[bytes, object]:
    """Select the mailbox's folder for writing; return imapclient's SELECT response.

    Raises StopProcess if it cannot be opened, or not so that read mails can be marked.
    """
    subject = f"{subject_of(mailbox)} folder {mailbox.folder}"
    client.imap.allow(fetch.max_search_line)
    with telling(subject):
        try:
            selected: Mapping[bytes, object] = client.select_folder(mailbox.folder)
        except IMAP4.readonly:
            raise _read_only(subject) from None
        except IMAP4.abort:
            raise
        except IMAP4.error as error:
            raise _unopened(client, subject, str(error)) from None
        if not _markable(selected):
            raise _read_only(subject)
        if not isinstance(selected.get(b"UIDVALIDITY"), int):
            raise StopProcess(subject, "the server numbers no mails (no UIDVALIDITY).")
    return selected


def _check(mailbox: Mailbox) -> None:
    empty = [name for name in ("server", "username") if not getattr(mailbox, name)]
    if not mailbox.password.get_secret_value():
        empty.append("password")
    if empty:
        names = " and ".join(f"mailbox.{name}" for name in empty)
        raise StopProcess(f"mailbox {mailbox.name}", f"set {names}.")


def _encrypt(client: BoundedClient, mailbox: Mailbox, fetch: Fetch) -> None:
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


def _authenticate(client: BoundedClient, mailbox: Mailbox) -> None:
    """Prefer AUTHENTICATE: it carries any character, and no command line holds the password."""
    user, password = mailbox.username, mailbox.password.get_secret_value()
    offered = client.capabilities()
    client.imap.untagged_responses.clear()
    try:
        if b"AUTH=PLAIN" in offered:
            client.imap.authenticate("PLAIN", lambda _: f"\0{user}\0{password}".encode())
        elif b"AUTH=LOGIN" in offered:
            answers = iter((user.encode(), password.encode()))
            client.imap.authenticate("LOGIN", lambda _: next(answers, None))
        else:
            _check_login(mailbox, offered)
            client.imap.log_in(user, password)
    except IMAP4.abort:
        raise
    except IMAP4.error as error:
        raise _denied(client, mailbox, str(error)) from None


def _check_login(mailbox: Mailbox, offered: tuple[bytes, ...]) -> None:
    """Raise StopProcess if the command LOGIN cannot do it."""
    if b"LOGINDISABLED" in offered:
        raise StopProcess(
            subject_of(mailbox),
            "accepts no password here; set mailbox.security to tls or starttls.",
        )
    if not (mailbox.username + mailbox.password.get_secret_value()).isascii():
        raise StopProcess(
            subject_of(mailbox),
            "offers only the command LOGIN, which carries ASCII; use a password without special "
            "letters.",
        )


def _denied(client: BoundedClient, mailbox: Mailbox, text: str) -> TqimapError:
    subject = subject_of(mailbox)
    if wait := throttled(subject, text):
        return wait
    if _passes(client, text):
        return TryLater(subject, "the server takes no logins at the moment.")
    return Denied(
        subject,
        "the server refuses the user name or password; check mailbox.username and "
        "mailbox.password.",
    )


def _passes(client: BoundedClient, text: str) -> bool:
    codes = client.imap.untagged_responses
    return any(code in codes for code in _PASSING) or "too many" in text.lower()


def _unopened(client: BoundedClient, subject: str, text: str) -> TqimapError:
    if wait := throttled(subject, text):
        return wait
    if _passes(client, text):
        return TryLater(subject, "cannot be opened at the moment.")
    if "not connected" in text:
        # Exchange's way to say that IMAP is off for a mailbox
        return StopProcess(subject, "IMAP is switched off for this user; switch it on.")
    return StopProcess(subject, "cannot be opened; check mailbox.folder.")


def _read_only(subject: str) -> StopProcess:
    return StopProcess(
        subject,
        "is read-only for this user: mails could not be marked as read and would be fetched "
        "again and again; give the user write access.",
    )


def _markable(selected: Mapping[bytes, object]) -> bool:
    r"""Tell whether \Seen will stay; some servers answer OK to a STORE that changes nothing."""
    flags = selected.get(b"PERMANENTFLAGS")
    if isinstance(flags, tuple):
        return b"\\seen" in [flag.lower() for flag in flags]
    return bool(selected.get(b"READ-WRITE"))
