"""The mailboxes of one run: the UI's page, the tables of tqimap.toml, and both together."""

from __future__ import annotations

from dataclasses import replace

import pytest
from pydantic import SecretStr

from tqimap_fetcher.connector import Connector, mailboxes
from tqimap_shared.errors import NotReady, SettingsError
from tqimap_shared.settings import CONNECTOR, Mailbox, Settings


FIELDS = {
    "imap_server": "imap.example.org",
    "imap_username": "mailbox@example.org",
    "imap_password": "correct horse",
    "proxy_address": "",
    "proxy_port": "",
    "proxy_type": "socks5",
}
PAGE = r"Incoming Feeds > ThreatQ Labs > Intelligence Mailbox"


def page(*, name: str = CONNECTOR, **changes: str) -> Connector:
    """Fill in the connector's page and switch it on."""
    return Connector(37, name, True, FIELDS | changes)  # noqa: FBT003 - the record's order


def table(name: str = "Second", **values: object) -> Mailbox:
    """Write a complete [[mailbox]] table."""
    complete = {"server": "two.example.org", "username": "u", "password": "p"}
    return Mailbox.model_validate({"name": name, **complete, **values})


def settings(*tables: Mailbox) -> Settings:
    """Write a tqimap.toml with these tables."""
    return Settings(mailbox=list(tables))


def test_the_page_alone_gives_one_mailbox() -> None:
    """Blank proxy fields mean a direct connection, whatever the proxy type says."""
    (found,) = mailboxes(settings(), page(proxy_port="x", proxy_type="http"))
    assert found == Mailbox(
        name=CONNECTOR,
        server="imap.example.org",
        username="mailbox@example.org",
        password=SecretStr("correct horse"),
    )


@pytest.mark.parametrize(
    ("typed", "server", "port"),
    [
        ("imap.example.org", "imap.example.org", None),
        ("imap.example.org:1993", "imap.example.org", 1993),
        ("192.0.2.7:143", "192.0.2.7", 143),
        ("[2001:db8::1]:993", "2001:db8::1", 993),
        ("[2001:db8::1]", "2001:db8::1", None),
        ("2001:db8::1", "2001:db8::1", None),
    ],
)
def test_imap_server_may_carry_a_port(typed: str, server: str, port: int | None) -> None:
    """IMAP Server is `host` or `host:port`, for names, IPv4 and IPv6."""
    (found,) = mailboxes(settings(), page(imap_server=typed))
    assert (found.server, found.port) == (server, port)


def test_the_proxy_of_the_page_is_used() -> None:
    """Address, port and type come over; a port left blank keeps the usual one."""
    (found,) = mailboxes(
        settings(), page(proxy_address="192.0.2.1", proxy_port="9050", proxy_type="SOCKS4")
    )
    assert (found.proxy_address, found.proxy_port, found.proxy_type) == (
        "192.0.2.1",
        9050,
        "socks4",
    )
    (found,) = mailboxes(settings(), page(proxy_address="192.0.2.1", proxy_type=""))
    assert (found.proxy_port, found.proxy_type) == (None, "socks5")


def test_a_feed_that_is_off_is_not_ready() -> None:
    """The sentence names the page where the switch is."""
    with pytest.raises(NotReady, match=f"switched off.*{PAGE}"):
        mailboxes(settings(table()), replace(page(), is_active=False))


def test_an_incomplete_page_is_not_ready() -> None:
    """The sentence names the page and every missing field."""
    with pytest.raises(NotReady, match=f"IMAP Server, IMAP Password in ThreatQ: {PAGE}"):
        mailboxes(settings(), page(imap_server="", imap_password=""))


@pytest.mark.parametrize(
    ("changes", "label"),
    [
        ({"imap_server": "imap.example.org:many"}, "IMAP Server"),
        ({"imap_server": "imap.example.org:99999"}, "IMAP Server"),
        ({"imap_username": "a\r\nb"}, "IMAP Username"),
        ({"imap_password": "a\r\nsecret"}, "IMAP Password"),
        ({"proxy_address": "192.0.2.1", "proxy_port": "0"}, "Proxy Port"),
        ({"proxy_address": "192.0.2.1", "proxy_port": "x"}, "Proxy Port"),
        ({"proxy_address": "192.0.2.1", "proxy_type": "http"}, "Proxy Type"),
    ],
)
def test_a_faulty_field_is_named(changes: dict[str, str], label: str) -> None:
    """What the page holds wrongly is told by its label there, without its content."""
    with pytest.raises(NotReady, match=f"{label}: .*{PAGE}") as caught:
        mailboxes(settings(), page(**changes))
    assert "secret" not in str(caught.value)


def test_tables_add_mailboxes() -> None:
    """The page's mailbox comes first, those of the file after it."""
    found = mailboxes(settings(table("Second"), table("Third")), page())
    assert [one.name for one in found] == [CONNECTOR, "Second", "Third"]


@pytest.mark.parametrize("name", [CONNECTOR, "Renamed"])
def test_a_table_of_the_same_name_overrides_what_it_sets(name: str) -> None:
    """Field by field: what the table leaves out stays the page's, even where it has a default."""
    override = Mailbox(name=name, folder="Spam", port=143, security="starttls")
    (found,) = mailboxes(
        settings(override), page(name="Renamed", proxy_address="192.0.2.1", proxy_type="socks4")
    )
    assert found.name == CONNECTOR
    assert (found.server, found.port, found.security, found.folder) == (
        "imap.example.org",
        143,
        "starttls",
        "Spam",
    )
    assert (found.proxy_address, found.proxy_type) == ("192.0.2.1", "socks4")


def test_a_table_may_complete_the_page() -> None:
    """The password may stay out of ThreatQ, in the file or the environment."""
    override = Mailbox(password=SecretStr("from the file"))
    (found,) = mailboxes(settings(override), page(imap_password=""))
    assert found.password.get_secret_value() == "from the file"


def test_a_disabled_table_takes_the_page_out() -> None:
    """With `enabled = false` neither the page's switch nor its fields matter."""
    off = Mailbox(enabled=False)
    found = mailboxes(settings(off, table()), replace(page(imap_server=""), is_active=False))
    assert [one.name for one in found] == ["Second"]


def test_without_connectors_the_tables_serve_alone() -> None:
    """Disabled ones are left out; with none left the run is not ready."""
    found = mailboxes(settings(table("A"), table("B", enabled=False)), None)
    assert [one.name for one in found] == ["A"]
    with pytest.raises(NotReady, match="mailbox"):
        mailboxes(settings(), None)


def test_faulty_tables_are_faults_of_the_settings() -> None:
    """A table without server or user name, or a name given twice, is told by its name."""
    with pytest.raises(SettingsError, match="Second: needs server, password"):
        mailboxes(settings(table(server="", password="")), page())
    with pytest.raises(SettingsError, match="Second: is there twice"):
        mailboxes(settings(table(), table()), page())
