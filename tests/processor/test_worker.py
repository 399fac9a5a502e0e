"""The worker: whatever is killed, each mail ends done or dead, once."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from fixtures.workers import SETTINGS, Crew, alive, build, until
from rq import Callback

from tqimap_processor import admin, cli
from tqimap_processor.slot import Slot
from tqimap_processor.worker import MONITORING, WORKER_TTL, MailWorker
from tqimap_sandbox import redis as sandbox
from tqimap_shared import queue, store
from tqimap_shared.settings import Redis as RedisSettings
from tqimap_shared.settings import Worker


if TYPE_CHECKING:
    import subprocess

    import redis as client


pytestmark = pytest.mark.redis

ROOT = Path(__file__).parents[2]
ABANDONED = 60  # seconds that rq adds to the interval of heartbeats


def end(process: subprocess.Popen[bytes]) -> int:
    """Ask a worker to end; its exit status."""
    process.send_signal(signal.SIGTERM)
    return process.wait(120)


def test_a_burst_works_the_queue_off_and_ends(crew: Crew) -> None:
    """With --burst a worker does all there is and exits with 0."""
    shas = [crew.give("well", n) for n in range(3)]
    assert crew.start("--burst").wait(120) == 0
    assert crew.done(*shas)
    assert crew.failed() == []
    assert list(crew.redis.scan_iter("rq:job:*")) == []


def test_workers_share_one_queue(crew: Crew) -> None:
    """Two workers of one host take different names and share the mails, each done once."""
    shas = [crew.give("well", n) for n in range(12)]
    first, second = crew.start(), crew.start()
    until(lambda: crew.done(*shas))
    owners = {crew.mail(sha).attributes["owner"] for sha in shas}
    assert len(owners) == 2
    assert all(crew.mail(sha).attempts == 1 for sha in shas)
    assert (end(first), end(second)) == (0, 0)


def test_a_killed_horse_costs_one_attempt(crew: Crew) -> None:
    """The process that works on a mail is killed: the mail is tried again and done."""
    sha = crew.give("stuck")
    worker = crew.start()
    os.kill(crew.pid(sha), signal.SIGKILL)
    until(lambda: crew.done(sha))
    assert crew.mail(sha).attempts == 2
    assert "ended (signal 9)" in crew.output
    assert end(worker) == 0


def test_a_killed_worker_takes_its_horse_along_and_its_successor_goes_on(crew: Crew) -> None:
    """No horse works on unwatched; the worker started next takes the mail up at once."""
    sha = crew.give("stuck")
    worker = crew.start()
    horse = crew.pid(sha)
    worker.kill()
    worker.wait()
    until(lambda: not alive(horse))
    successor = crew.start()
    until(lambda: crew.done(sha))
    assert crew.mail(sha).attempts == 2
    assert end(successor) == 0


def test_a_killed_workers_mail_goes_to_another_worker_in_time(crew: Crew) -> None:
    """Within 100 s where nobody starts it again; here that time is not waited for but skipped."""
    defaults = Worker()
    assert MONITORING + ABANDONED + defaults.maintenance <= 100
    assert defaults.lease <= 100
    sha = crew.give("stuck")
    worker = crew.start("--name", "one")
    crew.pid(sha)
    worker.kill()
    worker.wait()
    started = queue.open_queue(crew.redis, SETTINGS.worker).started_job_registry.key
    booked: Any = crew.redis.zrange(started, 0, -1, withscores=True)
    ((member, until_then),) = booked
    assert until_then - time.time() <= MONITORING + ABANDONED
    crew.redis.zadd(started, {member: 1})
    crew.redis.delete(f"{{tqimap}}:lease:{sha}")
    crew.start("--name", "two")
    until(lambda: crew.done(sha))
    assert crew.mail(sha).attempts == 2


def test_a_killed_workers_scheduler_is_replaced_at_once(crew: Crew) -> None:
    """Retries do not wait for the lock of a scheduler that was killed with its worker."""
    worker = crew.start()
    key = f"rq:scheduler-lock:{SETTINGS.worker.queue}"
    until(lambda: crew.redis.exists(key))
    worker.kill()
    worker.wait()
    sha = crew.give("away")
    crew.start()
    until(lambda: crew.failed() == [sha])


def test_a_heartbeat_holds_for_seconds(
    redis: client.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From mail to mail the last is enough; when it is older, or another time is asked for, not."""

    def left(timeout: int | None = None) -> int:
        redis.hset(beating.key, "state", "idle")
        redis.expire(beating.key, 1)
        beating.heartbeat(timeout)
        return redis.ttl(beating.key)

    beating = MailWorker(redis, SETTINGS, Slot("one", own=True))
    assert left() > WORKER_TTL
    assert left() <= 1
    assert 7 < left(10) <= 10
    monkeypatch.setattr("tqimap_processor.worker.BEAT", 0.0)
    assert left() > WORKER_TTL


