"""Say what processing a mail again would change in ThreatQ, without writing anything there.

Looks at the same payloads that an upload would send: each indicator, File and relation is new, is
there already, or is there and would change.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from tqimap_processor.report import Action
from tqimap_processor.threatq import payload
from tqimap_processor.threatq.match import forms, key, match
from tqimap_processor.threatq.places import Places
from tqimap_processor.upload import contents, related


if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tqimap_processor.artefact import Artefact
    from tqimap_processor.report import Report
    from tqimap_processor.threatq import Client
    from tqimap_processor.threatq.match import Key
    from tqimap_shared.settings import ThreatQ
    from tqimap_shared.threatq import Record

MOST = 1000  # rows of one answer; the server's own maximum


class Fate(StrEnum):
    """What would become of an object or a relation."""

    NEW = "new"
    THERE = "there"
    CHANGE = "change"


@dataclass(frozen=True, slots=True)
class Difference:
    """One thing that processing again would send. *detail* says what would change."""

    what: str
    name: str
    fate: Fate
    detail: str = ""


def differences(report: Report, client: Client, settings: ThreatQ) -> Iterator[Difference]:
    """Yield a difference for each indicator, File and relation of *report*."""
    threatq = client.spelled(settings)
    kept = [one for one in report.decisions if one.action is not Action.SKIP]
    places = Places(report)
    protected = _protected(client)
    ids: dict[Key, int] = {}
    for one in kept:
        wanted = payload.indicator(one, places, threatq)
        if wanted["type"]["name"] not in client.reference.types:
            continue
        held = look_up(client, wanted)
        if held is not None:
            ids[key(wanted)] = held["id"]
        yield _compare(f"indicator {one.type}", one.value, wanted, held, protected)
    for copies in contents(report.attachments):
        about = payload.file_attributes(copies, report, threatq)
        linked = list(dict.fromkeys(related(kept, copies, threatq)))
        yield from _file(copies, client, about, linked=linked, ids=ids)


def _protected(client: Client) -> frozenset[str]:
    """Name the statuses that a new sighting does not change."""
    statuses = client.session.every("indicator/statuses")
    return frozenset(str(one["name"]) for one in statuses if one.get("protected") == "Y")


def look_up(client: Client, wanted: Record) -> Record | None:
    """Look an indicator up, in every spelling that the server may have given it."""
    kind, value = key(wanted)
    for form in dict.fromkeys([value, *forms(kind, value)]):
        # a comma ends a filter's value
        asked = form if "," not in form else f"{form.partition(',')[0]}%"
        query: dict[str, str | int] = {"value": asked, "limit": MOST}
        query["with"] = "attributes,status"
        found = client.session.get("indicators", query)
        number = match([wanted], found, client.reference.types).get((kind, value))
        if number is not None:
            return next(one for one in found if one.get("id") == number)
    return None


def _compare(
    what: str, name: str, wanted: Record, held: Record | None, protected: frozenset[str]
) -> Difference:
    if held is None:
        return Difference(what, name, Fate.NEW)
    changes = []
    if more := _more(wanted["attributes"], held.get("attributes", [])):
        changes.append(f"{more} more attributes")
    status, now = wanted.get("status", {}).get("name"), (held.get("status") or {}).get("name")
    if status and now and status != now and now not in protected:
        changes.append(f"status {now} to {status}")
    return Difference(what, name, Fate.CHANGE if changes else Fate.THERE, ", ".join(changes))


def _more(wanted: Sequence[Record], held: Sequence[Record]) -> int:
    there = {(one.get("name"), one.get("value")) for one in held}
    return sum((one["name"], one["value"]) not in there for one in wanted)


def _file(
    copies: Sequence[Artefact],
    client: Client,
    about: Sequence[Record],
    *,
    linked: Sequence[Key],
    ids: dict[Key, int],
) -> Iterator[Difference]:
    """Compare a File, whose attributes would be *about*, and its relations."""
    first = copies[0]
    number = client.files.find(first)
    held: Record | None = None
    there: set[object] = set()
    if number is not None:
        path = f"attachments/{number}"
        held = {"attributes": list(client.session.every(f"{path}/attributes"))}
        there = {one.get("id") for one in client.session.every(f"{path}/indicators")}
    wanted = {"attributes": about}
    name = first.name or hashlib.sha256(first.data).hexdigest()
    yield _compare("file", name, wanted, held, frozenset())
    for one in linked:
        if one[0] in client.reference.types:
            known = ids.get(one) in there if one in ids else False
            yield Difference("relation", f"{name} - {one[1]}", Fate.THERE if known else Fate.NEW)
