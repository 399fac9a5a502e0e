"""The stand-in gives out tokens as ThreatQ does, and takes nothing else."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import pytest


if TYPE_CHECKING:
    from fixtures.threatq import StandIn


def _four(threatq: StandIn) -> dict[str, str]:
    return {
        "grant_type": "password",
        "client_id": threatq.client_id,
        "email": threatq.email,
        "password": threatq.password,
    }


def _ask(threatq: StandIn, form: str, fields: dict[str, str]) -> Any:  # noqa: ANN401 - a response
    """Ask for a token in one of the three forms clients use."""
    if form == "query":
        inside = {key: fields.pop(key) for key in ("email", "password")}
        return threatq.request("POST", "/api/token", params=fields, json=inside)
    return threatq.request("POST", "/api/token", **{form: fields})


def _status(threatq: StandIn, authorization: str) -> int:
    headers = {"Authorization": authorization}
    return threatq.request("GET", "/api/indicator/types?limit=1", headers=headers).status_code


@pytest.mark.parametrize("form", ["query", "json", "data"])
def test_password_grant(threatq: StandIn, form: str) -> None:
    """The password grant works by query and JSON, by JSON alone and as a form."""
    answer = _ask(threatq, form, _four(threatq))
    assert answer.status_code == 200
    said = answer.json()
    assert said.keys() == {"access_token", "token_type", "expires_in", "refresh_token"}
    assert (said["token_type"], said["expires_in"]) == ("bearer", 3600)
    assert _status(threatq, f"Bearer {said['access_token']}") == 200


@pytest.mark.parametrize("field", ["email", "password", "client_id", "grant_type"])
def test_bad_credentials(threatq: StandIn, field: str) -> None:
    """Anything wrong is answered with 400 and an error body of form B."""
    answer = _ask(threatq, "json", {**_four(threatq), field: "wrong"})
    assert answer.status_code == 400
    assert isinstance(answer.json()["errors"][0], str)


def test_client_credentials_grant(threatq: StandIn) -> None:
    """A private client gets in by HTTP Basic, or with id and secret in the query."""
    path = "/api/token?grant_type=client_credentials"
    basic = (threatq.client_id, threatq.client_secret)
    query = f"&client_id={basic[0]}&client_secret={basic[1]}"
    for answer in (
        threatq.request("POST", path, auth=basic),
        threatq.request("POST", path + query),
    ):
        assert _status(threatq, f"Bearer {answer.json()['access_token']}") == 200
    assert threatq.request("POST", path, auth=(basic[0], "wrong")).status_code == 400


def test_refresh_rotates(threatq: StandIn) -> None:
    """A refresh replaces both tokens; the old pair is worthless afterwards."""
    old = _ask(threatq, "json", _four(threatq)).json()
    path = f"/api/token?grant_type=refresh_token&refresh_token={old['refresh_token']}"
    new = threatq.request("POST", path, headers={"Content-Type": "application/json"}).json()
    assert _status(threatq, f"Bearer {new['access_token']}") == 200
    assert _status(threatq, f"Bearer {old['access_token']}") == 401
    assert threatq.request("POST", path).status_code == 400


def test_scheme_is_case_sensitive(threatq: StandIn) -> None:
    """Only `Authorization: Bearer` with a capital B and a token that was given out gets in."""
    token = threatq.token()
    assert _status(threatq, f"Bearer {token}") == 200
    for wrong in (f"bearer {token}", f"BEARER {token}", token, "Bearer ", "Bearer 0123", ""):
        assert _status(threatq, wrong) == 401


def test_tokens_expire(threatq: StandIn) -> None:
    """A token lives as long as `expires_in` says, then it is answered with 401."""
    threatq.settings(expires_in=1)
    assert _ask(threatq, "json", _four(threatq)).json()["expires_in"] == 1
    short = threatq.token()
    threatq.settings(expires_in=60)
    long = threatq.token()
    time.sleep(1.05)
    assert _status(threatq, f"Bearer {short}") == 401
    assert _status(threatq, f"Bearer {long}") == 200


def test_no_secret_in_the_journal(threatq: StandIn) -> None:
    """The journal keeps queries without the values of secrets."""
    threatq.request("POST", "/api/token", params=_four(threatq))
    (line,) = threatq.journal()
    assert (line["method"], line["path"], line["status"]) == ("POST", "/api/token", 200)
    assert "grant_type=password" in line["query"]
    assert "correct" not in line["query"]
    assert threatq.email not in line["query"]
