"""The stand-in breaks requests as told, and says so in its journal."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import requests


if TYPE_CHECKING:
    from fixtures.threatq import StandIn

ITEM = {"value": "evil.example", "type": "FQDN"}


def _post(threatq: StandIn, session: requests.Session | None = None) -> requests.Response:
    headers = {"Authorization": f"Bearer {threatq.token()}"}
    return (session or requests).post(
        f"{threatq.url}/api/indicators",
        json=ITEM,
        headers=headers,
        verify=threatq.ca_file,
        timeout=120,
    )


@pytest.mark.parametrize(
    ("kind", "status"), [("401", 401), ("403", 403), ("429", 429), ("500", 500), ("502", 502)]
)
def test_statuses(threatq: StandIn, kind: str, status: int) -> None:
    """A status is answered as often as asked, without effect; then all is well again."""
    threatq.inject(kind, count=2, retry_after=7)
    answers = [_post(threatq) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [status, status]
    assert answers[0].headers.get("Retry-After") == ("7" if status == 429 else None)
    assert threatq.counts()["indicators"] == 0
    assert _post(threatq).status_code == 201
    faults = [line["fault"] for line in threatq.journal()]
    assert faults == [kind, kind, None]


@pytest.mark.parametrize(("kind", "made"), [("drop-before", 0), ("drop-after", 1)])
def test_dropped_connections(threatq: StandIn, kind: str, made: int) -> None:
    """A connection is dropped before the effect, or after it was committed."""
    threatq.inject(kind, count=1)
    with pytest.raises(requests.ConnectionError):
        _post(threatq)
    assert threatq.counts()["indicators"] == made
    (line,) = threatq.journal()
    assert (line["status"], line["fault"]) == (0, kind)
    assert _post(threatq).json()["data"][0]["existing"] == ("Y" if made else "N")


def test_dropping_a_kept_connection(threatq: StandIn) -> None:
    """A connection in use by a session is dropped too, and the session gets a new one."""
    with requests.Session() as session:
        assert _post(threatq, session).status_code == 201
        threatq.inject("drop-after", count=1)
        with pytest.raises(requests.ConnectionError):
            _post(threatq, session)
        assert _post(threatq, session).status_code == 201


def test_an_effect_under_an_error(threatq: StandIn) -> None:
    """Any fault can take effect first: a gateway gives up, the server behind it does not."""
    threatq.inject("502", count=1, effect=True)
    answer = _post(threatq)
    assert (answer.status_code, answer.headers["Content-Type"]) == (502, "text/html")
    assert threatq.counts()["indicators"] == 1


def test_html_and_errors(threatq: StandIn) -> None:
    """A 2xx may carry a page instead of JSON, or JSON with `errors`."""
    threatq.inject("html", count=1)
    threatq.inject("errors", count=1)
    page, errors = _post(threatq), _post(threatq)
    assert (page.status_code, page.text[:9]) == (200, "<!DOCTYPE")
    assert (errors.status_code, errors.json()["errors"][1]) == (200, ["part 1", "part 2"])
    assert threatq.counts()["indicators"] == 0


def test_slow_answers_hold_up_nobody_else(threatq: StandIn) -> None:
    """A slow answer comes late, its effect at once, and others are answered meanwhile."""
    threatq.inject("slow", count=1, delay=4)
    headers = {"Authorization": f"Bearer {threatq.token()}"}
    with pytest.raises(requests.Timeout):
        threatq.request("POST", "/api/indicators", json=ITEM, headers=headers, timeout=0.4)
    assert threatq.counts()["indicators"] == 1
    assert _post(threatq).json()["data"][0]["existing"] == "Y"
    # the slow one is not written down yet: it is still being held back
    assert [line["fault"] for line in threatq.journal()] == [None]


def test_after_path_and_method(threatq: StandIn) -> None:
    """A fault waits for n matching requests, and leaves other paths and methods alone."""
    threatq.inject("401", count=1, after=2, path="/api/indicators", method="POST")
    headers = {"Authorization": f"Bearer {threatq.token()}"}
    statuses = []
    for _ in range(4):
        threatq.request("GET", "/api/indicators", headers=headers)
        statuses.append(_post(threatq).status_code)
    assert statuses == [201, 201, 401, 201]
    assert {line["status"] for line in threatq.journal() if line["method"] == "GET"} == {200}


def test_probability_is_repeatable(threatq: StandIn) -> None:
    """A fault with a probability strikes in the order its seed draws, every time alike."""
    runs = []
    for seed in (1, 1, 2):
        threatq.heal()
        threatq.inject("500", probability=0.5, seed=seed)
        runs.append([_post(threatq).status_code for _ in range(12)])
    assert runs[0] == runs[1] != runs[2]
    assert set(runs[0]) == {500, 201}


def test_unknown_faults_are_refused(threatq: StandIn) -> None:
    """A fault that is misspelt is refused, instead of never striking."""
    for fault in ({"kind": "burn"}, {"kind": "500", "cuont": 1}):
        answer = threatq.request("POST", "/sandbox/faults", json=fault)
        assert answer.status_code == 400
    threatq.inject("500", count=3)
    (line,) = threatq.control("GET", "faults")["data"]
    assert (line["kind"], line["count"], line["hits"]) == ("500", 3, 0)


def test_revoked_tokens(threatq: StandIn) -> None:
    """All tokens can be made worthless at once."""
    headers = {"Authorization": f"Bearer {threatq.token()}"}
    threatq.revoke()
    assert threatq.request("GET", "/api/indicators", headers=headers).status_code == 401


def test_journal(threatq: StandIn) -> None:
    """The journal has each request with path, query, status and time, and can be forgotten."""
    _post(threatq)
    threatq.request("GET", "/api/indicators?limit=1")
    first, second = threatq.journal()
    assert (first["method"], first["path"], first["status"]) == ("POST", "/api/indicators", 201)
    assert (second["query"], second["status"], second["fault"]) == ("limit=1", 401, None)
    assert first["millis"] > 0
    assert len(threatq.control("GET", f"journal?since={first['id']}")["data"]) == 1
    threatq.forget_journal()
    assert threatq.journal() == []
