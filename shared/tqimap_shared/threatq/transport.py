"""Carry a call over TLS with a deadline for the whole answer, not for each of its bytes.

requests' read timeout restarts with every byte, so a server that drips would hold a worker for
ever. `ssl.SSLContext.sslsocket_class` is the documented place to lay one deadline under it all.
"""

from __future__ import annotations

import ssl
import time
from typing import TYPE_CHECKING, Any

from requests.adapters import HTTPAdapter

from tqimap_shared.errors import SettingsError


if TYPE_CHECKING:
    from pathlib import Path

    from requests import PreparedRequest


class _Socket(ssl.SSLSocket):
    """A TLS socket whose reads end at its context's deadline; sending moves the deadline on."""

    context: Context

    def recv_into(self, buffer: Any, nbytes: int | None = None, flags: int = 0) -> int:  # noqa: ANN401 - as in ssl
        left = self.context.deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError("the answer took too long")
        self.settimeout(left)
        return super().recv_into(buffer, nbytes, flags)

    def send(self, data: Any, flags: int = 0) -> int:  # noqa: ANN401 - as in ssl
        sent = super().send(data, flags)
        self.context.deadline = time.monotonic() + self.context.patience
        return sent


class Context(ssl.SSLContext):
    """Trust in the appliance: the system's certificates, a file's, or none (*verify* off).

    *patience* is how many seconds after the last byte sent the whole answer must be there.
    """

    sslsocket_class = _Socket
    patience: float
    deadline: float

    @classmethod
    def trusting(cls, ca_file: Path | None, *, verify: bool, patience: float) -> Context:
        """Build a context. Raises SettingsError if *ca_file* is not usable."""
        context = cls(ssl.PROTOCOL_TLS_CLIENT)
        context.patience = patience
        context.deadline = time.monotonic() + patience
        if not verify:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        elif ca_file is None:
            context.load_default_certs()
        else:
            # an appliance's own certificate may be given instead of its issuer's
            context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
            context.load(ca_file)
        return context

    def load(self, ca_file: Path) -> None:
        """Trust the certificates in *ca_file*. Raises SettingsError."""
        try:
            self.load_verify_locations(ca_file)
        except ssl.SSLError:
            raise SettingsError("threatq.ca_file", f"{ca_file} holds no certificate.") from None
        except OSError as error:
            raise SettingsError(
                "threatq.ca_file", f"{ca_file} cannot be read ({error.strerror})."
            ) from None


class Adapter(HTTPAdapter):
    """requests' adapter with our context deciding about trust, and nothing else."""

    def __init__(self, context: Context) -> None:
        self._context = context
        super().__init__()

    def init_poolmanager(self, *args: Any, **options: Any) -> None:  # noqa: ANN401 - requests' own
        """Hand our context to direct connections."""
        super().init_poolmanager(*args, **options, ssl_context=self._context)

    def proxy_manager_for(self, proxy: str, **options: Any) -> Any:  # noqa: ANN401 - requests' own
        """Hand our context to connections through an HTTP proxy."""
        return super().proxy_manager_for(proxy, **options, ssl_context=self._context)

    def cert_verify(self, conn: Any, url: Any, verify: Any, cert: Any) -> None:  # noqa: ANN401
        """Leave the connection alone: requests would add its own bundle to our context."""

    def build_connection_pool_key_attributes(
        self,
        request: PreparedRequest,
        verify: Any,  # noqa: ANN401 - requests' own
        cert: Any = None,  # noqa: ANN401 - requests' own
    ) -> Any:  # noqa: ANN401 - requests' own
        """Name the host only; what is trusted is the context's business."""
        host, _ = super().build_connection_pool_key_attributes(request, verify, cert)
        return host, {}
