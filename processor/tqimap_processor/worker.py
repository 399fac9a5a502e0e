"""The always-on worker: rq's, made to lose nothing when it, its horse or Redis is killed.

rq's forking Worker ("horse" is its name for the child that works): a mail that kills its process
must not take others along. What is changed stands at each method; rq's inner doors: pinned below 4.
"""

from __future__ import annotations

import gc
import logging
import math
import signal
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any, cast

from rq import Worker
from rq.exceptions import StopRequested
from rq.executions import Execution, ExecutionRegistry
from rq.serializers import JSONSerializer
from rq.worker import WorkerStatus

from tqimap_processor import attempt, jobs, maintenance
from tqimap_processor.mailjob import MailJob
from tqimap_processor.mailqueue import MailQueue, MailScheduler
from tqimap_processor.parent import die_with_parent
from tqimap_shared.errors import TqimapError, TryLater
from tqimap_shared.ledger import Ledger
from tqimap_shared.queue import give_back
from tqimap_shared.store import answering


if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import redis
    from redis.client import Pipeline
    from rq import Queue
    from rq.job import Job

    from tqimap_processor.slot import Slot
    from tqimap_shared.settings import Settings

LOG = logging.getLogger(__name__)
WORKER_TTL = 30  # seconds until rq calls a silent worker dead (plus its own 60)
BEAT = 5.0  # seconds that a heartbeat holds: between two mails rq would send four
MONITORING = 10  # seconds between two heartbeats of a job in work; abandoned after 60 more
IDLE_WAIT = 2  # seconds of one blocking wait for a job: the longest that SIGTERM has to wait
PAUSE = 1.0  # seconds before looking for Redis again
PROBE = "{tqimap}:probe"
FOREVER = 2**31


class MailWorker(Worker):
    """A worker on the one queue of *settings*, under the name of *slot*."""

    queue_class = MailQueue

    def __init__(self, client: redis.Redis, settings: Settings, slot: Slot) -> None:
        super().__init__(
            # one queue: only then rq moves a job atomically into a list that it can be found in
            [
                MailQueue(
                    settings.worker.queue,
                    connection=client,
                    serializer=JSONSerializer,
                    job_class=MailJob,
                )
            ],
            name=slot.name,
            connection=client,
            worker_ttl=WORKER_TTL,
            maintenance_interval=settings.worker.maintenance,
            job_monitoring_interval=MONITORING,
            serializer=JSONSerializer,
            job_class=MailJob,
            log_job_description=False,
        )
        self._settings = settings
        self._slot = slot
        self._ledger = Ledger(client, settings=settings.worker)
        self.log_result_lifespan = False
        self._beaten = -math.inf

    @property
    def stopping(self) -> bool:
        """Whether a signal has asked it to end."""
        return self._stop_requested

    @property
    def dequeue_timeout(self) -> int:
        """Wait briefly for a job: see `_shutdown`."""
        return IDLE_WAIT

    @property
    def should_run_maintenance_tasks(self) -> bool:
        """Stop here if asked to: rq looks at this whenever it has no job in hand."""
        if self._stop_requested:
            raise StopRequested
        return bool(super().should_run_maintenance_tasks)

    def _shutdown(self) -> None:
        """Only note that a signal came, where rq raises out of the handler.

        Raised in the middle of taking a job from Redis it would leave that job in nobody's hands.
        """
        if self.get_state() == WorkerStatus.BUSY:
            super()._shutdown()  # type: ignore[no-untyped-call]  # rq left it untyped
        self._stop_requested = True

    def bootstrap(self, *arguments: Any) -> None:  # noqa: ANN401 - rq's types
        """Heed signals before taking part, where rq does so after."""
        self._install_signal_handlers()  # type: ignore[no-untyped-call]
        super().bootstrap(*arguments)

    def setup_work_horse_signals(self) -> None:
        """Let the horse end its mail when a supervisor signals the whole group."""
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGTERM, signal.SIG_IGN)

    def register_birth(self) -> None:
        """Take over from a killed predecessor of the same name, and its jobs with it."""
        if self._slot.own:
            self.connection.delete(self.key)
        super().register_birth()  # type: ignore[no-untyped-call]
        if self._slot.own:
            self.reclaim()

    def reclaim(self) -> None:
        """Give back at once every job that is booked on this worker and that nobody works on."""
        for execution in self._booked():
            sha = execution.job_id
            reason = f"{sha[:12]}: its worker was killed or lost Redis."
            self._ledger.abandon(sha, owner=self.name, reason=reason, allowed=FOREVER)
            if give_back(self.connection, sha, execution.id, self._settings.worker):
                LOG.warning("%s: taken up again after its worker was lost", sha[:12])
            with self.connection.pipeline() as pipeline:
                pipeline.delete(execution.key)
                ExecutionRegistry(sha, self.connection).remove(execution, pipeline)
                pipeline.srem(self.executions_key, execution.composite_key)
                pipeline.execute()

    def _booked(self) -> Iterator[Execution]:
        for key in cast("set[bytes]", self.connection.smembers(self.executions_key)):
            yield Execution.from_composite_key(key.decode(), self.connection)

    def execute_job(self, job: Job, queue: Queue) -> None:
        """Work, and leave neither a horse nor a booking behind when Redis went away meanwhile."""
        if jobs.revive(self._settings.limits):
            self._renewed()
        try:
            super().execute_job(job, queue)
        finally:
            if self.horse_pid:
                self.kill_horse()
                self.wait_for_horse()
        self.reclaim()

    def _renewed(self) -> None:
        """Let go of what knows the dead zygote only: a horse that is forked now knows the new."""

    def heartbeat(self, timeout: int | None = None, pipeline: Pipeline | None = None) -> None:
        """Miss a heartbeat rather than drop the job in hand when Redis is away.

        One call, where rq makes three, and none as long as the last one holds.
        """
        if pipeline is not None:
            super().heartbeat(timeout, pipeline)
            return
        if timeout is None and time.monotonic() - self._beaten < BEAT:
            return
        try:
            with answering(self.connection), self.connection.pipeline() as together:
                super().heartbeat(timeout, together)
                together.execute()
            self._beaten = time.monotonic()
        except TryLater as error:
            LOG.warning("a heartbeat was missed: %s", error)

    def maintain_heartbeats(self, job: Job, execution: Execution) -> None:
        """Let the horse go on when Redis is away: its mail may be done before Redis is back."""
        try:
            with answering(self.connection):
                super().maintain_heartbeats(job, execution)
        except TryLater as error:
            LOG.warning("%s: a heartbeat was missed: %s", job.id[:12], error)

    def handle_work_horse_killed(self, job: Job, retpid: Any, ret_val: Any, rusage: Any) -> None:  # noqa: ANN401 - rq's types
        """Count the attempt whose process cannot do so any more, and free the mail at once."""
        del retpid, rusage
        how = f"signal {ret_val & 0x7F}" if ret_val and ret_val & 0x7F else "no reason given"
        reason = f"{job.id[:12]}: the process working on it ended ({how})."
        allowed = attempt.allowed(self._settings.worker)
        made, state = self._ledger.abandon(job.id, owner=self.name, reason=reason, allowed=allowed)
        if made:
            job.retries_left = max(allowed - made, 0)
        LOG.error("%s (attempt %d, now %s)", reason, made, state or "as before")

    def handle_exception(self, job: Job, *exc_info: Any) -> None:  # noqa: ANN401 - rq's types
        """Leave errors of ours alone: their one line was logged where they happened."""
        if not isinstance(exc_info[1], TqimapError):
            super().handle_exception(job, *exc_info)

    def teardown(self) -> None:
        """Leave no listening thread behind when Redis is away."""
        try:
            super().teardown()  # type: ignore[no-untyped-call]
        finally:
            if self.pubsub_thread:
                self.pubsub_thread.stop()

    def run_maintenance_tasks(self) -> None:
        """Do rq's maintenance, then ours."""
        super().run_maintenance_tasks()  # type: ignore[no-untyped-call]
        try:
            maintenance.once(self.connection, self._ledger, self._settings.worker)
        except TqimapError as error:
            LOG.warning("maintenance put off: %s", error)

    def _start_scheduler(self, burst: bool = False, *_: object) -> None:  # noqa: FBT001, FBT002 - rq's signature
        """Start rq's scheduler under this worker's name: its lock is then its successor's too.

        rq gives it a random name, whose lock would hold up all retries for a minute after a kill.
        """
        self.scheduler = MailScheduler(
            self.queues,
            connection=self.connection,
            logging_level=logging.NOTSET,
            serializer=self.serializer,
            name=self.name,
        )
        if not self.scheduler.acquire_locks():  # type: ignore[no-untyped-call]
            return
        if not burst:
            self.scheduler.start()  # type: ignore[no-untyped-call]
            return
        self.scheduler.enqueue_scheduled_jobs()  # type: ignore[no-untyped-call]
        self.scheduler.release_locks()  # type: ignore[no-untyped-call]


