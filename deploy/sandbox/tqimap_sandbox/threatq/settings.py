"""Remember how the stand-in is told to behave; changed at run time under /sandbox/settings."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from tqimap_sandbox.threatq.answers import invalid


if TYPE_CHECKING:
    from tqimap_sandbox.threatq.store import Store

DEFAULTS: dict[str, Any] = {
    "expires_in": 3600,  # seconds an access token lives
    "empty": "list",  # or "bare": a listing that finds nothing answers {}
    "normalize": "N",  # what holds where a request does not say
    "limit": 100,  # rows of a listing that does not say how many; the real default is unknown
    "protected": ["Active", "Expired", "Whitelisted"],  # statuses a re-post does not change
}


def setting(store: Store, key: str) -> Any:  # noqa: ANN401 - each key has its own type
    """Return a setting's value, the default where nobody has set it."""
    row = store.row("SELECT value FROM setting WHERE key = ?", key)
    return DEFAULTS[key] if row is None else json.loads(row["value"])


def settings(store: Store) -> dict[str, Any]:
    """Return all settings."""
    return {key: setting(store, key) for key in DEFAULTS}


def change(store: Store, given: dict[str, Any]) -> None:
    """Set the keys given; refuse unknown ones and values of another type."""
    for key, value in given.items():
        if key not in DEFAULTS or type(value) is not type(DEFAULTS[key]):
            raise invalid(key, "No such setting, or of another type.")
        store.run("INSERT OR REPLACE INTO setting VALUES (?, ?)", key, json.dumps(value))
    if "protected" in given:
        _protect(store, given["protected"])


def _protect(store: Store, names: list[str]) -> None:
    store.run("UPDATE indicator_status SET protected = 'N'")
    for name in names:
        store.run("UPDATE indicator_status SET protected = 'Y' WHERE name = ?", name)
