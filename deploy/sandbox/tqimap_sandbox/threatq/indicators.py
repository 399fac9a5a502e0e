"""Keep indicators: one for each type and value, whatever is posted how often.

Status rules: a protected status is kept; a matching whitelist rule decides for a new value; within
one body the last of several equal values decides. `consume` and `consume/new` do the same here,
their difference is unknown; both answer each indicator once, ordered by id.
"""

from __future__ import annotations

from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any

from tqimap_sandbox.threatq import attributes, objects, sources
from tqimap_sandbox.threatq.answers import invalid
from tqimap_sandbox.threatq.normalise import derived, key, normalise
from tqimap_sandbox.threatq.reference import INDICATOR, KINDS, reference
from tqimap_sandbox.threatq.relations import relate
from tqimap_sandbox.threatq.settings import setting


if TYPE_CHECKING:
    from collections.abc import Iterable

    from tqimap_sandbox.threatq.context import User
    from tqimap_sandbox.threatq.store import Row, Store

INDIRECT = "Indirect"  # the status of an indicator posted without one
_YES = {"y", "yes", "true", "1"}
_LONGEST = 65500  # characters of a description; a longer one is cut


@dataclass(frozen=True, slots=True)
class Wanted:
    """One item of a request, its type and status resolved."""

    type: Row
    value: str
    hash: str
    status: Row | None
    given: dict[str, Any]
    extra: tuple[tuple[str, str], ...]  # attributes that normalising cut off the value


def flag(value: object) -> bool:
    """Return whether a client's `"Y"`, `true` or `1` means yes."""
    return str(value).lower() in _YES


def admit(
    store: Store, given: list[dict[str, Any]], user: User, normalize: str | None = None
) -> list[Row]:
    """Create or update the indicators of a body; return each item's row, with `existing`."""
    default = normalize or str(setting(store, "normalize"))
    wanted = [want(store, item, default) for item in given]
    last = {item.hash: item.status for item in wanted}
    return [_admit(store, item, last[item.hash], user) for item in wanted]


def want(store: Store, given: dict[str, Any], normalize: str) -> Wanted:
    """Read one item; refuse with form A what is missing or names nothing."""
    value = given.get("value")
    if not isinstance(value, str) or not value.strip():
        raise invalid("value", "The value field is required.")
    kind = reference(store, "indicator_type", given, "type")
    if kind is None:
        raise invalid("type", "The type field is required.")
    status = reference(store, "indicator_status", given, "status")
    extra: tuple[tuple[str, str], ...] = ()
    if flag(given.get("normalize", normalize)):
        normal = normalise(str(kind["name"]), value)
        kind, value, extra = (
            store.named("indicator_type", normal.type),
            normal.value,
            normal.attributes,
        )
        assert kind is not None
    return Wanted(kind, value.strip(), key(str(kind["name"]), value), status, given, extra)


def _admit(store: Store, item: Wanted, status: Row | None, user: User) -> Row:
    found = store.row("SELECT * FROM indicator WHERE hash = ?", item.hash)
    number = _create(store, item, status) if found is None else _renew(store, item, status, found)
    _furnish(store, number, item, user)
    row = objects.require(store, INDICATOR, number)
    return {**row, "existing": "N" if found is None else "Y"}


def _create(store: Store, item: Wanted, status: Row | None) -> int:
    if whitelisted(store, item):
        status = store.named("indicator_status", "Whitelisted")
    status = status or store.named("indicator_status", INDIRECT)
    assert status is not None
    return store.insert(
        "indicator",
        type_id=item.type["id"],
        status_id=status["id"],
        hash=item.hash,
        value=item.value,
        description=_description(item.given),
        **{"class": item.type["class"]},
    )


def _description(given: dict[str, Any]) -> str | None:
    text = given.get("description")
    return None if text is None else str(text)[:_LONGEST]


def _renew(store: Store, item: Wanted, status: Row | None, found: Row) -> int:
    number = int(found["id"])
    held = store.get("indicator_status", int(found["status_id"]))
    assert held is not None
    changes: dict[str, object] = {}
    if status is not None and status["id"] != held["id"] and held["protected"] != "Y":
        changes["status_id"] = status["id"]
    if item.given.get("description") is not None:
        changes["description"] = _description(item.given)
    if changes:
        store.update("indicator", number, **changes)
    attributes.touch(store, INDICATOR, number)
    return number


def whitelisted(store: Store, item: Wanted) -> bool:
    """Say whether a whitelist rule matches: `*` stands for anything, case for nothing."""
    rules = store.rows("SELECT pattern FROM whitelist WHERE type_id = ?", item.type["id"])
    value = item.value.lower()
    return any(fnmatchcase(value, _literal(str(rule["pattern"]).lower())) for rule in rules)


def _literal(pattern: str) -> str:
    return pattern.replace("[", "[[]").replace("?", "[?]")


def _furnish(store: Store, number: int, item: Wanted, user: User) -> None:
    given = item.given
    sources.attach_all(store, INDICATOR.name, number, given.get("sources"), user)
    attributes.attach_all(store, INDICATOR, number, given.get("attributes"), user)
    for name, value in item.extra:
        cut = {"name": name, "value": value, "sources": given.get("sources")}
        attributes.attach(store, INDICATOR, number, cut, user)
    attributes.tag_all(store, INDICATOR, number, given.get("tags"))
    if item.type["name"] == "URL" and flag(given.get("derive")):
        _derive(store, number, item, user)
    for collection in KINDS:
        if isinstance(given.get(collection), list):
            _relate(store, number, collection, given[collection], user)


def _derive(store: Store, number: int, item: Wanted, user: User) -> None:
    host = derived(item.value)
    more = {"value": host.value, "type": host.type, "sources": item.given.get("sources")}
    relate(store, INDICATOR, number, INDICATOR, admit(store, [more], user, "N")[0])


def _relate(
    store: Store, number: int, collection: str, given: Iterable[object], user: User
) -> None:
    """Relate what an item nests: objects by id, indicators also by value."""
    for other in given:
        if collection == "indicators" and isinstance(other, dict) and "id" not in other:
            relate(store, INDICATOR, number, INDICATOR, admit(store, [other], user)[0])
        else:
            relate(store, INDICATOR, number, KINDS[collection], other)
