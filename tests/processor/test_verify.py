"""`tqimap-admin verify`: whatever is not where it should be is named, and healed when asked to."""

from __future__ import annotations

import hashlib
import json
import time
from typing import TYPE_CHECKING, Any, cast

import pytest
from fixtures.built_mail import mail
from fixtures.office import FOLDER, MAILBOX, UIDVALIDITY, Office, report_mail
from rq.job import Job

from tqimap_processor.threatq import Client
from tqimap_shared import queue, ranges
from tqimap_shared.envelope import Envelope, Location


if TYPE_CHECKING:
    from collections.abc import Callable

    Verify = Callable[..., tuple[int, dict[str, Any]]]

pytestmark = pytest.mark.redis

PREFIX = "{tqimap}:"


@pytest.fixture
def verify(office: Office, capsys: pytest.CaptureFixture[str]) -> Verify:
    """Give a function that runs `verify --json` and returns exit status and report."""

    def run(*arguments: str) -> tuple[int, dict[str, Any]]:
        capsys.readouterr()
        status = office.admin("verify", "--json", *arguments)
        return status, json.loads(capsys.readouterr().out.splitlines()[-1])

    return run


def kinds(report: dict[str, Any]) -> list[tuple[str, str]]:
    """Return kind and subject of each fault."""
    return [(one["kind"], one["subject"]) for one in report["faults"]]


def healed(verify: Verify, fault: tuple[str, str]) -> None:
    """Check that *fault* alone is named, twice; that --heal heals it, and that it is gone then."""
    for _ in range(2):
        status, report = verify()
        assert (status, kinds(report)) == (1, [fault])
    status, report = verify("--heal")
    assert (status, kinds(report)) == (0, [fault])
    assert report["faults"][0]["healed"]
    assert verify()[0] == 0


def test_all_is_well(office: Office, verify: Verify) -> None:
    """Mails that wait, and mails that are done with all their effects, are no faults."""
    office.done(report_mail(1, attachment=b"the notes"))
    office.done(report_mail(2))
    office.admit(report_mail(3))
    office.remember(audited=time.time(), fetched=1.0)
    status, report = verify()
    assert (status, report["faults"], report["well"]) == (0, [], True)
    assert report["complete"]
    assert report["mails"] == {"open": 1, "failed": 0, "done": 2}
    assert report["audits"][0]["folder"] == FOLDER


def test_what_was_broken_off_is_not_well(
    office: Office, verify: Verify, capsys: pytest.CaptureFixture[str]
) -> None:
    """Without ThreatQ half is unknown: that is said, and no fault seen is none found."""
    office.done(report_mail(1))
    office.threatq.inject("502")
    status, report = verify()
    assert (status, report["complete"], report["well"]) == (75, False, False)
    office.admin("verify")
    assert "broken off: not all was compared" in capsys.readouterr().out


def test_a_mail_that_rq_lost_is_enqueued(office: Office, verify: Verify) -> None:
    """Open, past its grace, and in no structure of rq."""
    sha = office.admit(report_mail(1))
    queue.forget(office.redis, sha, office.settings.worker)
    time.sleep(1.1)
    healed(verify, ("no-job", sha))
    assert queue.open_queue(office.redis, office.settings.worker).job_ids == [sha]


def test_a_failed_mail_is_requeued(office: Office, verify: Verify) -> None:
    """It is named with its reason."""
    sha = office.admit(report_mail(1))
    worker = office.settings.worker
    lease = office.ledger.lease(sha, owner="one")
    assert lease is not None
    lease.fail("ThreatQ: refuses the file.", final=True)
    opened = queue.open_queue(office.redis, worker)
    office.redis.lrem(opened.key, 0, sha)
    office.redis.hset(Job.key_for(sha), "status", "failed")
    office.redis.zadd(opened.failed_job_registry.key, {sha: -1})
    status, report = verify()
    assert (status, kinds(report)) == (1, [("failed", sha)])
    assert "refuses the file" in report["faults"][0]["sentence"]
    assert verify("--heal")[0] == 0
    assert opened.job_ids == [sha]
    office.process()
    assert office.mail(sha).state == "done"
    assert verify()[0] == 0


