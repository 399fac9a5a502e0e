"""Search a mailbox of very many mails: a real one on Dovecot, and a scripted one of a million."""

from __future__ import annotations

import os
import re
import shutil
import socket
import threading
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bench.fetch_ways import Given, taken
from bench.table import Line, Table, say
from fixtures.dovecot import PASSWORD, mail_owner


if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from fixtures.dovecot import Dovecot

LINKS = 30_000  # names that one file may have
MILLION = 1_000_000
UID = 3_000_000_000  # before the first: UIDs of ten digits make the longest lines
MB = 1_000_000
_WINDOW = re.compile(rb"UID SEARCH (?:(\d+):(\d+|\*) )?")


def search(dovecot: Dovecot, count: int, table: Table) -> None:
    """Search both, all mails unread in the scripted one and two of three on Dovecot."""
    say(f"making a mailbox of {count} mails ...")
    user = dovecot.user()
    _fill(dovecot.directory / "mail" / user, count)
    with dovecot.client(user):
        pass  # Dovecot makes its index
    unread = count - (count + 2) // 3
    _search(Given(dovecot.imap, user, PASSWORD, "", ""), f"{count} mails", unread, table)
    say(f"searching a mailbox of {MILLION} mails ...")
    with _scripted(MILLION) as server:
        given = Given(server.port, "anyone", PASSWORD, "", "")
        _search(given, f"{MILLION} mails in windows", MILLION, table)
    table.notes.append(
        f"the longest SEARCH answer of the million had {server.longest / MB:.2f} MB."
    )


def _search(given: Given, name: str, unread: int, table: Table) -> None:
    found = taken("searched", given)
    if found.mails != unread:
        raise SystemExit(f"{found.mails} of {unread} unread mails found")
    table.lines += [
        Line(f"search of {name}, {unread} unread: found", found.mails, "", least=unread),
        Line("the same", found.seconds, "s"),
        Line("the same: peak memory", found.peak / MB, "MB"),
    ]


def _fill(directory: Path, count: int) -> None:
    """Make a maildir of *count* small mails, of which each third is read."""
    for name in ("cur", "new", "tmp"):
        (directory / name).mkdir(parents=True)
    raw, source = b"Subject: small\n\nsmall\n", directory / "small"
    for number in range(count):
        if number % LINKS == 0:
            source = directory / f"small{number}"
            source.write_bytes(raw)
            shutil.chown(source, *mail_owner())
        name = f"{1_700_000_000 + number}.M1P1.bench,S={len(raw)},W={len(raw) + 3}"
        os.link(source, directory / "cur" / f"{name}:2,{'' if number % 3 else 'S'}")
    for path in (directory, *directory.iterdir()):
        shutil.chown(path, *mail_owner())


@dataclass
class _Server:
    """A scripted server whose mails are all unread; *longest* is its longest line so far."""

    listener: socket.socket
    mails: int
    longest: int = 0

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(self.listener.getsockname()[1])

    def converse(self) -> None:
        """Serve one connection."""
        with suppress(OSError), self.listener.accept()[0] as line, line.makefile("rb") as lines:
            line.sendall(b"* OK ready\r\n")
            for command in lines:
                tag, _, rest = command.partition(b" ")
                if rest.startswith(b"AUTHENTICATE"):
                    line.sendall(b"+ \r\n")
                    lines.readline()
                line.sendall(self._answer(rest) + tag + b" OK done\r\n")

    def _answer(self, command: bytes) -> bytes:
        if command.startswith(b"CAPABILITY"):
            return b"* CAPABILITY IMAP4rev1 AUTH=PLAIN\r\n"
        if command.startswith(b"SELECT"):
            flags = rb"* OK [PERMANENTFLAGS (\Seen \*)] ok"
            return b"* %d EXISTS\r\n%s\r\n* OK [UIDVALIDITY 7] ok\r\n" % (self.mails, flags)
        if not (found := _WINDOW.match(command)):
            return b""
        last = self.mails if found[2] in (None, b"*") else int(found[2])
        uids = range(UID + int(found[1] or 1), UID + last + 1)
        answer = b"* SEARCH %s\r\n" % b" ".join(b"%d" % uid for uid in uids)
        self.longest = max(self.longest, len(answer))
        return answer


@contextmanager
def _scripted(mails: int) -> Iterator[_Server]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = _Server(listener, mails)
        thread = threading.Thread(target=server.converse, daemon=True)
        thread.start()
        yield server
