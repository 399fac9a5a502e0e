"""Tunnel through a SOCKS proxy.

PySocks, because it speaks SOCKS 4, 4a and 5 with passwords and is what tqimap's users already run.
It is used through `create_connection` alone: patched into `socket` it would also send Redis through
the proxy. Its traps are kept out here: it turns names and passwords of more than 127 bytes into
malformed packets, drops a user name without a password, and wraps its own errors so that only their
causes tell them apart.
"""

from __future__ import annotations

import ipaddress
import socket
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import socks

from tqimap_shared.errors import Denied, StopProcess, TqimapError, TryLater


if TYPE_CHECKING:
    from tqimap_shared.settings import Mailbox

DEFAULT_PORT = 1080
_KINDS = {
    "socks4": socks.SOCKS4,
    "socks4a": socks.SOCKS4,
    "socks5": socks.SOCKS5,
    "socks5h": socks.SOCKS5,
}
REMOTE_NAMES = ("socks4a", "socks5h")
_LONGEST = 127  # bytes; PySocks encodes a greater length as two bytes
_NOT_ALLOWED = "0x02"
_IDENTD = ("0x5c", "0x5d")


@dataclass(frozen=True, slots=True)
class Peer:
    """A server to connect to, and the setting that names it.

    With *verify* its certificate and name are checked.
    """

    host: str
    port: int
    setting: str
    verify: bool = True

    def __str__(self) -> str:
        """Name it as errors do: the setting and its value."""
        return f"{self.setting} {self.host}"


def open_tunnel(mailbox: Mailbox, peer: Peer, *, until: float) -> socket.socket:
    """Connect to *peer* through the mailbox's proxy.

    *until* is a `time.monotonic()` moment; PySocks applies what remains to each single read, so
    the caller must watch the whole. Raises Denied, StopProcess and TryLater.
    """
    _check(mailbox, peer)
    fault: OSError = OSError("no address")
    for host in _destinations(mailbox, peer):
        try:
            return _dial(mailbox, host, peer.port, until=until)
        except socks.ProxyError as error:
            fault = error
            if not isinstance(_cause(error), (socks.SOCKS5Error, socks.SOCKS4Error)):
                # about the proxy itself: the next address would meet the same
                break
        except OSError as error:
            raise _away(mailbox, error) from None
    raise _fault(mailbox, peer, fault) from None


def proxy_name(mailbox: Mailbox) -> str:
    """Name the proxy for a person: `socks5 proxy host:port`."""
    return (
        f"{mailbox.proxy_type} proxy {mailbox.proxy_address}:{mailbox.proxy_port or DEFAULT_PORT}"
    )


def _dial(mailbox: Mailbox, host: str, port: int, *, until: float) -> socket.socket:
    tunnel = socks.create_connection(
        (host, port),
        timeout=max(until - time.monotonic(), 0.01),
        proxy_type=_KINDS[mailbox.proxy_type],
        proxy_addr=mailbox.proxy_address,
        proxy_port=mailbox.proxy_port or DEFAULT_PORT,
        proxy_rdns=mailbox.proxy_type in REMOTE_NAMES,
        proxy_username=mailbox.proxy_username or None,
        proxy_password=mailbox.proxy_password.get_secret_value() or None,
    )
    # a plain socket from here on: PySocks overrides methods that ssl relies on
    return socket.socket(fileno=tunnel.detach())


def _check(mailbox: Mailbox, peer: Peer) -> None:
    """Refuse what PySocks would send wrongly; raises StopProcess."""
    user, password = mailbox.proxy_username, mailbox.proxy_password.get_secret_value()
    values = {
        peer.setting: peer.host,
        "mailbox.proxy_username": user,
        "mailbox.proxy_password": password,
    }
    for name, value in values.items():
        if len(value.encode()) > _LONGEST:
            raise StopProcess(
                proxy_name(mailbox),
                f"{name} is longer than the {_LONGEST} bytes that can be sent to it.",
            )
    if mailbox.proxy_type.startswith("socks5") and bool(user) != bool(password):
        raise StopProcess(
            proxy_name(mailbox),
            "set both mailbox.proxy_username and mailbox.proxy_password, or neither.",
        )
    try:
        peer.host.encode("idna")
    except UnicodeError:
        raise StopProcess(str(peer), "is not a valid host name.") from None


