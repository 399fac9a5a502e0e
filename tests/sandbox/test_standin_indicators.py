"""The stand-in keeps one indicator for each type and value, under ThreatQ's status rules."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest


if TYPE_CHECKING:
    from fixtures.threatq import StandIn

SOURCE = [{"name": "Intelligence Mailbox", "tlp": {"name": "AMBER"}}]
EVIL = {"value": "evil.example", "type": "FQDN", "status": "Review", "sources": SOURCE}


def _post(threatq: StandIn, document: object, path: str = "indicators") -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = threatq.api("POST", path, document)["data"]
    return rows


def _refused(threatq: StandIn, document: object, path: str = "indicators") -> dict[str, Any]:
    headers = {"Authorization": f"Bearer {threatq.token()}"}
    answer = threatq.request("POST", f"/api/{path}", json=document, headers=headers)
    assert answer.status_code == 400, answer.text
    body: dict[str, Any] = answer.json()
    return body


def _status(threatq: StandIn, key: int) -> str:
    item = threatq.api("GET", f"indicators/{key}?with=status")["data"]
    return str(item["status"]["name"])


def test_types_differ_between_generations(threatq_of_each_generation: StandIn) -> None:
    """Both tables of type ids can be served; the ids follow the release, the names do not."""
    rows = threatq_of_each_generation.api("GET", "indicator/types?limit=1000")
    ids = {row["name"]: row["id"] for row in rows["data"]}
    known = ids["IP Address"], ids["FQDN"], ids["SHA-256"], ids["URL"], ids["X-Mailer"]
    older = {32: (14, 10, 22, 28, 32), 34: (15, 11, 24, 30, 34)}
    assert known == older[rows["total"]]
    assert _post(threatq_of_each_generation, EVIL)[0]["type_id"] == ids["FQDN"]


def test_reference_tables(threatq: StandIn) -> None:
    """Statuses, file types, event types and categories have ThreatQ's ids; unknown ids are 404."""
    for path, key, name in (
        ("indicator/statuses", 4, "Review"),
        ("event/types", 1, "Spearphish"),
        ("attachments/types", 20, "Spearphish Attachment"),
        ("indicator/types", 11, "FQDN"),
    ):
        assert threatq.api("GET", f"{path}/{key}")["data"]["name"] == name
        assert threatq.api("GET", f"{path}?name={name}")["data"][0]["id"] == key
    parsable = threatq.api("GET", "attachments/types?is_parsable=Y")["data"]
    assert (6, "Generic Text") in {(row["id"], row["name"]) for row in parsable}
    headers = {"Authorization": f"Bearer {threatq.token()}"}
    assert threatq.request("GET", "/api/indicator/types/99", headers=headers).status_code == 404


def test_create_answers_a_list(threatq: StandIn) -> None:
    """One object or an array: the answer is a list, `existing` says what was there."""
    (first,) = _post(threatq, EVIL)
    assert (first["existing"], first["class"], first["type"]["name"]) == ("N", "network", "FQDN")
    again, other = _post(threatq, [EVIL, {**EVIL, "value": "other.example"}])
    assert (again["existing"], again["id"]) == ("Y", first["id"])
    assert other["existing"] == "N"
    assert len(first["hash"]) == 32


def test_same_value_of_another_type(threatq: StandIn) -> None:
    """The key is type and value; case counts only where the type says so."""
    values = [
        ("FQDN", "Evil.Example"),
        ("FQDN", "evil.example"),
        ("String", "evil.example"),
        ("URL", "evil.example/A"),
        ("URL", "evil.example/a"),
        ("SHA-1", "AB" * 20),
        ("SHA-1", "ab" * 20),
    ]
    rows = _post(threatq, [{"value": value, "type": name} for name, value in values])
    ids = [row["id"] for row in rows]
    assert ids == [1, 1, 2, 3, 4, 5, 5]
    assert threatq.api("GET", "indicators/1")["data"]["value"] == "Evil.Example"


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"type": "No Such Type"}, "type"),
        ({"type": {"name": "No Such Type"}}, "type"),
        ({"type": None}, "type"),
        ({"status": "No Such Status"}, "status"),
        ({"value": " "}, "value"),
        ({"value": None}, "value"),
        ({"sources": [{"tlp_id": 1}]}, "sources"),
        ({"sources": [{"name": "X", "tlp": "PINK"}]}, "tlp"),
        ({"attributes": [{"name": "X"}]}, "value"),
        ({"attachments": [{"id": 99}]}, "attachments"),
    ],
)
def test_invalid_items(threatq: StandIn, change: dict[str, Any], field: str) -> None:
    """A wrong field is refused with form A, and nothing of the whole body is kept."""
    good = {**EVIL, "value": "good.example"}
    body = _refused(threatq, [good, {**EVIL, **change}], "indicators/consume")
    assert list(body["data"]["errors"]) == [field]
    assert threatq.counts()["indicators"] == 0


