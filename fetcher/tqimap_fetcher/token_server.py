"""Ask a token server, by the mailbox's own way: its proxy, its ca_file, its deadline.

http.client of the standard library, over the very connection code that reaches the mailbox: the
proxy is given the same user and password, and what goes wrong is said in the same words. msal takes
any object with `get` and `post` for its HTTP client. An answer that is an error never reaches msal,
which would log it; redirects are not followed, for they would carry the secrets elsewhere.
"""

from __future__ import annotations

import http.client
import json
import re
import time
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import TYPE_CHECKING, Any
from urllib.parse import SplitResult, urlencode, urlsplit

from tqimap_fetcher.deadline import within
from tqimap_fetcher.proxy import Peer
from tqimap_fetcher.refusal import Throttled
from tqimap_fetcher.transport import encrypt, reach
from tqimap_shared.errors import Denied, SettingsError, StopProcess, TqimapError, TryLater


if TYPE_CHECKING:
    import socket
    from collections.abc import Mapping

    from tqimap_shared.settings import Mailbox

_MOST = 262_144  # bytes of an answer; tokens have a few thousand, Microsoft's metadata as well
_AADSTS = re.compile(r"AADSTS(\d{4,9})")
_ERROR = re.compile(r"[a-z_]{3,40}")
# https://learn.microsoft.com/entra/identity-platform/reference-error-codes
_ENTRA = {
    "7000222": "the client secret has expired; make a new one in Entra and set "
    "mailbox.client_secret.",
    "7000215": "the client secret is wrong; set mailbox.client_secret to the secret's value, not "
    "its id.",
    "700016": "the tenant does not know this application; check mailbox.client_id and "
    "mailbox.tenant.",
    "90002": "there is no such tenant; check mailbox.tenant.",
    "900023": "this is no tenant; set mailbox.tenant to its id or domain.",
    "65001": "consent is missing; let an administrator grant the application IMAP's permission.",
    "700082": "the refresh token has not been used for too long; sign in anew and set "
    "mailbox.refresh_token.",
    "50173": "the refresh token was revoked, say by a new password; sign in anew and set "
    "mailbox.refresh_token.",
    "50076": "the sign-in asks for a second factor; use mailbox.client_secret without a "
    "refresh token.",
    "50126": "the user name or password is wrong.",
    "70011": "the scope is not valid for this application; check mailbox.scope.",
}
# RFC 6749 section 5.2, and Google's uses of it
_STANDARD = {
    "invalid_client": "does not accept mailbox.client_id and mailbox.client_secret.",
    "invalid_grant": "does not accept refresh token or key any more (expired, revoked, or this "
    "machine's clock is wrong); make a new one.",
    "unauthorized_client": "consent is missing: the application or service account may not read "
    "this mailbox; grant it mailbox.scope (Google: domain-wide delegation).",
    "access_denied": "consent is missing; let an administrator grant mailbox.scope.",
    "invalid_scope": "does not know the scope, or not for this application; check mailbox.scope.",
}
_BUSY = {HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_MANY_REQUESTS}


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer of status 200, in the shape that msal reads."""

    text: str = field(repr=False)
    headers: Mapping[str, str] = field(repr=False)
    status_code: int = 200

    def raise_for_status(self) -> None:
        """Do nothing: an answer that is an error has been raised already."""

    def json(self) -> dict[str, Any]:
        """Return the object that the answer is."""
        found: dict[str, Any] = json.loads(self.text)
        return found


class TokenServer:
    """The HTTP client of one mailbox's sign-in; each call has *seconds*.

    Raises Denied for what a person must mend, Throttled and TryLater for what passes.
    """

    def __init__(self, mailbox: Mailbox, *, seconds: float) -> None:
        self._mailbox = mailbox
        self._seconds = seconds

    def get(
        self,
        url: str,
        params: Mapping[str, str] | None = None,
        **more: Any,  # noqa: ANN401 - msal's
    ) -> Answer:
        """Read *url*."""
        return self._exchange("GET", url, params, None, more.get("headers"))

    def post(
        self,
        url: str,
        params: Mapping[str, str] | None = None,
        data: Mapping[str, str] | str | None = None,
        **more: Any,  # noqa: ANN401 - msal's
    ) -> Answer:
        """Send *data* as a form."""
        body = data if isinstance(data, str) else urlencode(data or {})
        return self._exchange("POST", url, params, body, more.get("headers"))

    def close(self) -> None:
        """Do nothing: no connection is kept."""

    def _exchange(
        self,
        method: str,
        url: str,
        params: Mapping[str, str] | None,
        body: str | None,
        headers: Mapping[str, str] | None,
    ) -> Answer:
        parts, peer = _place(url)
        subject = f"mailbox {self._mailbox.name} (token from {peer.host})"
        query = "&".join(filter(None, (parts.query, urlencode(params or {}))))
        wanted = {"Accept": "application/json", **(headers or {})}
        if body is not None:
            wanted["Content-Type"] = "application/x-www-form-urlencoded"

        def ask() -> tuple[int, Mapping[str, str], bytes]:
            with self._connect(peer) as sock:
                connection = http.client.HTTPConnection(peer.host, peer.port)
                connection.sock = sock
                target = (parts.path or "/") + (f"?{query}" if query else "")
                connection.request(method, target, body, wanted)
                response = connection.getresponse()
                return response.status, dict(response.headers), response.read(_MOST)

        late = TryLater(subject, f"no answer within {self._seconds:g} seconds.")
        try:
            status, answered, content = within(self._seconds, ask, late=late)
        except (OSError, http.client.HTTPException):
            raise TryLater(subject, "the connection broke.") from None
        return _judged(subject, status, answered, content)

    def _connect(self, peer: Peer) -> socket.socket:
        until = time.monotonic() + self._seconds
        bare = reach(self._mailbox, peer, seconds=self._seconds)
        return encrypt(bare, self._mailbox, peer, seconds=until - time.monotonic())


def _place(url: str) -> tuple[SplitResult, Peer]:
    try:
        parts = urlsplit(url)
        if parts.scheme == "https" and parts.hostname:
            return parts, Peer(parts.hostname, parts.port or 443, "mailbox.token_url")
    except ValueError:
        pass
    raise SettingsError("mailbox.token_url", "must be the https address of a token server.")


def _judged(subject: str, status: int, headers: Mapping[str, str], content: bytes) -> Answer:
    try:
        text = content.decode()
        body = json.loads(text)
    except (ValueError, RecursionError):
        text, body = "", None
    if status != HTTPStatus.OK:
        raise _refusal(subject, status, headers, body if isinstance(body, dict) else {})
    if not isinstance(body, dict):
        raise TryLater(subject, "the answer is no JSON; check mailbox.token_url.")
    return Answer(text, dict(headers))


def _refusal(
    subject: str, status: int, headers: Mapping[str, str], body: dict[str, Any]
) -> TqimapError:
    """Say what an error means, by its codes alone: a server's own words may repeat ours."""
    if status in _BUSY or status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return _busy(subject, status, headers.get("Retry-After", ""))
    entra = _AADSTS.search(str(body.get("error_description")))
    standard = str(body.get("error"))
    code = f"AADSTS{entra[1]}" if entra else standard if _ERROR.fullmatch(standard) else status
    known = _ENTRA.get(entra[1]) if entra else None
    if sentence := known or _STANDARD.get(standard):
        return Denied(subject, f"{sentence.removesuffix('.')} ({code}).")
    if status == HTTPStatus.NOT_FOUND or 300 <= status < 400:
        return StopProcess(subject, f"no tokens are given there ({code}); check mailbox.token_url.")
    return Denied(subject, f"gives no token ({code}); check mailbox.client_id and its secret.")


def _busy(subject: str, status: int, after: str) -> TqimapError:
    if after.isascii() and after.isdigit():
        seconds = float(after[:9])
        sentence = f"is throttled ({status}); leave it for {seconds:.0f} seconds."
        return Throttled(subject, sentence, seconds)
    return TryLater(subject, f"cannot answer now ({status}).")
