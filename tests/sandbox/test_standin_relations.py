"""The stand-in hangs attributes, sources, tags, comments and relations on any object."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest


if TYPE_CHECKING:
    from fixtures.threatq import StandIn


@pytest.fixture
def filled(threatq: StandIn) -> StandIn:
    """Return a stand-in with a file, three indicators, an adversary and an event."""
    headers = {"Authorization": f"Bearer {threatq.token()}"}
    data, files = {"name": "a.txt", "type": "Generic Text"}, {"file": ("a.txt", b"a")}
    threatq.request("POST", "/api/attachments", data=data, files=files, headers=headers)
    names = [{"value": f"n{number}.example", "type": "FQDN"} for number in range(3)]
    threatq.api("POST", "indicators", names)
    threatq.api("POST", "adversaries", {"name": "A. Bad", "description": [{"value": "d"}]})
    threatq.api("POST", "events", {"title": "E", "type": "Incident"})
    return threatq


def _statuses(threatq: StandIn, method: str, *paths: str, **more: Any) -> list[int]:  # noqa: ANN401 - as requests
    headers = {"Authorization": f"Bearer {threatq.token()}"}
    return [
        threatq.request(method, f"/api/{path}", headers=headers, **more).status_code
        for path in paths
    ]


@pytest.mark.parametrize("collection", ["indicators", "attachments", "events", "adversaries"])
def test_attributes(filled: StandIn, collection: str) -> None:
    """Attributes are added, found there already, changed and removed by the id of their link."""
    path = f"{collection}/1/attributes"
    first = {"name": "Category", "value": "Phishing", "sources": [{"name": "Feed"}]}
    added = filled.api("POST", path, [first, {"name": "Category", "value": "Malware"}])
    assert [(one["id"], one["attribute_id"]) for one in added["data"]] == [(1, 1), (2, 1)]
    assert added["data"][0]["attribute"]["name"] == "Category"
    pivot = added["data"][0]["sources"][0]["pivot"]
    assert any(key.endswith("_attribute_id") for key in pivot)
    assert filled.api("POST", path, first) == {"total": 0, "data": []}
    assert filled.api("PUT", f"{path}/2", {"value": "Spam"})["data"]["value"] == "Spam"
    assert _statuses(filled, "PUT", f"{path}/2", json={"value": "Phishing"}) == [400]
    assert _statuses(filled, "DELETE", f"{path}/1", f"{path}/1") == [204, 404]
    assert [one["value"] for one in filled.api("GET", path)["data"]] == ["Spam"]


def test_sources(filled: StandIn) -> None:
    """Sources say with a number whether they were there; the pivot's id removes them."""
    path = "attachments/1/sources"
    (new,) = filled.api("POST", path, {"name": "Feed", "tlp_id": 2})["data"]
    (old,) = filled.api("POST", path, {"name": "Feed"})["data"]
    assert (new["existing"], old["existing"], new["id"]) == (0, 1, old["id"])
    assert (new["attachment_id"], new["tlp_id"], new["name"]) == (1, 2, "Feed")
    pivots = [one["pivot"]["id"] for one in filled.api("GET", path)["data"]]
    assert pivots[-1] == new["id"]
    assert _statuses(filled, "DELETE", f"{path}/{new['id']}", f"{path}/{new['id']}") == [204, 404]


def test_tags_comments_watchlist(filled: StandIn) -> None:
    """Tags, comments and the watchlist hang on an object and come off again."""
    tags = filled.api("POST", "indicators/1/tags", [{"name": "a"}, {"name": "b"}])["data"]
    filled.api("POST", "indicators/1/tags", {"name": "a"})
    assert [tag["name"] for tag in tags] == ["a", "b"]
    filled.api("DELETE", f"indicators/1/tags/{tags[0]['id']}")
    assert [tag["name"] for tag in filled.api("GET", "indicators/1/tags")["data"]] == ["b"]
    comment = filled.api("POST", "indicators/1/comments?with=sources", {"value": "hm"})["data"]
    assert (comment["value"], comment["sources"][0]["name"]) == ("hm", filled.email)
    watched = filled.api("POST", "indicators/1/watchlist")["data"]
    filled.api("DELETE", f"indicators/1/watchlist/{watched['id']}")
    found = filled.api("GET", "indicators/1?with=watchlist,comments")["data"]
    assert (found["watchlist"], len(found["comments"])) == ([], 1)


def test_relating_is_idempotent_and_mutual(filled: StandIn) -> None:
    """A pair is related once, from either side, with one pivot; the answer shows it every time."""
    first = filled.api("POST", "attachments/1/indicators", [{"id": 1}, {"id": 2}])
    again = filled.api("POST", "attachments/1/indicators", [{"id": 2}, {"id": 3}])
    mirror = filled.api("POST", "indicators/3/attachments", {"id": 1})
    pivots = [row["pivot"]["id"] for row in (*first["data"], *again["data"], *mirror["data"])]
    assert pivots == [1, 2, 2, 3, 3]
    assert filled.counts()["relations"] == 3
    listed = filled.api("GET", "attachments/1/indicators?limit=2&offset=1&with=type")
    assert (listed["total"], [row["id"] for row in listed["data"]]) == (3, [2, 3])
    assert listed["data"][0]["type"]["name"] == "FQDN"


def test_unrelating_by_pivot(filled: StandIn) -> None:
    """DELETE takes pivot ids in its body, answers 204, and leaves others alone."""
    filled.api("POST", "attachments/1/indicators", [{"id": 1}, {"id": 2}])
    filled.api("POST", "events/1/indicators", {"id": 1})
    filled.api("DELETE", "attachments/1/indicators", [2, 3, 99])
    assert filled.counts()["relations"] == 2
    assert filled.api("GET", "events/1/indicators")["total"] == 1


def test_relating_what_is_not_there(filled: StandIn) -> None:
    """An unknown object is a 404 in the path, a 400 in the body, and nothing is related."""
    assert _statuses(filled, "POST", "attachments/9/indicators", json={"id": 1}) == [404]
    document = [{"id": 1}, {"id": 9}]
    assert _statuses(filled, "POST", "attachments/1/indicators", json=document) == [400]
    assert _statuses(filled, "GET", "nonsense/1", "indicators/1/nonsense") == [404, 404]
    assert filled.counts()["relations"] == 0


def test_removing_an_object_removes_its_relations(filled: StandIn) -> None:
    """Nothing is left hanging on a removed object, and its id is not used again."""
    filled.api("POST", "attachments/1/indicators", [{"id": 1}, {"id": 3}])
    filled.api("DELETE", "indicators/3")
    assert filled.counts() == {"files": 1, "indicators": 2, "relations": 1}
    again = filled.api("POST", "indicators", {"value": "n2.example", "type": "FQDN"})
    assert again["data"][0]["id"] == 4


def test_who_is_who(filled: StandIn) -> None:
    """The user's source, the sources, tags and kinds of object can be listed."""
    assert filled.api("GET", "users/current")["data"]["source"]["id"] == 1
    assert filled.api("GET", "users?with=source")["data"][0]["source"]["type"] == "users"
    assert filled.api("GET", "sources?name=mail%25&limit=50&sort=name")["total"] == 1
    collections = {row["collection"] for row in filled.api("GET", "objects/")["data"]}
    assert {"indicators", "attachments", "attack_pattern"} <= collections
