"""The connector in ThreatQ: created once, found again, read, or not to be had."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import pytest
from fixtures.scripted_https import TOKEN, Scripted, answer
from fixtures.threatq_client import account
from pydantic import SecretStr

from tqimap_fetcher.connector import Connector, ensure, known_status, mailboxes
from tqimap_shared import log
from tqimap_shared.errors import NotReady, SettingsError, TryLater
from tqimap_shared.settings import CONNECTOR, Settings, ThreatQ
from tqimap_shared.threatq import Session


if TYPE_CHECKING:
    from collections.abc import Iterator

    from fixtures.threatq import StandIn


@pytest.fixture
def bare(scripted: Scripted) -> Iterator[Session]:
    """Open a session with a server that answers as each test says."""
    settings = ThreatQ(
        host=f"127.0.0.1:{scripted.port}",
        client_id="c",
        email="e",
        password=SecretStr("correct horse"),
        ca_file=scripted.ca_file,
    )
    scripted.play(TOKEN)
    with Session(settings) as one:
        yield one


def test_the_first_run_creates_the_connector(threatq: StandIn, session: Session) -> None:
    """It stands in ThreatQ Labs, off, with the six fields of the UI, empty but for the type."""
    found, created = ensure(session, session.settings, None)
    assert created
    assert found is not None
    feed = threatq.feed()
    assert feed is not None
    assert (feed["id"], feed["name"], feed["category"]["name"]) == (
        found.id,
        CONNECTOR,
        "ThreatQ Labs",
    )
    assert not feed["is_active"]
    assert [(one["label"], one["type"], one["value"]) for one in feed["custom_fields"]] == [
        ("IMAP Server", "text", ""),
        ("IMAP Username", "text", ""),
        ("IMAP Password", "password", ""),
        ("Proxy Address", "text", ""),
        ("Proxy Port", "text", ""),
        ("Proxy Type", "select", "socks5"),
    ]
    with pytest.raises(NotReady, match="switched off"):
        mailboxes(Settings(), found)


def test_later_runs_find_what_was_filled_in(threatq: StandIn, session: Session) -> None:
    """Nothing is created again and no value is overwritten."""
    ensure(session, session.settings, None)
    threatq.fill_in(imap_server="imap.example.org:1993", imap_username="u", imap_password="pass")
    threatq.toggle()
    found, created = ensure(session, session.settings, None)
    assert not created
    (mailbox,) = mailboxes(Settings(), found)
    assert (mailbox.server, mailbox.port, mailbox.username) == ("imap.example.org", 1993, "u")
    assert mailbox.password.get_secret_value() == "pass"
    assert [line["path"] for line in threatq.journal() if line["method"] == "POST"].count(
        "/api/connectors"
    ) == 1


def test_a_renamed_connector_is_found_by_its_id(threatq: StandIn, session: Session) -> None:
    """Feed Name can be edited in the UI; the stored id tells that it is ours."""
    first, _ = ensure(session, session.settings, None)
    assert first is not None
    threatq.api("PUT", f"connectors/{first.id}", {"name": "Phishing reports"})
    found, created = ensure(session, session.settings, first.id)
    assert not created
    assert found is not None
    assert (found.id, found.name) == (first.id, "Phishing reports")


def test_an_id_that_is_gone_leads_to_the_name(session: Session) -> None:
    """A connector that was deleted and made anew has another id."""
    first, _ = ensure(session, session.settings, None)
    assert first is not None
    found, created = ensure(session, session.settings, first.id + 1000)
    assert not created
    assert found is not None
    assert found.id == first.id


def test_the_status_is_checked_before_anything_is_created(
    threatq: StandIn, session: Session
) -> None:
    """An unknown status is refused with those that there are; case does not matter."""
    with pytest.raises(SettingsError, match="it has Active, Expired, Indirect, Review, White"):
        ensure(session, account(threatq, status="Hot"), None)
    assert threatq.feed() is None
    assert known_status(session, "review") == "Review"


def test_a_lost_answer_does_not_create_a_second_connector(
    threatq: StandIn, session: Session
) -> None:
    """The name is taken by then: the connector that was made is used."""
    session.login()
    threatq.inject("drop-after", path="/api/connectors", method="POST", count=1)
    with pytest.raises(TryLater):
        ensure(session, session.settings, None)
    threatq.heal()
    found, created = ensure(session, session.settings, None)
    assert found is not None
    assert not created


@pytest.mark.parametrize("status", [403, 404, 405])
def test_without_connectors_the_tables_must_serve(
    scripted: Scripted, bare: Session, caplog: pytest.LogCaptureFixture, status: int
) -> None:
    """An account or release that offers no connectors is told in one WARNING."""
    caplog.set_level(logging.WARNING)
    scripted.play(answer(status, {}), answer(status, {}))
    assert ensure(bare, bare.settings, 37) == (None, False)
    assert len(caplog.records) == 1
    assert "[[mailbox]]" in caplog.text


def test_two_first_runs_at_once_share_the_connector(scripted: Scripted, bare: Session) -> None:
    """ThreatQ refuses the name to the second; then it is there."""
    taken = {"data": {"errors": {"name": ["The name has already been taken."]}}}
    statuses = answer(200, {"data": [{"id": 1, "name": "Active"}]})
    there = answer(200, {"data": [{"id": 37, "name": CONNECTOR}]})
    scripted.play(answer(200, {}), statuses, statuses, answer(400, taken), there)
    found, created = ensure(bare, bare.settings, None)
    assert found is not None
    assert (found.id, created) == (37, False)


@pytest.mark.parametrize("value", [1, "1", True, "Y"], ids=repr)
def test_a_switch_is_read_in_every_spelling(value: object) -> None:
    """Releases write truth as a number, a text or a flag; without it the feed is off."""
    assert Connector.read({"id": 1, "is_active": value}).is_active
    for off in (0, "0", False, "N", None):
        assert not Connector.read({"id": 1, "is_active": off}).is_active


def test_a_record_without_an_id_is_no_connector() -> None:
    """An answer of another shape is a matter for later, not a crash."""
    with pytest.raises(TryLater):
        Connector.read({"name": CONNECTOR})
    odd: dict[str, object] = {"id": 1, "custom_fields": [{"key": "imap_server", "value": None}, 3]}
    assert Connector.read(odd).fields == {"imap_server": ""}


def test_the_password_stays_out_of_what_is_printed(threatq: StandIn, session: Session) -> None:
    """ThreatQ gives it in clear text; no representation and no log line of ours shows it."""
    ensure(session, session.settings, None)
    threatq.fill_in(imap_password="hunter2hunter2")
    found, _ = ensure(session, session.settings, None)
    assert "hunter2" not in repr(found)
    assert log.scrub("login hunter2hunter2 failed") == "login *** failed"
