"""Speak IMAP within bounds: no answer of a server can take all memory, or forever.

imapclient, because it knows folder names, capabilities and logins; its imaplib underneath bounds
only the length of a line, so this module bounds the rest: literals, lines, bytes and waiting. It
also keeps imaplib from formatting each literal for a debug log that nobody reads (four times the
CPU) and from remembering commands with passwords in them.
"""

from __future__ import annotations

import imaplib
import io
import re
from functools import partial
from typing import TYPE_CHECKING, Any

from imapclient import IMAPClient

from tqimap_fetcher.patience import Receiver, ServerMisbehaved
from tqimap_shared.errors import StopProcess, TryLater


if TYPE_CHECKING:
    import socket
    import ssl
    from collections.abc import Callable

    from tqimap_fetcher.answer import Answer
    from tqimap_shared.settings import Fetch

_ANNOUNCED = re.compile(rb"\{(\d+)\+?\}\r\n\Z")
_FETCH = re.compile(rb"\* (\d+ )FETCH ", re.IGNORECASE)
_BREAK = re.compile(rb"[\r\n\0]")
_MOST_DIGITS = 12


class BoundedIMAP4(imaplib.IMAP4):
    """An imaplib connection over a socket of ours whose answers are bounded.

    Before the login all answers together may be `max_before_login` bytes; later each phase begins
    with `allow`.
    """

    def __init__(self, sock: socket.socket, host: str, *, subject: str, limits: Fetch) -> None:
        self._given = sock
        self._subject = subject
        self._limits = limits
        self._attach(sock)
        self.uidvalidity = b""  # of the selected folder, once somebody goes by its UIDs
        self._ahead = b""  # a line that was looked at and not taken
        self._consumed = 0
        self.allow(limits.max_before_login)
        super().__init__(host)

    def _attach(self, sock: socket.socket) -> None:
        self.sock = sock
        self._receiver = Receiver(sock, self._subject, self._limits)
        self._reader = io.BufferedReader(self._receiver, 65_536)

    def allow(
        self,
        octets: int,
        *,
        line: int | None = None,
        literal: int | None = None,
        seconds: float | None = None,
        quiet: float | None = None,
    ) -> None:
        """Begin a phase of *octets* bytes at most, by default with the limits of plain answers.

        *line* and *literal* bound one of them; *seconds* may pass, *quiet* of them without a byte.
        """
        self._octets = octets
        self._lines = self._limits.max_lines
        self._line = line or self._limits.max_line
        self._literal = literal or self._limits.max_other_literal
        self._receiver.patience = seconds or self._limits.command_timeout
        self._receiver.quiet = quiet or self._limits.idle_timeout

    def open(self, host: str = "", port: int = 143, timeout: float | None = None) -> None:
        """Take the given socket instead of opening one."""
        self.host, self.port = host, port
        self.sock = self._create_socket(timeout)

    def _create_socket(self, timeout: float | None) -> socket.socket:
        del timeout  # each read has its own
        return self._given

    def readline(self) -> bytes:
        """Read one line; refuses one too long, one too many and a literal too long."""
        if line := self._ahead:
            self._ahead = b""
            return line
        line = self._reader.readline(self._line + 1)
        if len(line) > self._line:
            raise self._misbehaved("a line", "max_line or max_search_line")
        self._lines -= 1
        if self._lines < 0:
            raise self._misbehaved("an answer of many lines", "max_lines")
        self._consume(len(line))
        if announced := _ANNOUNCED.search(line):
            digits = announced[1]
            if len(digits) > _MOST_DIGITS or int(digits) > self._literal:
                raise self._misbehaved("a literal", "max_literal or max_other_literal")
        return line

    def read(self, size: int) -> bytes:
        """Read a literal of *size* bytes."""
        self._consume(size)
        data = self._reader.read(size)
        if len(data) != size:
            raise TryLater(self._subject, "the server ended the connection inside a literal.")
        return data

    def _consume(self, octets: int) -> None:
        self._octets -= octets
        self._consumed += octets
        if self._octets < 0:
            raise self._misbehaved("an answer", "max_search_line or max_before_login")

    def _misbehaved(self, what: str, setting: str) -> ServerMisbehaved:
        return ServerMisbehaved(
            self._subject, f"the server sent {what} beyond the limit (fetch.{setting})."
        )

    def send(self, data: bytes) -> None:  # type: ignore[override]  # typeshed names it otherwise
        """Send *data*; unlike imaplib's, no audit event shows it to hooks."""
        try:
            self.sock.settimeout(self._limits.idle_timeout)
            self.sock.sendall(data)
        except OSError:
            raise TryLater(self._subject, "the connection broke.") from None

    def shutdown(self) -> None:
        """Close the connection."""
        self._reader.close()
        self.sock.close()

    def upgrade(self, encrypt: Callable[[socket.socket], ssl.SSLSocket]) -> None:
        """Do STARTTLS, with *encrypt* for the handshake.

        Raises StopProcess if the server does not offer it and ServerMisbehaved if clear text waits
        behind its answer: somebody on the way put it there, to be read as if it were encrypted.
        """
        if "STARTTLS" not in self.capabilities:
            raise StopProcess(
                self._subject,
                "does not offer STARTTLS, or somebody on the way hides it; set mailbox.security "
                "to tls.",
            )
        answer, _ = self._simple_command("STARTTLS")
        if answer != "OK":
            raise TryLater(self._subject, "refused to begin TLS.")
        if self._receiver.received != self._consumed:
            raise ServerMisbehaved(
                self._subject, "sent clear text after STARTTLS; somebody may be on the way."
            )
        self._attach(encrypt(self.sock))
        self._consumed = 0
        self.untagged_responses.clear()
        self._get_capabilities()  # what was said in the clear does not count

    def log_in(self, user: str, password: str) -> None:
        """Send LOGIN; unlike imaplib's `login`, quotes the user name too. Both must be ASCII."""
        answer, data = self._simple_command("LOGIN", self._quote(user), self._quote(password))
        if answer != "OK":
            raise self.error(data[-1])
        self.state = "AUTH"

    def _command(self, name: str, *args: Any) -> Any:  # noqa: ANN401 - as imaplib has it
        """Send a command; refuses what would end it early and begin another."""
        for one in (name, *args):
            if _BREAK.search(one if isinstance(one, bytes) else str(one).encode()):
                raise StopProcess(
                    self._subject, f"a value for {name} holds a line break or NUL; check mailbox."
                )
        return super()._command(name, *args)  # type: ignore[misc]  # typeshed leaves it out

    def ask(self, *words: str) -> bytes:
        """Send a UID command without waiting for its answer; return its tag."""
        tag: bytes = self._command("UID", *words)
        return tag

    def answered(self, tag: bytes) -> bool:
        """Tell whether the end of the answer to the command of *tag* has been read."""
        return bool(self.tagged_commands[tag])

    def outcome(self, tag: bytes) -> tuple[str, str]:
        """Return status and text of the answered command of *tag*, and forget it."""
        status, data = self.tagged_commands.pop(tag) or ("BAD", [b""])
        return str(status), repr(data[-1])

    def begin_idle(self) -> bytes:
        """Send IDLE and wait until the server is ready; return the tag."""
        tag: bytes = self._command("IDLE")
        while self._get_response() is not None:  # None is the continuation
            if self.answered(tag):
                raise self.error("no IDLE")
        return tag

    def end_idle(self, tag: bytes) -> None:
        """End the IDLE of *tag*, and wait for its answer."""
        self.send(b"DONE\r\n")
        while not self.answered(tag):
            self.receive()
        self.outcome(tag)

    def unread(self) -> bool:
        """Tell whether something has come that was not read yet."""
        pending = getattr(self.sock, "pending", lambda: 0)  # what TLS has decrypted already
        return self._receiver.received != self._consumed or pending() > 0

    def receive(self) -> Answer | None:
        """Read one answer; return it if it is one to FETCH, in imaplib's form.

        Others go into `untagged_responses` or `tagged_commands`. Raises if the answer is BYE, or
        says that UIDs are others' now.
        """
        line = self.readline()
        if found := _FETCH.match(line):
            return self._fetched(found[1] + line[found.end() :])
        self._ahead = line
        self._get_response()
        if bye := self.untagged_responses.get("BYE"):
            raise self.abort(repr(bye[-1]))
        valid = self.untagged_responses.get("UIDVALIDITY")
        if valid and valid[-1] != self.uidvalidity and self.uidvalidity:
            raise TryLater(
                self._subject,
                "the server has just numbered its mails anew; the next run sees to it.",
            )
        return None

    def _fetched(self, line: bytes) -> Answer:
        """Read the rest of the answer that begins with *line*.

        imaplib would try five expressions on each line, and keep a list by the kind of answer.
        """
        parts: list[bytes | tuple[bytes, bytes]] = []
        while announced := _ANNOUNCED.search(line):
            parts.append((line[:-2], self.read(int(announced[1]))))
            line = self.readline()
        if not line.endswith(b"\r\n"):
            raise self.abort("a line without an end")
        return [*parts, line[:-2]]

    def _log(self, line: str) -> None:
        """Keep no log of commands: LOGIN is one."""


class BoundedClient(IMAPClient):  # type: ignore[misc]  # imapclient ships no types
    """An imapclient over `BoundedIMAP4`; `imap` is the connection below."""

    imap: BoundedIMAP4

    def __init__(self, sock: socket.socket, host: str, *, subject: str, limits: Fetch) -> None:
        self._make = partial(BoundedIMAP4, sock, host, subject=subject, limits=limits)
        super().__init__(host, ssl=False)
        # imapclient sets 5, at which imaplib formats every literal twice
        self.imap.debug = 0

    def _create_IMAP4(self) -> BoundedIMAP4:  # noqa: N802 - the hook's name is imapclient's
        self.imap = self._make()
        return self.imap
