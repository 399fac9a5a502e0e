"""The one job that a worker runs, whatever a job in Redis asks for.

rq runs any function that a job names, its callbacks and its webhooks. Whoever could write to Redis
would then run code with ThreatQ's credentials, JSON or not; here such a job fails.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from rq.job import Job

from tqimap_shared.errors import Never
from tqimap_shared.queue import FUNCTION


if TYPE_CHECKING:
    from rq.job import JobStatus


class MailJob(Job):
    """A job that can only process a mail."""

    functions: ClassVar[frozenset[str]] = frozenset({FUNCTION})

    def _execute(self) -> Any:  # noqa: ANN401 - rq's type
        if self.func_name not in self.functions:
            raise Never(f"job {self.id[:12]}", "asks for a function that is not ours.")
        return super()._execute()

    @property
    def success_callback(self) -> None:
        """No callback."""

    @property
    def failure_callback(self) -> None:
        """No callback."""

    @property
    def stopped_callback(self) -> None:
        """No callback."""

    def send_webhooks(self, status: str | JobStatus, *, exc_string: str | None = None) -> None:
        """Tell nobody."""
