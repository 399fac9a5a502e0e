"""Maintenance: what kills and operators left behind is put right, and nothing else is touched."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from rq.job import Job

from tqimap_processor import maintenance
from tqimap_shared import queue
from tqimap_shared.envelope import Envelope, Location
from tqimap_shared.errors import StopProcess
from tqimap_shared.ledger import TRIM, Ledger
from tqimap_shared.settings import Worker


if TYPE_CHECKING:
    from redis import Redis

pytestmark = pytest.mark.redis

EAGER = Worker(grace=1e-3, maintenance=1)


@pytest.fixture
def mails(redis: Redis) -> list[str]:
    """Admit four mails an hour ago; none is enqueued."""
    ledger = Ledger(redis, settings=EAGER)
    envelopes = [Envelope.seal(Location("m", "f", 1, n), b"mail %d" % n) for n in range(4)]
    ledger.admit(envelopes)
    for envelope in envelopes:
        redis.zincrby("{tqimap}:open", -3600, envelope.sha256)
    return [envelope.sha256 for envelope in envelopes]


def waiting(redis: Redis) -> list[str]:
    """List what is in the queue, sorted."""
    return sorted(queue.open_queue(redis, EAGER).job_ids)


def test_mails_that_were_never_enqueued_are(redis: Redis, mails: list[str]) -> None:
    """A fetcher killed between admitting and enqueueing loses nothing."""
    ledger = Ledger(redis, settings=EAGER)
    assert maintenance.reconcile(redis, ledger, EAGER) == 4
    assert waiting(redis) == sorted(mails)
    assert maintenance.reconcile(redis, ledger, EAGER) == 0


def test_two_workers_reconcile_at_once(redis: Redis, mails: list[str]) -> None:
    """One has found what rq lost, another enqueues it first: each mail waits once."""
    ledger = Ledger(redis, settings=EAGER)
    lost = list(queue.orphans(redis, ledger.unfinished(older=EAGER.grace), EAGER))
    assert maintenance.reconcile(redis, ledger, EAGER) == 4
    assert sorted(lost) == sorted(mails)
    assert not any(queue.enqueue(redis, sha, EAGER) for sha in lost)
    assert waiting(redis) == sorted(mails)


def test_the_young_are_left_to_their_fetcher(redis: Redis, mails: list[str]) -> None:
    """Within the grace a mail without a job is no orphan: its fetcher is about to enqueue it."""
    ledger = Ledger(redis, settings=EAGER)
    assert maintenance.reconcile(redis, ledger, Worker(grace=7200)) == 0
    assert waiting(redis) == []
    assert len(mails) == 4


def test_deleted_failed_and_dead_jobs_come_back_but_not_failed_ones(
    redis: Redis, mails: list[str]
) -> None:
    """Whatever a dashboard deleted is enqueued again; what waits for a person goes on waiting."""
    ledger = Ledger(redis, settings=EAGER)
    maintenance.reconcile(redis, ledger, EAGER)
    deleted, failed, waits, done = mails
    opened = queue.open_queue(redis, EAGER)
    for sha in (deleted, failed, done):
        opened.remove(sha)
    redis.delete(*(Job.key_for(sha) for sha in (deleted, done)))
    redis.zadd(opened.failed_job_registry.key, {failed: -1})
    lease = ledger.lease(done, owner="one")
    assert lease is not None
    lease.done({})
    redis.zadd("{tqimap}:open", {done: 1})  # as if it had become done while rq was asked
    assert maintenance.reconcile(redis, ledger, EAGER) == 1
    assert waiting(redis) == sorted([waits, deleted])


def test_a_redis_that_could_lose_mails_by_now_is_named(redis: Redis) -> None:
    """Workers run for months: it was checked at their start, and another may answer since."""
    redis.config_set("appendfsync", "everysec")
    try:
        with pytest.raises(StopProcess, match="could lose mails"):
            maintenance.once(redis, Ledger(redis, settings=EAGER), EAGER)
    finally:
        redis.config_set("appendfsync", "always")


def test_a_retry_does_not_wait_for_a_wrong_clock(redis: Redis, mails: list[str]) -> None:
    """What was put off for longer than any retry is due at once; the others keep their time."""
    key = queue.open_queue(redis, EAGER).scheduled_job_registry.key
    now = redis.time()[0]
    redis.zadd(key, {mails[0]: now + 365 * 86_400, mails[1]: now + 3600})
    assert queue.hasten(redis, EAGER) == 1
    assert redis.zrangebyscore(key, 0, now + 60) == [mails[0].encode()]
    assert redis.zscore(key, mails[1]) == now + 3600


def test_a_job_that_a_killed_worker_took_is_given_back(
    redis: Redis, mails: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed between taking and booking, a worker leaves a job in hand; it waits again soon."""
    monkeypatch.setattr(maintenance, "IN_HAND", -1)
    ledger = Ledger(redis, settings=EAGER)
    maintenance.reconcile(redis, ledger, EAGER)
    opened = queue.open_queue(redis, EAGER)
    taken = redis.lmove(opened.key, opened.intermediate_queue_key)
    booked = redis.lmove(opened.key, opened.intermediate_queue_key)
    assert isinstance(booked, bytes)
    redis.zadd(opened.started_job_registry.key, {booked + b":execution": 2**40})
    assert maintenance.give_back(redis, EAGER) == 1
    assert isinstance(taken, bytes)
    assert waiting(redis) == sorted({*mails} - {booked.decode()})
    assert maintenance.give_back(redis, EAGER) == 0


def test_a_job_just_taken_is_not_given_back(redis: Redis, mails: list[str]) -> None:
    """A live worker needs a moment between taking a job and booking it."""
    ledger = Ledger(redis, settings=EAGER)
    maintenance.reconcile(redis, ledger, EAGER)
    opened = queue.open_queue(redis, EAGER)
    redis.lmove(opened.key, opened.intermediate_queue_key)
    assert maintenance.give_back(redis, EAGER) == 0
    assert maintenance.give_back(redis, EAGER) == 0
    assert len(waiting(redis)) == len(mails) - 1


def test_one_worker_at_a_time_does_a_round(redis: Redis, mails: list[str]) -> None:
    """All workers share one round in each interval."""
    ledger = Ledger(redis, settings=EAGER)
    assert maintenance.once(redis, ledger, EAGER) == maintenance.Round(4, 0, 0)
    assert maintenance.once(redis, ledger, EAGER) is None
    assert 0 < redis.pttl(maintenance.LOCK) <= 900
    assert len(mails) == 4


def test_trim_goes_on_until_all_is_forgotten(redis: Redis) -> None:
    """A round takes as many bounded calls as it needs."""
    ledger = Ledger(redis, settings=Worker(done_days=1e-9))
    redis.zadd("{tqimap}:done", {f"{number:064x}": 1 for number in range(TRIM * 2 + 5)})
    assert maintenance.trim(ledger) == TRIM * 2 + 5
    assert ledger.counts().done == 0