def test_poison_ends_failed_and_holds_nobody_up(crew: Crew) -> None:
    """A mail that kills its process each time is dead in the end; the mail behind it is done."""
    poison, other = crew.give("poison", 1), crew.give("well", 2)
    crew.start()
    until(lambda: crew.done(other))
    until(lambda: crew.failed() == [poison])
    found = crew.mail(poison)
    assert (found.state, found.attempts) == ("dead", 3)
    assert "ended (signal 9)" in found.error
    assert crew.ledger.raw(poison)


def test_never_fails_at_once_and_with_its_reason(crew: Crew) -> None:
    """What cannot work is in the FailedJobRegistry after one attempt, with the sentence."""
    sha = crew.give("refused")
    crew.start()
    until(lambda: crew.failed() == [sha])
    assert (crew.mail(sha).state, crew.mail(sha).attempts) == ("dead", 1)
    job = queue.open_queue(crew.redis, SETTINGS.worker).fetch_job(sha)
    assert job is not None
    result = job.latest_result()
    assert result is not None
    assert "ThreatQ: refuses the file." in str(result.exc_string)


def test_try_later_uses_its_attempts_up_and_a_requeue_gives_them_again(crew: Crew) -> None:
    """The dashboard's requeue, which knows nothing of us, gives a mail all its attempts."""
    sha = crew.give("away")
    crew.start()
    until(lambda: crew.failed() == [sha])
    assert (crew.mail(sha).state, crew.mail(sha).attempts) == ("dead", 3)
    queue.open_queue(crew.redis, SETTINGS.worker).failed_job_registry.requeue(sha)
    until(lambda: crew.mail(sha).attempts == 2)
    until(lambda: crew.failed() == [sha])
    assert crew.mail(sha).attempts == 3


def test_sigterm_ends_the_mail_in_hand_first(crew: Crew) -> None:
    """A worker told to end finishes what it has begun, even if its horse is told too."""
    sha = crew.give("slow")
    worker = crew.start()
    os.kill(crew.pid(sha), signal.SIGTERM)
    assert end(worker) == 0
    assert crew.done(sha)
    assert crew.mail(sha).attempts == 1


def test_an_idle_worker_ends_within_seconds(crew: Crew) -> None:
    """SIGTERM between two mails is heeded; until then it listens on exactly one queue."""
    worker = crew.start("--name", "one", "-v", "3")
    until(lambda: "Listening" in crew.output)
    assert crew.redis.hget("rq:worker:one", "queues") == SETTINGS.worker.queue.encode()
    assert end(worker) == 0


def test_a_name_is_had_once(crew: Crew) -> None:
    """A second worker of the same name on this host is refused with one clear line."""
    crew.start("--name", "one", "-v", "3")
    until(lambda: "Listening" in crew.output)
    assert crew.start("--name", "one").wait(120) == 78
    assert "tqimap-worker: --name one: a worker of this name is running" in crew.output


