"""Open a socket to a server of a mailbox: direct or through a SOCKS proxy, encrypted where asked.

What comes back is always a plain `socket.socket` or an `ssl.SSLSocket` of the standard library. TLS
is 1.2 at least, and certificate and host name are checked against the configured name, also when a
proxy lies between.
"""

from __future__ import annotations

import logging
import socket
import ssl
import time
from typing import TYPE_CHECKING

from tqimap_fetcher.deadline import within
from tqimap_fetcher.proxy import Peer, open_tunnel, proxy_name, unreachable
from tqimap_shared.errors import Denied, StopProcess, TqimapError, TryLater


if TYPE_CHECKING:
    from tqimap_shared.settings import Mailbox

logger = logging.getLogger(__name__)

_WRONG_NAME = (62, 64)  # OpenSSL: X509_V_ERR_HOSTNAME_MISMATCH, X509_V_ERR_IP_ADDRESS_MISMATCH


def port_of(mailbox: Mailbox) -> int:
    """Return the configured IMAP port, or the usual one for the kind of encryption."""
    return mailbox.port or (993 if mailbox.security == "tls" else 143)


def subject_of(mailbox: Mailbox) -> str:
    """Name *mailbox* in errors and log lines."""
    return f"mailbox {mailbox.name} ({mailbox.server}:{port_of(mailbox)})"


def peer_of(mailbox: Mailbox) -> Peer:
    """Return the mailbox's IMAP server."""
    return Peer(mailbox.server, port_of(mailbox), "mailbox.server", mailbox.verify)


def connect(mailbox: Mailbox, *, seconds: float) -> socket.socket:
    """Connect to the mailbox's server, encrypted if its security is `tls`.

    *seconds* bounds name resolution, proxy, TCP and TLS together. Raises Denied for a refused
    certificate or proxy password, StopProcess for settings that cannot work, TryLater otherwise.
    """
    until = time.monotonic() + seconds
    bare = reach(mailbox, peer_of(mailbox), seconds=seconds)
    if mailbox.security != "tls":
        return bare
    return encrypt(bare, mailbox, peer_of(mailbox), seconds=until - time.monotonic())


def reach(mailbox: Mailbox, peer: Peer, *, seconds: float) -> socket.socket:
    """Connect to *peer* the mailbox's way, unencrypted, within *seconds*."""
    until = time.monotonic() + seconds
    return within(
        seconds,
        lambda: _open(mailbox, peer, until),
        late=_late(mailbox, seconds),
        discard=lambda found: found.close(),
    )


def encrypt(bare: socket.socket, mailbox: Mailbox, peer: Peer, *, seconds: float) -> ssl.SSLSocket:
    """Wrap *bare* in TLS within *seconds* and check who answers; closes *bare* if that fails."""
    try:
        tls = _context(mailbox, peer).wrap_socket(
            bare, server_hostname=peer.host, do_handshake_on_connect=False
        )
    except BaseException:
        bare.close()
        raise
    try:
        # for a handshake the timeout is the standard library's deadline for the whole
        tls.settimeout(max(seconds, 0.01))
        tls.do_handshake()
    except OSError as error:
        tls.close()
        raise _tls_fault(mailbox, peer, error) from None
    return tls


def _open(mailbox: Mailbox, peer: Peer, until: float) -> socket.socket:
    if mailbox.proxy_address:
        return open_tunnel(mailbox, peer, until=until)
    try:
        return socket.create_connection(
            (peer.host, peer.port), timeout=max(until - time.monotonic(), 0.01)
        )
    except UnicodeError:
        raise StopProcess(subject_of(mailbox), f"{peer.setting} is not a host name.") from None
    except OSError as error:
        raise _unreachable(mailbox, peer, error) from None


def _unreachable(mailbox: Mailbox, peer: Peer, error: OSError) -> TryLater:
    return TryLater(
        subject_of(mailbox),
        f"{peer} cannot be reached ({unreachable(error)}); check that name, its port and whether a "
        "proxy is needed.",
    )


def _late(mailbox: Mailbox, seconds: float) -> TryLater:
    way = f" through {proxy_name(mailbox)}" if mailbox.proxy_address else ""
    return TryLater(subject_of(mailbox), f"no connection{way} within {seconds:g} seconds.")


def _context(mailbox: Mailbox, peer: Peer) -> ssl.SSLContext:
    try:
        context = ssl.create_default_context(cafile=mailbox.ca_file)
    except (OSError, ssl.SSLError):
        raise StopProcess(
            subject_of(mailbox),
            f"mailbox.ca_file {mailbox.ca_file} is missing, unreadable or holds no certificate.",
        ) from None
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if not peer.verify:
        logger.warning(
            "%s: the certificate is NOT checked (mailbox.verify = false); anyone on the way can "
            "read the password and the mail.",
            subject_of(mailbox),
        )
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


def _tls_fault(mailbox: Mailbox, peer: Peer, error: OSError) -> TqimapError:
    subject = subject_of(mailbox)
    if isinstance(error, ssl.SSLCertVerificationError):
        if error.verify_code in _WRONG_NAME:
            return Denied(
                subject,
                f"the certificate is not for {peer.host}; set {peer.setting} to a name in it.",
            )
        return Denied(
            subject,
            f"the certificate is not trusted ({error.verify_message}); set mailbox.ca_file to the "
            "certificate of the authority that signed it.",
        )
    if isinstance(error, TimeoutError):
        return TryLater(subject, "did not finish the TLS handshake in time.")
    reason = getattr(error, "reason", None) or type(error).__name__
    return TryLater(
        subject,
        f"TLS 1.2 or later could not be agreed on ({reason}); check mailbox.port and "
        "mailbox.security.",
    )
