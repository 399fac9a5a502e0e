"""Sign in by access token: Dovecot checks it, a token server of our own gives it."""

from __future__ import annotations

import base64
import traceback
from typing import TYPE_CHECKING

import pytest
from fixtures import dante as dante_part
from fixtures.token_endpoint import CLIENT, REFRESH, SECRET, TENANT

from tqimap_fetcher.kept_tokens import Keep
from tqimap_fetcher.mailbox import open_mailbox
from tqimap_fetcher.oauth import access_token
from tqimap_fetcher.refusal import Throttled
from tqimap_shared.errors import Denied, SettingsError, StopProcess, TqimapError, TryLater
from tqimap_shared.settings import Fetch, Mailbox


if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from fixtures.dante import Dante
    from fixtures.dovecot import Dovecot
    from fixtures.imap_script import ScriptedImap
    from fixtures.token_endpoint import TokenEndpoint


pytestmark = pytest.mark.usefixtures("forget_secrets")
DOVECOT = pytest.mark.dovecot
FETCH = Fetch(connect_timeout=30)
NOWHERE = Keep()


def works(mailbox: Mailbox, keep: Keep = NOWHERE) -> bool:
    """Open the mailbox and look for mail."""
    with open_mailbox(mailbox, FETCH, keep) as session:
        return session.unseen() == []


def fault(mailbox: Mailbox, keep: Keep = NOWHERE) -> TqimapError:
    """Return the error with which opening *mailbox* ends."""
    with pytest.raises(TqimapError) as caught:
        works(mailbox, keep)
    return caught.value


@DOVECOT
@pytest.mark.parametrize("auth", ["auto", "xoauth2", "oauthbearer"])
def test_client_credentials_of_microsoft(
    dovecot: Dovecot, token_endpoint: TokenEndpoint, auth: str
) -> None:
    """The application signs in for itself; no other host is asked, and for IMAP alone."""
    assert works(token_endpoint.mailbox(dovecot, auth=auth))
    assert token_endpoint.paths == [
        f"/{TENANT}/v2.0/.well-known/openid-configuration",
        f"/{TENANT}/oauth2/v2.0/token",
    ]
    (form,) = token_endpoint.forms
    assert (form["client_id"], form["client_secret"]) == (CLIENT, SECRET)
    assert form["scope"] == "https://outlook.office365.com/.default"


@DOVECOT
def test_a_certificate_instead_of_a_secret(dovecot: Dovecot, token_endpoint: TokenEndpoint) -> None:
    """The application may prove itself to Microsoft by the key of a certificate."""
    path = token_endpoint.certificate_file
    more = {"client_secret": "", "client_certificate_file": path}
    assert works(token_endpoint.mailbox(dovecot, **more))
    assert "client_secret" not in token_endpoint.forms[0]
    path.write_text("no certificate")
    error = fault(token_endpoint.mailbox(dovecot, **more))
    assert isinstance(error, StopProcess)
    assert "client_certificate_file" in str(error)


@DOVECOT
@pytest.mark.parametrize("secret", ["", SECRET])
@pytest.mark.parametrize("tenant", ["", TENANT])
def test_a_refresh_token(
    dovecot: Dovecot, token_endpoint: TokenEndpoint, tenant: str, secret: str
) -> None:
    """A person's consent serves, Microsoft's and Google's, with and without a client secret."""
    url = token_endpoint.url if tenant else f"{token_endpoint.url}/token"
    more = {"tenant": tenant, "client_secret": secret, "token_url": url}
    assert works(token_endpoint.mailbox(dovecot, refresh_token=REFRESH, **more))
    (form,) = token_endpoint.forms
    assert (form["grant_type"], form["refresh_token"]) == ("refresh_token", REFRESH)
    assert form.get("client_secret", "") == secret


@DOVECOT
def test_a_service_account_of_google(dovecot: Dovecot, token_endpoint: TokenEndpoint) -> None:
    """The account's key signs for the mailbox's user, whom the token is then for."""
    key = token_endpoint.key_file
    mailbox = token_endpoint.mailbox(dovecot, service_account_file=key, token_url="")
    assert works(mailbox)
    assert token_endpoint.paths == ["/token"]


@DOVECOT
@pytest.mark.parametrize(
    ("content", "sentence"),
    [("{}", "is no JSON key"), ("no json", "is no JSON key"), (None, "cannot be read")],
)
def test_a_key_file_that_is_none(
    dovecot: Dovecot, token_endpoint: TokenEndpoint, content: str | None, sentence: str
) -> None:
    """What is no key of a service account is named, and not shown."""
    key = token_endpoint.key_file
    key.unlink()
    if content is not None:
        key.touch(mode=0o600)
        key.write_text(content)
    error = fault(token_endpoint.mailbox(dovecot, service_account_file=key))
    assert isinstance(error, SettingsError)
    assert sentence in str(error)