def test_bodies_that_are_no_objects(threatq: StandIn) -> None:
    """What is not JSON, or JSON of another kind, is refused with form B."""
    for document in (7, "text", [1]):
        assert _refused(threatq, document)["errors"]
    headers = {"Authorization": f"Bearer {threatq.token()}"}
    answer = threatq.request("POST", "/api/indicators", data=b"{", headers=headers)
    assert answer.status_code == 400


def test_consume_takes_both_forms(threatq: StandIn) -> None:
    """Both bulk calls take type and status as text or object and answer each indicator once."""
    objects = {"type": {"name": "FQDN"}, "status": {"name": "Review"}}
    items = [{"value": "b.example", **objects}, {**EVIL, "tags": ["imap"]}, EVIL]
    rows = _post(threatq, items, "indicators/consume")
    assert [row["value"] for row in rows] == ["b.example", "evil.example"]
    again = _post(threatq, items, "indicators/consume/new")
    assert [row["id"] for row in again] == [1, 2]
    assert {row["existing"] for row in again} == {"Y"}
    tagged = threatq.api("GET", "indicators/2?with=tags")["data"]
    assert [tag["name"] for tag in tagged["tags"]] == ["imap"]


def test_consume_relates(threatq: StandIn) -> None:
    """Items may nest files by id and further indicators, which become Indirect."""
    _file(threatq)
    nested = {"value": "child.example", "type": "FQDN"}
    item = {**EVIL, "attachments": [{"id": 1}], "indicators": [nested]}
    _post(threatq, [item, item], "indicators/consume")
    assert threatq.counts() == {"files": 1, "indicators": 2, "relations": 2}
    found = threatq.api("GET", "indicators/1?with=attachments.type,indicators.status")["data"]
    assert found["attachments"][0]["type"]["name"] == "Generic Text"
    assert found["indicators"][0]["status"]["name"] == "Indirect"
    assert threatq.api("GET", "attachments/1/indicators")["total"] == 1


def _file(threatq: StandIn) -> None:
    headers = {"Authorization": f"Bearer {threatq.token()}"}
    data, files = {"name": "a.txt", "type": "Generic Text"}, {"file": ("a.txt", b"a")}
    threatq.request("POST", "/api/attachments", data=data, files=files, headers=headers)


def test_protected_status_is_kept(threatq: StandIn) -> None:
    """A re-post keeps Active and what an analyst whitelisted, not Review; PUT changes all."""
    _post(threatq, EVIL)
    _post(threatq, {**EVIL, "status": "Active"})
    assert _status(threatq, 1) == "Active"
    _post(threatq, {**EVIL, "status_id": 4, "status": None})
    assert _status(threatq, 1) == "Active"
    _post(threatq, {**EVIL, "value": "other.example", "status_id": 4, "status": None})
    assert _status(threatq, 2) == "Review"
    for body in ({"status": "Review"}, {"status": {"name": "Expired"}}, {"status_id": 5}):
        threatq.api("PUT", "indicators/1", body)
    _post(threatq, EVIL)
    assert _status(threatq, 1) == "Whitelisted"
    threatq.settings(protected=["Active"])
    _post(threatq, EVIL)
    assert _status(threatq, 1) == "Review"


def test_last_of_equal_values_decides(threatq: StandIn) -> None:
    """Among equal values in one body the last one's status wins; without any it is Indirect."""
    _post(threatq, [{**EVIL, "status": "Active"}, EVIL], "indicators/consume")
    assert _status(threatq, 1) == "Review"
    _post(threatq, {"value": "bare.example", "type": "FQDN"})
    assert _status(threatq, 2) == "Indirect"