@pytest.mark.parametrize("damage", ["deleted", "spoilt"])
def test_a_mail_without_its_bytes_is_fetched_again(
    office: Office, verify: Verify, damage: str
) -> None:
    """The fetcher is asked to look, and does not know the mail there; then it has its bytes."""
    sha = office.admit(report_mail(1))
    if damage == "deleted":
        office.redis.delete(f"{PREFIX}raw:{sha}")
    else:
        office.redis.set(f"{PREFIX}raw:{sha}", b"rubbish")
        lease = office.ledger.lease(sha, owner="one")
        assert lease is not None
        lease.fail("it is damaged.", final=True)
    status, report = verify("--heal")
    assert (status, kinds(report)) == (0, [("raw-missing", sha)])
    assert office.folders.audit_wanted() > 0
    assert office.folders.shas(MAILBOX, FOLDER, UIDVALIDITY, [1]) == {}
    office.admit(report_mail(1))
    assert office.ledger.raw(sha) == report_mail(1)


def test_bytes_that_no_mailbox_has_cannot_be_healed(office: Office, verify: Verify) -> None:
    """When no place is known either, --heal says so and the exit status stays 1."""
    sha = office.admit(report_mail(1))
    office.redis.delete(f"{PREFIX}raw:{sha}", f"{PREFIX}at:{sha}")
    status, report = verify("--heal")
    assert status == 1
    assert "nobody knows" in report["faults"][0]["why_not"]


def test_jobs_of_nobody_are_deleted(office: Office, verify: Verify) -> None:
    """A job for a mail that the ledger does not know does nothing for ever."""
    sha = hashlib.sha256(b"nobody's").hexdigest()
    queue.enqueue(office.redis, sha, office.settings.worker)
    healed(verify, ("no-record", sha))
    assert not office.redis.exists(Job.key_for(sha))


def test_a_done_mail_among_the_failed_jobs_is_cleared(office: Office, verify: Verify) -> None:
    """It happens that rq calls a job failed whose mail is done."""
    sha = office.done(report_mail(1))
    queue.enqueue(office.redis, sha, office.settings.worker)
    opened = queue.open_queue(office.redis, office.settings.worker)
    office.redis.lrem(opened.key, 0, sha)
    office.redis.zadd(opened.failed_job_registry.key, {sha: -1})
    healed(verify, ("stray-job", sha))


def test_an_open_entry_without_a_record_is_cleared(office: Office, verify: Verify) -> None:
    """Its places are known still, so the fetcher is asked for it."""
    sha = office.admit(report_mail(1))
    queue.forget(office.redis, sha, office.settings.worker)
    office.redis.delete(f"{PREFIX}m:{sha}")
    healed(verify, ("no-record", sha))
    assert office.ledger.counts().open == 0
    assert office.folders.audit_wanted() > 0


def test_a_lease_without_a_worker_is_freed(office: Office, verify: Verify) -> None:
    """The mail need not wait for the lease's end, and is tried again."""
    sha = office.admit(report_mail(1))
    assert office.ledger.lease(sha, owner="long-gone") is not None
    healed(verify, ("no-worker", sha))
    assert office.mail(sha).state == "stored"


def test_a_deleted_file_is_uploaded_again(office: Office, verify: Verify) -> None:
    """The recorded effect is cleared and the mail processed again: one File, all relations."""
    sha = office.done(report_mail(1, attachment=b"the notes"))
    before = office.threatq.counts()
    (number,) = office.mail(sha).effects.values()
    office.threatq.api("DELETE", f"attachments/{number}")
    healed(verify, ("file-missing", sha))
    office.process()
    assert office.threatq.counts() == before
    assert office.mail(sha).state == "done"
    assert list(office.mail(sha).effects.values()) != [number]
    assert verify()[0] == 0


def test_a_deleted_indicator_is_uploaded_again(office: Office, verify: Verify) -> None:
    """Also of a mail that has no File."""
    sha = office.done(report_mail(1))
    before = office.threatq.counts()
    (found,) = office.threatq.api("GET", "indicators?value=evil-1.badplace.net")["data"]
    office.threatq.api("DELETE", f"indicators/{found['id']}")
    healed(verify, ("indicators-missing", sha))
    office.process()
    assert office.threatq.counts() == before
    assert verify()[0] == 0


