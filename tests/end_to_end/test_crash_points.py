"""Each point at which a kill could lose or double a mail: what is left there, and what heals it.

The numbers are those of the list in the README. Real programs, real servers; what kills stands in
`fixtures.felled`.
"""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING

import pytest
from fixtures.crash_site import BLIND, RAW
from fixtures.lossy_relay import relaying
from fixtures.site import sample
from fixtures.workers import alive, until

from tqimap_sandbox import redis as sandbox
from tqimap_shared import queue


if TYPE_CHECKING:
    from pathlib import Path

    from fixtures.crash_site import CrashSite
    from fixtures.dovecot import Dovecot
    from fixtures.site import Site
    from fixtures.threatq import StandIn

pytestmark = [pytest.mark.redis, pytest.mark.dovecot]

FETCHER, WORKER = "tqIMAP", "tqimap-worker"
ADMIT = "tqimap_shared.ledger:Ledger.admit"
SEEN = "tqimap_fetcher.mailbox:Session.mark_seen"
FETCHED = "tqimap_fetcher.fetch:_Run.tally"
EXAMINE = "tqimap_processor.contain:examine"
UPSERT = "tqimap_processor.threatq.client:Client.upsert"
UPLOAD = "tqimap_processor.threatq.files:Files.upload"
DONE = "tqimap_shared.lease:Lease.done"


def unread(site: Site) -> int:
    """Count the mails in the mailbox that nobody has marked."""
    return sum(r"\Seen" not in flags for flags in site.dovecot.flags(site.user).values())


def job_of(crash: CrashSite) -> list[str]:
    """List what rq's own queue holds."""
    return list(queue.open_queue(crash.redis, crash.settings.worker).get_job_ids())


def only_open(crash: CrashSite) -> str:
    """Return the one open mail."""
    (sha,) = crash.ledger.unfinished(older=-1)
    return sha


def once(crash: CrashSite) -> None:
    """Assert that the sample mail is in ThreatQ, whole and once, and marked on the mail server."""
    site = crash.site
    assert site.threatq.counts() == {"files": 1, "indicators": 5, "relations": 5}
    assert crash.uploads() == 1


def marked(site: Site) -> None:
    """Assert that the next run tells the mail server what is done."""
    site.fetch()
    assert all({r"\Seen", "$tqimap-done"} <= f for f in site.dovecot.flags(site.user).values())


@pytest.fixture
def posted(crash_site: CrashSite) -> CrashSite:
    """Put the sample mail into the mailbox."""
    crash_site.site.dovecot.append(crash_site.site.user, RAW)
    return crash_site


def test_c1_fetcher_before_it_admits(posted: CrashSite) -> None:
    """The mail is unread and nowhere else; the next run takes it."""
    posted.felled(FETCHER, ADMIT, "before")
    assert unread(posted.site) == 1
    assert posted.ledger.counts().open == 0
    posted.site.fetch()
    posted.heal(only_open(posted))
    once(posted)
    marked(posted.site)


@pytest.mark.parametrize("healer", ["fetcher", "reconciler"])
def test_c2_fetcher_between_admitting_and_enqueueing(posted: CrashSite, healer: str) -> None:
    """The mail is open without a job; the next run gives it one, and so does any worker."""
    posted.felled(FETCHER, ADMIT, "after")
    assert unread(posted.site) == 1
    sha = only_open(posted)
    assert job_of(posted) == []
    if healer == "fetcher":
        posted.site.fetch()
        assert job_of(posted) == [sha]
    posted.heal(sha)
    once(posted)
    marked(posted.site)


def test_c3_fetcher_before_it_marks_as_read(posted: CrashSite) -> None:
    """The job is there and the mail unread: it is fetched again, known, and marked."""
    posted.felled(FETCHER, SEEN, "before")
    assert unread(posted.site) == 1
    sha = only_open(posted)
    posted.site.fetch()
    assert unread(posted.site) == 0
    assert job_of(posted) == [sha]
    posted.heal(sha)
    once(posted)
    marked(posted.site)


def test_c4_fetcher_after_it_marked_as_read(posted: CrashSite) -> None:
    """Nothing is left to do for the fetcher; a worker does the mail."""
    posted.felled(FETCHER, FETCHED, "before")
    assert unread(posted.site) == 0
    posted.heal(only_open(posted))
    once(posted)
    marked(posted.site)


@pytest.mark.parametrize("step", ["admitted", "enqueued"])
def test_c5_an_answer_of_redis_is_lost(posted: CrashSite, step: str) -> None:
    """The connection breaks after the act and before its answer: it is repeated, with no effect."""
    site = posted.site

    def happened() -> bool:
        if step == "admitted":
            return posted.ledger.counts().open == 1
        return bool(list(posted.redis.scan_iter("rq:job:*")))

    port = int(site.redis_url.rpartition(":")[2].partition("/")[0])
    with relaying(port, happened) as (relayed, relay):
        url = f"redis://127.0.0.1:{relayed}/0"
        site.run("tqIMAP", environment={"TQIMAP_REDIS__URL": url})
        assert relay.lost == 1
    assert unread(site) == 0
    sha = only_open(posted)
    assert job_of(posted) == [sha]
    posted.heal(sha)
    once(posted)


