"""Open a socket to an IMAP server: direct or through a SOCKS proxy, encrypted where asked.

What comes back is always a plain `socket.socket` or an `ssl.SSLSocket` of the standard library. TLS
is 1.2 at least, and certificate and host name are checked against the configured IMAP name, also
when a proxy lies between.
"""

from __future__ import annotations

import logging
import socket
import ssl
import threading
import time
from concurrent.futures import Future
from typing import TYPE_CHECKING

from tqimap_fetcher.proxy import open_tunnel, proxy_name, unreachable
from tqimap_shared.errors import Denied, StopProcess, TqimapError, TryLater


if TYPE_CHECKING:
    from collections.abc import Callable

    from tqimap_shared.settings import Mailbox

logger = logging.getLogger(__name__)

_WRONG_NAME = (62, 64)  # OpenSSL: X509_V_ERR_HOSTNAME_MISMATCH, X509_V_ERR_IP_ADDRESS_MISMATCH


def port_of(mailbox: Mailbox) -> int:
    """Return the configured IMAP port, or the usual one for the kind of encryption."""
    return mailbox.port or (993 if mailbox.security == "tls" else 143)


def subject_of(mailbox: Mailbox) -> str:
    """Name *mailbox* in errors and log lines."""
    return f"mailbox {mailbox.name} ({mailbox.server}:{port_of(mailbox)})"


def connect(mailbox: Mailbox, *, seconds: float) -> socket.socket:
    """Connect to the mailbox's server, encrypted if its security is `tls`.

    *seconds* bounds name resolution, proxy, TCP and TLS together. Raises Denied for a refused
    certificate or proxy password, StopProcess for settings that cannot work, TryLater otherwise.
    """
    until = time.monotonic() + seconds
    bare = _watched(lambda: _open(mailbox, until), mailbox, seconds=seconds)
    if mailbox.security != "tls":
        return bare
    return encrypt(bare, mailbox, seconds=until - time.monotonic())


def encrypt(bare: socket.socket, mailbox: Mailbox, *, seconds: float) -> ssl.SSLSocket:
    """Wrap *bare* in TLS within *seconds* and check who answers; closes *bare* if that fails."""
    try:
        tls = _context(mailbox).wrap_socket(
            bare, server_hostname=mailbox.server, do_handshake_on_connect=False
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
        raise _tls_fault(mailbox, error) from None
    return tls


def _open(mailbox: Mailbox, until: float) -> socket.socket:
    if mailbox.proxy_address:
        return open_tunnel(mailbox, port_of(mailbox), until=until)
    try:
        return socket.create_connection(
            (mailbox.server, port_of(mailbox)), timeout=max(until - time.monotonic(), 0.01)
        )
    except UnicodeError:
        raise StopProcess(subject_of(mailbox), "mailbox.server is not a host name.") from None
    except OSError as error:
        raise _unreachable(mailbox, error) from None


def _unreachable(mailbox: Mailbox, error: OSError) -> TryLater:
    return TryLater(
        subject_of(mailbox),
        f"cannot be reached ({unreachable(error)}); check mailbox.server, mailbox.port and whether "
        "a proxy is needed.",
    )


def _watched(
    act: Callable[[], socket.socket], mailbox: Mailbox, *, seconds: float
) -> socket.socket:
    """Run *act* for at most *seconds*.

    In a thread: neither name resolution nor PySocks knows a deadline for the whole, and a proxy
    that drips its answer would hold a run for hours. A late socket is closed by its thread.
    """
    future: Future[socket.socket] = Future()

    def attempt() -> None:
        try:
            found = act()
        except Exception as error:  # noqa: BLE001 - raised again by the waiting thread
            if future.set_running_or_notify_cancel():
                future.set_exception(error)
            return
        if future.set_running_or_notify_cancel():
            future.set_result(found)
        else:
            found.close()

    threading.Thread(target=attempt, name="connect", daemon=True).start()
    try:
        return future.result(seconds)
    except TimeoutError:
        if future.cancel():
            raise _late(mailbox, seconds) from None
        return future.result()


def _late(mailbox: Mailbox, seconds: float) -> TryLater:
    way = f" through {proxy_name(mailbox)}" if mailbox.proxy_address else ""
    return TryLater(subject_of(mailbox), f"no connection{way} within {seconds:g} seconds.")


def _context(mailbox: Mailbox) -> ssl.SSLContext:
    try:
        context = ssl.create_default_context(cafile=mailbox.ca_file)
    except (OSError, ssl.SSLError):
        raise StopProcess(
            subject_of(mailbox),
            f"mailbox.ca_file {mailbox.ca_file} is missing, unreadable or holds no certificate.",
        ) from None
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if not mailbox.verify:
        logger.warning(
            "%s: the certificate is NOT checked (mailbox.verify = false); anyone on the way can "
            "read the password and the mail.",
            subject_of(mailbox),
        )
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


def _tls_fault(mailbox: Mailbox, error: OSError) -> TqimapError:
    subject = subject_of(mailbox)
    if isinstance(error, ssl.SSLCertVerificationError):
        if error.verify_code in _WRONG_NAME:
            return Denied(
                subject,
                f"the certificate is not for {mailbox.server}; set mailbox.server to a name that "
                "is in it.",
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