@DOVECOT
def test_a_token_serves_until_it_ends(
    dovecot: Dovecot, token_endpoint: TokenEndpoint, tmp_path: Path
) -> None:
    """Later runs use the kept token; near its end, and for another secret, a new one is got."""
    mailbox = token_endpoint.mailbox(dovecot)
    assert works(mailbox, Keep(tmp_path))
    assert works(mailbox, Keep(tmp_path))
    assert len(token_endpoint.forms) == 1
    (file,) = tmp_path.glob(".tqimap-*.tokens")
    assert file.stat().st_mode & 0o777 == 0o600
    assert token_endpoint.given[0].encode() not in file.read_bytes()
    assert token_endpoint.given[0] not in base64.urlsafe_b64decode(file.read_bytes()).decode("l1")
    assert works(token_endpoint.mailbox(dovecot, scope="another"), Keep(tmp_path))
    token_endpoint.life = 200
    assert works(mailbox, Keep(tmp_path))
    assert works(mailbox, Keep(tmp_path))
    assert len(token_endpoint.forms) == 4


def used(endpoint: TokenEndpoint) -> list[str]:
    """Return the refresh tokens that came."""
    return [form["refresh_token"] for form in endpoint.forms]


@DOVECOT
def test_a_newer_refresh_token_takes_the_old_ones_place(
    dovecot: Dovecot, token_endpoint: TokenEndpoint, tmp_path: Path
) -> None:
    """A rotated refresh token is kept and used; one that fails gives way to the operator's."""
    token_endpoint.rotates, token_endpoint.life = True, 200
    mailbox = token_endpoint.mailbox(dovecot, refresh_token=REFRESH, tenant=TENANT)
    token_endpoint.refresh = {REFRESH}
    for _ in range(3):
        assert works(mailbox, Keep(tmp_path))
    one, two = "refresh-of-the-server-1", "refresh-of-the-server-3"
    assert used(token_endpoint) == [REFRESH, one, two]
    token_endpoint.refresh = {REFRESH}
    assert works(mailbox, Keep(tmp_path))
    assert used(token_endpoint)[3:] == ["refresh-of-the-server-5", REFRESH]
    (file,) = tmp_path.glob(".tqimap-*.tokens")
    assert b"refresh" not in file.read_bytes()


@DOVECOT
@pytest.mark.parametrize("auth", ["xoauth2", "oauthbearer"])
def test_a_refused_token_is_renewed_once(
    dovecot: Dovecot, token_endpoint: TokenEndpoint, tmp_path: Path, auth: str
) -> None:
    """A token that the server does not take is asked for anew, on the same connection."""
    mailbox = token_endpoint.mailbox(dovecot, auth=auth)
    token_endpoint.bad = 1
    assert works(mailbox, Keep(tmp_path))
    token_endpoint.bad = 9
    (file,) = tmp_path.glob(".tqimap-*.tokens")
    file.unlink()
    error = fault(mailbox, Keep(tmp_path))
    assert isinstance(error, Denied)
    assert "the server refuses the token (status " in str(error)
    assert len(token_endpoint.forms) == 4
    shown = "".join(traceback.format_exception(error))
    assert not any(one in shown for one in (SECRET, *token_endpoint.given))


FAULTS = [
    (401, "invalid_client", "AADSTS7000222: The provided client secret keys are expired.", Denied,
     "client secret has expired; make a new one"),
    (401, "invalid_client", "AADSTS7000215: Invalid client secret.", Denied, "secret is wrong"),
    (400, "invalid_grant", "AADSTS65001: has not consented", Denied, "consent is missing"),
    (400, "unauthorized_client", "AADSTS700016: not found in the directory", Denied,
     "does not know this application"),
    (400, "invalid_request", "AADSTS90002: Tenant not found", Denied, "no such tenant"),
    (400, "invalid_request", "AADSTS123456789: who knows", Denied, "(AADSTS123456789)"),
    (400, "unauthorized_client", "Client is unauthorized", Denied, "domain-wide delegation"),
    (400, "invalid_grant", "Token has been expired or revoked.", Denied, "make a new one"),
    (404, "", "", StopProcess, "check mailbox.token_url"),
    (503, "temporarily_unavailable", "", TryLater, "cannot answer now (503)"),
]  # fmt: skip