def _destinations(mailbox: Mailbox, peer: Peer) -> list[str]:
    """List what to ask the proxy for: the name, or all its addresses if names stay local."""
    if mailbox.proxy_type in REMOTE_NAMES:
        return [peer.host]
    family = socket.AF_INET if mailbox.proxy_type == "socks4" else socket.AF_UNSPEC
    try:
        found = socket.getaddrinfo(peer.host, peer.port, family, socket.SOCK_STREAM)
    except OSError:
        raise _unresolved(mailbox, peer) from None
    return list(dict.fromkeys(str(one[4][0]) for one in found))


def _unresolved(mailbox: Mailbox, peer: Peer) -> TqimapError:
    if mailbox.proxy_type == "socks4" and _is_ipv6(peer.host):
        return StopProcess(
            proxy_name(mailbox),
            "SOCKS 4 has no IPv6; set mailbox.proxy_type to socks5, or give an IPv4 address.",
        )
    return TryLater(
        str(peer),
        "has no address that this machine can find; if only the proxy knows the name, set "
        "mailbox.proxy_type to socks5h (or socks4a).",
    )


def _is_ipv6(name: str) -> bool:
    try:
        return ipaddress.ip_address(name).version == 6
    except ValueError:
        return False


def _fault(mailbox: Mailbox, peer: Peer, error: OSError) -> TqimapError:
    """Say what a PySocks error means; its text may hold what the proxy sent and is not used."""
    if isinstance(error, socks.ProxyConnectionError):
        return _away(mailbox, error.socket_err)
    cause = _cause(error)
    if isinstance(cause, socks.SOCKS5AuthError):
        return _unauthorised(mailbox)
    if isinstance(cause, (socks.SOCKS5Error, socks.SOCKS4Error)):
        return _refused(mailbox, peer, str(cause.msg).partition(":")[0])
    if isinstance(cause, socks.GeneralProxyError) and "invalid data" in str(cause.msg):
        return StopProcess(
            proxy_name(mailbox),
            "does not speak that version of SOCKS; check mailbox.proxy_type and proxy_port.",
        )
    return TryLater(
        proxy_name(mailbox),
        "did not finish the SOCKS handshake in time."
        if isinstance(cause, TimeoutError)
        else "ended the connection in the middle of the SOCKS handshake.",
    )


def _cause(error: OSError) -> OSError:
    while isinstance(inner := getattr(error, "socket_err", None), OSError):
        error = inner
    return error


def unreachable(error: OSError | None) -> str:
    """Say in a few words why a TCP connection failed with *error*."""
    if isinstance(error, ConnectionRefusedError):
        return "nothing listens there"
    if isinstance(error, TimeoutError):
        return "no answer in time"
    if isinstance(error, socket.gaierror):
        return "its name has no address"
    return (error and error.strerror) or "no connection"


def _away(mailbox: Mailbox, error: OSError | None) -> TryLater:
    return TryLater(
        proxy_name(mailbox),
        f"cannot be reached ({unreachable(error)}); check mailbox.proxy_address and proxy_port.",
    )


def _unauthorised(mailbox: Mailbox) -> Denied:
    if mailbox.proxy_username:
        sentence = (
            "refuses the user name or password; check mailbox.proxy_username and "
            "mailbox.proxy_password."
        )
    else:
        sentence = "asks for a user name; set mailbox.proxy_username and mailbox.proxy_password."
    return Denied(proxy_name(mailbox), sentence)


def _refused(mailbox: Mailbox, peer: Peer, code: str) -> TqimapError:
    """Say what the proxy's reply *code* means: `0x` and two digits."""
    if code == _NOT_ALLOWED:
        return Denied(
            proxy_name(mailbox), f"does not allow connections to {peer}; change its rules."
        )
    if code in _IDENTD:
        return Denied(proxy_name(mailbox), "wants to ask an ident server on this machine.")
    return TryLater(
        proxy_name(mailbox),
        f"cannot reach {peer} (SOCKS reply {code}); check that name and its port.",
    )
