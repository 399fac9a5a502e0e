"""Choose how to sign in, by the setting and by what the server offers, and do it.

AUTHENTICATE is preferred to LOGIN: it carries any character, and no command line holds the
password. XOAUTH2 is Google's and Microsoft's mechanism, OAUTHBEARER the standard one (RFC 7628).
The server's own text never leaves this module: it may repeat the command, and so the password.
"""

from __future__ import annotations

import json
import re
from imaplib import IMAP4
from typing import TYPE_CHECKING

from tqimap_fetcher import oauth
from tqimap_fetcher.refusal import throttled
from tqimap_fetcher.transport import port_of, subject_of
from tqimap_shared.errors import Denied, StopProcess, TryLater


if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tqimap_fetcher.bounded import BoundedClient
    from tqimap_fetcher.kept_tokens import Keep
    from tqimap_shared.errors import TqimapError
    from tqimap_shared.settings import Mailbox

COMMAND = "LOGIN command"
_PASSWORD = {"auto": ("PLAIN", "LOGIN"), "plain": ("PLAIN",), "login": ("LOGIN",)}
_TOKEN = {"auto": ("OAUTHBEARER", "XOAUTH2")}
# RFC 5530: response codes that pass
_PASSING = ("UNAVAILABLE", "INUSE", "LIMIT", "SERVERBUG")
_WORD = re.compile(r"[\w.-]{1,40}", re.ASCII)
_NAME = re.compile(rb"AUTH=([A-Z0-9-]{1,20})")


def sign_in(client: BoundedClient, mailbox: Mailbox, keep: Keep, *, seconds: float) -> str:
    """Sign in to *mailbox* and return the mechanism; a refused token is renewed once.

    A request to a token server has *seconds*. Raises Denied, StopProcess and TryLater.
    """
    offered = client.capabilities()
    mechanism = mechanism_for(mailbox, offered)
    client.imap.untagged_responses.clear()
    if not mailbox.by_token:
        give_password(client, mailbox, mechanism)
        return mechanism
    kept = oauth.access_token(mailbox, keep, seconds=seconds)
    try:
        give_token(client, mailbox, mechanism, kept)
    except Denied:
        anew = oauth.access_token(mailbox, keep, seconds=seconds, anew=True)
        give_token(client, mailbox, mechanism, anew)
    return mechanism


def mechanism_for(mailbox: Mailbox, offered: Sequence[bytes]) -> str:
    """Choose among what the server has *offered*. Raises StopProcess if nothing will do."""
    names = [found[1].decode() for one in offered if (found := _NAME.fullmatch(one.upper()))]
    kinds = _TOKEN if mailbox.by_token else _PASSWORD
    wanted = kinds.get(mailbox.auth, (mailbox.auth.upper(),))
    for name in wanted:
        if name in names:
            return name
    if not mailbox.by_token and mailbox.auth != "plain":
        _check_command(mailbox, offered)
        return COMMAND
    raise StopProcess(
        subject_of(mailbox),
        f"does not offer {' or '.join(wanted)}, but {', '.join(names) or 'nothing'}; check "
        "mailbox.auth, and that the sign-in is switched on there.",
    )


def _check_command(mailbox: Mailbox, offered: Sequence[bytes]) -> None:
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


def give_password(client: BoundedClient, mailbox: Mailbox, mechanism: str) -> None:
    """Sign in by password. Raises Denied if the server refuses it."""
    user, password = mailbox.username, mailbox.password.get_secret_value()
    answers = iter((user.encode(), password.encode()))
    try:
        if mechanism == "PLAIN":
            client.imap.authenticate("PLAIN", lambda _: f"\0{user}\0{password}".encode())
        elif mechanism == "LOGIN":
            client.imap.authenticate("LOGIN", lambda _: next(answers, None))
        else:
            client.imap.log_in(user, password)
    except IMAP4.abort:
        raise
    except IMAP4.error as error:
        raise _passing(client, mailbox, str(error)) or Denied(
            subject_of(mailbox),
            "the server refuses the user name or password; check mailbox.username and "
            "mailbox.password.",
        ) from None


def give_token(client: BoundedClient, mailbox: Mailbox, mechanism: str, token: str) -> None:
    """Sign in by *token*. Raises Denied if the server refuses it."""
    said: list[bytes] = []
    try:
        client.imap.authenticate(mechanism, _answering(mailbox, mechanism, token, said))
    except IMAP4.abort:
        raise
    except IMAP4.error as error:
        raise _passing(client, mailbox, str(error)) or Denied(
            subject_of(mailbox),
            f"the server refuses the token{_status(said)}; check that mailbox.username is the "
            "mailbox's address, and that the application may read that mailbox by IMAP.",
        ) from None


def _answering(
    mailbox: Mailbox, mechanism: str, token: str, said: list[bytes]
) -> Callable[[bytes], bytes]:
    """Return what answers the server's challenges; one after the first is an error, for *said*."""
    user, bearer = mailbox.username, f"auth=Bearer {token}"
    if mechanism == "XOAUTH2":
        first, end = f"user={user}\x01{bearer}\x01\x01", b""
    else:
        escaped = user.replace("=", "=3D").replace(",", "=2C")
        where = f"host={mailbox.server}\x01port={port_of(mailbox)}"
        first, end = f"n,a={escaped},\x01{where}\x01{bearer}\x01\x01", b"\x01"
    answers = iter((first.encode(),))

    def answer(challenge: bytes) -> bytes:
        if (ready := next(answers, None)) is not None:
            return ready
        said.append(challenge)
        return end

    return answer


def _status(said: list[bytes]) -> str:
    """Return the status of the server's JSON about an error: a word, and nothing that we sent."""
    try:
        found = json.loads(said[0])["status"]
    except (LookupError, TypeError, ValueError, RecursionError):
        return ""
    return f" (status {found})" if _WORD.fullmatch(str(found)) else ""


def _passing(client: BoundedClient, mailbox: Mailbox, text: str) -> TqimapError | None:
    """Return what a refusal means if it will pass."""
    subject = subject_of(mailbox)
    if wait := throttled(subject, text):
        return wait
    if passes(client, text):
        return TryLater(subject, "the server takes no logins at the moment.")
    return None


def passes(client: BoundedClient, text: str) -> bool:
    """Say whether the server's refusal *text*, or its response codes, are of the kind that pass."""
    codes = client.imap.untagged_responses
    return any(code in codes for code in _PASSING) or "too many" in text.lower()
