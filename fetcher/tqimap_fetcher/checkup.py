"""Try one mailbox's chain link by link, from its settings to a search, and change nothing.

Folders are opened by EXAMINE, nothing is marked, and of tokens only a newer refresh token is kept,
which would be lost otherwise.
"""

from __future__ import annotations

import re
import socket
import ssl
from contextlib import ExitStack
from imaplib import IMAP4
from typing import TYPE_CHECKING, Self

from tqimap_fetcher import oauth
from tqimap_fetcher.bounded import BoundedClient
from tqimap_fetcher.connection import introduce, log_out
from tqimap_fetcher.deadline import within
from tqimap_fetcher.login import expiry, read_only, ready, secure, unopened
from tqimap_fetcher.proxy import DEFAULT_PORT, REMOTE_NAMES, Peer, proxy_name
from tqimap_fetcher.refusal import telling
from tqimap_fetcher.sign_in import give_password, give_token, mechanism_for
from tqimap_fetcher.transport import encrypt, peer_of, reach, subject_of
from tqimap_shared.doctor.link import Said, certificate
from tqimap_shared.errors import TryLater


if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from tqimap_fetcher.kept_tokens import Keep
    from tqimap_shared.doctor.link import Step
    from tqimap_shared.settings import Fetch, Mailbox

_WORD = re.compile(r"[A-Z0-9=+/.-]{1,40}")
_NEWEST = 10_000  # UIDs that are searched: enough to see that a search works