def test_whitelist_rules(threatq: StandIn) -> None:
    """A matching rule makes a new indicator Whitelisted whatever was asked, for its type only."""
    threatq.whitelist("FQDN", "*.Example.com")
    threatq.whitelist("URL", "good.example/[x]?*")
    asked = [
        ("FQDN", "www.example.COM", "Whitelisted"),
        ("FQDN", "example.com", "Active"),
        ("String", "www.example.com", "Active"),
        ("URL", "good.example/[x]?q=1", "Whitelisted"),
        ("URL", "good.example/xyq=1", "Active"),
    ]
    items = [{"value": value, "type": name, "status": "Active"} for name, value, _ in asked]
    rows = _post(threatq, items)
    assert [_status(threatq, row["id"]) for row in rows] == [status for *_, status in asked]


def test_sources(threatq: StandIn) -> None:
    """Sources are made on the fly, gather on re-posts and keep the stricter TLP."""
    _post(threatq, {**EVIL, "sources": None})
    _post(threatq, EVIL)
    _post(threatq, {**EVIL, "sources": [{"name": "Intelligence Mailbox", "tlp": "GREEN"}]})
    _post(threatq, {**EVIL, "sources": ["Plain", {"name": "Red", "tlp_id": 1}]})
    sources = threatq.api("GET", "indicators/1?with=sources")["data"]["sources"]
    assert [(one["name"], one["type"], one["tlp_id"]) for one in sources] == [
        (threatq.email, "users", None),
        ("Intelligence Mailbox", "other_sources", 2),
        ("Plain", "other_sources", None),
        ("Red", "other_sources", 1),
    ]
    assert all(one["pivot"]["indicator_id"] == 1 for one in sources)
    _post(threatq, {**EVIL, "sources": [{"name": "Intelligence Mailbox", "tlp": {"name": "RED"}}]})
    sources = threatq.api("GET", "indicators/1/sources")["data"]
    assert sources[1]["tlp_id"] == 1


def test_filters_and_pages(threatq: StandIn) -> None:
    """Listings filter by field and `%`, sort, and count offsets in rows; a comma means `or`."""
    names = ["a.example", "b.example", "c.test", "d,e.example"]
    _post(threatq, [{"value": name, "type": "FQDN"} for name in names])

    def values(query: str) -> list[str]:
        return [row["value"] for row in threatq.api("GET", f"indicators?{query}")["data"]]

    assert values("value=b.example") == ["b.example"]
    assert values("value=%25.example&sort=-id") == ["d,e.example", "b.example", "a.example"]
    assert values("sort=-value&limit=2&offset=1") == ["c.test", "b.example"]
    assert values("value=d,e.example") == []
    assert values("value=d%25") == ["d,e.example"]
    assert values("type_id=11&id=2") == ["b.example"]
    page = threatq.api("GET", "indicators?limit=1&offset=3")
    assert (page["total"], len(page["data"])) == (4, 1)


def test_default_page_is_not_everything(threatq: StandIn) -> None:
    """A listing gets a hundred rows unless it says how many, and never over a thousand."""
    _post(threatq, [{"value": f"n{number}.example", "type": "FQDN"} for number in range(1001)])
    assert len(threatq.api("GET", "indicators")["data"]) == 100
    assert len(threatq.api("GET", "indicators?limit=5000")["data"]) == 1000


def test_empty_listings(threatq: StandIn) -> None:
    """A listing without rows is `total` 0, or the bare `{}` where the mode says so."""
    assert threatq.api("GET", "indicators?value=x") == {"total": 0, "data": []}
    threatq.settings(empty="bare")
    for path in ("indicators?value=x", "connectors", "attachments?hash=0"):
        assert threatq.api("GET", path) == {}


