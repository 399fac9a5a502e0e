"""The process that locked-in processes are forked from: no secrets, no orphans, no single death."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from fixtures.workers import alive, until
from fixtures.zygote import zygotes

from tqimap_processor import contain, jobs
from tqimap_processor.zygote import GoneError, Zygote
from tqimap_shared.errors import TryLater
from tqimap_shared.settings import Limits, Policy, Settings, ThreatQ


if TYPE_CHECKING:
    from collections.abc import Iterator

    from fixtures.workers import Crew

SECRET = "hunter2-in-memory"
LIMITS = Limits()
OWNER = """
import time
from tqimap_processor import contain, zygote
from tqimap_shared.settings import Limits
one = zygote.Zygote.spawned(Limits())
contain.missing(Limits(), one)
print(flush=True)
time.sleep(600)
"""


@pytest.fixture
def zygote(monkeypatch: pytest.MonkeyPatch) -> Iterator[Zygote]:
    """Start a zygote as the worker does, from a process that knows a secret."""
    monkeypatch.setenv("TQIMAP_THREATQ__PASSWORD", SECRET)
    with Zygote.spawned(LIMITS) as one:
        assert not contain.missing(LIMITS, one)
        yield one


def test_no_secret_is_in_its_memory(zygote: Zygote) -> None:
    """Neither its environment nor any page of it holds what the worker knows."""
    (pid,) = zygotes(os.getpid())
    assert not Path(f"/proc/{pid}/environ").read_bytes()
    assert zygote.lives()
    secret = SECRET.encode()
    assert secret in b"".join(memory(os.getpid())), "the search would find it"
    assert not any(secret in piece for piece in memory(pid))


def memory(pid: int) -> Iterator[bytes]:
    """Yield what a process has written to its memory, mapping by mapping."""
    with Path(f"/proc/{pid}/mem").open("rb", buffering=0) as file:
        for line in Path(f"/proc/{pid}/maps").read_text("utf-8").splitlines():
            where, rights, *_ = line.split()
            if rights.startswith("rw"):
                start, end = (int(one, 16) for one in where.split("-"))
                file.seek(start)
                yield file.read(end - start)


def test_it_outlives_signals_to_the_group(zygote: Zygote) -> None:
    """What a service manager or Ctrl-C sends is for the worker, which has a mail to end first."""
    (pid,) = zygotes(os.getpid())
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        os.kill(pid, number)
    assert not contain.missing(LIMITS, zygote)


def test_it_ends_with_its_owner() -> None:
    """A worker that is killed leaves no zygote behind."""
    with subprocess.Popen([sys.executable, "-c", OWNER], stdout=subprocess.PIPE) as owner:
        assert owner.stdout
        owner.stdout.readline()
        (pid,) = zygotes(owner.pid)
        owner.kill()
    until(lambda: not alive(pid))


def test_a_dead_one_puts_the_mail_off(zygote: Zygote) -> None:
    """Without it a mail is not given up, but tried later."""
    (pid,) = zygotes(os.getpid())
    os.kill(pid, signal.SIGKILL)
    until(lambda: not zygote.lives())
    with pytest.raises(GoneError):
        zygote.family()
    with pytest.raises(TryLater, match="no process can be started"):
        contain.examine(b"Subject: x\n\n", limits=LIMITS, policy=Policy(), zygote=zygote)


def test_a_dead_one_is_replaced(caplog: pytest.LogCaptureFixture) -> None:
    """Before the next mail there is a new one, and a line about it."""
    jobs.prepare(Settings(threatq=ThreatQ(host="threatq.example")))
    try:
        assert not jobs.revive(LIMITS)
        (pid,) = zygotes(os.getpid())
        os.kill(pid, signal.SIGKILL)
        until(lambda: not alive(pid))
        assert jobs.revive(LIMITS)
        assert not jobs.revive(LIMITS)
        assert "there is a new one" in caplog.text
    finally:
        jobs.end()
    assert not zygotes(os.getpid())


@pytest.mark.parametrize("arguments", [(), ("--jobs-per-fork", "100")])
def test_a_worker_goes_on_after_its_death(crew: Crew, arguments: tuple[str, ...]) -> None:
    """A worker whose zygote was killed does its next mail with a new one."""
    first = crew.give("opens", 1)
    worker = crew.start(*arguments)
    until(lambda: crew.done(first))
    (pid,) = zygotes(worker.pid)
    os.kill(pid, signal.SIGKILL)
    until(lambda: not alive(pid))
    second = crew.give("opens", 2)
    until(lambda: crew.done(second))
    assert crew.mail(second).attempts == 1
    worker.terminate()
    assert worker.wait(120) == 0
