"""Compare what the ledger says was delivered with what ThreatQ holds.

Objects are listed newest first, down to the oldest that is looked for, because 500 come in one
call; what does not turn up there is asked for by itself before it is called missing. What an
analyst deletes on purpose is missing too: whitelist it in ThreatQ, or put it into policy.allow.
"""

from __future__ import annotations

import re
from collections import defaultdict
from functools import partial
from typing import TYPE_CHECKING

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


def faults(desk: Desk, session: Session, *, days: float) -> Iterator[Fault]:
    """Yield done mails, of the last *days*, of whose effects something is missing; then twins."""
    since = desk.folders.now() - days * DAY
    mails = list(desk.records.read(desk.records.shas("done", since=since)))
    numbers = {int(number) for mail in mails for number in files_of(mail).values()}
    files = {one["id"]: one for one in _listed(session, "attachments", numbers)}
    gone = numbers - present(session, "attachments", numbers, listed=files)
    wanted = {number for mail in mails for number in _indicators(mail)}
    listed = {
        one["id"] for one in (_listed(session, "indicators", wanted) if len(wanted) > FEW else ())
    }
    lost = wanted - present(session, "indicators", wanted, listed=listed)
    for mail in mails:
        yield from _mail(desk, mail, gone, lost)
    yield from _twins(desk, session, files.values(), mails)


def files_of(mail: Mail) -> dict[str, str]:
    """Return the ids of a mail's Files by effect."""
    return {effect: number for effect, number in mail.effects.items() if effect.startswith(FILE)}


def present(
    session: Session, collection: str, numbers: Iterable[int], *, listed: Iterable[int] = ()
) -> set[int]:
    """Return those of *numbers* that exist; the *listed* ones need not be asked for."""
    found = set(listed).intersection(numbers)
    return found | {one for one in set(numbers) - found if _exists(session, collection, one)}


def _exists(session: Session, collection: str, number: int) -> bool:
    try:
        found = session.get(f"{collection}/{number}")
    except NotFound:
        return False
    return any(one.get("id") == number and not one.get("deleted_at") for one in found)


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


def _indicators(mail: Mail) -> set[int]:
    return ranges.split(mail.attributes.get("ids", ""))


def _mail(desk: Desk, mail: Mail, gone: set[int], lost: set[int]) -> Iterator[Fault]:
    files = {effect: number for effect, number in files_of(mail).items() if int(number) in gone}
    heal = partial(desk.process_again, mail.sha256, files)
    for number in files.values():
        yield Fault("file-missing", mail.sha256, f"is done, and its File {number} is gone", heal)
    if missing := len(_indicators(mail) & lost):
        sentence = f"is done, and {missing} of its indicators are gone"
        yield Fault("indicators-missing", mail.sha256, sentence, heal)


def _twins(
    desk: Desk, session: Session, files: Iterable[Record], mails: list[Mail]
) -> Iterator[Fault]:
    """Yield Files of ours that have content which an older File of ours has."""
    groups: dict[tuple[str, str], list[Record]] = defaultdict(list)
    for one in files:
        if one.get("hash") and (ours := _OURS.match(str(one.get("name", "")))):
            groups[str(one["hash"]), ours[1]].append(one)
    for group in groups.values():
        oldest, *younger = sorted(int(one["id"]) for one in group)
        for number in younger:
            if _ours(session, number, desk) and _ours(session, oldest, desk):
                sentence = f"has the content of File {oldest}"
                heal = partial(_merge, desk, session, mails, number, oldest)
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
