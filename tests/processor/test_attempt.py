"""One attempt at a mail: how it may end, and what the ledger and rq are told."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import pytest
from rq.timeouts import JobTimeoutException

from tqimap_processor import attempt
from tqimap_shared import queue
from tqimap_shared.envelope import Envelope, Location
from tqimap_shared.errors import Denied, Never, Outage, StopProcess, TryLater
from tqimap_shared.lease import LeaseBusy, LeaseLost
from tqimap_shared.ledger import Ledger
from tqimap_shared.settings import Settings, Worker


if TYPE_CHECKING:
    from collections.abc import Callable

    from redis import Redis

    from tqimap_processor.attempt import Context
    from tqimap_shared.lease import Lease

pytestmark = pytest.mark.redis

MAIL = Envelope.seal(
    Location("Intelligence Mailbox", "INBOX", 7, 1), b"Subject: hello\r\n\r\nsecret"
)
SHA = MAIL.sha256
SETTINGS = Settings(worker=Worker(retries=[10, 20]))


@pytest.fixture
def book(redis: Redis) -> Ledger:
    """Admit the mail, and configure attempts with two retries."""
    attempt.configure(SETTINGS, redis, owner="host-1")
    ledger = Ledger(redis, settings=SETTINGS.worker)
    ledger.admit([MAIL])
    return ledger


def well(_lease: Lease, _context: Context) -> dict[str, str]:
    """Work without trouble."""
    return {"files": "1", "indicators": "2"}


def raising(error: Exception) -> Callable[[Lease, Context], dict[str, str]]:
    """Return work that ends in *error*."""

    def work(_lease: Lease, _context: Context) -> dict[str, str]:
        raise error

    return work


def state(ledger: Ledger) -> tuple[str, int, str]:
    """Return state, attempts and error of the mail."""
    found = ledger.mail(SHA)
    assert found is not None
    return found.state, found.attempts, found.error


def test_good_work_ends_done(book: Ledger, caplog: pytest.LogCaptureFixture) -> None:
    """The mail is done with its attributes, and one line names sha and mailbox."""
    caplog.set_level(logging.INFO)
    assert attempt.attempt(SHA, well) == "1 files, 2 indicators"
    found = book.mail(SHA)
    assert found is not None
    assert found.state == "done"
    assert (found.attributes["files"], found.attributes["indicators"]) == ("1", "2")
    (line,) = [record.getMessage() for record in caplog.records]
    assert line.startswith(f"{SHA[:12]}: Intelligence Mailbox: done in ")


def test_a_done_mail_is_not_worked_on(book: Ledger) -> None:
    """A job that comes twice finds nothing to do the second time."""
    attempt.attempt(SHA, well)
    assert attempt.attempt(SHA, raising(AssertionError("worked twice"))) == attempt.NOTHING
    assert book.counts().done == 1


def test_an_unknown_mail_is_nothing_to_do(book: Ledger) -> None:
    """A job without a record, forgotten long ago, ends quietly."""
    assert attempt.attempt("0" * 64, raising(AssertionError("worked"))) == attempt.NOTHING
    assert book.counts().open == 1


@pytest.mark.parametrize("error", [TryLater("ThreatQ", "is away."), Denied("ThreatQ", "says no.")])
def test_what_may_work_later_is_tried_until_the_attempts_are_used_up(
    book: Ledger, error: Exception
) -> None:
    """Each failure is kept; after the last the mail is dead, with its raw bytes."""
    for number in (1, 2):
        with pytest.raises(type(error)):
            attempt.attempt(SHA, raising(error))
        assert state(book) == ("stored", number, str(error))
    with pytest.raises(type(error)):
        attempt.attempt(SHA, raising(error))
    assert state(book) == ("dead", 3, str(error))
    assert book.raw(SHA) == MAIL.raw


def test_an_outage_counts_no_attempt(book: Ledger) -> None:
    """While what every mail needs is away a mail is tried as often as it takes, and says why."""
    for _ in range(5):
        with pytest.raises(Outage):
            attempt.attempt(SHA, raising(Outage("ThreatQ", "is away.")))
    assert state(book) == ("stored", 0, "ThreatQ: is away.")


def test_never_is_dead_at_once(book: Ledger) -> None:
    """What cannot work is not tried again."""
    with pytest.raises(Never):
        attempt.attempt(SHA, raising(Never("ThreatQ", "refuses the file.")))
    assert state(book) == ("dead", 1, "ThreatQ: refuses the file.")


def test_an_unexpected_error_is_kept_without_its_text(
    book: Ledger, caplog: pytest.LogCaptureFixture
) -> None:
    """A bug is named by its type and place: its text may quote the mail."""
    with pytest.raises(TryLater, match=r"unexpected ValueError at test_attempt\.py:\d+") as caught:
        attempt.attempt(SHA, raising(ValueError(MAIL.raw.decode())))
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__
    assert "unexpected ValueError" in state(book)[2]
    assert "secret" not in caplog.text + state(book)[2]


def test_a_time_out_says_which_setting(book: Ledger) -> None:
    """Rq's time-out is a failed attempt like others."""
    with pytest.raises(TryLater, match=r"longer than worker\.job_timeout"):
        attempt.attempt(SHA, raising(JobTimeoutException("Task exceeded ...")))
    assert state(book)[0] == "stored"


