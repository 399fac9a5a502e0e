"""rq's queue and scheduler, made to go on when a worker was killed or Redis takes no writes."""

from __future__ import annotations

import logging

from rq import Queue
from rq.scheduler import RQScheduler

from tqimap_shared.errors import TryLater
from tqimap_shared.store import answering


LOG = logging.getLogger(__name__)
MAINTENANCE_LOCK = 60  # seconds after which a killed worker's lock does not stop the others


class MailQueue(Queue):
    """rq's queue, whose maintenance a killed worker cannot block for a quarter of an hour."""

    def acquire_maintenance_lock(self) -> bool:
        """Take rq's lock for a minute instead of 899 seconds."""
        key = self.registry_cleaning_key
        return bool(self.connection.set(key, 1, nx=True, ex=MAINTENANCE_LOCK))


class MailScheduler(RQScheduler):
    """rq's scheduler, which ends without a traceback when Redis goes away: it is started anew."""

    def work(self) -> None:
        """Enqueue retries that are due, until told to stop or Redis is away."""
        try:
            with answering(self.connection):
                super().work()  # type: ignore[no-untyped-call]
        except TryLater as error:
            LOG.warning("retries wait: %s", error)
