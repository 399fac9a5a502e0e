"""A worker whose horse stays for many mails: `--jobs-per-fork N`.

rq forks for each job, which costs 14 to 16 ms of processor time a mail; a horse that stays costs 2
to 3. It is still a process of its own: a mail that kills it takes no other along. But what a mail
leaves in memory stays until the horse is replaced, so this is for backfills, not for always.
"""

from __future__ import annotations

import os
import random
import socket
from typing import TYPE_CHECKING, Any, NamedTuple

from rq.executions import Execution

from tqimap_processor.worker import MailWorker


if TYPE_CHECKING:
    import redis
    from rq import Queue
    from rq.job import Job

    from tqimap_processor.slot import Slot
    from tqimap_shared.settings import Settings

ORDER = 512  # bytes, more than "<job> <execution>" needs
ENDED = b"."


class _Horse(NamedTuple):
    """A horse that stays: its process, and our end of the line to it."""

    pid: int
    line: socket.socket


class PreforkWorker(MailWorker):
    """A MailWorker that replaces its horse after *jobs_per_fork* jobs, or when it dies."""

    def __init__(
        self, client: redis.Redis, settings: Settings, slot: Slot, *, jobs_per_fork: int
    ) -> None:
        super().__init__(client, settings, slot)
        self._jobs_per_fork = jobs_per_fork
        self._horse: _Horse | None = None
        self._served = 0

    def fork_work_horse(self, job: Job, queue: Queue) -> None:
        """Hand the job to the horse, a new one where needed; rq watches it as ever."""
        del queue
        execution = self.execution
        assert execution is not None
        order = f"{job.id} {execution.id}".encode()
        try:
            self._horse_pid = self._hand_over(order)
        except OSError:
            # it was killed between two jobs
            self._retire()
            self._horse_pid = self._hand_over(order)

    def _hand_over(self, order: bytes) -> int:
        if self._served >= self._jobs_per_fork:
            self._retire()
        if self._horse is None:
            self._horse, self._served = self._raise(), 0
        if self._served:
            self._horse.line.recv(len(ENDED))  # of the last job: see wait_for_horse
        self._horse.line.sendall(order)
        self._served += 1
        return self._horse.pid

    def wait_for_horse(self) -> tuple[int | None, int | None, Any]:
        """Wait until the job has ended or the horse is dead; answer as wait4(2) does.

        Only peeks: rq breaks into this with an alarm, and what was read would be lost then.
        """
        assert self._horse is not None
        pid, line = self._horse
        try:
            if line.recv(len(ENDED), socket.MSG_PEEK) == ENDED:
                return pid, os.EX_OK, None
        except ConnectionResetError:
            pass  # it died with an order unread
        self._horse = None
        line.close()
        return os.wait4(pid, 0)

    def teardown(self) -> None:
        """Let the horse go."""
        if not self.is_horse:
            self._retire()
        super().teardown()

    def _renewed(self) -> None:
        self._retire()

    def _retire(self) -> None:
        if self._horse is not None:
            # closing is not enough: a scheduler that was forked since has our end too
            self._horse.line.shutdown(socket.SHUT_RDWR)
            self._horse.line.close()
            os.waitpid(self._horse.pid, 0)
            self._horse = None

    def _raise(self) -> _Horse:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        pid = os.fork()
        if pid:
            theirs.close()
            return _Horse(pid, ours)
        status = 1
        try:
            os.setpgrp()
            ours.close()
            self._serve(theirs)
            status = 0
        finally:
            os._exit(status)

    def _serve(self, line: socket.socket) -> None:
        """Be the horse: work until the worker closes the line."""
        random.seed()
        self.setup_work_horse_signals()
        self._is_horse = True
        self.executions.clear()
        while order := line.recv(ORDER).decode():
            job_id, _, execution_id = order.partition(" ")
            job = self.job_class.fetch(job_id, self.connection, self.serializer)
            execution = Execution.fetch(execution_id, job_id, self.connection)
            execution._job = job  # noqa: SLF001 - as rq's own SpawnWorker does
            self.executions[execution.id] = execution
            self.perform_job(job, self.queues[0], execution)
            self.executions.pop(execution.id, None)
            line.sendall(ENDED)
