"""The way to the server: direct or by proxy, encrypted and checked, and never forever."""

from __future__ import annotations

import contextlib
import logging
import socket
import threading
import time
from typing import TYPE_CHECKING

import pytest
from fixtures import dante as dante_part
from fixtures.serving import free_ports
from fixtures.socks import PROXY_PASSWORD, PROXY_USER

from tqimap_fetcher.mailbox import open_mailbox
from tqimap_fetcher.transport import connect
from tqimap_shared.errors import Denied, StopProcess, TqimapError, TryLater
from tqimap_shared.settings import Fetch, Mailbox


if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from fixtures.dante import Dante
    from fixtures.dovecot import Dovecot

    from tqimap_sandbox.socks import Proxy

SECURITY = pytest.mark.parametrize("security", ["tls", "starttls", "none"])
DOVECOT = pytest.mark.dovecot
DANTE = pytest.mark.dante


def by_proxy(port: int, kind: str, *, password: bool = False) -> dict[str, object]:
    """Make the settings for a proxy on *port*."""
    settings: dict[str, object] = {
        "proxy_address": "127.0.0.1",
        "proxy_port": port,
        "proxy_type": kind,
    }
    if password:
        settings |= {"proxy_username": PROXY_USER, "proxy_password": PROXY_PASSWORD}
    return settings


def works(mailbox: Mailbox) -> bool:
    """Log in and look for mail."""
    with open_mailbox(mailbox, Fetch()) as session:
        return session.unseen() == []


def fault(mailbox: Mailbox, *, seconds: float = 10) -> TqimapError:
    """Return the error with which connecting ends."""
    with pytest.raises(TqimapError) as caught:
        connect(mailbox, seconds=seconds).close()
    return caught.value


@DOVECOT
@SECURITY
def test_a_direct_connection_works(dovecot: Dovecot, security: str) -> None:
    """With implicit TLS, STARTTLS or no encryption."""
    assert works(dovecot.mailbox(dovecot.user(), security=security))


@DOVECOT
@SECURITY
@pytest.mark.parametrize("password", [False, True])
@pytest.mark.parametrize("kind", ["socks5h", "socks4a"])
def test_the_proxy_resolves_the_name(
    dovecot: Dovecot,
    start_proxy: Callable[..., Proxy],
    kind: str,
    *,
    password: bool,
    security: str,
) -> None:
    """With 5h and 4a the proxy is given the name, which this machine does not know."""
    proxy = start_proxy(password=password)
    mailbox = dovecot.mailbox(
        dovecot.user(),
        server="mail.test",
        security=security,
        **by_proxy(proxy.port, kind, password=password),
    )
    assert works(mailbox)
    assert proxy.destinations == [("mail.test", mailbox.port)]


@DOVECOT
@pytest.mark.parametrize("kind", ["socks5", "socks4"])
def test_the_name_is_resolved_here(
    dovecot: Dovecot, start_proxy: Callable[..., Proxy], kind: str
) -> None:
    """With 5 and 4 the proxy is given addresses only, all of them if need be."""
    proxy = start_proxy()
    assert works(dovecot.mailbox(dovecot.user(), **by_proxy(proxy.port, kind)))
    assert proxy.destinations[-1] == ("127.0.0.1", dovecot.imaps)
    assert "localhost" not in dict(proxy.destinations)


@DOVECOT
@DANTE
@SECURITY
def test_dante_lets_a_password_through(dovecot: Dovecot, dante: Dante, security: str) -> None:
    """Dante's SOCKS 5 with a password and names resolved there."""
    settings = by_proxy(dante.with_password, "socks5h")
    settings |= {"proxy_username": dante_part.USER, "proxy_password": dante_part.PASSWORD}
    assert works(dovecot.mailbox(dovecot.user(), server="mail.test", security=security, **settings))


@DOVECOT
@DANTE
@pytest.mark.parametrize("kind", ["socks4", "socks5"])
def test_dante_works_without_a_password(dovecot: Dovecot, dante: Dante, kind: str) -> None:
    """Dante's SOCKS 4 and 5 with names resolved here."""
    assert works(dovecot.mailbox(dovecot.user(), **by_proxy(dante.open, kind)))