def run(
    client: redis.Redis,
    settings: Settings,
    slot: Slot,
    *,
    burst: bool = False,
    kind: Callable[[redis.Redis, Settings, Slot], MailWorker] = MailWorker,
) -> None:
    """Work until SIGTERM; with *burst* until the queue is empty (retries are not waited for).

    Survives any absence of Redis, and one that takes no writes: the work loop ends and is begun
    anew. In a burst it raises TryLater then.
    """
    # rq says four things of a mail where ours is one line, which is what -v 2 promises
    level = logging.NOTSET if LOG.isEnabledFor(logging.DEBUG) else logging.WARNING
    for name in ("rq.worker", "rq.scheduler", "rq.job"):
        logging.getLogger(name).setLevel(level)
    LOG.info("worker %s takes mails from queue %s", slot.name, settings.worker.queue)
    jobs.prepare(settings)
    attempt.configure(settings, client, owner=slot.name)
    # what is there by now is kept out of the collector's way, or each horse would copy it
    gc.collect()
    gc.freeze()
    die_with_parent()
    try:
        _work(client, settings, slot, burst=burst, kind=kind)
    finally:
        jobs.end()
    LOG.info("worker %s has ended", slot.name)


def _work(
    client: redis.Redis,
    settings: Settings,
    slot: Slot,
    *,
    burst: bool,
    kind: Callable[[redis.Redis, Settings, Slot], MailWorker],
) -> None:
    while True:
        worker = kind(client, settings, slot)
        try:
            with answering(client):
                worker.work(burst=burst, with_scheduler=True, logging_level=None)
        except TryLater as error:
            if burst:
                raise
            LOG.warning("working goes on when it can: %s", error)
        if burst or worker.stopping:
            return
        _await(client, worker)


def _await(client: redis.Redis, worker: MailWorker) -> None:
    """Wait until Redis takes writes or the worker is told to stop."""
    while not worker.stopping:
        time.sleep(PAUSE)
        with suppress(TryLater), answering(client):
            client.set(PROBE, 1, px=1000)
            return