@pytest.mark.parametrize(("status", "code", "words", "kind", "sentence"), FAULTS)
@pytest.mark.parametrize("at", [0, 1])
@DOVECOT
def test_each_refusal_has_one_clear_line(
    dovecot: Dovecot,
    token_endpoint: TokenEndpoint,
    caplog: pytest.LogCaptureFixture,
    status: int,
    code: str,
    words: str,
    kind: type[TqimapError],
    sentence: str,
    at: int,
) -> None:
    """Microsoft's and Google's errors, at either request, end in what to do, and show no secret."""
    caplog.set_level(1)
    echo = f"{words} {SECRET}"
    if at:
        token_endpoint.faults.append(
            (
                200,
                token_endpoint.answer(
                    f"localhost:{token_endpoint.port}", "/.well-known/openid-configuration", {}
                )[1],
                {},
            )
        )
    token_endpoint.fail(status, code, echo)
    error = fault(token_endpoint.mailbox(dovecot))
    assert type(error) is kind
    assert sentence in str(error)
    assert "token from localhost" in str(error)
    assert SECRET not in "".join(traceback.format_exception(error)) + caplog.text


@DOVECOT
def test_a_throttling_token_server_is_left_alone(
    dovecot: Dovecot, token_endpoint: TokenEndpoint
) -> None:
    """Its Retry-After is taken like a mail server's wish to be left alone."""
    token_endpoint.fail(429, "too_many", Retry_After="37")
    error = fault(token_endpoint.mailbox(dovecot))
    assert isinstance(error, Throttled)
    assert error.seconds == 37


@DOVECOT
@pytest.mark.dante
@pytest.mark.parametrize("source", ["microsoft", "google"])
def test_the_token_comes_through_the_mailbox_proxy(
    dovecot: Dovecot, token_endpoint: TokenEndpoint, dante: Dante, source: str
) -> None:
    """Through Dante with its password, by a name that only the proxy knows."""
    url = f"https://mail.test:{token_endpoint.port}"
    proxy = {
        "server": "mail.test",
        "proxy_address": "127.0.0.1",
        "proxy_port": dante.with_password,
        "proxy_type": "socks5h",
        "proxy_username": dante_part.USER,
        "proxy_password": dante_part.PASSWORD,
    }
    if source == "google":
        proxy |= {"token_url": f"{url}/token", "refresh_token": REFRESH}
    else:
        proxy |= {"token_url": url}
    assert works(token_endpoint.mailbox(dovecot, **proxy))
    error = fault(token_endpoint.mailbox(dovecot, **{**proxy, "proxy_password": "wrong-one"}))
    assert "check mailbox.proxy_username" in str(error)


@DOVECOT
@pytest.mark.parametrize("verify", [True, False])
def test_the_token_servers_certificate_is_always_checked(
    dovecot: Dovecot, token_endpoint: TokenEndpoint, *, verify: bool
) -> None:
    """Whatever the mailbox's own setting: the secret opens more than one mailbox."""
    error = fault(token_endpoint.mailbox(dovecot, ca_file=dovecot.ca_file, verify=verify))
    assert isinstance(error, Denied)
    assert "set mailbox.ca_file" in str(error)
    assert token_endpoint.forms == []


@pytest.mark.parametrize("url", ["http://localhost/token", "localhost/token", "https://x:no/"])
def test_a_token_server_is_an_https_address(url: str) -> None:
    """A secret goes to no other, and what is none is named as a fault of the settings."""
    given = {"server": "localhost", "username": "u", "client_id": "c", "refresh_token": "r"}
    mailbox = Mailbox.model_validate({**given, "token_url": url})
    with pytest.raises(SettingsError, match=r"mailbox\.token_url: must be the https address"):
        access_token(mailbox, NOWHERE, seconds=1)


JSON = base64.b64encode(b'{"status":"401","schemes":"bearer","scope":"mail"}')


@pytest.mark.parametrize(("mechanism", "end"), [("XOAUTH2", b"\r\n"), ("OAUTHBEARER", b"AQ==\r\n")])
def test_the_servers_error_is_answered_and_shown(
    imap_script: Callable[..., ScriptedImap],
    dovecot: Dovecot,
    token_endpoint: TokenEndpoint,
    mechanism: str,
    end: bytes,
) -> None:
    """After JSON in base64 XOAUTH2 wants an empty line and OAUTHBEARER a dummy."""
    offered = f"* CAPABILITY IMAP4rev1 AUTH={mechanism}\r\n@ OK done\r\n".encode()

    def refusal() -> Iterator[bytes]:
        yield b"+ " + JSON + b"\r\n"
        yield b"@ NO refused %s\r\n" % token_endpoint.given[-1].encode()

    class Refusals:
        def __iter__(self) -> Iterator[bytes]:
            return refusal()

    # the client's answer to the challenge is a line that is no command
    server = imap_script({"CAPABILITY": offered, "AUTHENTICATE": Refusals(), "": b""})
    mailbox = token_endpoint.mailbox(dovecot)
    change = {"server": "127.0.0.1", "port": server.port, "security": "none"}
    error = fault(mailbox.model_copy(update=change))
    assert "the server refuses the token (status 401)" in str(error)
    assert end in server.lines
    assert token_endpoint.given[-1] not in "".join(traceback.format_exception(error))