@DANTE
def test_dante_refuses_a_wrong_password(dante: Dante) -> None:
    """A wrong proxy password is Denied, names the settings and not the password."""
    settings = by_proxy(dante.with_password, "socks5h", password=True)
    error = fault(Mailbox.model_validate({"server": "mail.test", **settings}))
    assert isinstance(error, Denied)
    assert "check mailbox.proxy_username and mailbox.proxy_password" in str(error)
    assert PROXY_PASSWORD not in str(error)


@DANTE
def test_dante_forbids_a_destination(dante: Dante) -> None:
    """A destination against the proxy's rules is Denied."""
    settings = by_proxy(dante.open, "socks5h")
    error = fault(Mailbox.model_validate({"server": "127.0.0.3", **settings}))
    assert isinstance(error, Denied)
    assert "does not allow connections to mailbox.server 127.0.0.3" in str(error)


PROXY_FAULTS = [
    ("socks5h", "refuse", False, TryLater, "cannot reach mailbox.server mail.test"),
    ("socks4a", "refuse", False, TryLater, "cannot reach mailbox.server mail.test"),
    ("socks5h", "forbid", False, Denied, "does not allow connections"),
    ("socks5h", "close", False, TryLater, "ended the connection in the middle"),
    ("socks4a", "close", False, TryLater, "ended the connection in the middle"),
    ("socks5h", "garbage", False, StopProcess, "does not speak that version of SOCKS"),
    ("socks4a", "garbage", False, StopProcess, "does not speak that version of SOCKS"),
    ("socks5h", None, True, Denied, "asks for a user name"),
]


@pytest.mark.parametrize(("kind", "manner", "password", "error", "sentence"), PROXY_FAULTS)
def test_a_proxy_fault_is_told_apart(
    start_proxy: Callable[..., Proxy],
    kind: str,
    manner: str | None,
    password: bool,  # noqa: FBT001 - one of a case's values
    error: type[TqimapError],
    sentence: str,
) -> None:
    """Each way a proxy can fail has its own kind of error and sentence."""
    proxy = start_proxy(fault=manner, password=password)
    settings = {"server": "mail.test", **by_proxy(proxy.port, kind)}
    found = fault(Mailbox.model_validate(settings))
    assert isinstance(found, error)
    assert sentence in str(found)
    assert f"{kind} proxy 127.0.0.1:{proxy.port}" in str(found)


def test_a_wrong_proxy_password_is_denied(start_proxy: Callable[..., Proxy]) -> None:
    """The error is Denied and shows no password."""
    proxy = start_proxy(password=True)
    settings = by_proxy(proxy.port, "socks5h", password=True) | {"proxy_password": "wrong-one"}
    error = fault(Mailbox.model_validate({"server": "mail.test", **settings}))
    assert isinstance(error, Denied)
    assert "refuses the user name or password" in str(error)
    assert "wrong-one" not in str(error)


@pytest.mark.parametrize("kind", ["socks4", "socks4a", "socks5", "socks5h"])
def test_a_proxy_that_is_away_is_tried_later(kind: str) -> None:
    """Where nothing listens the error says so, and that it is the proxy."""
    settings = by_proxy(free_ports(1)[0], kind)
    error = fault(Mailbox.model_validate({"server": "127.0.0.1", **settings}))
    assert isinstance(error, TryLater)
    assert "nothing listens there" in str(error)
    assert "mailbox.proxy_address" in str(error)


@pytest.mark.parametrize("kind", ["socks4a", "socks5h"])
def test_a_dripping_proxy_does_not_exceed_the_deadline(
    start_proxy: Callable[..., Proxy], kind: str
) -> None:
    """A byte now and then does not prolong the whole: one deadline counts."""
    proxy = start_proxy(fault="drip")
    begin = time.monotonic()
    settings = {"server": "mail.test", **by_proxy(proxy.port, kind)}
    error = fault(Mailbox.model_validate(settings), seconds=0.7)
    assert isinstance(error, TryLater)
    assert time.monotonic() - begin < 1.5


