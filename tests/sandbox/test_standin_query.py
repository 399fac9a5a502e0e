"""The stand-in's /query answers flat documents, chosen by criteria and filters."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest


if TYPE_CHECKING:
    from fixtures.threatq import StandIn

ITEMS = [
    ("FQDN", "evil.example", "Active"),
    ("FQDN", "good.test", "Review"),
    ("IP Address", "203.0.113.7", "Active"),
    ("MD5", "ab" * 16, "Indirect"),
]


@pytest.fixture
def filled(threatq: StandIn) -> StandIn:
    """Return a stand-in with four indicators."""
    source = [{"name": "Feed", "tlp_id": 3}]
    items = [
        {"value": value, "type": kind, "status": status, "sources": source, "tags": ["t"]}
        for kind, value, status in ITEMS
    ]
    threatq.api("POST", "indicators/consume", items)
    threatq.api("PUT", "indicator/1/scores", {"manual_score": 8})
    return threatq


def _query(threatq: StandIn, criteria: object, filters: object = None, more: str = "") -> Any:  # noqa: ANN401 - JSON
    document = {"criteria": criteria, "filters": filters or {}}
    return threatq.api("POST", f"indicators/query{more}", document)


@pytest.mark.parametrize(
    ("criteria", "filters", "ids"),
    [
        ({}, {}, [1, 2, 3, 4]),
        ({"value": "EVIL.example"}, {}, [1]),
        ({"+or": [{"value": "evil.example"}, {"value": "good.test"}]}, {}, [1, 2]),
        ({"+and": [{"type_name": "FQDN"}, {"status_name": "Active"}]}, {}, [1]),
        ({"value": {"+contains": "113"}}, {}, [3]),
        ({"mentions": "exam"}, {}, [1]),
        ({"score": {"+gte": 1, "+lte": 8}}, {}, [1]),
        ({"score": {"+lte": 7}}, {}, [2, 3, 4]),
        ({}, {"+or": [{"type_name": "MD5"}, {"status_name": "Review"}]}, [2, 4]),
        ({"id": {"+gt": 1, "+lt": 3}}, {"type_name": ["FQDN", "MD5"]}, [2]),
    ],
)
def test_operators(filled: StandIn, criteria: object, filters: object, ids: list[int]) -> None:
    """Criteria and filters both have to be met; operators nest."""
    found = _query(filled, criteria, filters)
    assert [row["id"] for row in found["data"]] == ids
    assert found["total"] == len(ids)


@pytest.mark.parametrize("criteria", [{"nonsense": 1}, {"+xor": []}, {"value": {"+like": "a"}}])
def test_unknown_names_are_refused(filled: StandIn, criteria: object) -> None:
    """A field or operator that is not known is a 400, never an empty answer."""
    answer = filled.request(
        "POST",
        "/api/indicators/query",
        json={"criteria": criteria},
        headers={"Authorization": f"Bearer {filled.token()}"},
    )
    assert answer.status_code == 400


def test_flat_shape(filled: StandIn) -> None:
    """Sources are flat, tags text, the score a number, missing values absent."""
    (row,) = _query(filled, {"value": "evil.example"})["data"]
    source = row["sources"][0]
    assert (source["name"], source["source_type"], source["indicator_id"]) == (
        "Feed",
        "other_sources",
        1,
    )
    assert "pivot" not in source
    assert (row["tags"], row["score"], row["type_name"]) == (["t"], 8, "FQDN")
    assert "published_at" in row
    assert "description" not in row


def test_sorted_pages_and_fields(filled: StandIn) -> None:
    """Offset pages are sorted and cut to the fields asked for."""
    document = {"criteria": {}, "filters": {}, "fields": ["value"]}
    found = filled.api("POST", "indicators/query?limit=2&offset=1&sort=-value", document)
    assert found["data"] == [{"id": 1, "value": "evil.example"}, {"id": 4, "value": "ab" * 16}]
    assert (found["total"], found["limit"], found["offset"]) == (4, 2, 1)


def test_cursor(filled: StandIn) -> None:
    """A cursor starts at `*` and stops changing at the end."""
    mark, seen = "*", []
    for _ in range(4):
        found = _query(filled, {}, more=f"?limit=3&cursorMark={mark}")
        seen += [row["id"] for row in found["data"]]
        if mark == found["nextCursorMark"]:
            break
        mark = found["nextCursorMark"]
    assert seen == [1, 2, 3, 4]
    assert mark == found["nextCursorMark"]


def test_search(filled: StandIn) -> None:
    """The simple search finds any kind by a part of its value or title."""
    filled.api("POST", "events", {"title": "An evil event", "type": "Incident"})
    found = filled.api("GET", "search?query=EVIL&limit=10")["data"]
    assert [(row["object"], row["id"]) for row in found] == [("indicator", 1), ("event", 1)]
