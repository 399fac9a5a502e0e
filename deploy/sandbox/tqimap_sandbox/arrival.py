"""Compare what arrived in a ThreatQ with what the sample mails must bring.

Asks over the REST API, as any client would: the stand-in's tables are not looked at.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

import requests


MAILS = Path(str(resources.files("tqimap_sandbox") / "mails"))
PAGE = 1000

Indicator = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Arrival:
    """What a ThreatQ holds: indicators by (type, value), files by title, relations of both."""

    indicators: dict[Indicator, str]
    files: frozenset[str]
    relations: frozenset[tuple[str, Indicator]]

    def missing(self, expected: list[dict[str, Any]]) -> list[str]:
        """Name everything in *expected* that did not arrive."""
        lines = []
        for mail in expected:
            wanted = {(kind, value) for kind, value in mail["indicators"]}
            lines += [
                f"{mail['name']}: {kind} {value}"
                for kind, value in sorted(wanted - self.indicators.keys())
            ]
            lines += [f"{mail['name']}: file {name}" for name in set(mail["files"]) - self.files]
            lines += [
                f"{mail['name']}: relation {name} to {one[1]}"
                for name in mail["files"]
                for one in sorted(wanted)
                if (name, one) not in self.relations
            ]
        return lines


def expected() -> list[dict[str, Any]]:
    """Return the manifest of the sample mails."""
    mails = tomllib.loads((MAILS / "expected.toml").read_text(encoding="utf-8"))["mail"]
    assert isinstance(mails, list)
    return mails


class ThreatQ:
    """The few calls that the demo makes as an operator would make them in the pages."""

    def __init__(self, ready: dict[str, Any], *, password: str) -> None:
        self.url = ready["ready"]
        self._http = requests.Session()
        self._http.verify = ready["ca_file"]
        # the machine's proxies are for the world outside
        self._http.trust_env = False
        token = self._call(
            "POST",
            "/api/token",
            params={"grant_type": "password", "client_id": ready["client_id"]},
            json={"email": ready["email"], "password": password},
        )["access_token"]
        self._http.headers["Authorization"] = f"Bearer {token}"

    def complete_feed(self, name: str, fields: dict[str, str]) -> None:
        """Fill in the fields of the feed *name* and switch it on."""
        found = self._call("GET", "/api/connectors", params={"name": name, "with": "custom_fields"})
        connector = found["data"][0]
        values = [
            {**field, "value": fields.get(field["key"], field["value"])}
            for field in connector["custom_fields"]
        ]
        self._call(
            "PUT",
            f"/api/connectors/{connector['id']}",
            json={"custom_fields": values, "is_active": 1},
        )

    def arrival(self) -> Arrival:
        """Read everything that is there."""
        indicators = {
            (one["type"]["name"], one["value"]): one["status"]["name"]
            for one in self._all("/api/indicators", {"with": "type,status"})
        }
        files, relations = set(), set()
        for file in self._all("/api/attachments", {}):
            files.add(file["title"])
            related = self._all(f"/api/attachments/{file['id']}/indicators", {"with": "type"})
            relations |= {(file["title"], (one["type"]["name"], one["value"])) for one in related}
        return Arrival(indicators, frozenset(files), frozenset(relations))

    def _all(self, path: str, params: dict[str, str]) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []
        while True:
            query = {**params, "limit": str(PAGE), "offset": str(len(found))}
            page = self._call("GET", path, params=query).get("data", [])
            found += page
            if len(page) < PAGE:
                return found

    def _call(self, method: str, path: str, **arguments: Any) -> dict[str, Any]:  # noqa: ANN401
        answer = self._http.request(method, self.url + path, timeout=30, **arguments)
        answer.raise_for_status()
        data = answer.json()
        assert isinstance(data, dict)
        return data