def test_many_indicators_are_compared_by_listing_them(office: Office, verify: Verify) -> None:
    """A missing one among many is found with few calls, and no other is blamed."""
    names = [f"evil-{number}.badplace.net" for number in range(60)]
    shas = [
        office.done(mail("\r\n".join(names[some : some + 20]).encode()), some)
        for some in (0, 20, 40)
    ]
    (found,) = office.threatq.api("GET", "indicators?value=evil-33.badplace.net")["data"]
    office.threatq.api("DELETE", f"indicators/{found['id']}")
    office.threatq.forget_journal()
    assert kinds(verify("--quick")[1]) == [("indicators-missing", shas[1])]
    assert len(office.threatq.journal("/api/indicators")) < 5


def test_what_cannot_be_processed_again_stays_a_fault(office: Office, verify: Verify) -> None:
    """Without raw bytes --heal says why not, and changes nothing."""
    sha = office.done(report_mail(1, attachment=b"the notes"))
    effects = office.mail(sha).effects
    office.threatq.api("DELETE", f"attachments/{next(iter(effects.values()))}")
    office.redis.delete(f"{PREFIX}raw:{sha}")
    status, report = verify("--heal")
    assert status == 1
    assert "kept no more" in report["faults"][0]["why_not"]
    assert office.mail(sha).effects == effects


def test_a_deleted_relation_is_made_again(office: Office, verify: Verify) -> None:
    """The mail is read again: what it holds and ThreatQ does not is named, and added."""
    sha = office.done(report_mail(1, attachment=b"See evil-7.badplace.net, all of you."))
    before = office.threatq.counts()
    ((effect, number),) = office.mail(sha).effects.items()
    related = office.threatq.api("GET", f"attachments/{number}/indicators")["data"]
    (gone,) = [one for one in related if one["value"] == "evil-7.badplace.net"]
    path = f"attachments/{number}/indicators"
    office.threatq.api("DELETE", path, [gone["pivot"]["id"]])
    assert verify("--quick")[0] == 0
    healed(verify, ("relations-missing", sha))
    office.process()
    assert office.threatq.counts() == before
    assert office.mail(sha).effects == {effect: number}
    assert verify()[0] == 0


def test_what_a_mail_lacks_is_named(office: Office, verify: Verify) -> None:
    """An indicator and a File that no attempt brought, since a new version sees more in a mail."""
    sha = office.done(report_mail(1, attachment=b"the notes"))
    before = office.threatq.counts()
    ((effect, number),) = office.mail(sha).effects.items()
    (found,) = office.threatq.api("GET", "indicators?value=evil-1.badplace.net")["data"]
    office.threatq.api("DELETE", f"indicators/{found['id']}")
    office.threatq.api("DELETE", f"attachments/{number}")
    left = ranges.split(office.mail(sha).attributes["ids"]) - {found["id"]}
    office.redis.hset(f"{PREFIX}m:{sha}", "a:ids", ranges.join(left))
    office.records.amend(sha, effect, was=number)
    status, report = verify("--heal")
    assert (status, kinds(report)) == (0, [("indicators-missing", sha), ("files-missing", sha)])
    assert "FQDN evil-1.badplace.net" in report["faults"][0]["sentence"]
    assert "notes.txt" in report["faults"][1]["sentence"]
    office.process()
    assert office.threatq.counts() == before
    assert verify()[0] == 0


def test_what_threatq_refused_is_not_named_again(office: Office, verify: Verify) -> None:
    """It was said when the mail was done; nothing that verify could do would bring it there."""
    # all five together, then the first two, then the first of them alone
    office.threatq.inject("errors", path="/api/indicators/consume", count=3)
    sha = office.done(report_mail(1))
    assert office.threatq.counts()["indicators"] == 4
    assert verify()[0] == 0
    office.redis.hdel(f"{PREFIX}m:{sha}", "a:refused")
    assert kinds(verify()[1]) == [("indicators-missing", sha)]


