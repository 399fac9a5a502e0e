"""An IMAP mailbox with implicit TLS, filled with mails from a directory.

mail-devel, because it is pure Python, installs everywhere and knows what the fetcher needs: UID,
UNSEEN, PEEK, STORE, MOVE; it keeps no keywords. Its own program offers STARTTLS only, so its parts
are put behind a TLS listener here. Mails are appended byte for byte, in the order of their names.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import json
import signal
import ssl
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import trustme
from mail_devel.service import Service
from proxyprotocol.reader import ProxyProtocolReader
from pymap.imap import IMAPServer
from pymap.parsing.message import AppendMessage

from tqimap_sandbox import part


if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

HOST = "127.0.0.1"
NAMES = ("localhost", "127.0.0.1", "mail.test")
CA_FILE = "ca.pem"


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add this part's arguments."""
    parser.add_argument(
        "--port", type=int, default=0, help="port on loopback; a free one by default"
    )
    parser.add_argument("--directory", type=Path, help="*.eml files to begin with")
    parser.add_argument("--user", default="analyst@example.org", help="the only user")
    parser.add_argument(
        "--password",
        default=part.secret("PASSWORD"),
        required=not part.secret("PASSWORD"),
        help="this user's password; better by SANDBOX_PASSWORD in the environment",
    )
    parser.add_argument(
        "--certificates",
        type=Path,
        metavar="DIR",
        help="gets the certificates; a temporary one by default",
    )


def run(options: argparse.Namespace) -> int:
    """Serve until SIGTERM or Ctrl-C."""
    with tempfile.TemporaryDirectory(prefix="tqimap-mailbox-") as temporary:
        directory = options.certificates or Path(temporary)
        context = certify(directory)
        mails = read_mails(options.directory) if options.directory else []
        asyncio.run(_serve(options, mails, context, str((directory / CA_FILE).absolute())))
    return 0


def certify(directory: Path) -> ssl.SSLContext:
    """Make a certificate for `NAMES`; leave the authority's in *directory* as ca.pem."""
    directory.mkdir(parents=True, exist_ok=True)
    authority = trustme.CA()
    authority.cert_pem.write_to_path(directory / CA_FILE)
    certificate = authority.issue_cert(*NAMES)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    certificate.configure_cert(context)
    return context


def read_mails(directory: Path) -> list[bytes]:
    """Read the *.eml files of *directory* in the order of their names."""
    return [path.read_bytes() for path in sorted(directory.glob("*.eml"))]


async def _serve(
    options: argparse.Namespace, mails: Sequence[bytes], context: ssl.SSLContext, ca_file: str
) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    user = ["--user", options.user, "--password", options.password]
    service = await Service.init(Service.parse([*user, "--no-http"]))
    await _fill(service, mails)
    reader = ProxyProtocolReader(service.config.proxy_protocol)
    callback = reader.get_callback(IMAPServer(service.backend.login, service.config))
    server = await asyncio.start_server(callback, HOST, options.port, ssl=context)
    async with server:
        port = server.sockets[0].getsockname()[1]
        ready = {"ready": f"imaps://{HOST}:{port}", "ca_file": ca_file}
        sys.stdout.write(json.dumps(ready) + "\n")
        sys.stdout.flush()
        await stop.wait()


async def _fill(service: Service, mails: Sequence[bytes]) -> None:
    account = await service.mailboxes.get(service.demo_user)
    inbox = await account.get_mailbox("INBOX")
    now = dt.datetime.now(dt.UTC)
    for mail in mails:
        await inbox.append(AppendMessage(mail, now))