def test_c6_redis_killed(site: Site, tmp_path: Path, dovecot: Dovecot, threatq: StandIn) -> None:
    """All that was acknowledged is there again when Redis is."""
    del dovecot, threatq
    port = sandbox.free_port()
    server, url = sandbox.start(tmp_path / "redis", port=port)
    try:
        site.configure(redis={"url": url})
        site.dovecot.append(site.user, RAW, sample("01"))
        site.ready()
        site.fetch()
        server.kill()
        server.wait()
        assert site.tqimap().returncode == 75
        server, _ = sandbox.start(tmp_path / "redis", port=port)
        site.work()
        marked(site)
        assert site.threatq.counts()["files"] == 1
    finally:
        sandbox.stop(server)


def test_c7_worker_that_took_a_job_and_did_not_book_it(crash_site: CrashSite) -> None:
    """The job lies in rq's intermediate list; maintenance gives it back."""
    sha = crash_site.give()
    crash_site.felled(WORKER, "tqimap_processor.mailqueue:MailQueue.dequeue_any", "after")
    taken = queue.open_queue(crash_site.redis, crash_site.settings.worker).intermediate_queue
    assert (taken.get_job_ids(), job_of(crash_site)) == ([sha], [])
    # as if maintenance had first seen it there a while ago
    crash_site.redis.hset(queue.TAKEN, sha, str(int(crash_site.redis.time()[0]) - 60))
    crash_site.heal(sha)
    once(crash_site)


def test_c8_worker_before_it_forks(crash_site: CrashSite) -> None:
    """The job is booked and nobody works on it: the worker's successor takes it up at once."""
    sha = crash_site.give()
    crash_site.felled(WORKER, "tqimap_processor.worker:MailWorker.fork_work_horse", "before")
    started = queue.open_queue(crash_site.redis, crash_site.settings.worker).started_job_registry
    assert started.get_job_ids(cleanup=False) == [sha]
    assert crash_site.mail(sha).attempts == 0
    crash_site.heal(sha)
    assert crash_site.mail(sha).attempts == 1
    once(crash_site)


def test_c9_worker_while_its_horse_works(crash_site: CrashSite) -> None:
    """The horse dies with it and the mail is leased; the successor frees and does it."""
    sha = crash_site.give()
    crash_site.felled(WORKER, EXAMINE, "before", who="program")
    assert crash_site.mail(sha).state == "processing"
    assert crash_site.redis.exists(f"{{tqimap}}:lease:{sha}")
    crash_site.heal(sha)
    assert crash_site.mail(sha).attempts == 2
    once(crash_site)


@pytest.mark.parametrize(
    ("point", "when", "effect", "there"),
    [
        pytest.param(EXAMINE, "before", "", (0, 0), id="c10-parsing"),
        pytest.param(UPSERT, "after", "", (0, 5), id="c11-indicators-sent"),
        pytest.param(UPLOAD, "before", "intent", (0, 5), id="c12-file-intended"),
        pytest.param(UPLOAD, "after", "intent", (1, 5), id="c13-file-sent"),
        pytest.param(DONE, "before", "done", (1, 5), id="c14-all-but-done"),
    ],
)
def test_c10_to_c14_horse_at_each_effect(
    crash_site: CrashSite, point: str, when: str, effect: str, there: tuple[int, int]
) -> None:
    """The worker dies with it, so that what is left can be seen; its successor completes it."""
    sha = crash_site.give()
    crash_site.felled(WORKER, point, when, who="program")
    counts = crash_site.site.threatq.counts()
    assert (counts["files"], counts["indicators"]) == there
    assert crash_site.effect(sha) == effect
    crash_site.heal(sha)
    once(crash_site)


def test_c10_horse_alone(crash_site: CrashSite) -> None:
    """The worker lives on and has the mail tried again."""
    sha = crash_site.give()
    worker = crash_site.fell(WORKER, EXAMINE, "before")
    until(lambda: crash_site.mail(sha).state == "done")
    assert crash_site.mail(sha).attempts == 2
    once(crash_site)
    worker.terminate()
    assert worker.wait(120) == 0


def test_a_worker_without_the_effect_ledger_doubles(crash_site: CrashSite) -> None:
    """The worker of the chaos test's control run fails where the real one does not."""
    sha = crash_site.give()
    crash_site.felled(BLIND, UPLOAD, "after", who="program")
    crash_site.heal(sha, BLIND)
    assert crash_site.site.threatq.counts()["files"] == 2


@pytest.mark.parametrize("kind", ["drop-before", "drop-after"])
def test_c13_the_answer_to_an_upload_is_lost(crash_site: CrashSite, kind: str) -> None:
    """ThreatQ may or may not have the file: it is looked for before it is sent again."""
    crash_site.site.threatq.inject(kind, path="/api/attachments", method="POST", after=1, count=1)
    sha = crash_site.give()
    crash_site.heal(sha)
    assert crash_site.mail(sha).attempts == 2
    assert crash_site.site.threatq.counts()["files"] == 1


