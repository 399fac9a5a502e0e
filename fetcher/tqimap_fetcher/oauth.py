"""Get the access token that serves as a mailbox's password.

Microsoft's by msal, their own and well-kept library, with its look-ups elsewhere (instance
discovery) switched off: it talks to the configured host alone, by our HTTP client. A service
account's assertion (RFC 7523) is signed by PyJWT, which msal brings anyway; google-auth would be a
second HTTP client for one POST. All three are imported only when a token is asked for.
"""

from __future__ import annotations

import json
import logging
import time
from typing import TYPE_CHECKING, Any

from tqimap_fetcher.kept_tokens import Keep, Tokens
from tqimap_fetcher.secret_files import read
from tqimap_fetcher.token_server import TokenServer
from tqimap_shared import log
from tqimap_shared.errors import Denied, SettingsError, StopProcess


if TYPE_CHECKING:
    from collections.abc import Mapping

    from tqimap_shared.settings import Mailbox

logger = logging.getLogger(__name__)

GOOGLE = "https://oauth2.googleapis.com/token"
MICROSOFT = "https://login.microsoftonline.com"
GOOGLE_SCOPE = "https://mail.google.com/"
APPLICATION_SCOPE = "https://outlook.office365.com/.default"
PERSON_SCOPE = "https://outlook.office.com/IMAP.AccessAsUser.All"
_BEARER = "urn:ietf:params:oauth:grant-type:jwt-bearer"
_ASSERTION_SECONDS = 600
_DEFAULT_LIFE = 3600


def access_token(mailbox: Mailbox, keep: Keep, *, seconds: float, anew: bool = False) -> str:
    """Return an access token for *mailbox*: the kept one while it is good, unless *anew*.

    A request to the token server has *seconds*. Raises Denied, StopProcess and TryLater.
    """
    kept = keep.load(mailbox)
    if kept.fresh and not anew:
        return kept.access
    try:
        found = _renewed(mailbox, kept, seconds)
    except Denied:
        if not kept.refresh:
            raise
        # perhaps only the kept one is bad: the operator's own counts
        found = _renewed(mailbox, Tokens(), seconds)
    keep.save(mailbox, found)
    return found.access


def source(mailbox: Mailbox) -> str:
    """Say in a few words how the mailbox comes by its token."""
    if mailbox.service_account_file:
        return "Google service account"
    where = f"tenant {mailbox.tenant}" if mailbox.tenant else (mailbox.token_url or "Google")
    return f"{where}, {'refresh token' if mailbox.has('refresh_token') else 'client credentials'}"


def _renewed(mailbox: Mailbox, kept: Tokens, seconds: float) -> Tokens:
    """Ask for tokens; a refresh token that is newer than the settings' stays with them."""
    server = TokenServer(mailbox, seconds=seconds)
    own = mailbox.refresh_token.get_secret_value()
    refresh = kept.refresh or own
    if mailbox.tenant:
        body = _from_microsoft(mailbox, server, refresh)
    elif mailbox.service_account_file:
        body = _by_service_account(mailbox, server)
    else:
        body = _refreshed(mailbox, server, refresh)
    access, newer = body.get("access_token"), body.get("refresh_token") or refresh
    if not (isinstance(access, str) and access.isascii() and access.isprintable() and access):
        raise Denied(f"mailbox {mailbox.name}", "the token server gave no usable token.")
    newer = newer if isinstance(newer, str) and newer != own else ""
    if newer and newer != kept.refresh:
        logger.info("mailbox %s: a newer refresh token was given, and is kept.", mailbox.name)
    return Tokens(access, time.time() + _life(body.get("expires_in")), newer)


def _life(said: object) -> float:
    return float(said) if isinstance(said, int | float) and said > 0 else _DEFAULT_LIFE


def _from_microsoft(mailbox: Mailbox, server: TokenServer, refresh: str) -> dict[str, Any]:
    import msal  # noqa: PLC0415 - costs a quarter of what an idle run does

    credential = _credential(mailbox)
    kind = msal.ConfidentialClientApplication if credential else msal.PublicClientApplication
    try:
        application = kind(
            mailbox.client_id,
            client_credential=credential,
            authority=f"{(mailbox.token_url or MICROSOFT).rstrip('/')}/{mailbox.tenant}",
            instance_discovery=False,
            http_client=server,
        )
        if refresh:
            scopes = [mailbox.scope or PERSON_SCOPE]
            found = application.acquire_token_by_refresh_token(refresh, scopes)
        else:
            scopes = [mailbox.scope or APPLICATION_SCOPE]
            found = application.acquire_token_for_client(scopes)
    except (ValueError, KeyError):
        # msal's sentence repeats addresses and answers
        raise StopProcess(
            f"mailbox {mailbox.name}",
            "check mailbox.tenant, token_url, scope and client_certificate_file.",
        ) from None
    return dict(found)


def _credential(mailbox: Mailbox) -> str | dict[str, str] | None:
    """Return what the application proves itself with: a secret, a certificate, or nothing."""
    if path := mailbox.client_certificate_file:
        pem = read(path, f"mailbox.client_certificate_file of {mailbox.name}")
        return {"private_key": pem, "public_certificate": pem}
    return mailbox.client_secret.get_secret_value() or None


def _refreshed(mailbox: Mailbox, server: TokenServer, refresh: str) -> dict[str, Any]:
    """Use a refresh token (RFC 6749 section 6)."""
    form = {
        "grant_type": "refresh_token",
        "client_id": mailbox.client_id,
        "refresh_token": refresh,
    }
    if secret := mailbox.client_secret.get_secret_value():
        form["client_secret"] = secret
    if mailbox.scope:
        form["scope"] = mailbox.scope
    return server.post(mailbox.token_url or GOOGLE, data=form).json()


def _by_service_account(mailbox: Mailbox, server: TokenServer) -> dict[str, Any]:
    """Have a service account speak for the user (Google calls it domain-wide delegation)."""
    import jwt  # noqa: PLC0415 - as msal

    key = _service_account(mailbox)
    url = mailbox.token_url or key.get("token_uri") or GOOGLE
    now = int(time.time())
    claims = {
        "iss": key["client_email"],
        "sub": mailbox.username,
        "scope": mailbox.scope or GOOGLE_SCOPE,
        "aud": url,
        "iat": now,
        "exp": now + _ASSERTION_SECONDS,
    }
    try:
        assertion = jwt.encode(
            claims, key["private_key"], "RS256", {"kid": key.get("private_key_id")}
        )
    except (ValueError, TypeError, jwt.PyJWTError):
        raise _no_key(mailbox) from None
    return server.post(url, data={"grant_type": _BEARER, "assertion": assertion}).json()


def _service_account(mailbox: Mailbox) -> Mapping[str, str]:
    assert mailbox.service_account_file is not None
    text = read(mailbox.service_account_file, f"mailbox.service_account_file of {mailbox.name}")
    try:
        key = json.loads(text)
    except (ValueError, RecursionError):
        raise _no_key(mailbox) from None
    wanted = ("client_email", "private_key")
    if not isinstance(key, dict) or not all(isinstance(key.get(one), str) for one in wanted):
        raise _no_key(mailbox)
    log.hide(key["private_key"])
    return key


def _no_key(mailbox: Mailbox) -> SettingsError:
    return SettingsError(
        f"mailbox.service_account_file of {mailbox.name}",
        "is no JSON key of a Google service account.",
    )
