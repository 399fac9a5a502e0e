"""Move ids of mails to the workers; the only module that knows rq on the producing side.

rq, because operators know it, its dashboard and its failed-job registry. It is only a transport:
the ledger decides what is work, so losing or doubling a job here is harmless. The job's function is
named, never imported: the fetcher does not have the processor's libraries.
"""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any, cast

from rq import Queue, Retry
from rq.job import Job, JobStatus
from rq.results import Result
from rq.serializers import JSONSerializer
from rq.utils import now

from tqimap_shared.store import answering


if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    import redis

    from tqimap_shared.ledger import Ledger
    from tqimap_shared.settings import Worker

FUNCTION = "tqimap_processor.jobs.process"
TAKEN = "{tqimap}:taken"  # hash: job -> time at which it was first seen taken but not booked
CHUNK = 1000  # jobs asked for in one round trip
SLACK = 3600  # seconds that the clocks of hosts may differ


def open_queue(client: redis.Redis, settings: Worker) -> Queue:
    """Return rq's queue of the configured name."""
    return Queue(settings.queue, connection=client, serializer=JSONSerializer)


def enqueue(client: redis.Redis, sha256: str, settings: Worker) -> bool:
    """Ask the workers to process a mail; False when rq has such a job already, which is as good.

    Raises TryLater when Redis is away or full.
    """
    return enqueue_all(client, [sha256], settings)[0]


def enqueue_all(client: redis.Redis, shas: Sequence[str], settings: Worker) -> list[bool]:
    """Do for each of *shas* what `enqueue` does, all at once.

    rq would need three round trips for each, and the disk as often: that costs more than to admit
    the mails.
    """
    if not shas:
        return []
    queue = open_queue(client, settings)
    jobs = [_job(queue, sha, settings) for sha in shas]
    arguments: list[Any] = []
    for job in jobs:
        fields = [one for field in job.to_dict().items() for one in field]
        arguments += [job.id, len(fields), *fields]
    keys = [queue.key, queue.redis_queues_keys, *(job.key for job in jobs)]
    with answering(client):
        script = client.register_script(_script("enqueue"))
        return [bool(one) for one in script(keys=keys, args=arguments)]


def _job(queue: Queue, sha256: str, settings: Worker) -> Job:
    job = queue.create_job(
        FUNCTION,
        args=[sha256],
        job_id=sha256,
        description=sha256[:12],
        timeout=settings.job_timeout,
        result_ttl=0,
        failure_ttl=-1,
        status=JobStatus.QUEUED,
        retry=Retry(max=len(settings.retries), interval=list(settings.retries)),
    )
    job.enqueued_at = now()
    return job


def requeue(client: redis.Redis, sha256: str, settings: Worker) -> bool:
    """Give a failed mail all its attempts again; False when it is waiting or in work already.

    Works whether or not rq still has the job, and beside a second operator who does the same.
    """
    return disown(client, sha256, settings, failed=True) and enqueue(client, sha256, settings)


def requeue_all(client: redis.Redis, ledger: Ledger, settings: Worker) -> int:
    """Requeue every failed mail, whichever of ledger and rq calls it failed; return how many."""
    registry = open_queue(client, settings).failed_job_registry
    with answering(client):
        found = cast("list[bytes]", client.zrange(registry.key, 0, -1))
    failed = dict.fromkeys([*ledger.dead(), *(one.decode() for one in found)])
    return sum(requeue(client, sha, settings) for sha in failed)


def disown(client: redis.Redis, sha256: str, settings: Worker, *, failed: bool = False) -> bool:
    """Make rq forget a job that is in none of its structures; True if it may be enqueued now.

    A job without its hash is forgotten wherever its id stands: rq drops such ids silently. With
    *failed* a job in the FailedJobRegistry is forgotten too.
    """
    queue = open_queue(client, settings)
    keys = [
        Job.key_for(sha256),
        str(Result.get_key(sha256)),  # type: ignore[no-untyped-call]  # rq left it untyped
        queue.key,
        queue.intermediate_queue_key,
        queue.scheduled_job_registry.key,
        queue.failed_job_registry.key,
        queue.started_job_registry.key,
    ]
    with answering(client):
        script = client.register_script(_script("disown"))
        return bool(script(keys=keys, args=[sha256, "failed" if failed else ""]))


def give_back(client: redis.Redis, sha256: str, execution: str, settings: Worker) -> bool:
    """Put a job back to the head of its queue, whose worker is known to be gone.

    *execution* is rq's id of the worker's attempt, empty where it had not begun.
    """
    queue = open_queue(client, settings)
    keys = [
        Job.key_for(sha256),
        queue.key,
        queue.intermediate_queue_key,
        queue.started_job_registry.key,
    ]
    with answering(client):
        script = client.register_script(_script("giveback"))
        return bool(script(keys=keys, args=[sha256, execution]))


