"""Show tqimap at work: sample mails in a mailbox, fetched through a proxy, into a ThreatQ.

Everything runs on loopback, in one new directory, and ends with this program.
"""

from __future__ import annotations

import json
import os
import secrets
import signal
import subprocess
import tempfile
import time
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import tomlkit
from rich.console import Console
from rich.table import Column, Table

from tqimap_sandbox import arrival, part
from tqimap_shared.settings import CONNECTOR, FILE_NAME


if TYPE_CHECKING:
    import argparse

MAIL_USER = "intel@soc.example"
PROXY_USER = "demo"
PROGRAM_SECONDS = 300
TITLE = "What arrived in ThreatQ"


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add the demo's options to *parser*."""
    parser.add_argument(
        "--check",
        action="store_true",
        help="end at once; the last line is JSON, the status 0 only if all that was expected came",
    )
    parser.add_argument(
        "--types", choices=("G2", "G3"), default="G3", help="the stand-in's table of types"
    )


def run(options: argparse.Namespace) -> int:
    """Run the demo and return its exit status."""
    # SIGTERM must unwind as Ctrl-C does, or the parts would be killed in the middle of a write
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    console = Console(soft_wrap=True)
    began = time.monotonic()
    try:
        with ExitStack() as stack:
            directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="tqimap-")))
            return _show(_Stage(console, stack, directory), options, began)
    except KeyboardInterrupt:
        console.print("Stopped; nothing is left running.")
        return 0 if not options.check else 130
    except (RuntimeError, subprocess.SubprocessError) as error:
        console.print(f"The demo failed: {error}", style="red")
        return 1


@dataclass(frozen=True, slots=True)
class _Stage:
    """Where the demo plays: the console, what must be torn down, and the directory."""

    console: Console
    stack: ExitStack
    directory: Path

    def start(self, name: str, *options: str, **environment: str) -> dict[str, Any]:
        with self.console.status(f"starting {name} ..."):
            ready = self.stack.enter_context(
                part.running(
                    [name, *options],
                    environment=environment,
                    errors=self.directory / f"{name}.err",
                )
            )
        self.console.print(f"  {name:8} {ready['ready']}")
        return ready

    def call(self, sentence: str, name: str, *options: str, **environment: str) -> None:
        began = time.monotonic()
        with self.console.status(f"{sentence} ..."):
            done = subprocess.run(
                [part.program(name), "-c", str(self.directory), "-v", "2", *options],
                env={**_surroundings(), **environment},
                capture_output=True,
                text=True,
                timeout=PROGRAM_SECONDS,
                check=False,
            )
        if done.returncode:
            raise RuntimeError(f"{name} ended with {done.returncode}: {done.stderr or done.stdout}")
        self.console.print(f"  {sentence}: {time.monotonic() - began:.1f} s")


def _surroundings() -> dict[str, str]:
    """Return the environment without settings: they may be those of a real installation here.

    Those of the policy pass: they touch nothing else, and let one see what they do.
    """
    ours, harmless = ("TQIMAP_", "CREDENTIALS_DIRECTORY", "REDIS_URL"), "TQIMAP_POLICY__"
    return {
        name: value
        for name, value in os.environ.items()
        if name.startswith(harmless) or not name.startswith(ours)
    }


def _show(stage: _Stage, options: argparse.Namespace, began: float) -> int:
    stage.console.print("Starting the sandbox:")
    mail_password, proxy_password, password = (secrets.token_hex(8) for _ in range(3))
    store = stage.start("redis", "--port", "0", "--directory", str(stage.directory / "redis"))
    mailbox = stage.start(
        "mailbox", "--port", "0", "--directory", str(arrival.MAILS), "--user", MAIL_USER,
        "--certificates", str(stage.directory / "mailbox"), SANDBOX_PASSWORD=mail_password,
    )  # fmt: skip
    proxy = stage.start(
        "socks", "--port", "0", "--user", PROXY_USER, SANDBOX_PASSWORD=proxy_password
    )
    threatq_options = ["--state", str(stage.directory / "threatq.sqlite"), "--types", options.types]
    ready = stage.start("threatq", "--port", "0", *threatq_options, SANDBOX_PASSWORD=password)

    _configure(stage.directory, store, mailbox, proxy_password)
    stage.console.print("Running tqimap:")
    account = {
        "TQIMAP_THREATQ__HOST": ready["ready"],
        "TQIMAP_THREATQ__CLIENT_ID": ready["client_id"],
        "TQIMAP_THREATQ__EMAIL": ready["email"],
        "TQIMAP_THREATQ__PASSWORD": password,
        "TQIMAP_THREATQ__CA_FILE": ready["ca_file"],
    }
    attachments = ["-f", str(stage.directory), "--files", "files"]
    stage.call("first run of tqIMAP: enrols", "tqIMAP", *attachments, **account)
    threatq = arrival.ThreatQ(ready, password=password)
    threatq.complete_feed(CONNECTOR, _fields(mailbox, proxy, mail_password))
    stage.call("second run of tqIMAP: fetches through the proxy", "tqIMAP", *attachments)
    stage.call("tqimap-worker reads and uploads", "tqimap-worker", "--burst")
    return _tell(stage.console, threatq, options, began)


def _configure(
    directory: Path, store: dict[str, Any], mailbox: dict[str, Any], proxy_password: str
) -> None:
    settings = {
        "redis": {"url": store["ready"]},
        "policy": arrival.policy(),
        "mailbox": [
            {
                "name": CONNECTOR,
                "ca_file": mailbox["ca_file"],
                "proxy_username": PROXY_USER,
                "proxy_password": proxy_password,
            }
        ],
    }
    path = directory / FILE_NAME
    path.touch(mode=0o600)
    path.write_text(tomlkit.dumps(settings), encoding="utf-8")


def _fields(mailbox: dict[str, Any], proxy: dict[str, Any], password: str) -> dict[str, str]:
    """Return what an operator types into the feed's form."""
    server, socks = urlsplit(mailbox["ready"]), urlsplit(proxy["ready"])
    return {
        "imap_server": f"localhost:{server.port}",
        "imap_username": MAIL_USER,
        "imap_password": password,
        "proxy_address": str(socks.hostname),
        "proxy_port": str(socks.port),
        "proxy_type": "socks5",
    }


def _tell(
    console: Console, threatq: arrival.ThreatQ, options: argparse.Namespace, began: float
) -> int:
    came, mails = threatq.arrival(), arrival.manifest()["mail"]
    faults = came.faults()
    table = Table("type", Column("value", overflow="fold"), "status", title=TITLE)
    for (kind, value), status in sorted(came.indicators.items()):
        table.add_row(kind, value, status)
    console.print(table)
    counts = {
        "mails": len(mails),
        "files": len(came.files),
        "indicators": len(came.indicators),
        "relations": len(came.relations),
        "seconds": round(time.monotonic() - began, 1),
    }
    for line in faults:
        console.print(line, style="red")
    if options.check:
        print(json.dumps(counts), flush=True)
        return int(bool(faults))
    console.print(
        f"{counts['mails']} mails, {counts['files']} files, {counts['indicators']} "
        f"indicators, {counts['relations']} relations. ThreatQ's pages: {threatq.url} "
        "(its certificate is the sandbox's own). Ctrl-C ends everything."
    )
    signal.pause()
    return 0