def twin(office: Office, sha: str, source: str = "") -> tuple[int, int]:
    """Upload a mail's File once more, as if the look-up had missed it; older and younger id."""
    number = next(iter(office.mail(sha).effects.values()))
    old = office.threatq.api("GET", f"attachments/{number}?with=type")["data"]
    with Client.open(office.settings.threatq) as client:
        fields = {
            "resumableIdentifier": "again",
            "resumableFilename": old["name"],
            "resumableTotalChunks": "1",
            "resumableChunkNumber": "1",
        }
        client.session.upload("attachments/upload", fields, b"the notes")
        record = {"name": old["name"], "type": "Spearphish Attachment"}
        sources = [{"name": source or office.settings.threatq.source}]
        (made,) = client.session.post("attachments", json={**record, "sources": sources})
    return int(number), int(made["id"])


def test_a_younger_twin_is_merged_into_the_older_file(office: Office, verify: Verify) -> None:
    """Its relations, tags, comments and attributes move, the ledger follows, and it is deleted."""
    sha = office.done(report_mail(1, attachment=b"the notes"))
    older, younger = twin(office, sha)
    api = office.threatq.api
    own = api("POST", "adversaries", {"name": "APT 99"})["data"]
    api("POST", f"attachments/{younger}/adversaries", [{"id": own["id"]}])
    api("POST", f"attachments/{younger}/tags", [{"name": "seen"}])
    api("POST", f"attachments/{younger}/comments", {"value": "look here"})
    api("POST", f"attachments/{younger}/attributes", [{"name": "Case", "value": "4711"}])
    other = office.done(report_mail(2, attachment=b"the notes"), 2)
    effect = next(iter(office.mail(other).effects))
    office.records.amend(other, effect, was=str(older), now=str(younger))
    brought = [{"id": one} for one in ranges.split(office.mail(other).attributes["ids"])]
    api("POST", f"attachments/{younger}/indicators", brought)
    healed(verify, ("twin", f"File {younger}"))
    assert office.threatq.counts()["files"] == 1
    assert office.mail(other).effects[effect] == str(older)
    assert [one["name"] for one in api("GET", f"attachments/{older}/adversaries")["data"]]
    assert [one["name"] for one in api("GET", f"attachments/{older}/tags")["data"]] == ["seen"]
    (comment,) = api("GET", f"attachments/{older}/comments")["data"]
    assert comment["value"] == "look here"
    attributes = api("GET", f"attachments/{older}/attributes")["data"]
    assert ("Case", "4711") in {(one["name"], one["value"]) for one in attributes}


def test_a_file_that_somebody_else_uploaded_is_no_twin(office: Office, verify: Verify) -> None:
    """Only what has our source is ever deleted, whatever its name and content."""
    sha = office.done(report_mail(1, attachment=b"the notes"))
    twin(office, sha, "An analyst")
    assert verify("--heal")[0] == 0
    assert office.threatq.counts()["files"] == 2


def test_mails_that_an_audit_left_are_named(office: Office, verify: Verify) -> None:
    """Read, not done, unknown: --heal has the fetcher look again."""
    office.remember(left="4")
    status, report = verify("--heal")
    assert (status, kinds(report)) == (0, [("read-unknown", f"{MAILBOX}/{FOLDER} UID 4")])
    assert office.folders.audit_wanted() > 0


def test_a_mailbox_that_is_fetched_no_more_can_be_forgotten(
    office: Office, verify: Verify, capsys: pytest.CaptureFixture[str]
) -> None:
    """Its faults would be named for ever; one that never was is refused."""
    folder = office.remember(left="4")
    office.folders.count_missing(folder.place, [5], forget=[])
    assert office.admin("verify", "--forget", "another") == 65
    assert office.admin("verify", "--forget", MAILBOX) == 0
    assert "1 folder forgotten" in capsys.readouterr().out
    assert verify()[0] == 0
    assert not office.redis.keys(f"{PREFIX}missing:*")


def test_mails_that_the_server_never_gives_are_named(office: Office, verify: Verify) -> None:
    """Nothing can be done about them from here."""
    folder = office.remember()
    for _ in range(5):
        office.folders.count_missing(folder.place, [9], forget=[])
    status, report = verify("--heal")
    assert (status, kinds(report)) == (1, [("never-given", f"{MAILBOX}/{FOLDER} UID 9")])


def test_a_done_mail_that_a_run_did_not_mark_is_named(office: Office, verify: Verify) -> None:
    """Not before a run has begun since: then it is the next one's work."""
    sha = office.done(report_mail(1), uid=3)
    office.remember(fetched=office.mail(sha).done_at - 1)
    assert verify()[0] == 0
    office.remember(fetched=office.mail(sha).done_at + 1)
    status, report = verify("--heal")
    assert (status, kinds(report)) == (0, [("done-unmarked", f"{MAILBOX}/{FOLDER} UID 3")])


