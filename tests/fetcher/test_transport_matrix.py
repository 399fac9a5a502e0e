"""Every way to a server: five kinds of path, two families of addresses, two kinds of TLS."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from fixtures.dovecot import SERVER_NAME, SIX_NAME
from fixtures.serving import ipv6, missing

from tqimap_fetcher.mailbox import open_mailbox
from tqimap_shared.errors import StopProcess
from tqimap_shared.settings import Fetch


if TYPE_CHECKING:
    from collections.abc import Callable

    from fixtures.dante import Dante
    from fixtures.dovecot import Dovecot

    from tqimap_sandbox.socks import Proxy

pytestmark = pytest.mark.dovecot

SERVERS = {
    ("direct", 4): "localhost",
    ("direct", 6): "::1",
    ("socks4", 4): "localhost",
    ("socks4a", 4): SERVER_NAME,
    ("socks4a", 6): SIX_NAME,
    ("socks5", 4): "localhost",
    ("socks5", 6): "::1",
    ("socks5h", 4): SERVER_NAME,
    ("socks5h", 6): SIX_NAME,
}
"""What is asked for by path and family; SOCKS 4 has no IPv6, and 4a knows names alone."""
BY_DANTE = {
    ("socks4", 4): "localhost",
    ("socks5", 4): "localhost",
    ("socks5", 6): "::1",
    ("socks5h", 4): SERVER_NAME,
    ("socks5h", 6): "::1",
}
"""What Dante can do: it has no SOCKS 4a."""
SECURITY = pytest.mark.parametrize("security", ["tls", "starttls"])


def works(dovecot: Dovecot, server: str, security: str, kind: str, port: int = 0) -> bool:
    """Log in, by a proxy on *port* if the path has one, and look for mail."""
    if server in ("::1", SIX_NAME) and not ipv6():
        missing("loopback has no IPv6")
    proxy = {"proxy_address": "127.0.0.1", "proxy_port": port, "proxy_type": kind} if port else {}
    mailbox = dovecot.mailbox(dovecot.user(), server=server, security=security, **proxy)
    with open_mailbox(mailbox, Fetch()) as session:
        return session.unseen() == []


@SECURITY
@pytest.mark.parametrize(("kind", "family"), SERVERS)
def test_every_path_reaches_the_server(
    dovecot: Dovecot, start_proxy: Callable[..., Proxy], kind: str, family: int, security: str
) -> None:
    """Directly and by SOCKS 4, 4a, 5 and 5h, by IPv4 and IPv6, the certificate checked."""
    port = 0 if kind == "direct" else start_proxy().port
    assert works(dovecot, SERVERS[kind, family], security, kind, port)


@pytest.mark.dante
@SECURITY
@pytest.mark.parametrize(("kind", "family"), BY_DANTE)
def test_every_path_goes_by_a_proxy_of_other_people(
    dovecot: Dovecot, dante: Dante, kind: str, family: int, security: str
) -> None:
    """The same by Dante, whose reading of the protocol is not ours."""
    assert works(dovecot, BY_DANTE[kind, family], security, kind, dante.open)


@SECURITY
def test_socks_4_has_no_ipv6(
    dovecot: Dovecot, start_proxy: Callable[..., Proxy], security: str
) -> None:
    """The sentence says what to set instead."""
    if not ipv6():
        missing("loopback has no IPv6")
    with pytest.raises(StopProcess, match=r"SOCKS 4 has no IPv6.*socks5"):
        works(dovecot, "::1", security, "socks4", start_proxy().port)
