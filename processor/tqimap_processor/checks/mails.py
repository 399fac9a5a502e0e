"""Compare the ledger with rq: every open mail must be on its way, or wait for a person."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from rq import Worker

from tqimap_processor.checks import SHORT, Fault
from tqimap_shared import queue
from tqimap_shared.errors import Never
from tqimap_shared.store import answering


if TYPE_CHECKING:
    from collections.abc import Iterator

    from tqimap_processor.checks import Desk
    from tqimap_shared.ledger import Mail


ENDLESS = 2**31  # attempts: a lost worker does not make a mail a failed one


def faults(desk: Desk) -> Iterator[Fault]:
    """Yield what is wrong with open mails, with jobs and with leases."""
    shas = desk.records.shas("open")
    mails = {mail.sha256: mail for mail in desk.records.read(shas)}
    stored = desk.records.with_raw(mails)
    for sha in shas:
        if sha not in mails and desk.records.has("open", sha):
            heal = partial(desk.fetch_again, sha)
            yield Fault("no-record", sha, "is open, and the ledger has no record of it", heal)
        elif sha in mails and sha not in stored and desk.records.has("open", sha):
            heal = partial(desk.fetch_again, sha)
            yield Fault("raw-missing", sha, "is open, and its raw mail is gone", heal)
    whole = [mail for sha, mail in mails.items() if sha in stored]
    yield from _failed(desk, [mail for mail in whole if mail.state == "dead"])
    yield from _lost(desk)
    yield from _strays(desk)
    yield from _leases(desk)


def _failed(desk: Desk, mails: list[Mail]) -> Iterator[Fault]:
    for mail in mails:
        sha = mail.sha256
        try:
            desk.ledger.raw(sha)
        except Never as error:
            heal = partial(desk.fetch_again, sha)
            yield Fault("raw-missing", sha, error.sentence.rstrip("."), heal)
        else:
            sentence = f"failed for good: {mail.error}".rstrip(".")
            yield Fault("failed", sha, sentence, partial(desk.enqueue, sha))


def _lost(desk: Desk) -> Iterator[Fault]:
    """Yield mails that are in no structure of rq, although they are past their grace.

    Failed ones are named as such already.
    """
    worker = desk.settings.worker
    suspects = queue.lost(desk.client, desk.ledger.unfinished(older=worker.grace), worker)
    states = desk.ledger.states(suspects)
    again = queue.lost(desk.client, suspects, worker)
    for sha in again:
        if states[sha] in {"stored", "processing"} and desk.records.has("open", sha):
            heal = partial(desk.enqueue, sha)
            yield Fault("no-job", sha, "is open, and rq does not know it", heal)


def _strays(desk: Desk) -> Iterator[Fault]:
    """Yield jobs that nobody needs: for mails that are done, or that the ledger does not know."""
    worker = desk.settings.worker
    jobs = queue.placed(desk.client, worker)
    for sha, state in desk.ledger.states(jobs).items():
        heal = partial(_forget, desk, sha)
        if not state:
            yield Fault("no-record", sha, f"is {jobs[sha]} in rq, and not in the ledger", heal)
        elif state == "done" and jobs[sha] in {"failed", "scheduled"}:
            yield Fault("stray-job", sha, f"is done, and {jobs[sha]} in rq", heal)


def _forget(desk: Desk, sha: str) -> str:
    if not queue.forget(desk.client, sha, desk.settings.worker):
        raise Never(sha[:SHORT], "a worker has the job in hand.")
    return "the job is deleted"


def _leases(desk: Desk) -> Iterator[Fault]:
    """Yield mails that are leased by a worker that does not exist."""
    with answering(desk.client):
        alive = {worker.name for worker in Worker.all(connection=desk.client)}
    for sha, owner in desk.records.leases().items():
        if owner not in alive and desk.records.leases().get(sha) == owner:
            heal = partial(_free, desk, sha, owner)
            yield Fault("no-worker", sha, f"is leased by {owner}, which does not run", heal)


def _free(desk: Desk, sha: str, owner: str) -> str:
    reason = f"{sha[:SHORT]}: its worker was lost."
    desk.ledger.abandon(sha, owner=owner, reason=reason, allowed=ENDLESS)
    return "freed, and " + desk.enqueue(sha)
