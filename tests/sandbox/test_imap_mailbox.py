"""The sandbox's mailbox, read by the fetcher itself."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest
from fixtures.socks import NAMES

from tqimap_fetcher.fetch import Tally, fetch
from tqimap_fetcher.mailbox import open_mailbox
from tqimap_shared.errors import Denied
from tqimap_shared.settings import Fetch, Limits, Mailbox


if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tqimap_sandbox.socks import Proxy
    from tqimap_shared.envelope import Envelope

PASSWORD = "sandbox-password"
MAILS = {
    "b.eml": b"Subject: second\r\n\r\nbare\nline feeds, 8-bit \xff\xfe and NUL \0\r\n",
    "a.eml": b"Subject: first\r\n\r\nhello\r\n",
    "c.eml": b"Subject: third\r\n\r\n" + b"x" * 200_000 + b"\r\n",
    "not-a-mail.txt": b"ignored",
}


@contextmanager
def serving(directory: Path, certificates: Path) -> Iterator[dict[str, str]]:
    """Run `tqimap-sandbox mailbox`; its ready line."""
    command = [sys.executable, "-m", "tqimap_sandbox.cli", "mailbox"]
    options = ["--directory", str(directory), "--certificates", str(certificates)]
    options += ["--user", "me@test"]
    environment = {**os.environ, "SANDBOX_PASSWORD": PASSWORD}
    with subprocess.Popen([*command, *options], env=environment, stdout=subprocess.PIPE) as process:
        try:
            assert process.stdout is not None
            yield json.loads(process.stdout.readline())
            process.send_signal(signal.SIGTERM)
            assert process.wait(120) == 0
        finally:
            process.kill()


@pytest.fixture
def ready(tmp_path: Path) -> Iterator[dict[str, str]]:
    """Serve `MAILS`; the ready line."""
    for name, mail in MAILS.items():
        (tmp_path / name).write_bytes(mail)
    with serving(tmp_path, tmp_path / "certificates") as line:
        yield line


def settings(ready: dict[str, str], **more: object) -> Mailbox:
    """Make the settings for the served mailbox."""
    url = urlsplit(ready["ready"])
    assert url.scheme == "imaps"
    given: dict[str, object] = {"server": url.hostname, "port": url.port, "username": "me@test"}
    given |= {"password": PASSWORD, "ca_file": Path(ready["ca_file"])}
    return Mailbox.model_validate(given | more)


def test_a_wrong_password_is_refused(ready: dict[str, str]) -> None:
    """Only the given user and password open it."""
    with pytest.raises(Denied), open_mailbox(settings(ready, password="nope"), Fetch()):
        pass


def test_the_mails_of_the_directory_are_fetched_once(
    ready: dict[str, str], start_proxy: Callable[..., Proxy]
) -> None:
    """Unread, in the order of their names, byte for byte, through a proxy; then they are read."""
    proxy = start_proxy()
    mailbox = settings(
        ready,
        server=next(iter(NAMES)),
        proxy_address="127.0.0.1",
        proxy_port=proxy.port,
        proxy_type="socks5h",
    )
    came: list[Envelope] = []
    expected = [MAILS["a.eml"], MAILS["b.eml"], MAILS["c.eml"]]
    total = sum(len(mail) for mail in expected)
    for tally in (Tally(3, 3, total, 0, 0, 0), Tally(0, 0, 0, 0, 0, 0)):
        with open_mailbox(mailbox, Fetch()) as session:
            assert tally == fetch(session, came.extend, settings=Fetch(), limits=Limits())
    assert [one.raw for one in came] == expected
    assert proxy.destinations == [("mail.test", mailbox.port)] * 2


def test_done_mails_can_be_moved(ready: dict[str, str]) -> None:
    """The folder comes into being and holds the mail."""
    with open_mailbox(settings(ready, done="move", done_folder="Done"), Fetch()) as session:
        assert session.mark_done(session.unseen()[:1]) == 1
        assert len(session.unseen()) == 2
    with open_mailbox(settings(ready, folder="Done"), Fetch()) as session:
        found = session.sizes(session.unseen())
    assert list(found.values()) == [len(MAILS["a.eml"])]


@pytest.mark.parametrize("name", ["localhost", "127.0.0.1"])
def test_the_certificate_holds_the_names(ready: dict[str, str], name: str) -> None:
    """It can be verified by the names that reach it; mail.test is tried above."""
    with open_mailbox(settings(ready, server=name), Fetch()) as session:
        assert session.folder == "INBOX"
