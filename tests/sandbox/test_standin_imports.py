"""The stand-in imports text and mails in the vendor's steps."""

from __future__ import annotations

from email.message import EmailMessage
from typing import TYPE_CHECKING, Any


if TYPE_CHECKING:
    from fixtures.threatq import StandIn

TEXT = "See hxxps://evil[.]example/a?b=1, 203.0.113.7 and CVE-2026-12345. " + "ab" * 16
GIVEN = {"content_type_id": 6, "text": TEXT, "normalize": "Y"}


def _status(threatq: StandIn, method: str, path: str, document: object = None) -> int:
    headers = {"Authorization": f"Bearer {threatq.token()}"}
    return threatq.request(method, f"/api/{path}", json=document, headers=headers).status_code


def _found(threatq: StandIn, key: int) -> set[tuple[int, str]]:
    rows: list[dict[str, Any]] = threatq.api("GET", f"imports/{key}/indicators")["data"]
    return {(row["type_id"], row["value"]) for row in rows}


def test_text(threatq: StandIn) -> None:
    """A text is parsed, looked at, given options and committed; nothing is created before."""
    key = threatq.api("POST", "imports", GIVEN)["data"]["id"]
    assert (15, "203.0.113.7") in _found(threatq, key)
    assert (30, "https://evil.example/a?b=1") in _found(threatq, key)
    options = {"import_source": "Intelligence Mailbox", "indicator_global_status": 4}
    threatq.api("PUT", f"imports/{key}", options)
    assert threatq.counts()["indicators"] == 0
    rows = threatq.api("GET", f"imports/{key}/commit")["data"]["indicators"]
    assert {row["status_id"] for row in rows} == {4}
    assert threatq.counts()["indicators"] == len(rows) == 4
    assert threatq.api("GET", "indicators?value=evil.example/a")["total"] == 1
    found = threatq.api("GET", f"indicators/{rows[0]['id']}?with=sources")["data"]
    assert found["sources"][0]["name"] == "Intelligence Mailbox"


def test_commit_once(threatq: StandIn) -> None:
    """A second commit is a 400, an unknown import a 404, an abandoned one is gone."""
    key = threatq.api("POST", "imports", GIVEN)["data"]["id"]
    threatq.api("GET", f"imports/{key}/commit")
    assert _status(threatq, "GET", f"imports/{key}/commit") == 400
    assert _status(threatq, "GET", "imports/99/commit") == 404
    other = threatq.api("POST", "imports", GIVEN)["data"]["id"]
    assert _status(threatq, "DELETE", f"imports/{other}") == 204
    assert _status(threatq, "GET", f"imports/{other}/indicators") == 404


def test_stored_file(threatq: StandIn) -> None:
    """Committing the import of a stored file relates what was found to the file."""
    headers = {"Authorization": f"Bearer {threatq.token()}"}
    data, files = {"name": "a.txt", "type": "Generic Text"}, {"file": ("a.txt", TEXT.encode())}
    threatq.request("POST", "/api/attachments", data=data, files=files, headers=headers)
    given = {"attachment_id": 1, "content_type_id": 6, "normalize": True}
    key = threatq.api("POST", "imports", given)["data"]["id"]
    threatq.api("GET", f"imports/{key}/commit")
    assert threatq.counts() == {"files": 1, "indicators": 4, "relations": 4}


def test_upload(threatq: StandIn) -> None:
    """A text can be uploaded for import; its parser has to be one that parses."""
    headers = {"Authorization": f"Bearer {threatq.token()}"}
    files = {"file": ("blob", TEXT.encode())}
    answer = threatq.request(
        "POST", "/api/imports", data={"content_type_id": "6"}, files=files, headers=headers
    )
    assert len(_found(threatq, answer.json()["data"]["id"])) == 4
    for wrong in ({**GIVEN, "content_type_id": 14}, {**GIVEN, "text": ""}):
        assert _status(threatq, "POST", "imports", wrong) == 400


def _mail() -> str:
    mail = EmailMessage()
    mail["Subject"] = "Invoice"
    mail["From"] = "a@evil.example"
    mail.set_content("Look at http://evil.example/login now.")
    mail.add_attachment(b"MZ", maintype="application", subtype="octet-stream", filename="x.exe")
    return mail.as_string()


def test_spearphish(threatq: StandIn) -> None:
    """A raw mail becomes an event in five steps, related to its files and indicators."""
    document = {
        "title": "Invoice",
        "type": "Spearphish",
        "text": _mail(),
        "sources": [{"name": "F"}],
    }
    key = threatq.api("POST", "events/import", document)["data"]["id"]
    path = f"events/import/{key}"
    assert _status(threatq, "GET", f"{path}/commit") == 400
    threatq.api("PUT", f"{path}?with=attachments,events", {"indicator_status_id": 4})
    pending = threatq.api("GET", f"{path}?with=attachments,events")["data"]
    assert pending["attachments"] == [{"id": 1, "name": "x.exe"}]
    changed = {"title": "FW: Invoice", "happened_at": "2026-01-02 03:04:05", "description": "d"}
    threatq.api("PUT", f"{path}/events/{pending['events'][0]['id']}", changed)
    event = threatq.api("GET", f"{path}/commit")["data"]["events"][0]["id"]
    names = "spearphish,indicators,attachments,sources,type"
    found = threatq.api("GET", f"events/{event}?with={names}")["data"]
    assert found["type"]["name"] == "Spearphish"
    assert (found["title"], found["happened_at"]) == ("FW: Invoice", "2026-01-02 03:04:05")
    assert found["spearphish"]["value"].startswith("Subject: Invoice")
    assert [row["value"] for row in found["indicators"]] == ["http://evil.example/login"]
    assert [row["name"] for row in found["attachments"]] == ["x.exe"]
    assert _status(threatq, "GET", f"{path}/commit") == 400


def test_events(threatq: StandIn) -> None:
    """A Spearphish event needs no mail text; the mail, a type and a new title can come later."""
    document = {"title": "E", "type": "Spearphish", "happened_at": "2026-01-02 03:04:05"}
    event = threatq.api("POST", "events", document)["data"]
    assert (event["type"]["name"], len(event["hash"])) == ("Spearphish", 32)
    threatq.api("POST", "events/1/spearphish", {"value": "raw"})
    assert threatq.api("GET", "events/1?with=spearphish")["data"]["spearphish"]["value"] == "raw"
    threatq.api("POST", "event/types", {"name": "Own"})
    changed = threatq.api("PUT", "events/1", {"title": "F", "type": "Own"})["data"]
    assert (changed["title"], changed["type_id"]) == ("F", 15)
    assert _status(threatq, "POST", "events", {"title": "E", "type": "None such"}) == 400