@pytest.mark.parametrize(("function", "seconds"), [("slow", 0), ("stuck", 30)])
def test_redis_may_be_killed_under_a_worker(tmp_path: Path, function: str, seconds: float) -> None:
    """Redis is away while a mail is in work: the worker survives and the mail is done."""
    data = tmp_path / "redis"
    port = sandbox.free_port()
    server, url = sandbox.start(data, port=port)
    client = store.connect(RedisSettings(url=url))
    crew = build(tmp_path, url, client)
    try:
        sha = crew.give(function)
        worker = crew.start()
        horse = crew.pid(sha)
        server.kill()
        server.wait()
        if function == "stuck":
            os.kill(horse, signal.SIGKILL)
        time.sleep(seconds)
        server, _ = sandbox.start(data, port=port)
        until(lambda: crew.done(sha))
        another = crew.give("well", 2)
        until(lambda: crew.done(another))
        assert worker.poll() is None
        assert end(worker) == 0
    finally:
        crew.stop()
        sandbox.stop(server)


def test_a_redis_that_takes_no_writes_is_waited_for(crew: Crew) -> None:
    """A full one, and a replica as the old master is after a fail-over; then the mail is done."""
    sha = crew.give("well")
    crew.redis.config_set("maxmemory", 1)
    try:
        worker = crew.start()
        until(lambda: "has reached its maxmemory" in crew.output)
        assert crew.start("--burst").wait(120) == 75
    finally:
        crew.redis.config_set("maxmemory", 0)
    until(lambda: crew.done(sha))
    assert "Traceback" not in crew.output
    crew.redis.replicaof("127.0.0.1", "1")
    try:
        until(lambda: "takes no writes" in crew.output)
    finally:
        crew.redis.replicaof("NO", "ONE")
    another = crew.give("well", 2)
    until(lambda: crew.done(another))
    assert end(worker) == 0


def test_the_log_has_no_secret_and_no_traceback(crew: Crew) -> None:
    """A failure is one line: what failed, of which mail and mailbox, and when it goes on."""
    sha = crew.give("away")
    crew.start()
    until(lambda: crew.failed() == [sha])
    assert "secret-password" not in crew.output
    assert "Traceback" not in crew.output
    lines = [line for line in crew.output.splitlines() if sha[:12] in line and "failed" in line]
    assert [line.partition(": ")[2] for line in lines] == [
        f"{sha[:12]}: Intelligence Mailbox: attempt 1 failed, next in 1 s: ThreatQ: is away.",
        f"{sha[:12]}: Intelligence Mailbox: attempt 2 failed, next in 1 s: ThreatQ: is away.",
        f"{sha[:12]}: Intelligence Mailbox: attempt 3 failed for good: ThreatQ: is away.",
    ]


def test_a_job_that_asks_for_another_function_is_refused(crew: Crew) -> None:
    """Who can write to Redis cannot run code here, neither as a function nor as a callback."""
    trace = crew.directory / "executed"
    for number, (function, callback) in enumerate([("os.mkdir", None), (None, "os.mkdir")]):
        opened = queue.open_queue(crew.redis, SETTINGS.worker)
        opened.enqueue(
            function or "fixtures.works.well",
            args=[str(trace)],
            job_id=f"{number:064}",
            on_success=Callback(callback) if callback else None,
            on_failure=Callback(callback) if callback else None,
        )
    assert crew.start("--burst").wait(120) == 0
    assert crew.failed() == ["0" * 64]
    assert not trace.exists()
    assert "Traceback" not in crew.output
    assert "callback" not in crew.output


def test_the_access_list_for_operators_is_wide_enough(crew: Crew, redis_url: str) -> None:
    """The Redis user of deploy/redis.conf can do all that tqimap needs, and no more commands."""
    conf = (ROOT / "deploy" / "redis.conf").read_text("utf-8")
    (line,) = [one for one in conf.splitlines() if one.startswith("#   user tqimap on")]
    rules = [word for word in line.split()[4:] if word[0] in "~&+-"]
    crew.redis.execute_command("ACL", "SETUSER", "tqimap", "on", ">word", *rules)  # type: ignore[no-untyped-call]
    try:
        build(crew.directory, redis_url.replace("//", "//tqimap:word@"), crew.redis)
        done, failed = crew.give("well", 1), crew.give("refused", 2)
        assert crew.start("--burst").wait(120) == 0
        assert crew.done(done)
        assert crew.failed() == [failed]
        arguments = ["-c", str(crew.directory)]
        assert admin.main(["status", *arguments]) == 0
        assert admin.main(["requeue", *arguments, "--all"]) == 0
        assert "permission" not in crew.output
    finally:
        crew.redis.acl_deluser("tqimap")


