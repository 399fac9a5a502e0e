"""The ways to fetch a mailbox, each a process of its own: `python -m bench.fetch_ways WAY JSON`.

Prints one line of JSON: mails, bytes, seconds and processor seconds from connecting to the end, and
the process's peak memory in bytes. Imports are not counted: an idle run is measured elsewhere.
"""

from __future__ import annotations

import json
import logging
import os
import re
import socket
import subprocess
import sys
import time
from dataclasses import asdict, dataclass
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from imapclient import IMAPClient

from tqimap_fetcher import run, state
from tqimap_fetcher.fetch import fetch, plan
from tqimap_fetcher.mailbox import open_mailbox
from tqimap_shared import store
from tqimap_shared.envelope import Envelope, Location
from tqimap_shared.ledger import Ledger
from tqimap_shared.sections import Redis
from tqimap_shared.settings import Mailbox, Settings


if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from imapclient.response_types import SearchIds

Counted = tuple[int, int]
"""Mails and bytes."""

TOOLS = "imap_tools"
BULK = 100  # mails that imap-tools asks for at once
TAIL = 2_000  # bytes: more than the line that ends an answer


@dataclass(frozen=True, slots=True)
class Given:
    """Where the mails are, and the Redis that they go to in the ways that have one."""

    port: int
    user: str
    password: str
    redis: str
    directory: str

    def mailbox(self) -> Mailbox:
        """Make the settings."""
        return Mailbox.model_validate(
            {
                "name": "bench",
                "server": "127.0.0.1",
                "port": self.port,
                "username": self.user,
                "password": self.password,
                "security": "none",
            }
        )

    def settings(self) -> Settings:
        """Make the settings of a run."""
        return Settings(redis=Redis.model_validate({"url": self.redis}))

    def ledger(self) -> Ledger:
        """Open the ledger."""
        settings = self.settings()
        return Ledger(store.connect(settings.redis), settings=settings.worker)


@dataclass(frozen=True, slots=True)
class Taken:
    """What one way took: *seconds* on the clock, *processor* seconds, *peak* bytes of memory."""

    mails: int
    octets: int
    seconds: float
    processor: float
    peak: int


def drained(given: Given) -> Counted:
    """Ask for all by one command, and throw away what comes: as fast as the server is."""
    buffer, octets, end = bytearray(2**20), 0, b""
    with socket.create_connection(("127.0.0.1", given.port)) as line:
        login = f'1 LOGIN "{given.user}" {{{len(given.password.encode())}+}}\r\n{given.password}'
        for command in (login, "2 SELECT INBOX", "3 UID FETCH 1:* (UID BODY.PEEK[])"):
            line.sendall(f"{command}\r\n".encode())
            wanted = b"\r\n%s OK " % command[:1].encode()
            end = b""
            while wanted not in end:
                count = line.recv_into(buffer)
                octets += count
                end = (end + buffer[max(0, count - TAIL) : count])[-TAIL:]
    return 0, octets


def bare(given: Given) -> Counted:
    """Search, ask for sizes and stream, and keep nothing: our fetching without a sink."""
    settings = given.settings()
    mails = octets = 0
    with open_mailbox(given.mailbox(), settings.fetch) as session:
        sizes = session.sizes(session.unseen())
        batches = plan(sizes, settings=settings.fetch, whole=settings.limits.raw)
        for _, raw in session.stream(batches):
            mails, octets = mails + 1, octets + len(raw or b"")
    return mails, octets


def admitted(given: Given) -> Counted:
    """Fetch into the ledger and mark, as a run does."""
    settings, ledger = given.settings(), given.ledger()

    def admit(envelopes: Sequence[Envelope]) -> None:
        ledger.admit(envelopes)

    with open_mailbox(given.mailbox(), settings.fetch) as session:
        tally = fetch(session, admit, settings=settings.fetch, limits=settings.limits)
    return tally.fetched, tally.bytes


def whole(given: Given) -> Counted:
    """Make a whole run: checks, audit, admission, jobs for the workers, marks."""
    memory = state.State()
    directory = Path(given.directory)
    faults = run.fetch_all([given.mailbox()], given.settings(), directory, memory)
    if faults:
        raise faults[0]
    return memory.of("bench")["fetched"], memory.of("bench")["bytes"]


def searched(given: Given) -> Counted:
    """Find the unread mails."""
    with open_mailbox(given.mailbox(), given.settings().fetch) as session:
        return len(session.unseen()), 0


def singly(given: Given) -> Counted:
    """Ask for one mail a command, admit and mark it, then the next: imapclient as it comes."""
    return _singly(given, given.ledger().admit)


def bare_singly(given: Given) -> Counted:
    """Ask for one mail a command and mark it, and keep nothing."""
    return _singly(given, lambda _: None)


def _singly(given: Given, admit: Callable[[Sequence[Envelope]], object]) -> Counted:
    octets = 0
    with IMAPClient("127.0.0.1", given.port, ssl=False) as client:
        client.plain_login(given.user, given.password)
        client.select_folder("INBOX")
        uids: SearchIds = client.search("UNSEEN")
        for uid in uids:
            raw = client.fetch([uid], ["BODY.PEEK[]"])[uid][b"BODY[]"]
            admit([Envelope.seal(Location("bench", "INBOX", 1, uid), raw)])
            client.add_flags([uid], [b"\\Seen"], silent=True)
            octets += len(raw)
    return len(uids), octets


def tools(given: Given) -> Counted:
    """Fetch by imap-tools, a hundred mails at once, and mark; it keeps no bytes as they were."""
    mails = octets = 0
    mailbox = import_module(TOOLS).MailBoxUnencrypted("127.0.0.1", given.port)
    with mailbox.login_utf8(given.user, given.password) as open_:
        for mail in open_.fetch("UNSEEN", mark_seen=True, bulk=BULK):
            mails, octets = mails + 1, octets + len(mail.obj.as_bytes())
    return mails, octets


WAYS: Mapping[str, Callable[[Given], Counted]] = {
    one.__name__: one
    for one in (drained, bare, admitted, whole, searched, singly, bare_singly, tools)
}


def taken(way: str, given: Given, *, libraries: Path | None = None) -> Taken:
    """Fetch in one of our ways, or of a library from *libraries*, in a process of its own."""
    command = [sys.executable, "-m", "bench.fetch_ways", way, json.dumps(asdict(given))]
    path = os.pathsep.join(filter(None, (os.environ.get("PYTHONPATH"), str(libraries or ""))))
    environment = {**os.environ, "PYTHONPATH": path}
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True, env=environment)
    return Taken(**json.loads(done.stdout))


def main() -> None:
    """Fetch in the way that the command line names."""
    logging.disable()
    given = Given(**json.loads(sys.argv[2]))
    started, used = time.monotonic(), time.process_time()
    mails, octets = WAYS[sys.argv[1]](given)
    seconds, processor = time.monotonic() - started, time.process_time() - used
    measured: dict[str, Any] = asdict(Taken(mails, octets, seconds, processor, _peak()))
    sys.stdout.write(json.dumps(measured) + "\n")


def _peak() -> int:
    # not ru_maxrss: that begins with what the parent had
    found = re.search(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text("ascii"))
    return int(found[1]) * 1024 if found else 0


if __name__ == "__main__":
    main()
