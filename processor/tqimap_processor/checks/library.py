"""Compare what the ledger says was delivered with what ThreatQ holds.

Objects are listed newest first, down to the oldest that is looked for, because 500 come in one
call; what does not turn up there is asked for by itself before it is called missing. What an
analyst deletes on purpose is missing too: whitelist it in ThreatQ, or put it into policy.allow.
"""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Self

from tqimap_processor.checks import Fault
from tqimap_processor.checks.twin import move
from tqimap_processor.threatq import payload
from tqimap_shared import ranges
from tqimap_shared.threatq import NotFound


if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from tqimap_processor.checks import Desk
    from tqimap_shared.ledger import Mail
    from tqimap_shared.threatq import Record, Session

DAY = 86_400
FILE = "file:"
FEW = 50  # objects that are asked for one by one rather than found in a listing
_OURS = re.compile(rf"([0-9a-f]{{{payload.PREFIX}}})-")


@dataclass(frozen=True, slots=True)
class Library:
    """Done mails, and what ThreatQ holds of their Files and indicators: records by id."""

    mails: list[Mail]
    files: dict[int, Record]
    indicators: dict[int, Record]

    @classmethod
    def of(cls, desk: Desk, session: Session, *, days: float) -> Self:
        """Read what became done in the last *days*."""
        since = desk.folders.now() - days * DAY
        mails = list(desk.records.read(desk.records.shas("done", since=since)))
        files = {int(number) for mail in mails for number in files_of(mail).values()}
        indicators = {number for mail in mails for number in indicators_of(mail)}
        return cls(
            mails,
            _held(session, "attachments", files, listed=True),
            _held(session, "indicators", indicators, listed=len(indicators) > FEW),
        )


def faults(desk: Desk, session: Session, held: Library) -> Iterator[Fault]:
    """Yield done mails of whose effects something is missing; then twins."""
    for mail in held.mails:
        yield from _mail(desk, mail, held)
    yield from _twins(desk, session, held)


def files_of(mail: Mail) -> dict[str, str]:
    """Return the ids of a mail's Files by effect."""
    return {effect: number for effect, number in mail.effects.items() if effect.startswith(FILE)}


def indicators_of(mail: Mail) -> set[int]:
    """Return the ids of a mail's indicators."""
    return ranges.split(mail.attributes.get("ids", ""))


def whole(mail: Mail, held: Library) -> bool:
    """Tell whether all effects that are written down of a mail are there."""
    files = {int(number) for number in files_of(mail).values()}
    return files <= held.files.keys() and indicators_of(mail) <= held.indicators.keys()


def present(session: Session, collection: str, numbers: Iterable[int]) -> set[int]:
    """Return those of *numbers* that exist."""
    return set(_held(session, collection, set(numbers), listed=False))


def _held(
    session: Session, collection: str, numbers: set[int], *, listed: bool
) -> dict[int, Record]:
    """Return the records of *numbers* that exist; what is *listed* besides, too."""
    found = {one["id"]: one for one in _listed(session, collection, numbers if listed else set())}
    for number in numbers - found.keys():
        found |= {one["id"]: one for one in _asked(session, collection, number)}
    return found


def _asked(session: Session, collection: str, number: int) -> Iterator[Record]:
    try:
        found = session.get(f"{collection}/{number}")
    except NotFound:
        return
    yield from (one for one in found if one.get("id") == number and not one.get("deleted_at"))


def _listed(session: Session, collection: str, numbers: set[int]) -> Iterator[Record]:
    """List a collection, newest first, down to the oldest of *numbers*."""
    if not numbers:
        return
    for one in session.every(collection, {"sort": "-id"}):
        if not isinstance(one.get("id"), int):
            continue
        if one["id"] < min(numbers):
            return
        if not one.get("deleted_at"):
            yield one


def _mail(desk: Desk, mail: Mail, held: Library) -> Iterator[Fault]:
    files = {
        effect: number for effect, number in files_of(mail).items() if int(number) not in held.files
    }
    heal = partial(desk.process_again, mail.sha256, files)
    for number in files.values():
        yield Fault("file-missing", mail.sha256, f"is done, and its File {number} is gone", heal)
    if missing := len(indicators_of(mail) - held.indicators.keys()):
        sentence = f"is done, and {missing} of its indicators are gone"
        yield Fault("indicators-missing", mail.sha256, sentence, heal)


def _twins(desk: Desk, session: Session, held: Library) -> Iterator[Fault]:
    """Yield Files of ours that have content which an older File of ours has."""
    groups: dict[tuple[str, str], list[Record]] = defaultdict(list)
    for one in held.files.values():
        if one.get("hash") and (ours := _OURS.match(str(one.get("name", "")))):
            groups[str(one["hash"]), ours[1]].append(one)
    for group in groups.values():
        oldest, *younger = sorted(int(one["id"]) for one in group)
        for number in younger:
            if _ours(session, number, desk) and _ours(session, oldest, desk):
                sentence = f"has the content of File {oldest}"
                heal = partial(_merge, desk, session, held.mails, number, oldest)
                yield Fault("twin", f"File {number}", sentence, heal)


def _ours(session: Session, number: int, desk: Desk) -> bool:
    """Tell whether a File has our source: the name alone may be chance, or forged."""
    found = session.get(f"attachments/{number}", {"with": "sources"})
    sources = found[0].get("sources", []) if found else []
    return any(one.get("name") == desk.settings.threatq.source for one in sources)


def _merge(desk: Desk, session: Session, mails: list[Mail], number: int, oldest: int) -> str:
    """Move all that hangs on a File to its older twin, then delete it."""
    moved = move(session, number, oldest)
    for mail in mails:
        for effect, recorded in files_of(mail).items():
            if recorded == str(number):
                desk.records.amend(mail.sha256, effect, was=recorded, now=str(oldest))
    session.delete(f"attachments/{number}")
    return f"{moved} links moved to File {oldest}, and deleted"