@pytest.mark.parametrize("kind", [None, "socks5h", "socks4a"])
def test_silence_ends_at_the_deadline(kind: str | None) -> None:
    """A server or proxy that accepts and says nothing is given up in time."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        way = by_proxy(port, kind) if kind else {"port": port}
        begin = time.monotonic()
        error = fault(Mailbox.model_validate({"server": "127.0.0.1", **way}), seconds=0.5)
    assert isinstance(error, TryLater)
    assert time.monotonic() - begin < 1.5


LONG = "x" * 128


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"proxy_username": LONG, "proxy_password": "p"}, "mailbox.proxy_username is longer"),
        ({"proxy_username": "u", "proxy_password": "ä" * 64}, "mailbox.proxy_password is longer"),
        ({"server": f"{'a.' * 64}test"}, "mailbox.server is longer"),
        ({"proxy_username": "u"}, "set both"),
        ({"proxy_password": "p"}, "set both"),
        ({"server": "a..b"}, "is not a valid host name"),
        ({"server": "::1", "proxy_type": "socks4"}, "SOCKS 4 has no IPv6"),
    ],
)
def test_what_the_proxy_library_would_send_wrongly_is_refused(
    settings: dict[str, object], sentence: str
) -> None:
    """Such settings end with a sentence before anything is sent."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        way = by_proxy(listener.getsockname()[1], "socks5h")
        error = fault(Mailbox.model_validate({"server": "mail.test", **way, **settings}))
        listener.settimeout(0.01)
        with pytest.raises(TimeoutError):
            listener.accept()
    assert isinstance(error, StopProcess)
    assert sentence in str(error)


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"server": "127.0.0.1", "port": 1}, "nothing listens there"),
        ({"server": "localhost", "port": 1}, "nothing listens there"),
        ({"server": "no-such-name.invalid"}, "its name has no address"),
        (
            {"server": "no-such-name.invalid", "proxy_address": "127.0.0.1"},
            "set mailbox.proxy_type to socks5h",
        ),
    ],
)
def test_a_server_that_is_away_is_tried_later(settings: dict[str, object], sentence: str) -> None:
    """The sentence says what is missing."""
    error = fault(Mailbox.model_validate(settings))
    assert isinstance(error, TryLater)
    assert sentence in str(error)


def test_a_server_that_is_no_name_stops() -> None:
    """Such a name can never be reached."""
    error = fault(Mailbox(server="a..b"))
    assert isinstance(error, StopProcess)
    assert "is not a host name" in str(error)


@pytest.fixture(params=["direct", "socks5h", "starttls", "starttls by socks5h"])
def way(
    request: pytest.FixtureRequest, dovecot: Dovecot, start_proxy: Callable[..., Proxy]
) -> Callable[..., Mailbox]:
    """Make a mailbox that is reached in each of four ways."""
    settings: dict[str, object] = {}
    if "starttls" in request.param:
        settings["security"] = "starttls"
    if "socks5h" in request.param:
        settings |= by_proxy(start_proxy().port, "socks5h")
    return lambda **more: dovecot.mailbox(dovecot.user(), **settings, **more)


@DOVECOT
def test_an_untrusted_authority_is_denied(dovecot: Dovecot, way: Callable[..., Mailbox]) -> None:
    """A certificate of another authority is refused before any password is sent."""
    with pytest.raises(Denied, match=r"not trusted.*set mailbox\.ca_file"):
        works(way(ca_file=dovecot.other_ca_file))


@DOVECOT
def test_a_wrong_host_name_is_denied(way: Callable[..., Mailbox]) -> None:
    """A name that is not in the certificate is refused, whatever lies between."""
    with pytest.raises(Denied, match=r"not for 127\.0\.0\.1"):
        works(way(server="127.0.0.1"))


@DOVECOT
def test_an_unchecked_certificate_is_said_every_time(
    way: Callable[..., Mailbox], caplog: pytest.LogCaptureFixture
) -> None:
    """With verify off any certificate serves, and each connection warns."""
    for _ in range(2):
        assert works(way(server="127.0.0.1", ca_file=None, verify=False))
    warnings = [one for one in caplog.records if one.levelno == logging.WARNING]
    assert sum("certificate is NOT checked" in one.getMessage() for one in warnings) == 2


@DOVECOT
def test_a_checked_connection_warns_of_nothing(
    dovecot: Dovecot, caplog: pytest.LogCaptureFixture
) -> None:
    """An ordinary run is silent at the level of warnings."""
    assert works(dovecot.mailbox(dovecot.user()))
    assert [one for one in caplog.records if one.levelno >= logging.WARNING] == []


