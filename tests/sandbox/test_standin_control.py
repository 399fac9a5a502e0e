"""The stand-in's control routes answer this machine only."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from werkzeug.test import Client

from tqimap_sandbox.threatq.app import build
from tqimap_sandbox.threatq.context import Library
from tqimap_sandbox.threatq.faults import Faults
from tqimap_sandbox.threatq.reference import seed
from tqimap_sandbox.threatq.store import Store
from tqimap_sandbox.threatq.tokens import Identity, enrol


if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

WHO = Identity("client", "secret", "a@example.org", "password")


@pytest.fixture
def client(tmp_path: Path) -> Iterator[Client]:
    """Return a client that talks to the application as from any address it likes."""
    store = Store(tmp_path / "state.db")
    seed(store, "G3")
    enrol(store, WHO)
    yield Client(build(Library(store, WHO, Faults())))
    store.close()


@pytest.mark.parametrize(
    ("address", "status"),
    [
        ("127.0.0.1", 200),
        ("127.9.9.9", 200),
        ("::1", 200),
        ("192.0.2.7", 403),
        ("2001:db8::1", 403),
    ],
)
def test_loopback_only(client: Client, address: str, status: int) -> None:
    """Only who asks from loopback may look at the journal or break things."""
    for path in ("/sandbox/journal", "/sandbox/counts", "/sandbox/faults", "/sandbox/settings"):
        answer = client.get(path, environ_base={"REMOTE_ADDR": address})
        assert answer.status_code == status


def test_whitelist_rules_and_faults_can_be_forgotten(client: Client) -> None:
    """What a test sets up it can take away."""
    here = {"REMOTE_ADDR": "127.0.0.1"}
    rule, fault = {"type": "FQDN", "pattern": "*.a"}, {"kind": "500"}
    for path, document in (("/sandbox/whitelist", rule), ("/sandbox/faults", fault)):
        assert client.post(path, json=document, environ_base=here).status_code == 201
        listed = client.get(path, environ_base=here).get_json()
        assert listed["total"] == 1
        assert client.delete(path, environ_base=here).status_code == 204
        assert client.get(path, environ_base=here).get_json()["total"] == 0
    empty = client.post("/sandbox/whitelist", json={"type": "FQDN"}, environ_base=here)
    assert empty.status_code == 400


def test_reset(client: Client) -> None:
    """Everything can be forgotten at once; types, account and first ids are there again."""
    here = {"REMOTE_ADDR": "127.0.0.1"}
    client.put("/sandbox/settings", json={"limit": 3}, environ_base=here)
    client.post("/sandbox/faults", json={"kind": "500"}, environ_base=here)
    assert client.delete("/sandbox/state", environ_base=here).status_code == 204
    assert client.get("/sandbox/settings", environ_base=here).get_json()["limit"] == 100
    credentials = {"client_id": "client", "client_secret": "secret"}
    form = {"grant_type": "client_credentials", **credentials}
    token = client.post("/api/token", data=form).get_json()["access_token"]
    headers = {"Authorization": f"Bearer {token}"}
    types = client.get("/api/indicator/types?limit=1", headers=headers).get_json()
    assert (types["total"], types["data"][0]["id"]) == (34, 1)


def test_a_crash_is_answered_and_undone(
    client: Client, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A fault of the stand-in itself is a 500 in JSON, traced on standard error."""
    monkeypatch.setattr("tqimap_sandbox.threatq.control.settings", None)
    answer = client.get("/sandbox/settings", environ_base={"REMOTE_ADDR": "127.0.0.1"})
    assert (answer.status_code, answer.get_json()) == (500, {"errors": ["Server Error"]})
    assert "TypeError" in capsys.readouterr().err


def test_the_client_id_is_public(client: Client) -> None:
    """The client id can be read without a login, as from the real product's pages."""
    assert "clientId: 'client'" in client.get("/assets/js/config.js").text