def test_marks_for_an_old_uidvalidity_are_dropped(office: Office, verify: Verify) -> None:
    """Nobody can set them any more; the fetcher looks at the mails where they are now."""
    office.done(report_mail(1))
    office.remember(uidvalidity=8)
    healed(verify, ("done-unmarked", f"{MAILBOX}/{FOLDER} UIDVALIDITY 7"))
    assert office.records.untold() == []


def test_people_read_it_as_lines(office: Office, capsys: pytest.CaptureFixture[str]) -> None:
    """Short sha, what is wrong, what was done, and a sum."""
    sha = hashlib.sha256(b"nobody's").hexdigest()
    queue.enqueue(office.redis, sha, office.settings.worker)
    assert office.admin("verify", "--heal") == 0
    shown = capsys.readouterr().out
    assert f"{sha[:12]}: is queued in rq, and not in the ledger; the job is deleted" in shown
    assert "0 open, 0 done: 0 faults, 1 healed" in shown


def test_what_was_found_is_told_although_threatq_is_away(
    office: Office, capsys: pytest.CaptureFixture[str]
) -> None:
    """The rest of the report comes, and the exit status is that of a server away."""
    sha = office.done(report_mail(1))
    queue.enqueue(office.redis, hashlib.sha256(b"nobody's").hexdigest(), office.settings.worker)
    office.threatq.inject("500", path="/api/")
    try:
        assert office.admin("verify", "--json") == 75
    finally:
        office.threatq.heal()
    report = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert [one["kind"] for one in report["faults"]] == ["no-record"]
    assert report["well"] is False
    assert office.mail(sha).state == "done"


def test_reopening_twice_is_as_once(office: Office) -> None:
    """A lost answer is asked for again: sums, sets and record are the same."""
    sha = office.done(report_mail(1, attachment=b"the notes"))
    assert office.records.reopen(sha) == "ok"
    before = office.ledger.counts(), office.mail(sha)
    assert office.records.reopen(sha) == "open"
    assert (office.ledger.counts(), office.mail(sha)) == before
    assert before[0].open == 1
    assert before[0].kept_bytes == 0
    assert before[0].bytes > 0
    queue.enqueue(office.redis, sha, office.settings.worker)
    office.process()
    counts = office.ledger.counts()
    assert (counts.open, counts.bytes, counts.done, counts.kept) == (0, 0, 1, 1)


def test_an_effect_is_amended_only_as_it_was_seen(office: Office) -> None:
    """Somebody who has recorded another id meanwhile keeps it."""
    sha = Envelope.seal(Location(MAILBOX, FOLDER, UIDVALIDITY, 1), b"a mail").sha256
    office.admit(b"a mail")
    lease = office.ledger.lease(sha, owner="one")
    assert lease is not None
    lease.record("file:x", "5")
    assert not office.records.amend(sha, "file:x", was="4", now="6")
    for _ in range(2):
        assert office.records.amend(sha, "file:x", was="5", now="3")
    for _ in range(2):
        assert office.records.amend(sha, "file:x", was="3")
    assert cast("bytes | None", office.redis.hget(f"{PREFIX}m:{sha}", "fx:file:x")) is None


def test_status_names_what_does_not_come(
    office: Office, capsys: pytest.CaptureFixture[str]
) -> None:
    """Mails that are quarantined, and mailboxes whose servers asked to be left alone."""
    folder = office.remember()
    for _ in range(5):
        office.folders.count_missing(folder.place, [9], forget=[])
    office.folders.hold_off("Second: mailbox", 60)
    assert office.admin("status", "--json") == 0
    found = json.loads(capsys.readouterr().out)
    assert [(one["uid"], one["runs"]) for one in found["quarantined"]] == [(9, 5)]
    assert list(found["throttled"]) == ["Second: mailbox"]
    assert office.admin("status") == 0
    shown = capsys.readouterr().out
    assert f"{MAILBOX}/{FOLDER} UID 9 quarantined" in shown
    assert "Second: mailbox is left alone until 20" in shown
