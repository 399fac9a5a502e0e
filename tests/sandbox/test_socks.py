"""The sandbox's proxy, by bytes on the wire."""

from __future__ import annotations

import json
import os
import signal
import socket
import struct
import subprocess
import sys
import threading
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

import pytest

from tqimap_sandbox.socks import Proxy, Rules, serving


if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

NAME = b"echo.test"
HELLO_5 = b"\x05\x01\x00"
GRANTED_5 = b"\x05\x00\x00\x01" + bytes(6)


@pytest.fixture
def echo() -> Iterator[int]:
    """Serve one connection that gets back what it sends; the port."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def answer() -> None:
            with suppress(OSError):
                connection, _ = listener.accept()
                with connection:
                    while data := connection.recv(65_536):
                        connection.sendall(data)

        thread = threading.Thread(target=answer)
        thread.start()
        try:
            yield int(listener.getsockname()[1])
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            thread.join()


@contextmanager
def dial(proxy: Proxy) -> Iterator[socket.socket]:
    """Connect to *proxy*."""
    with socket.create_connection(("127.0.0.1", proxy.port), 5) as client:
        yield client


def ask(client: socket.socket, request: bytes, count: int) -> bytes:
    """Send *request*, read *count* bytes, fewer if the connection ends."""
    client.sendall(request)
    data = b""
    while len(data) < count and (more := client.recv(count - len(data))):
        data += more
    return data


def named_5(port: int) -> bytes:
    """Write a SOCKS 5 request by name."""
    return b"\x05\x01\x00\x03" + bytes([len(NAME)]) + NAME + struct.pack(">H", port)


def assert_echo(client: socket.socket) -> None:
    """Send more than a buffer holds, in both directions, and get it back."""
    data = os.urandom(300_000)
    sender = threading.Thread(target=client.sendall, args=(data,))
    sender.start()
    assert ask(client, b"", len(data)) == data
    sender.join()


RULES = Rules(names={"echo.test": "127.0.0.1"})
LOCKED = Rules(names={"echo.test": "127.0.0.1"}, user="u", password="pä")


def test_socks5_by_name(echo: int) -> None:
    """The proxy resolves the name, remembers it and passes bytes unchanged."""
    with serving(RULES) as proxy, dial(proxy) as client:
        assert ask(client, HELLO_5, 2) == b"\x05\x00"
        assert ask(client, named_5(echo), 10) == GRANTED_5
        assert_echo(client)
        assert proxy.destinations == [("echo.test", echo)]


def test_socks5_by_address(echo: int) -> None:
    """An address is taken as it is."""
    with serving(RULES) as proxy, dial(proxy) as client:
        ask(client, HELLO_5, 2)
        request = b"\x05\x01\x00\x01\x7f\x00\x00\x01" + struct.pack(">H", echo)
        assert ask(client, request, 10) == GRANTED_5
        assert_echo(client)
        assert proxy.destinations == [("127.0.0.1", echo)]


def test_socks5_with_a_password(echo: int) -> None:
    """The right password opens the proxy; it is UTF-8."""
    with serving(LOCKED) as proxy, dial(proxy) as client:
        assert ask(client, b"\x05\x02\x00\x02", 2) == b"\x05\x02"
        assert ask(client, b"\x01\x01u\x03" + "pä".encode(), 2) == b"\x01\x00"
        assert ask(client, named_5(echo), 10) == GRANTED_5
        assert_echo(client)


@pytest.mark.parametrize("secret", [b"\x01\x01u\x03bad", b"\x01\x01v\x03p\xc3\xa4"])
def test_a_wrong_password_or_user_is_refused(secret: bytes) -> None:
    """The proxy says no, hangs up and asks nobody."""
    with serving(LOCKED) as proxy, dial(proxy) as client:
        ask(client, b"\x05\x01\x02", 2)
        assert ask(client, secret, 3) == b"\x01\x01"
        assert proxy.destinations == []


def test_no_password_is_refused() -> None:
    """A client that offers none is told that no method is acceptable."""
    with serving(LOCKED) as proxy, dial(proxy) as client:
        assert ask(client, HELLO_5, 3) == b"\x05\xff"


def test_socks4_and_4a(echo: int) -> None:
    """4 takes an address, 4a a name, both with a user name."""
    with serving(RULES) as proxy, dial(proxy) as client:
        request = b"\x04\x01" + struct.pack(">H", echo) + b"\x7f\x00\x00\x01me\0"
        assert ask(client, request, 8) == b"\x00\x5a" + bytes(6)
        assert_echo(client)
        with dial(proxy) as other:
            request = b"\x04\x01" + struct.pack(">H", 1) + b"\x00\x00\x00\x01me\0" + NAME + b"\0"
            assert ask(other, request, 8) == b"\x00\x5b" + bytes(6)
        assert proxy.destinations == [("127.0.0.1", echo), ("echo.test", 1)]


def test_socks4_with_the_wrong_user_is_refused(echo: int) -> None:
    """Where a user is set, SOCKS 4 must name it."""
    with serving(LOCKED) as proxy, dial(proxy) as client:
        request = b"\x04\x01" + struct.pack(">H", echo) + b"\x7f\x00\x00\x01me\0"
        assert ask(client, request, 8) == b"\x00\x5b" + bytes(6)
        assert proxy.destinations == []


@pytest.mark.parametrize(("fault", "status"), [("refuse", 5), ("forbid", 2)])
def test_it_can_refuse_on_purpose(fault: str, status: int) -> None:
    """Each fault has its SOCKS status."""
    with serving(Rules(fault=fault)) as proxy, dial(proxy) as client:
        ask(client, HELLO_5, 2)
        assert ask(client, named_5(1), 2) == bytes([5, status])


def test_stopping_ends_open_connections(echo: int) -> None:
    """A test that fails in the middle leaves nothing running."""
    with serving(RULES) as proxy:
        client = socket.create_connection(("127.0.0.1", proxy.port), 5)
        ask(client, HELLO_5, 2)
        ask(client, named_5(echo), 10)
    with client:
        assert client.recv(1) == b""


def test_the_part_tells_where_it_is_and_ends_on_sigterm(echo: int, tmp_path: Path) -> None:
    """`tqimap-sandbox socks` prints its ready line, records destinations, and exits with 0."""
    record = tmp_path / "record"
    command = [sys.executable, "-m", "tqimap_sandbox.cli", "socks", "--name", "echo.test=127.0.0.1"]
    with subprocess.Popen([*command, "--record", record], stdout=subprocess.PIPE) as process:
        try:
            assert process.stdout is not None
            url = json.loads(process.stdout.readline())["ready"]
            port = int(url.removeprefix("socks5://127.0.0.1:"))
            with socket.create_connection(("127.0.0.1", port), 5) as client:
                ask(client, HELLO_5, 2)
                assert ask(client, named_5(echo), 10) == GRANTED_5
            process.send_signal(signal.SIGTERM)
            assert process.wait(120) == 0
        finally:
            process.kill()
    assert json.loads(record.read_text()) == {"host": "echo.test", "port": echo}