def test_a_horse_that_stays_works_on_many_mails(crew: Crew) -> None:
    """With --jobs-per-fork 3 seven mails take three processes, and all are done."""
    shas = [crew.give("process", n) for n in range(7)]
    assert crew.start("--burst", "--jobs-per-fork", "3").wait(120) == 0
    pids = [crew.mail(sha).attributes["pid"] for sha in shas]
    assert [pids.count(pid) for pid in dict.fromkeys(pids)] == [3, 3, 1]


def test_a_horse_that_stays_is_let_go_beside_a_scheduler_started_after_it(crew: Crew) -> None:
    """A burst that lasts longer than the interval of maintenance ends all the same."""
    shas = [crew.give("well", n) for n in range(30)]
    assert crew.start("--burst", "--jobs-per-fork", "100").wait(120) == 0
    assert crew.done(*shas)


def test_a_horse_that_stays_dies_alone(crew: Crew) -> None:
    """A mail that kills it costs one attempt of its own; the mails behind it are done."""
    first, poison, other = crew.give("process", 1), crew.give("poison", 2), crew.give("process", 3)
    worker = crew.start("--jobs-per-fork", "100")
    until(lambda: crew.done(first, other))
    until(lambda: crew.failed() == [poison])
    assert crew.mail(poison).attempts == 3
    late = crew.give("stuck", 4)
    os.kill(crew.pid(late), signal.SIGKILL)
    until(lambda: crew.done(late))
    assert end(worker) == 0


def test_a_horse_killed_between_two_mails_is_replaced(crew: Crew) -> None:
    """It costs the next mail no attempt."""
    first = crew.give("process", 1)
    worker = crew.start("--jobs-per-fork", "100")
    until(lambda: crew.done(first))
    horse = int(crew.mail(first).attributes["pid"])
    os.kill(horse, signal.SIGKILL)
    until(lambda: not alive(horse))
    second = crew.give("process", 2)
    until(lambda: crew.done(second))
    assert crew.mail(second).attempts == 1
    assert "unhandled" not in crew.output
    assert end(worker) == 0


def test_a_horse_that_stays_dies_with_its_worker(crew: Crew) -> None:
    """Nothing works on unwatched, and the successor takes the mail up at once."""
    sha = crew.give("stuck")
    worker = crew.start("--jobs-per-fork", "100")
    horse = crew.pid(sha)
    worker.kill()
    worker.wait()
    until(lambda: not alive(horse))
    crew.start("--jobs-per-fork", "100")
    until(lambda: crew.done(sha))


def test_a_horse_that_stays_is_watched(crew: Crew) -> None:
    """A mail that takes longer than its time-out fails, and its horse goes on with the next."""
    sha, other = crew.give("sleepy", 1), crew.give("process", 2)
    worker = crew.start("--jobs-per-fork", "100")
    until(lambda: crew.failed() == [sha])
    assert "longer than worker.job_timeout" in crew.mail(sha).error
    assert crew.done(other)
    assert end(worker) == 0


@pytest.mark.parametrize("number", ["0", "-1", "many"])
def test_jobs_per_fork_is_a_number(capsys: pytest.CaptureFixture[str], number: str) -> None:
    """Anything else is a wrong command line."""
    with pytest.raises(SystemExit) as caught:
        cli.main(["--jobs-per-fork", number])
    assert caught.value.code == 2
    assert "a number from 1 on" in capsys.readouterr().err
