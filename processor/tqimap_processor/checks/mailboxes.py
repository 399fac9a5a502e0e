"""Compare the mailboxes with the ledger, by what the fetcher has left about them in Redis."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from tqimap_processor.checks import Fault
from tqimap_shared import ranges


if TYPE_CHECKING:
    from collections.abc import Iterator

    from tqimap_processor.checks import Desk
    from tqimap_shared.folders import Folder
    from tqimap_shared.records import Untold


def faults(desk: Desk) -> Iterator[Fault]:
    """Yield mails that are read and unknown, never given, or done and not marked so."""
    known = {(folder.mailbox, folder.folder): folder for folder in desk.folders.every()}
    for folder in known.values():
        for uid in sorted(ranges.split(folder.left)):
            sentence = "is read, not done, and unknown: the last audit could not take it in"
            yield Fault("read-unknown", _name(folder, uid), sentence, partial(_look, desk))
    for missing in desk.folders.quarantined(desk.settings.fetch.missing_runs):
        subject = f"{missing.mailbox}/{missing.folder} UID {missing.uid}"
        sentence = f"the server listed it and gave nothing for it in {missing.runs} runs"
        yield Fault("never-given", subject, sentence)
    for untold in desk.records.untold():
        folder_now = known.get((untold.mailbox, untold.folder))
        if folder_now is not None:
            yield from _untold(desk, untold, folder_now)


def _untold(desk: Desk, untold: Untold, folder: Folder) -> Iterator[Fault]:
    """Yield done mails of which a run that began since has not told the server."""
    where = (untold.mailbox, untold.folder, untold.uidvalidity)
    if untold.uidvalidity != folder.uidvalidity:
        subject = f"{folder.mailbox}/{folder.folder} UIDVALIDITY {untold.uidvalidity}"
        sentence = f"{len(untold.uids)} done mails cannot be marked there any more"
        yield Fault("done-unmarked", subject, sentence, partial(_renumbered, desk, untold))
        return
    shas = desk.folders.shas(*where, untold.uids)
    done_at = {mail.sha256: mail.done_at for mail in desk.records.read(set(shas.values()))}
    for uid, sha in sorted(shas.items()):
        if 0 < done_at.get(sha, 0) < folder.fetched:
            sentence = "is done, and a run since has not marked it on the mail server"
            yield Fault("done-unmarked", _name(folder, uid), sentence, partial(_look, desk))


def _renumbered(desk: Desk, untold: Untold) -> str:
    desk.ledger.flagged(untold.mailbox, untold.folder, untold.uidvalidity, untold.uids)
    return _look(desk)


def _look(desk: Desk) -> str:
    desk.folders.want_audit()
    return "the next run of tqIMAP looks at it again"


def _name(folder: Folder, uid: int) -> str:
    return f"{folder.mailbox}/{folder.folder} UID {uid}"
