"""Make one attempt at a mail: take its lease, have it worked on, write down how it ended.

The ledger decides: a job for a mail that needs nothing is a no-op, and how often a mail is tried is
counted there, not by rq, so that a requeue from the dashboard gives all attempts again. The worker
hands its context over by `configure` before it forks; a job carries nothing but the mail's sha.
"""

from __future__ import annotations

import logging
import time
import traceback
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rq import get_current_job
from rq.timeouts import JobTimeoutException

from tqimap_shared.errors import Never, Outage, StopProcess, TqimapError, TryLater
from tqimap_shared.lease import LeaseBusy, LeaseLost
from tqimap_shared.ledger import Ledger


if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import redis

    from tqimap_shared.lease import Lease
    from tqimap_shared.settings import Settings, Worker

    Work = Callable[["Lease", "Context"], Mapping[str, str]]

LOG = logging.getLogger(__name__)
NOTHING = "nothing to do"
# remembered, but not logged: numbers without end, and the mail's own words
SILENT = ("ids", "refused", "message_id", "sender", "date")


@dataclass(frozen=True, slots=True)
class Context:
    """What every attempt of this process needs; *owner* is the name of the worker's slot."""

    settings: Settings
    ledger: Ledger
    owner: str


_contexts: list[Context] = []


def configure(settings: Settings, client: redis.Redis, *, owner: str) -> None:
    """Set what the jobs of this process and of its forks work with."""
    _contexts[:] = [Context(settings, Ledger(client, settings=settings.worker), owner)]


def allowed(settings: Worker) -> int:
    """Return how often a mail is tried before it is dead."""
    return len(settings.retries) + 1


def attempt(sha256: str, work: Work) -> str:
    """Have *work* done on the mail *sha256*; return a sentence about it.

    *work* returns attributes to remember. Raises Never or, after the last attempt, whatever went
    wrong: rq then keeps the job as failed. Any other error is raised as it is, or as TryLater, for
    rq to try again.
    """
    context = _context()
    try:
        lease = context.ledger.lease(sha256, owner=context.owner)
    except LeaseBusy:
        _leave_retries(at_least=1)
        raise
    if lease is None:
        LOG.info("%s: %s", sha256[:12], NOTHING)
        return NOTHING
    try:
        return _attempt(lease, context, work)
    except LeaseLost:
        _leave_retries(at_least=1)
        raise


def _attempt(lease: Lease, context: Context, work: Work) -> str:
    started = time.monotonic()
    try:
        _refuse_poison(lease, context.settings.worker)
        attributes = work(lease, context)
        seconds = time.monotonic() - started
        lease.done({**attributes, "seconds": f"{seconds:.3f}"})
    except LeaseLost:
        raise
    except LeaseBusy as busy:
        lease.release()
        _leave_retries(at_least=1)
        LOG.info("%s: put off: %s", lease.sha256[:12], busy.sentence)
        raise
    except Outage as outage:
        lease.release(str(outage))
        _leave_retries(at_least=1)
        where = f"{lease.sha256[:12]}: {lease.mailbox}"
        LOG.warning("%s: put off, which counts no attempt: %s", where, outage)
        raise
    except Exception as error:  # noqa: BLE001 - whatever hostile bytes did must end in the ledger
        raise _failed(lease, error, context.settings.worker) from None
    told = {name: value for name, value in attributes.items() if name not in SILENT}
    sentence = ", ".join(f"{value} {name}" for name, value in told.items())
    LOG.info("%s: %s: done in %.1f s: %s", lease.sha256[:12], lease.mailbox, seconds, sentence)
    return sentence


def _refuse_poison(lease: Lease, settings: Worker) -> None:
    """Refuse a mail that has taken its worker down each time: nobody was left to count it."""
    if lease.attempts > allowed(settings):
        made = lease.attempts - 1
        raise Never(lease.sha256[:12], f"its worker was killed or lost in {made} attempts.")


def _failed(lease: Lease, error: Exception, settings: Worker) -> TqimapError:
    """Write a failure down and return the error for rq to see."""
    known = error if isinstance(error, TqimapError) else TryLater(*_described(lease, error))
    final = isinstance(error, Never) or lease.attempts >= allowed(settings)
    lease.fail(str(known), final=final)
    left = 0 if final else allowed(settings) - lease.attempts
    _leave_retries(exactly=left)
    where = f"{lease.sha256[:12]}: {lease.mailbox}: attempt {lease.attempts}"
    if final:
        LOG.error("%s failed for good: %s", where, known)
    else:
        LOG.warning("%s failed, next in %d s: %s", where, settings.retries[-left], known)
    return known


def _described(lease: Lease, error: Exception) -> tuple[str, str]:
    """Describe an error that is none of ours without its text, which may quote the mail."""
    if isinstance(error, JobTimeoutException):
        return lease.sha256[:12], "it took longer than worker.job_timeout."
    frame = traceback.extract_tb(error.__traceback__)[-1]
    where = f"{frame.filename.rpartition('/')[2]}:{frame.lineno}"
    return lease.sha256[:12], f"unexpected {type(error).__name__} at {where}."


def _leave_retries(*, exactly: int | None = None, at_least: int = 0) -> None:
    """Tell rq, which looks at the job that it is running, how many attempts are left."""
    job = get_current_job()
    if job is not None:
        job.retries_left = exactly if exactly is not None else max(job.retries_left or 0, at_least)


def _context() -> Context:
    if not _contexts:
        raise StopProcess("worker", "jobs run under tqimap-worker only; rq's own lacks settings.")
    return _contexts[0]