def taken(client: redis.Redis, settings: Worker, *, longer: float) -> list[str]:
    """Return jobs that a worker took from the queue *longer* seconds ago and never booked.

    Each is noted when it is first seen here, and returned by a later call.
    """
    queue = open_queue(client, settings)
    with answering(client):
        booked = {sha for sha, _ in _booked(client, queue)}
        unbooked = set(queue.intermediate_queue.get_job_ids()) - booked
        noted = cast("dict[bytes, bytes]", client.hgetall(TAKEN))
        now = client.time()[0]
        with client.pipeline() as pipeline:
            pipeline.delete(TAKEN)
            for sha in unbooked:
                pipeline.hset(TAKEN, sha, noted.get(sha.encode(), str(now)))
            pipeline.execute()
    return [sha for sha in unbooked if now - float(noted.get(sha.encode(), now)) > longer]


def _booked(client: redis.Redis, queue: Queue) -> list[tuple[str, str]]:
    """Return job and execution of all that is in work."""
    members = cast("list[bytes]", client.zrange(queue.started_job_registry.key, 0, -1))
    return [(job, execution) for job, _, execution in (m.decode().partition(":") for m in members)]


def orphans(client: redis.Redis, shas: Iterable[str], settings: Worker) -> Iterator[str]:
    """Yield those of *shas* that rq does not know (any more), having made it forget their rests."""
    placed = _placed(client, settings)
    chunk: list[str] = []
    for sha in shas:
        chunk.append(sha)
        if len(chunk) == CHUNK:
            yield from _orphans(client, chunk, placed, settings)
            chunk = []
    yield from _orphans(client, chunk, placed, settings)


def _orphans(
    client: redis.Redis, shas: Sequence[str], placed: set[bytes], settings: Worker
) -> Iterator[str]:
    with answering(client), client.pipeline(transaction=False) as pipeline:
        for sha in shas:
            pipeline.exists(Job.key_for(sha))
        exist = pipeline.execute()
    for sha, exists in zip(shas, exist, strict=True):
        # only suspects are asked for one by one: a job may have moved while the lists were read
        if not (exists and sha.encode() in placed) and disown(client, sha, settings):
            yield sha


def _placed(client: redis.Redis, settings: Worker) -> set[bytes]:
    return {sha.encode() for sha in placed(client, settings)}


def placed(client: redis.Redis, settings: Worker) -> dict[str, str]:
    """Return for each job in which of rq's structures it is, the last one if in several.

    These are queued, taken, started, scheduled and failed: the order in which jobs move.
    """
    queue = open_queue(client, settings)
    lists = {"queued": queue.key, "taken": queue.intermediate_queue_key}
    registries = {
        "started": queue.started_job_registry.key,
        "scheduled": queue.scheduled_job_registry.key,
        "failed": queue.failed_job_registry.key,
    }
    found: dict[str, str] = {}
    with answering(client):
        for name, key in lists.items():
            members = cast("list[bytes]", client.lrange(key, 0, -1))
            found |= {one.decode(): name for one in members}
        for name, key in registries.items():
            members = cast("list[bytes]", client.zrange(key, 0, -1))
            found |= {one.decode().partition(":")[0]: name for one in members}
    return found


def hasten(client: redis.Redis, settings: Worker) -> int:
    """Make all retries due that are further away than any may be; return how many.

    They were put off by a clock that has been set back since, and would wait as long as that.
    """
    registry = open_queue(client, settings).scheduled_job_registry
    with answering(client):
        now = client.time()[0]
        latest = now + max(settings.retries, default=0) + SLACK
        far = cast("list[bytes]", client.zrangebyscore(registry.key, latest, "+inf"))
        if far:
            client.zadd(registry.key, dict.fromkeys(far, now), xx=True)
    return len(far)


def lost(client: redis.Redis, shas: Iterable[str], settings: Worker) -> list[str]:
    """Return those of *shas* that rq does not know; unlike `orphans`, only look."""
    where = placed(client, settings)
    wanted = list(shas)
    with answering(client), client.pipeline(transaction=False) as pipeline:
        for sha in wanted:
            pipeline.exists(Job.key_for(sha))
        exist = pipeline.execute()
    return [sha for sha, there in zip(wanted, exist, strict=True) if not (there and sha in where)]


def forget(client: redis.Redis, sha256: str, settings: Worker) -> bool:
    """Delete a job that nobody is to do; False while somebody does it."""
    if placed(client, settings).get(sha256) in {"taken", "started"}:
        return False
    with answering(client):
        queue = open_queue(client, settings)
        with client.pipeline() as pipeline:
            pipeline.lrem(queue.key, 0, sha256)
            pipeline.zrem(queue.scheduled_job_registry.key, sha256)
            pipeline.execute()
    return disown(client, sha256, settings, failed=True)


@cache
def _script(name: str) -> str:
    return (files("tqimap_shared") / "lua" / f"{name}.lua").read_text("utf-8")