def test_c15_horse_after_done(crash_site: CrashSite) -> None:
    """Rq believes the job to be in work; done again it is a no-op."""
    sha = crash_site.give()
    crash_site.felled(WORKER, DONE, "after", who="program")
    assert crash_site.mail(sha).state == "done"
    assert list(crash_site.redis.scan_iter("rq:job:*"))
    crash_site.heal(sha)
    assert "nothing to do" in crash_site.output
    once(crash_site)


@pytest.fixture
def dead(crash_site: CrashSite) -> str:
    """Bring the mail into the failed registry."""
    threatq = crash_site.site.threatq
    threatq.inject("errors", path="/api/indicators")
    sha = crash_site.give()
    assert crash_site.site.run("tqimap-worker", "--burst").returncode == 0
    threatq.heal()
    assert crash_site.mail(sha).state == "dead"
    return sha


def test_c16_requeue_that_stops_half_way(crash_site: CrashSite, dead: str) -> None:
    """Rq's own requeue first forgets the failure; killed then, the job would be in no list."""
    registry = queue.open_queue(crash_site.redis, crash_site.settings.worker).failed_job_registry
    assert crash_site.redis.zrem(registry.key, dead) == 1
    crash_site.heal(dead)
    once(crash_site)


@pytest.mark.parametrize("how", ["delete", "empty"])
def test_c17_jobs_deleted_by_hand(crash_site: CrashSite, how: str) -> None:
    """A job deleted in a dashboard, or a queue emptied, is given a job again."""
    sha = crash_site.give()
    opened = queue.open_queue(crash_site.redis, crash_site.settings.worker)
    if how == "empty":
        opened.empty()  # type: ignore[no-untyped-call]  # rq left it untyped
    else:
        job = opened.fetch_job(sha)
        assert job is not None
        job.delete()
    assert job_of(crash_site) == []
    crash_site.heal(sha)
    once(crash_site)


def test_c18_two_workers_on_one_mail(crash_site: CrashSite) -> None:
    """A process frozen longer than its lease does nothing more when it wakes up."""
    sha = crash_site.give()
    worker = crash_site.fell(WORKER, UPLOAD, "before", number="SIGSTOP")
    horse = crash_site.horse()
    started = queue.open_queue(crash_site.redis, crash_site.settings.worker).started_job_registry
    # what takes a minute: the lease runs out, and rq gives the job to another worker
    crash_site.redis.delete(f"{{tqimap}}:lease:{sha}")
    (member,) = (one.decode() for one in crash_site.redis.zrange(started.key, 0, -1))  # type: ignore[union-attr]  # not asynchronous
    worker.send_signal(signal.SIGSTOP)
    assert queue.give_back(
        crash_site.redis, sha, member.partition(":")[2], crash_site.settings.worker
    )
    crash_site.heal(sha)
    os.kill(horse, signal.SIGCONT)
    worker.send_signal(signal.SIGCONT)
    until(lambda: not alive(horse))
    once(crash_site)
    assert crash_site.mail(sha).attempts == 2


def test_c19_redis_wiped(posted: CrashSite) -> None:
    """Read mails that nothing knows of are taken in again, and nothing doubles in ThreatQ."""
    site = posted.site
    site.fetch()
    site.work()
    site.dovecot.append(site.user, sample("01"))
    site.fetch()
    posted.redis.flushall()
    site.fetch()
    assert posted.ledger.counts().open >= 1
    site.work()
    marked(site)
    assert site.threatq.counts()["files"] == 1
    assert posted.uploads() == 1


def test_c20_uidvalidity_changed(posted: CrashSite) -> None:
    """The server has numbered its mails anew: all are looked at again and known by content."""
    site = posted.site
    site.fetch()
    site.work()
    home = site.dovecot.directory / "mail" / site.user
    for name in ("dovecot-uidlist", "dovecot-uidvalidity*", "dovecot.index*"):
        for path in home.glob(name):
            path.unlink()
    with site.dovecot.client(site.user) as imap:
        imap.store("1:*", "-FLAGS", r"(\Seen $tqimap-done)")
    site.fetch()
    site.work()
    marked(site)
    once(posted)


def test_c21_poison(crash_site: CrashSite) -> None:
    """A mail that kills its horse each time is dead after its attempts, with the reason."""
    sha = crash_site.give()
    crash_site.fell(WORKER, EXAMINE, "before", once=False)
    until(lambda: crash_site.mail(sha).state == "dead")
    assert crash_site.mail(sha).attempts == 3
    assert "ended (signal 9)" in crash_site.mail(sha).error
    assert crash_site.ledger.raw(sha) == RAW


def test_c22_redis_full(posted: CrashSite) -> None:
    """The fetcher leaves mail on the mail server, says so and exits 0; the workers go on."""
    site, redis = posted.site, posted.redis
    sha = posted.give(sample("01"))
    redis.config_set("maxmemory", int(redis.info("memory")["used_memory"] * 1.2))
    try:
        site.fetch()
        assert unread(site) == 1
        posted.heal(sha)
    finally:
        redis.config_set("maxmemory", 0)
    site.fetch()
    posted.heal(only_open(posted))
    assert unread(site) == 0
