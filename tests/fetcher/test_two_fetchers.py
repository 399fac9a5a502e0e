"""Two fetchers on one mailbox, killed at any moment: each mail is taken in once, and marked."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from fixtures.dovecot import PASSWORD

from tqimap_shared import queue


if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from fixtures.dovecot import Dovecot

    from tqimap_shared.ledger import Ledger
    from tqimap_shared.settings import Worker

pytestmark = [pytest.mark.dovecot, pytest.mark.redis]

MAILS = 240
STEPS = (30, 90, 150)  # mails in the ledger at which one of the two is killed
TESTS = Path(__file__).parents[1]
PATIENCE = 60.0

Program = subprocess.Popen[bytes]


class Fetchers:
    """Two hosts: each has a directory, and so a lock, of its own."""

    def __init__(self, given: Mapping[str, object], directory: Path) -> None:
        self._given = given
        self._directory = directory

    def start(self, host: int) -> Program:
        """Begin a run on *host*."""
        directory = self._directory / str(host)
        directory.mkdir(exist_ok=True)
        given = json.dumps({**self._given, "directory": str(directory)})
        command = [sys.executable, "-m", "fixtures.fetch_program", given]
        return subprocess.Popen(command, env={"PYTHONPATH": str(TESTS)})

    @contextmanager
    def both(self) -> Iterator[list[Program]]:
        """Run both; none is left at the end."""
        running = [self.start(0), self.start(1)]
        try:
            yield running
        finally:
            for one in running:
                one.kill()
                one.wait()


def wait_for(ledger: Ledger, mails: int, running: list[Program]) -> None:
    """Wait until the ledger has so many *mails*, or nobody is left to bring more."""
    until = time.monotonic() + PATIENCE
    while ledger.counts().open < mails and any(one.poll() is None for one in running):
        assert time.monotonic() < until
        time.sleep(0.01)


def test_two_fetchers_under_kill_lose_and_double_nothing(
    dovecot: Dovecot, redis_url: str, ledger: Ledger, worker_settings: Worker, tmp_path: Path
) -> None:
    """Killed by turns in the middle of their work and begun again, they fetch each mail once."""
    user = dovecot.user()
    mails = [b"Subject: %d\r\n\r\n" % number + b"x" * 2000 for number in range(MAILS)]
    dovecot.append(user, *mails)
    mailbox = dovecot.mailbox(user, security="none").model_dump(mode="json")
    given = {"mailbox": mailbox | {"password": PASSWORD}, "redis": redis_url}
    fetchers = Fetchers(given, tmp_path)
    with fetchers.both() as running:
        for number, step in enumerate(STEPS):
            wait_for(ledger, step, running)
            running[number % 2].kill()
            running.append(fetchers.start(number % 2))
        for one in running:
            one.wait(PATIENCE)
    assert fetchers.start(0).wait(PATIENCE) == 0
    assert ledger.counts().open == MAILS
    assert set(queue.placed(ledger._redis, worker_settings)) == set(ledger.find(""))
    assert all(r"\Seen" in flags for flags in dovecot.flags(user).values())