@pytest.mark.parametrize("content", [None, "no certificate"])
def test_an_unusable_ca_file_is_named(tmp_path: Path, content: str | None) -> None:
    """A missing or empty ca_file stops the process with its path."""
    path = tmp_path / "ca.pem"
    if content:
        path.write_text(content)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        error = fault(Mailbox(server="127.0.0.1", port=port, ca_file=path))
    assert isinstance(error, StopProcess)
    assert str(path) in str(error)


@DOVECOT
def test_clear_text_where_tls_is_expected_is_explained(dovecot: Dovecot) -> None:
    """TLS to the clear-text port ends with a sentence about port and security."""
    error = fault(dovecot.mailbox("anyone", port=dovecot.imap))
    assert isinstance(error, TryLater)
    assert "check mailbox.port and mailbox.security" in str(error)


def test_nothing_older_than_tls_1_2_is_offered() -> None:
    """The first message offers TLS 1.3 and 1.2 only; a server that wants less is refused."""
    hello = bytearray()

    def answer(listener: socket.socket) -> None:
        connection, _ = listener.accept()
        with connection:
            hello.extend(connection.recv(65_536))
            connection.sendall(b"\x15\x03\x01\x00\x02\x02\x46")  # alert: protocol version

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=answer, args=(listener,))
        thread.start()
        error = fault(Mailbox(server="127.0.0.1", port=listener.getsockname()[1]))
        thread.join()
    assert b"\x00\x2b\x00\x05\x04\x03\x04\x03\x03" in hello
    assert isinstance(error, TryLater)
    assert "TLS 1.2 or later" in str(error)


def test_a_dripping_tls_handshake_does_not_exceed_the_deadline() -> None:
    """The deadline counts for the whole handshake, not for each byte of it."""
    over = threading.Event()

    def answer(listener: socket.socket) -> None:
        connection, _ = listener.accept()
        with connection, contextlib.suppress(OSError):
            connection.sendall(b"\x16\x03\x03\x40\x00\x02\x00\x3f\xf0")
            while not over.wait(0.1):
                connection.sendall(b"\x00")

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=answer, args=(listener,))
        thread.start()
        begin = time.monotonic()
        error = fault(Mailbox(server="127.0.0.1", port=listener.getsockname()[1]), seconds=0.7)
        over.set()
        thread.join()
    assert isinstance(error, TryLater)
    assert "TLS handshake in time" in str(error)
    assert time.monotonic() - begin < 1.5


@pytest.fixture
def two_addresses(monkeypatch: pytest.MonkeyPatch) -> str:
    """Give a name two addresses, of which only the second leads to a server."""
    system = socket.getaddrinfo

    def answer(host: str, port: int, *rest: int) -> list[tuple[object, ...]]:
        hosts = ["127.0.0.9", "127.0.0.1"] if host == "two.test" else [host]
        return [one for name in hosts for one in system(name, port, *rest)]

    monkeypatch.setattr(socket, "getaddrinfo", answer)
    return "two.test"


@DOVECOT
def test_all_addresses_of_a_name_are_tried_by_proxy(
    dovecot: Dovecot, start_proxy: Callable[..., Proxy], two_addresses: str
) -> None:
    """The first address that the proxy reaches serves."""
    proxy = start_proxy()
    way = by_proxy(proxy.port, "socks5")
    assert works(dovecot.mailbox(dovecot.user(), server=two_addresses, security="none", **way))
    assert [host for host, _ in proxy.destinations] == ["127.0.0.9", "127.0.0.1"]


def test_a_fault_of_the_proxy_itself_is_met_once(
    start_proxy: Callable[..., Proxy], two_addresses: str
) -> None:
    """However many addresses a name has: a wrong password given twice may lock an account."""
    proxy = start_proxy(fault="close")
    settings = {"server": two_addresses, **by_proxy(proxy.port, "socks5")}
    fault(Mailbox.model_validate(settings))
    assert [host for host, _ in proxy.destinations] == ["127.0.0.9"]


def test_what_comes_back_is_a_plain_socket(start_proxy: Callable[..., Proxy]) -> None:
    """PySocks lends its handshake and nothing else: neither its class nor a patched module."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        way = by_proxy(start_proxy().port, "socks5h")
        port = listener.getsockname()[1]
        mailbox = {"server": "127.0.0.1", "port": port, "security": "none", **way}
        with connect(Mailbox.model_validate(mailbox), seconds=5) as found:
            assert type(found) is socket.socket
    assert socket.socket.__module__ == "socket"
