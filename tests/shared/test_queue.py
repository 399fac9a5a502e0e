"""The queue: jobs that may be lost, doubled and forgotten without harm."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest
from rq.job import Job, JobStatus
from rq.serializers import JSONSerializer

from tqimap_shared import queue
from tqimap_shared.envelope import Envelope, Location


if TYPE_CHECKING:
    from redis import Redis

    from tqimap_shared.ledger import Ledger
    from tqimap_shared.settings import Worker

pytestmark = pytest.mark.redis

SHAS = [f"{number:064x}" for number in range(1, 9)]


def job(redis: Redis, sha: str) -> Job:
    """Fetch the job of a mail."""
    return Job.fetch(sha, connection=redis, serializer=JSONSerializer)


def ids(redis: Redis, settings: Worker) -> list[str]:
    """List what is waiting in the queue."""
    return queue.open_queue(redis, settings).job_ids


def fail(redis: Redis, sha: str, settings: Worker) -> None:
    """Let a waiting job end in the FailedJobRegistry, as rq would."""
    failed, opened = job(redis, sha), queue.open_queue(redis, settings)
    opened.remove(sha)
    failed.set_status(JobStatus.FAILED)
    opened.failed_job_registry.add(failed, ttl=-1, exc_string="ThreatQ: is away.")


def start(redis: Redis, sha: str, settings: Worker) -> None:
    """Let a waiting job be in work, as rq would."""
    opened = queue.open_queue(redis, settings)
    opened.remove(sha)
    job(redis, sha).set_status(JobStatus.STARTED)
    redis.zadd(opened.started_job_registry.key, {f"{sha}:execution": 2**40})


def test_a_job_carries_the_id_and_nothing_else(redis: Redis, worker_settings: Worker) -> None:
    """What lies in Redis and shows on a dashboard is the sha, in JSON; no mail, no pickle."""
    assert queue.enqueue(redis, SHAS[0], worker_settings)
    found = job(redis, SHAS[0])
    assert (found.func_name, found.args, found.kwargs) == (queue.FUNCTION, [SHAS[0]], {})
    assert found.description == SHAS[0][:12]
    assert (found.timeout, found.result_ttl, found.failure_ttl) == (300, 0, -1)
    assert (found.retries_left, found.retry_intervals) == (8, worker_settings.retries)
    assert (found.ttl, found.meta) == (None, {})
    assert redis.ttl(found.key) == -1


def test_enqueueing_twice_is_one_job(redis: Redis, worker_settings: Worker) -> None:
    """A fetcher that lost the answer enqueues again, and that is a success."""
    assert queue.enqueue(redis, SHAS[0], worker_settings)
    assert not queue.enqueue(redis, SHAS[0], worker_settings)
    assert ids(redis, worker_settings) == [SHAS[0]]


def test_enqueueing_does_not_disturb_a_failed_job(redis: Redis, worker_settings: Worker) -> None:
    """What failed for good waits for a person, however often it is fetched."""
    queue.enqueue(redis, SHAS[0], worker_settings)
    fail(redis, SHAS[0], worker_settings)
    assert not queue.enqueue(redis, SHAS[0], worker_settings)
    assert ids(redis, worker_settings) == []


def test_requeue_gives_all_attempts_again(redis: Redis, worker_settings: Worker) -> None:
    """A failed job waits once more, with its retries, and is failed no longer."""
    queue.enqueue(redis, SHAS[0], worker_settings)
    redis.hset(Job.key_for(SHAS[0]), "retries_left", 0)
    fail(redis, SHAS[0], worker_settings)
    assert queue.requeue(redis, SHAS[0], worker_settings)
    assert job(redis, SHAS[0]).retries_left == len(worker_settings.retries)
    assert ids(redis, worker_settings) == [SHAS[0]]
    assert queue.open_queue(redis, worker_settings).failed_job_registry.get_job_ids() == []


def test_a_second_operator_requeues_nothing(redis: Redis, worker_settings: Worker) -> None:
    """Two who requeue at once do it once; a job in work is left alone."""
    queue.enqueue(redis, SHAS[0], worker_settings)
    fail(redis, SHAS[0], worker_settings)
    assert queue.requeue(redis, SHAS[0], worker_settings)
    assert not queue.requeue(redis, SHAS[0], worker_settings)
    start(redis, SHAS[0], worker_settings)
    assert not queue.requeue(redis, SHAS[0], worker_settings)
    assert ids(redis, worker_settings) == []


def test_requeue_survives_a_job_whose_hash_is_gone(redis: Redis, worker_settings: Worker) -> None:
    """A ghost in the failed list, whose job somebody deleted, is a job again."""
    queue.enqueue(redis, SHAS[0], worker_settings)
    fail(redis, SHAS[0], worker_settings)
    redis.delete(Job.key_for(SHAS[0]))
    assert queue.requeue(redis, SHAS[0], worker_settings)
    assert ids(redis, worker_settings) == [SHAS[0]]


def test_requeue_all_takes_what_either_side_calls_failed(
    redis: Redis, ledger: Ledger, worker_settings: Worker
) -> None:
    """Ghosts, failed jobs and dead mails that rq has lost all wait again; others do not move."""
    dead = Envelope.seal(Location("m", "f", 1, 1), b"dead")
    ledger.admit([dead])
    lease = ledger.lease(dead.sha256, owner="one")
    assert lease is not None
    lease.fail("No.", final=True)
    for sha in SHAS[:3]:
        queue.enqueue(redis, sha, worker_settings)
    fail(redis, SHAS[0], worker_settings)
    fail(redis, SHAS[1], worker_settings)
    redis.delete(Job.key_for(SHAS[1]))
    assert queue.requeue_all(redis, ledger, worker_settings) == 3
    assert sorted(ids(redis, worker_settings)) == sorted([*SHAS[:3], dead.sha256])
    assert queue.requeue_all(redis, ledger, worker_settings) == 0


def test_two_operators_requeue_everything_at_once(
    redis: Redis, ledger: Ledger, worker_settings: Worker
) -> None:
    """Neither is stopped by the other, nor by ghosts; each mail waits once."""
    shas = [f"{number:064x}" for number in range(40)]
    for sha in shas:
        queue.enqueue(redis, sha, worker_settings)
        fail(redis, sha, worker_settings)
    redis.delete(*[Job.key_for(sha) for sha in shas[::4]])
    with ThreadPoolExecutor(2) as operators:
        made = [
            operators.submit(queue.requeue_all, redis, ledger, worker_settings) for _ in range(2)
        ]
    assert sum(one.result() for one in made) == len(shas)
    assert sorted(ids(redis, worker_settings)) == shas


def test_orphans_are_jobs_that_rq_has_lost(redis: Redis, worker_settings: Worker) -> None:
    """No hash is an orphan whatever the lists say; so is a hash in no list; nothing else is."""
    waiting, started, failed, scheduled, taken, ghost, listless, unknown = SHAS
    for sha in SHAS[:-1]:
        queue.enqueue(redis, sha, worker_settings)
    opened = queue.open_queue(redis, worker_settings)
    start(redis, started, worker_settings)
    fail(redis, failed, worker_settings)
    opened.remove(scheduled)
    redis.zadd(opened.scheduled_job_registry.key, {scheduled: 2**40})
    opened.remove(taken)
    redis.lpush(opened.intermediate_queue_key, taken)
    redis.delete(Job.key_for(ghost))
    opened.remove(listless)
    assert list(queue.orphans(redis, SHAS, worker_settings)) == [ghost, listless, unknown]
    assert ids(redis, worker_settings) == [waiting]
    for sha in (ghost, listless, unknown):
        assert queue.enqueue(redis, sha, worker_settings)
    assert list(queue.orphans(redis, SHAS, worker_settings)) == []


@pytest.mark.parametrize("place", ["queue", "intermediate", "started", "scheduled", "failed"])
def test_a_live_job_is_not_forgotten(redis: Redis, worker_settings: Worker, place: str) -> None:
    """Asked at the wrong moment, a job that is anywhere in rq stays there."""
    sha, opened = SHAS[0], queue.open_queue(redis, worker_settings)
    queue.enqueue(redis, sha, worker_settings)
    if place != "queue":
        opened.remove(sha)
    if place == "intermediate":
        redis.lpush(opened.intermediate_queue_key, sha)
    elif place != "queue":
        member = f"{sha}:execution" if place == "started" else sha
        redis.zadd(getattr(opened, f"{place}_job_registry").key, {member: 1})
    assert not queue.disown(redis, sha, worker_settings)
    assert redis.exists(Job.key_for(sha))


def test_a_ghost_in_every_structure_is_forgotten_everywhere(
    redis: Redis, worker_settings: Worker
) -> None:
    """What rq only half remembers leaves no rest that would work on the mail a second time."""
    sha, opened = SHAS[0], queue.open_queue(redis, worker_settings)
    for key in (opened.key, opened.intermediate_queue_key):
        redis.rpush(key, sha)
    for registry in (opened.failed_job_registry, opened.scheduled_job_registry):
        redis.zadd(registry.key, {sha: 1})
    redis.zadd(opened.started_job_registry.key, {f"{sha}:execution": 1, f"{SHAS[1]}:execution": 1})
    assert queue.disown(redis, sha, worker_settings)
    assert queue.disown(redis, sha, worker_settings)
    assert [key for key in redis.scan_iter("rq:*") if redis.type(key) != b"set"] == [
        opened.started_job_registry.key.encode()
    ]


def test_a_dead_workers_job_is_given_back_once(redis: Redis, worker_settings: Worker) -> None:
    """A job in work goes back to the head of its queue; a second call finds nothing to do."""
    queue.enqueue(redis, SHAS[0], worker_settings)
    queue.enqueue(redis, SHAS[1], worker_settings)
    start(redis, SHAS[1], worker_settings)
    assert queue.give_back(redis, SHAS[1], "execution", worker_settings)
    assert not queue.give_back(redis, SHAS[1], "execution", worker_settings)
    assert ids(redis, worker_settings) == [SHAS[1], SHAS[0]]
    assert job(redis, SHAS[1]).get_status() == JobStatus.QUEUED
    assert not redis.exists(queue.open_queue(redis, worker_settings).started_job_registry.key)


@pytest.mark.parametrize("status", [JobStatus.FAILED, JobStatus.SCHEDULED])
def test_a_job_that_has_moved_on_is_not_given_back(
    redis: Redis, worker_settings: Worker, status: JobStatus
) -> None:
    """An attempt that rq has already accounted for is not made again."""
    queue.enqueue(redis, SHAS[0], worker_settings)
    start(redis, SHAS[0], worker_settings)
    job(redis, SHAS[0]).set_status(status)
    assert not queue.give_back(redis, SHAS[0], "execution", worker_settings)
    assert ids(redis, worker_settings) == []