class Checkup:
    """One mailbox's chain; each link leaves what the next needs. Use it as a context manager."""

    def __init__(self, mailbox: Mailbox, fetch: Fetch, keep: Keep) -> None:
        self._mailbox = mailbox
        self._fetch = fetch
        self._keep = keep
        self._subject = subject_of(mailbox)
        self._open = ExitStack()
        self._token = ""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._open.close()

    def steps(self) -> Iterator[Step]:
        """Yield the links in their order."""
        mailbox = self._mailbox
        yield "settings", self._settings
        yield "name", self._resolve
        if mailbox.proxy_address:
            yield "proxy", self._reach_proxy
        yield "tcp", self._connect
        if mailbox.security == "tls":
            yield "tls", self._encrypt
        yield "greeting", self._greet
        yield "capability", self._list
        if mailbox.by_token:
            yield "token", self._fetch_token
        yield "sign-in", self._sign_in
        for folder in mailbox.reading:
            yield f"select {folder}", self._examining(folder)
            yield f"search {folder}", self._search

    def _settings(self) -> Said:
        self._mailbox = mailbox = ready(self._mailbox)
        how = oauth.source(mailbox) if mailbox.by_token else "password"
        way = f" by {proxy_name(mailbox)}" if mailbox.proxy_address else ""
        sentence = f"{mailbox.username} at {peer_of(mailbox).host}{way}, by {how}."
        soon = expiry(mailbox)
        return Said(f"{sentence} Beware: {soon}" if soon else sentence, warns=bool(soon))

    def _resolve(self) -> Said:
        mailbox, peer = self._mailbox, peer_of(self._mailbox)
        if mailbox.proxy_address and mailbox.proxy_type in REMOTE_NAMES:
            return Said(f"{peer.host} is left to the proxy ({mailbox.proxy_type}).")
        hint = "; if only the proxy knows it, set mailbox.proxy_type to socks5h"
        unknown = TryLater(
            str(peer),
            "has no address that this machine can find; check the name and this machine's "
            f"DNS{hint if mailbox.proxy_address else ''}.",
        )
        try:
            found = within(
                self._fetch.connect_timeout,
                lambda: socket.getaddrinfo(peer.host, peer.port, type=socket.SOCK_STREAM),
                late=unknown,
            )
        except (OSError, UnicodeError):
            raise unknown from None
        return Said(", ".join(dict.fromkeys(str(one[4][0]) for one in found)) + ".")

    def _reach_proxy(self) -> Said:
        mailbox = self._mailbox
        port = mailbox.proxy_port or DEFAULT_PORT
        direct = mailbox.model_copy(update={"proxy_address": ""})
        peer = Peer(mailbox.proxy_address, port, "mailbox.proxy_address")
        reach(direct, peer, seconds=self._fetch.connect_timeout).close()
        return Said(f"{proxy_name(mailbox)} listens.")

    def _connect(self) -> Said:
        peer = peer_of(self._mailbox)
        self._socket = reach(self._mailbox, peer, seconds=self._fetch.connect_timeout)
        self._open.callback(self._socket.close)
        way = f" through {proxy_name(self._mailbox)}" if self._mailbox.proxy_address else ""
        return Said(f"connected to port {peer.port}{way}.")

    def _encrypt(self) -> Said:
        peer = peer_of(self._mailbox)
        tls = encrypt(self._socket, self._mailbox, peer, seconds=self._fetch.connect_timeout)
        self._socket = tls
        self._open.callback(tls.close)
        return certificate(tls)

    def _greet(self) -> Said:
        """Read the greeting, and begin TLS where that comes after it."""
        mailbox = self._mailbox
        with telling(self._subject):
            self._client = BoundedClient(
                self._socket, mailbox.server, subject=self._subject, limits=self._fetch
            )
            self._open.callback(self._client.imap.shutdown)
            self._open.callback(log_out, self._client)
            secure(self._client, mailbox, self._fetch)
        if mailbox.security == "starttls":
            assert isinstance(self._client.imap.sock, ssl.SSLSocket)
            said = certificate(self._client.imap.sock)
            return Said(f"an IMAP server; STARTTLS: {said.sentence}", said.warns)
        clear = mailbox.security == "none"
        beware = "; NOT encrypted: password and mail can be read on the way" if clear else ""
        return Said(f"an IMAP server{beware}.", warns=clear)

    def _list(self) -> Said:
        with telling(self._subject):
            offered = self._client.capabilities()
        self._mechanism = mechanism_for(self._mailbox, offered)
        words = [one.decode("ascii", "replace").upper() for one in offered]
        shown = " ".join(word for word in words if _WORD.fullmatch(word))
        return Said(f"{shown}; the sign-in is by {self._mechanism}.")

    def _fetch_token(self) -> Said:
        mailbox = self._mailbox
        seconds = self._fetch.connect_timeout
        self._token = oauth.access_token(mailbox, self._keep, seconds=seconds, anew=True)
        return Said(f"given by {oauth.source(mailbox)}.")

    def _sign_in(self) -> Said:
        with telling(self._subject):
            self._client.imap.untagged_responses.clear()
            if self._token:
                give_token(self._client, self._mailbox, self._mechanism, self._token)
            else:
                give_password(self._client, self._mailbox, self._mechanism)
        introduce(self._client, self._mailbox)
        return Said(f"{self._mailbox.username} is let in.")

    def _examining(self, folder: str) -> Callable[[], Said]:
        return lambda: self._examine(folder)

    def _examine(self, folder: str) -> Said:
        subject = f"{self._subject} folder {folder}"
        imap = self._client.imap
        imap.allow(self._fetch.max_search_line, quiet=self._fetch.command_timeout)
        with telling(subject):
            try:
                found: Mapping[bytes, object] = self._client.select_folder(folder, readonly=True)
            except IMAP4.abort:
                raise
            except IMAP4.error as error:
                raise unopened(self._client, subject, str(error)) from None
            rights = self._rights(folder)
        marks = self._mailbox.take == "unread"
        if marks and rights is not None and "s" not in rights:
            raise read_only(subject)
        self._next = int(str(found.get(b"UIDNEXT") or 1))
        checked = "; may be marked" if rights else "; whether they may be marked, a fetch will tell"
        return Said(f"{found.get(b'EXISTS', 0)} mails{checked if marks else ''}.")

    def _rights(self, folder: str) -> str | None:
        """Return the user's rights in *folder* (RFC 4314), None where the server tells none."""
        if not self._client.has_capability("ACL"):
            return None
        imap = self._client.imap
        try:
            status, data = imap.myrights(self._client._normalise_folder(folder))  # noqa: SLF001 - the quoting is imapclient's
        except IMAP4.abort:
            raise
        except IMAP4.error:
            return None
        words = data[-1].split() if status == "OK" and isinstance(data[-1], bytes) else []
        return words[-1].decode("ascii", "replace") if words else None

    def _search(self) -> Said:
        first = max(1, self._next - _NEWEST)
        self._client.imap.allow(
            self._fetch.max_search_line,
            line=self._fetch.max_search_line,
            quiet=self._fetch.command_timeout,
        )
        with telling(self._subject):
            found = self._client.search(["UNSEEN", "UNDELETED", "UID", f"{first}:*"])
        among = f" among the newest {_NEWEST:,} UIDs" if first > 1 else ""
        return Said(f"{len(found)} unread{among}.")
