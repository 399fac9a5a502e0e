"""Choose how to sign in, read secrets from files, warn of their end."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from fixtures.dovecot import PASSWORD

from tqimap_fetcher.connector import Connector, mailboxes
from tqimap_fetcher.mailbox import open_mailbox
from tqimap_fetcher.sign_in import COMMAND, mechanism_for
from tqimap_shared.errors import SettingsError, StopProcess
from tqimap_shared.settings import CONNECTOR, Fetch, Mailbox, Settings


if TYPE_CHECKING:
    from pathlib import Path

    from fixtures.dovecot import Dovecot

TOKEN = {"refresh_token": "consent", "client_id": "application"}


@pytest.mark.parametrize(
    ("settings", "offered", "wanted"),
    [
        ({}, "AUTH=PLAIN AUTH=LOGIN", "PLAIN"),
        ({}, "AUTH=LOGIN AUTH=XOAUTH2", "LOGIN"),
        ({}, "", COMMAND),
        ({"auth": "login"}, "AUTH=PLAIN AUTH=LOGIN", "LOGIN"),
        ({"auth": "login"}, "AUTH=PLAIN", COMMAND),
        ({"auth": "plain"}, "AUTH=PLAIN AUTH=LOGIN", "PLAIN"),
        ({"auth": "plain"}, "AUTH=LOGIN", None),
        (TOKEN, "AUTH=PLAIN AUTH=XOAUTH2", "XOAUTH2"),
        (TOKEN, "AUTH=XOAUTH2 AUTH=OAUTHBEARER", "OAUTHBEARER"),
        (TOKEN | {"auth": "xoauth2"}, "AUTH=XOAUTH2 AUTH=OAUTHBEARER", "XOAUTH2"),
        (TOKEN | {"auth": "plain"}, "AUTH=PLAIN AUTH=XOAUTH2", "PLAIN"),
        (TOKEN, "AUTH=PLAIN", None),
    ],
)
def test_the_mechanism_follows_setting_and_capability(
    settings: dict[str, object], offered: str, wanted: str | None
) -> None:
    """A token where one is to be had, else the password, each by the best that is offered."""
    mailbox = Mailbox.model_validate({"username": "u", "password": "p", **settings})
    given = [b"IMAP4REV1", *offered.encode().split()]
    if wanted:
        assert mechanism_for(mailbox, given) == wanted
    else:
        with pytest.raises(StopProcess, match=r"does not offer .* check mailbox\.auth"):
            mechanism_for(mailbox, given)


@pytest.mark.dovecot
@pytest.mark.parametrize("auth", ["auto", "plain", "login"])
def test_a_password_of_any_letters(dovecot: Dovecot, auth: str) -> None:
    """Dovecot takes a password with umlauts by AUTH PLAIN and by AUTH LOGIN."""
    assert not PASSWORD.isascii()
    with open_mailbox(dovecot.mailbox(dovecot.user(), auth=auth), Fetch()) as session:
        assert session.unseen() == []


@pytest.mark.dovecot
def test_a_password_from_a_file(dovecot: Dovecot, tmp_path: Path) -> None:
    """The file's only line is the password; its last line break is not."""
    path = tmp_path / "password"
    path.touch(mode=0o600)
    path.write_text(f"{PASSWORD}\n")
    mailbox = dovecot.mailbox(dovecot.user(), password="", password_file=path)
    with open_mailbox(mailbox, Fetch()) as session:
        assert session.unseen() == []


def test_a_file_counts_more_than_the_pages_password(tmp_path: Path) -> None:
    """A [[mailbox]] table with the page's name overrides its password by a file as well."""
    fields = {"imap_server": "mail.test", "imap_username": "u", "imap_password": "page"}
    page = Connector(1, CONNECTOR, is_active=True, fields=fields)
    path = tmp_path / "password"
    (mailbox,) = mailboxes(Settings(mailbox=[Mailbox(password_file=path)]), page)
    assert (mailbox.password_file, mailbox.password.get_secret_value()) == (path, "")


@pytest.mark.parametrize("name", ["password", "client_secret", "refresh_token"])
@pytest.mark.parametrize(
    ("content", "mode", "sentence"),
    [
        (b"secret-7\n", 0o604, "is open to every user"),
        (b"", 0o600, "must hold one line"),
        (b"secret-7\nsecond\n", 0o600, "must hold one line"),
        (b"secret-\xff", 0o600, "is not UTF-8"),
        (None, 0, "cannot be read"),
    ],
)
def test_a_secret_file_that_cannot_serve(
    tmp_path: Path, name: str, content: bytes | None, mode: int, sentence: str
) -> None:
    """It is named with its setting before anything is sent; what it holds is not shown."""
    path = tmp_path / "secret"
    if content is not None:
        path.write_bytes(content)
        path.chmod(mode)
    settings = {"server": "mail.invalid", "username": "u", "client_id": "application"}
    settings |= {} if name == "password" else {"tenant": "contoso"}
    mailbox = Mailbox.model_validate({**settings, f"{name}_file": path})
    with (
        pytest.raises(SettingsError, match=sentence) as caught,
        open_mailbox(mailbox, Fetch()),
    ):
        pass
    assert f"mailbox.{name}_file {path}" in str(caught.value)
    assert "secret-7" not in str(caught.value)


@pytest.mark.parametrize(
    ("settings", "lacking"),
    [
        ({"password": "p"}, []),
        ({}, ["password"]),
        ({"tenant": "t"}, ["client_id", "client_secret or refresh_token"]),
        ({"tenant": "t", "client_id": "c", "client_secret": "s"}, []),
        ({"tenant": "t", "client_id": "c", "client_secret_file": "/s"}, []),
        ({"auth": "xoauth2", "client_id": "c", "client_secret": "s"}, ["refresh_token"]),
        ({"refresh_token": "r"}, ["client_id"]),
        ({"service_account_file": "/key.json"}, []),
    ],
)
def test_what_a_sign_in_lacks(settings: dict[str, object], lacking: list[str]) -> None:
    """A password, or all that the token needs, is asked for by name."""
    mailbox = Mailbox.model_validate({"server": "s", "username": "u", **settings})
    assert mailbox.lacking() == lacking


def test_a_secret_is_given_once() -> None:
    """A password and a file for it leave open which counts."""
    with pytest.raises(ValueError, match="set password or password_file, not both"):
        Mailbox.model_validate({"password": "p", "password_file": "/p"})


@pytest.mark.dovecot
@pytest.mark.parametrize(
    ("days", "said"),
    [(31, None), (30, "expires in 30 days"), (0, "expires in 0 days"), (-1, "expired on")],
)
def test_the_end_of_a_secret_is_warned_of(
    dovecot: Dovecot, caplog: pytest.LogCaptureFixture, days: int, said: str | None
) -> None:
    """Each run warns from secret_warn_days before the day, and after it, and still tries."""
    day = datetime.now(UTC).date() + timedelta(days)
    mailbox = dovecot.mailbox(dovecot.user(), secret_expires=day)
    with open_mailbox(mailbox, Fetch()):
        pass
    warnings = [one.getMessage() for one in caplog.records if one.levelname == "WARNING"]
    assert len(warnings) == (said is not None)
    assert all(said in one and str(day) in one for one in warnings if said)
