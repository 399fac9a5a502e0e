"""Move what hangs on a File to another one with the same content.

Analysts may have worked on either by then: their relations, tags, attributes and comments move too.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tqimap_shared.threatq import NotFound


if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tqimap_shared.threatq import Record, Session

RELATED = (
    "indicators",
    "adversaries",
    "events",
    "signatures",
    "tasks",
    "campaign",
    "incident",
    "malware",
    "report",
    "ttp",
    "vulnerability",
)
COMMENTS = "comments"


def move(session: Session, number: int, to: int) -> int:
    """Link to File *to* what is linked to File *number*; return how many links were made.

    Links that are there already stay as they are. What this ThreatQ does not have is left out.
    """
    phrases: dict[str, Callable[[Record], Record]] = dict.fromkeys(RELATED, _related)
    phrases |= {"tags": _tag, COMMENTS: _comment, "attributes": _attribute}
    return sum(_move(session, number, to, *one) for one in phrases.items())


def _move(
    session: Session, number: int, to: int, collection: str, phrase: Callable[[Record], Record]
) -> int:
    try:
        found = [phrase(one) for one in _linked(session, number, collection)]
    except NotFound:
        return 0
    there = [phrase(one) for one in _linked(session, to, collection)] if found else []
    new = [one for one in found if one not in there]
    # comments are taken one by one only
    for some in ([one] for one in new) if collection == COMMENTS else [new] if new else []:
        session.post(f"attachments/{to}/{collection}", json=some[0] if len(some) == 1 else some)
    return len(new)


def _linked(session: Session, number: int, collection: str) -> Iterator[Record]:
    return session.every(f"attachments/{number}/{collection}")


def _related(one: Record) -> Record:
    return {"id": one["id"]}


def _tag(one: Record) -> Record:
    return {"name": one["name"]}


def _comment(one: Record) -> Record:
    return {"value": one["value"]}


def _attribute(one: Record) -> Record:
    return {"name": one["name"], "value": one["value"]}