def test_with(threatq: StandIn) -> None:
    """`with` embeds plain and dotted relations, nothing unasked; unknown names are 500."""
    _post(threatq, {**EVIL, "attributes": [{"name": "A", "value": "1", "sources": SOURCE}]})
    assert "type" not in threatq.api("GET", "indicators/1")["data"]
    names = "type,status,score,attributes.sources,tags,comments,events,adversaries,attackPattern"
    found = threatq.api("GET", f"indicators/1?with={names}")["data"]
    assert found["score"]["generated_score"] == "0.00"
    assert found["attributes"][0]["sources"][0]["name"] == "Intelligence Mailbox"
    assert found["attackPattern"] == found["adversaries"] == []
    details = threatq.api("GET", "indicators/1/details")["data"]
    assert details["attributes"][0]["attribute"]["name"] == "A"
    headers = {"Authorization": f"Bearer {threatq.token()}"}
    for name in ("attack_pattern", "nonsense"):
        answer = threatq.request("GET", f"/api/indicators/1?with={name}", headers=headers)
        assert answer.status_code == 500


def test_normalise(threatq: StandIn) -> None:
    """On request values are refanged, cut down and retyped; what is cut becomes an attribute."""
    asked = [
        ("URL", "https://tqexample.com/table.jspa?query=1", "URL", "tqexample.com/table.jspa"),
        ("URL", "hxxp", "FQDN", "hxxp"),
        ("URL", "http://only[.]example", "FQDN", "only.example"),
        ("IP Address", "203.0.113.7:8080", "IP Address", "203.0.113.7"),
        ("FQDN", '"quoted[dot]example"', "FQDN", "quoted.example"),
    ]
    for given, value, type_name, normal in asked:
        item = {"value": value, "type": given, "normalize": "Y"}
        (row,) = _post(threatq, [item], "indicators/consume/new")
        found = threatq.api("GET", f"indicators/{row['id']}?with=type,attributes")["data"]
        assert (found["type"]["name"], found["value"]) == (type_name, normal)
    assert found["attributes"] == []
    first = threatq.api("GET", "indicators/1?with=attributes")["data"]["attributes"]
    assert [(one["name"], one["value"]) for one in first] == [("Scheme", "https")]


def test_derive(threatq: StandIn) -> None:
    """On request a URL's host becomes a related indicator."""
    urls = [{"value": f"{host}/a", "type": "URL"} for host in ("d.example", "203.0.113.9")]
    _post(threatq, [{**url, "derive": "Y", "normalize": "Y"} for url in urls])
    hosts = threatq.api("GET", "indicators?with=type,indicators&sort=id")["data"]
    named = {(row["type"]["name"], row["value"]) for row in hosts}
    assert {("FQDN", "d.example"), ("IP Address", "203.0.113.9")} <= named
    assert threatq.counts() == {"files": 0, "indicators": 4, "relations": 2}


def test_change_and_remove(threatq: StandIn) -> None:
    """PUT renames, but not onto another indicator; DELETE answers 204, then 404."""
    _post(threatq, [EVIL, {**EVIL, "value": "other.example"}])
    changed = threatq.api("PUT", "indicators/1", {"value": "new.example", "description": "d"})
    assert changed["data"]["value"] == "new.example"
    headers = {"Authorization": f"Bearer {threatq.token()}"}
    answer = threatq.request(
        "PUT", "/api/indicators/1", json={"value": "other.example"}, headers=headers
    )
    assert answer.status_code == 400
    statuses = [
        threatq.request("DELETE", "/api/indicators/1", headers=headers).status_code
        for _ in range(2)
    ]
    assert statuses == [204, 404]


def test_scores(threatq: StandIn) -> None:
    """The manual score is set under the singular path and shown as text, an integer in /query."""
    _post(threatq, EVIL)
    assert threatq.api("PUT", "indicator/1/scores", {"manual_score": 7})["data"] == {
        **threatq.api("GET", "indicator/1/scores")["data"],
        "manual_score": "7.00",
    }
    found = threatq.api("POST", "indicators/query", {"criteria": {}, "filters": {}})
    assert found["data"][0]["score"] == 7


def test_concurrent_posts_make_one_row(threatq: StandIn) -> None:
    """Many connections posting the same values at once make one row for each."""
    items = [{"value": f"n{number}.example", "type": "FQDN"} for number in range(20)]
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: _post(threatq, items, "indicators/consume"), range(16)))
    assert threatq.counts()["indicators"] == 20
    created = [row for rows in answers for row in rows if row["existing"] == "N"]
    assert len(created) == 20
