"""mbsync, fetchmail and imap-tools, made by other people, on the same mailbox."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from typing import TYPE_CHECKING

from bench.fetch_ways import Taken


if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from bench.fetch_ways import Given

MBSYNC, FETCHMAIL, TOOLS = "mbsync", "fetchmail", "imap-tools"
_MBSYNC = """
FSync no
IMAPAccount far
Host 127.0.0.1
Port {port}
User {user}
Pass "{password}"
SSLType None
AuthMechs LOGIN

IMAPStore far
Account far

MaildirStore near
Path {directory}/
Inbox {directory}/INBOX

Channel all
Far :far:
Near :near:
Patterns INBOX
Sync Pull
Create Near
SyncState *
"""
_FETCHMAIL = """
poll 127.0.0.1 service {port} protocol IMAP auth password
  user "{user}" password "{password}" options keep no sslcertck sslproto ""
  mda "cat >/dev/null"
"""


def missing() -> list[str]:
    """Name what is not installed."""
    return [name for name in (MBSYNC, FETCHMAIL) if not shutil.which(name)]


def tools(directory: Path) -> Path | None:
    """Install imap-tools, which needs nothing else, below *directory*; return where, if it went."""
    where = directory / TOOLS
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--quiet", "--no-input", "--no-deps"]
    done = subprocess.run([*pip, "--target", str(where), TOOLS], check=False)
    return None if done.returncode else where


def synchronised(given: Given, directory: Path) -> Taken:
    """Copy the mailbox to a maildir by mbsync, which does not wait for the disk."""
    arguments = [MBSYNC, "-q", "-c", _write(directory, _MBSYNC, given), "all"]
    taken = _timed(arguments, {})
    inbox = (directory / "INBOX").rglob("*,*")
    return Taken(sum(1 for one in inbox if one.is_file()), 0, *taken)


def delivered(given: Given, directory: Path, mails: int) -> Taken:
    """Deliver the mailbox by fetchmail, which starts a program for each mail."""
    arguments = [FETCHMAIL, "-s", "-f", _write(directory, _FETCHMAIL, given)]
    taken = _timed([*arguments, "--pidfile", str(directory / "pid")], {"HOME": str(directory)})
    return Taken(mails, 0, *taken)


def _write(directory: Path, text: str, given: Given) -> str:
    path = directory / "configuration"
    path.touch(mode=0o600)
    values = {"port": given.port, "user": given.user, "password": given.password}
    path.write_text(text.format(**values, directory=directory), "utf-8")
    return str(path)


def _timed(arguments: Sequence[str], environment: Mapping[str, str]) -> tuple[float, float, int]:
    """Run a program; return seconds, processor seconds of it and its children, and its peak."""
    started = time.monotonic()
    process = subprocess.Popen(arguments, env={**os.environ, **environment})
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{arguments[0]} ended with status {process.returncode}")
    seconds = time.monotonic() - started
    return seconds, used.ru_utime + used.ru_stime, used.ru_maxrss * 1024