def test_a_mail_that_somebody_works_on_is_left_alone(book: Ledger) -> None:
    """A second job for the same mail comes later and counts no attempt."""
    assert book.lease(SHA, owner="host-2") is not None
    with pytest.raises(LeaseBusy):
        attempt.attempt(SHA, raising(AssertionError("worked")))
    assert state(book)[:2] == ("processing", 1)


def test_a_mail_that_waits_for_another_one_is_put_off(book: Ledger) -> None:
    """Both need the same file: that counts no attempt, and the mail is free at once."""
    with pytest.raises(LeaseBusy):
        attempt.attempt(SHA, raising(LeaseBusy("mail", "another mail is about to do the same.")))
    assert state(book) == ("stored", 0, "")
    assert book.lease(SHA, owner="host-2") is not None


def test_a_lost_lease_writes_nothing(book: Ledger, redis: Redis) -> None:
    """When somebody else has taken the mail meanwhile, how this attempt ended is not recorded."""

    def work(_lease: Lease, _context: Context) -> dict[str, str]:
        redis.delete(f"{{tqimap}}:lease:{SHA}")
        book.lease(SHA, owner="host-2")
        return {}

    with pytest.raises(LeaseLost):
        attempt.attempt(SHA, work)
    assert state(book) == ("processing", 2, "")


def test_a_failure_after_the_lease_was_lost_leaves_rq_its_job(
    book: Ledger, redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The mail is another's by then: rq must not call its job failed."""
    job = queue.open_queue(redis, SETTINGS.worker).create_job(queue.FUNCTION, job_id=SHA)
    job.retries_left = 0

    def work(_lease: Lease, _context: Context) -> dict[str, str]:
        redis.delete(f"{{tqimap}}:lease:{SHA}")
        book.lease(SHA, owner="host-2")
        raise TryLater("ThreatQ", "is slow.")

    monkeypatch.setattr(attempt, "get_current_job", lambda: job)
    with pytest.raises(LeaseLost):
        attempt.attempt(SHA, work)
    assert job.retries_left == 1


def test_a_mail_that_killed_all_its_workers_is_not_opened_again(book: Ledger, redis: Redis) -> None:
    """Where nobody is left to count a death, the next attempt does."""
    redis.hset(f"{{tqimap}}:m:{SHA}", "attempts", 3)
    with pytest.raises(Never, match="killed or lost in 3 attempts"):
        attempt.attempt(SHA, raising(AssertionError("opened")))
    assert state(book)[0] == "dead"


def test_jobs_need_our_worker(book: Ledger) -> None:
    """Rq's own worker, which has no settings, is told so."""
    attempt._contexts.clear()
    with pytest.raises(StopProcess, match="tqimap-worker"):
        attempt.attempt(SHA, well)
    assert state(book)[0] == "stored"
