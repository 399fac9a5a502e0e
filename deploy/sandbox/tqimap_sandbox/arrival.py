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

    def faults(self) -> list[str]:
        """Name everything in the manifest that did not arrive, and what should not have."""
        lines = []
        for mail in manifest()["mail"]:
            wanted = {(kind, value) for kind, value in mail["indicators"]}
            lines += [
                f"missing: {mail['name']}: {kind} {value}"
                for kind, value in sorted(wanted - self.indicators.keys())
            ]
            lines += [
                f"missing: {mail['name']}: file {name}" for name in set(mail["files"]) - self.files
            ]
            lines += [
                f"missing: {mail['name']}: relation {name} to {one[1]}"
                for name in mail["files"]
                for one in sorted(wanted)
                if (name, one) not in self.relations
            ]
        never = set(manifest()["never"]["values"])
        return lines + [f"unwanted: {value}" for _, value in self.indicators if value in never]


def manifest() -> dict[str, Any]:
    """Return the manifest of the sample mails: what must arrive, what never, and the policy."""
    return tomllib.loads((MAILS / "expected.toml").read_text(encoding="utf-8"))


def policy() -> dict[str, Any]:
    """Return the [policy] section under which the sample mails' villains are villains."""
    return {key: manifest()[key] for key in ("own_domains", "deny")}


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
        found = self._call("GET", "/api/connectors", params={"name": name})
        connector = found["data"][0]
        # keys with values alone: a whole definition would be merged and keep what was saved
        values = [{"key": key, "value": value} for key, value in fields.items()]
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
