"""The job itself, in a real worker against a real ThreatQ stand-in: once, whatever is killed."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import pytest
import tomlkit
from fixtures.built_mail import mixed, part
from fixtures.workers import SETTINGS, Crew, until
from fixtures.zygote import zygotes

from tqimap_sandbox import arrival
from tqimap_shared import queue
from tqimap_shared.envelope import Envelope, Location


if TYPE_CHECKING:
    from fixtures.threatq import StandIn

pytestmark = pytest.mark.redis

DENY = ["example", "192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24", "2001:db8::/32"]
RAW = next(arrival.MAILS.glob("04*.eml")).read_bytes()  # has an attachment with indicators


@pytest.fixture
def office(crew: Crew, threatq: StandIn) -> Crew:
    """Configure the crew for the stand-in."""
    wanted: dict[str, Any] = {
        "threatq": {
            "host": threatq.url,
            "client_id": threatq.client_id,
            "email": threatq.email,
            "password": threatq.password,
            "ca_file": threatq.ca_file,
        },
        "redis": {"url": crew.url},
        "worker": {"retries": [1, 1], "maintenance": 2, "grace": 1, "lease": 60},
        "policy": {"deny": DENY},
        "files": {"root": str(crew.directory)},
    }
    (crew.directory / "tqimap.toml").write_text(tomlkit.dumps(wanted), "utf-8")
    return crew


def post(office: Crew, raw: bytes = RAW) -> str:
    """Admit and enqueue the mail as a fetcher does; its sha."""
    mail = Envelope.seal(Location("Intelligence Mailbox", "INBOX", 7, 1), raw)
    office.ledger.admit([mail])
    queue.enqueue(office.redis, mail.sha256, SETTINGS.worker)
    return mail.sha256


def test_a_mail_becomes_a_file_with_its_indicators(office: Crew, threatq: StandIn) -> None:
    """The record says what arrived, and that is what is there; the attachment is kept on disk."""
    sha = post(office)
    assert office.start("--burst").wait(60) == 0
    assert office.done(sha), office.output
    counts, attributes = threatq.counts(), office.mail(sha).attributes
    assert counts["files"] == int(attributes["files"]) == 1
    assert counts["indicators"] == int(attributes["indicators"]) > 3
    assert counts["relations"] == int(attributes["relations"]) > 3
    (kept,) = [path for path in (office.directory / "files").rglob("*") if path.is_file()]
    assert kept.stat().st_size > 0
    assert office.ledger.to_flag("Intelligence Mailbox", "INBOX", 7) == [1]


@pytest.mark.parametrize("more", [(), ("--jobs-per-fork", "5")], ids=["fork", "stay"])
def test_a_mail_that_kills_its_parser_is_done(
    office: Crew, threatq: StandIn, monkeypatch: pytest.MonkeyPatch, more: tuple[str, ...]
) -> None:
    """An attachment that kills its parser becomes a file, and what stands beside it is found."""
    monkeypatch.setenv("EVIL", "abort")
    gif = part(b"GIF89a see http://drop.example/", "image/gif", name="a.gif")
    body = b"Content-Type: text/plain\r\n\r\nhxxp://lure[.]example/"
    sha = post(office, mixed(body, gif))
    assert office.start("--burst", *more).wait(60) == 0
    assert office.done(sha), office.output
    values = {one["value"] for one in threatq.api("GET", "indicators?limit=100")["data"]}
    assert {"http://lure.example/", "http://drop.example/"} <= values
    assert threatq.counts()["files"] == 1
    assert office.mail(sha).attempts == 1


def test_a_job_that_comes_twice_has_its_effect_once(office: Crew, threatq: StandIn) -> None:
    """A second job for a done mail does not even log in to ThreatQ."""
    sha = post(office)
    assert office.start("--burst").wait(60) == 0
    before = threatq.counts()
    threatq.forget_journal()
    assert queue.enqueue(office.redis, sha, SETTINGS.worker)
    assert office.start("--burst").wait(60) == 0
    assert threatq.journal() == []
    assert threatq.counts() == before
    assert "nothing to do" in office.output


def test_a_mail_that_threatq_refused_is_completed_by_a_requeue(
    office: Crew, threatq: StandIn
) -> None:
    """It sits among the failed jobs with its raw bytes and the reason, until asked for again."""
    threatq.inject("500", path="/api/indicators")
    sha = post(office)
    office.start()
    until(lambda: office.failed() == [sha], seconds=60)
    assert office.mail(sha).state == "dead"
    assert office.mail(sha).error
    assert office.ledger.raw(sha) == RAW
    threatq.heal()
    assert queue.requeue(office.redis, sha, SETTINGS.worker)
    until(lambda: office.done(sha), seconds=60)
    assert threatq.counts()["files"] == 1


@pytest.mark.parametrize("victim", ["horse", "worker"])
def test_a_kill_in_the_middle_of_an_upload_doubles_nothing(
    office: Crew, threatq: StandIn, victim: str
) -> None:
    """Killed after the upload but before its answer, the mail is done next time with one file."""
    threatq.inject("slow", delay=4, path="/api/attachments", method="POST", count=1)
    sha = post(office)
    worker = office.start()
    until(lambda: intended(office, sha), seconds=60)
    time.sleep(0.5)  # now the file is there, and the answer still on its way
    horse = child(worker.pid, office)
    os.kill(horse if victim == "horse" else worker.pid, signal.SIGKILL)
    if victim == "worker":
        worker.wait()
        office.start()
    until(lambda: office.done(sha), seconds=60)
    assert office.mail(sha).attempts == 2
    assert threatq.counts()["files"] == 1


def intended(office: Crew, sha: str) -> bool:
    """Tell whether an upload is about to happen."""
    values = office.redis.hvals(f"{{tqimap}}:m:{sha}")
    return any(value.startswith(b"intent:") for value in cast("list[bytes]", values))


def child(worker: int, office: Crew) -> int:
    """Return the process that works for *worker*, which has rq's scheduler and a zygote too."""
    children = Path(f"/proc/{worker}/task/{worker}/children").read_text("ascii").split()
    scheduler = office.redis.hget("rq:scheduler:" + scheduler_name(office), "pid")
    (horse,) = {int(pid) for pid in children} - {int(scheduler or 0), *zygotes(worker)}
    return horse


def scheduler_name(office: Crew) -> str:
    """Return the name of the worker whose scheduler runs."""
    name = office.redis.get(f"rq:scheduler-lock:{SETTINGS.worker.queue}")
    assert isinstance(name, bytes)
    return name.decode()
