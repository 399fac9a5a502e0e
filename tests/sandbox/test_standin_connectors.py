"""The stand-in registers a connector once, and never loses what an operator filled in."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any


if TYPE_CHECKING:
    from fixtures.threatq import StandIn

SERVER = {"key": "imap_server", "label": "IMAP Server", "type": "text", "value": ""}
KIND = {
    "key": "proxy_type",
    "label": "Proxy Type",
    "type": "select",
    "options": ["socks4", "socks5"],
    "value": "socks5",
}
DOCUMENT = {
    "name": "Intelligence Mailbox",
    "category": "ThreatQ Labs",
    "indicator_status": "Review",
    "is_active": 0,
    "custom_fields": [SERVER, KIND],
}


def _refused(threatq: StandIn, method: str, path: str, document: object) -> dict[str, Any]:
    headers = {"Authorization": f"Bearer {threatq.token()}"}
    answer = threatq.request(method, f"/api/{path}", json=document, headers=headers)
    assert answer.status_code == 400, answer.text
    errors: dict[str, Any] = answer.json()["data"]["errors"]
    return errors


def _values(threatq: StandIn) -> dict[str, str]:
    feed = threatq.feed()
    assert feed is not None
    return {field["key"]: field["value"] for field in feed["custom_fields"]}


def test_registration(threatq: StandIn) -> None:
    """A new connector is off, has its category and status, and owns a source of its name."""
    assert threatq.feed() is None
    made = threatq.api("POST", "connectors", DOCUMENT)["data"]
    assert made["category"] == {"id": 4, "name": "ThreatQ Labs"}
    assert (made["is_active"], made["indicator_status_id"], made["tlp"]) == (0, 4, None)
    assert made["last_import_at"] is None
    source = threatq.api("GET", f"sources?id={made['source_id']}")["data"][0]
    assert (source["type"], source["reference_id"]) == ("connectors", made["id"])
    assert [field["key"] for field in made["custom_fields"]] == ["imap_server", "proxy_type"]


def test_a_name_is_taken_once(threatq: StandIn) -> None:
    """A second registration of the name is refused in ThreatQ's words."""
    threatq.api("POST", "connectors", DOCUMENT)
    errors = _refused(threatq, "POST", "connectors", DOCUMENT)
    assert errors == {"name": ["The name has already been taken."]}


def test_a_source_of_that_name_is_taken_over(threatq: StandIn) -> None:
    """A source that data brought along earlier becomes the connector's."""
    item = {"value": "a.example", "type": "FQDN", "sources": [{"name": "Intelligence Mailbox"}]}
    threatq.api("POST", "indicators", item)
    made = threatq.api("POST", "connectors", DOCUMENT)["data"]
    found = threatq.api("GET", "indicators/1?with=sources")["data"]["sources"][0]
    assert (found["id"], found["type"]) == (made["source_id"], "connectors")


def test_relations_only_when_asked(threatq: StandIn) -> None:
    """A listing shows category, tlp and fields only where `with` names them."""
    threatq.api("POST", "connectors", DOCUMENT)
    (bare,) = threatq.api("GET", "connectors?limit=1000")["data"]
    assert not {"category", "tlp", "custom_fields"} & bare.keys()
    (full,) = threatq.api("GET", "connectors?with=category,tlp,custom_fields")["data"]
    assert {"category", "tlp", "custom_fields"} <= full.keys()
    assert threatq.api("GET", "connectors/1?with=category")["data"]["category"]["id"] == 4


def test_values_are_saved(threatq: StandIn) -> None:
    """Values set by key come back, in clear; the toggle holds; options are checked."""
    threatq.api("POST", "connectors", DOCUMENT)
    threatq.fill_in(imap_server="imap.example.org", proxy_type="socks4")
    threatq.toggle()
    assert _values(threatq) == {"imap_server": "imap.example.org", "proxy_type": "socks4"}
    assert threatq.api("GET", "connectors/1")["data"]["is_active"] == 1
    wrong = {"custom_fields": [{"key": "proxy_type", "value": "http"}]}
    assert "proxy_type" in _refused(threatq, "PUT", "connectors/1", wrong)
    threatq.toggle(on=False)
    assert threatq.api("GET", "connectors/1")["data"]["is_active"] == 0


def test_definitions_merge_by_key(threatq: StandIn) -> None:
    """Definitions sent again change labels and add fields, but overwrite no saved value."""
    threatq.api("POST", "connectors", DOCUMENT)
    threatq.fill_in(imap_server="imap.example.org")
    port = {"key": "proxy_port", "label": "Proxy Port", "type": "text", "value": "1080"}
    again = [{**SERVER, "label": "Server"}, {**KIND, "value": "socks4"}, port]
    changed = threatq.api("PUT", "connectors/1", {"custom_fields": again})["data"]
    assert changed["custom_fields"][0]["label"] == "Server"
    assert _values(threatq) == {
        "imap_server": "imap.example.org",
        "proxy_type": "socks5",
        "proxy_port": "1080",
    }


def test_other_changes(threatq: StandIn) -> None:
    """Last import, notifications and removal work; categories are listed."""
    threatq.api("POST", "connectors", DOCUMENT)
    stamp = "2026-01-02 03:04:05"
    changed = threatq.api("PUT", "connectors/1", {"last_import_at": stamp})["data"]
    assert changed["last_import_at"] == stamp
    path = "connectors/1/notifications/toggle"
    assert threatq.api("POST", path, {"is_notifiable": "1"})["data"]["is_notifiable"] == 1
    names = [row["name"] for row in threatq.api("GET", "connector/categories")["data"]]
    assert names == ["Commercial", "OSINT", "STIX/TAXII", "ThreatQ Labs"]
    threatq.api("DELETE", "connectors/1")
    assert threatq.feed() is None
