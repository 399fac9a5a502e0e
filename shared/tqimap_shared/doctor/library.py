"""Examine the way to ThreatQ: name, TCP, TLS, login."""

from __future__ import annotations

import socket
import ssl
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from tqimap_shared.doctor.link import Said, certificate, walk
from tqimap_shared.errors import Denied, SettingsError, TryLater
from tqimap_shared.threatq import Session, address, proxied, untrusted
from tqimap_shared.threatq.transport import Context


if TYPE_CHECKING:
    from collections.abc import Iterator

    from tqimap_shared.doctor.link import Link, Patient, Step

PART = "ThreatQ"


def links(patient: Patient) -> Iterator[Link]:
    """Try ThreatQ's links; afterwards the patient has a session that is logged in."""
    return walk(PART, _Way(patient).steps())


class _Way:
    """The way to the appliance; each link leaves what the next needs."""

    def __init__(self, patient: Patient) -> None:
        self._patient = patient
        self._settings = patient.settings.threatq

    def steps(self) -> Iterator[Step]:
        yield "settings", self._check
        if not proxied(self._base):
            yield "name", self._resolve
            yield "tls", self._secure
        yield "login", self._log_in

    def _check(self) -> Said:
        if missing := self._settings.missing():
            raise SettingsError(PART, f"a login needs {', '.join(missing)}; run tqIMAP once.")
        self._base = address(self._settings.host)
        way = ", by the environment's HTTPS proxy" if proxied(self._base) else ""
        return Said(f"{self._base} as {self._settings.email}{way}.")

    @property
    def _where(self) -> tuple[str, int]:
        parts = urlsplit(self._base)
        return str(parts.hostname), parts.port or 443

    def _resolve(self) -> Said:
        try:
            found = socket.getaddrinfo(*self._where, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError):
            raise TryLater(
                self._base,
                "its name has no address here; check threatq.host and this machine's DNS.",
            ) from None
        return Said(", ".join(dict.fromkeys(str(one[4][0]) for one in found)) + ".")

    def _secure(self) -> Said:
        settings = self._settings
        context = Context.trusting(
            settings.ca_file, verify=settings.verify, patience=settings.read_timeout
        )
        host, _ = self._where
        try:
            with (
                socket.create_connection(self._where, settings.connect_timeout) as bare,
                context.wrap_socket(bare, server_hostname=host) as tls,
            ):
                return certificate(tls)
        except ssl.SSLCertVerificationError as error:
            raise Denied(self._base, untrusted(error)) from None
        except OSError as error:
            raise TryLater(
                self._base,
                f"cannot be reached by TLS ({error.strerror or type(error).__name__}); check "
                "threatq.host and what lies between.",
            ) from None

    def _log_in(self) -> Said:
        session = Session(self._settings)
        session.login()
        self._patient.session = session
        return Said("logged in.")
