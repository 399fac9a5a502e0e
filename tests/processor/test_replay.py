"""`tqimap-admin replay`: which mails are meant, what it would change, and that it adds no more."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from fixtures.office import Office, report_mail

from tqimap_processor.remembered import remembered
from tqimap_processor.report import Message
from tqimap_processor.selection import Query
from tqimap_shared.ledger import Mail


if TYPE_CHECKING:
    from collections.abc import Callable

    Replay = Callable[..., list[dict[str, Any]]]

redis = pytest.mark.redis

TODAY = datetime.now(UTC).date()


@pytest.fixture
def replay(office: Office, capsys: pytest.CaptureFixture[str]) -> Replay:
    """Give a function that runs `replay --json`, which must succeed, and returns its lines."""

    def run(*arguments: str) -> list[dict[str, Any]]:
        capsys.readouterr()
        assert office.admin("replay", "--json", *arguments) == 0
        return [json.loads(line) for line in capsys.readouterr().out.splitlines()]

    return run


def snapshot(office: Office) -> str:
    """Return everything that the threat library holds, as text."""
    ask = office.threatq.api
    related = [
        ask("GET", f"attachments/{one['id']}/indicators")
        for one in ask("GET", "attachments").get("data", [])
    ]
    held = [
        ask("GET", f"{kind}?limit=1000&with=attributes,sources")
        for kind in ("indicators", "attachments")
    ]
    return json.dumps([held, related])


@redis
@pytest.mark.parametrize(
    "words",
    [
        ("--message-id", "<1@sender-house.com>"),
        ("--message-id", "1@sender-house.com"),
        ("--from", "ANN@sender-house.com"),
        ("--from", "sender-house.com"),
        ("--since", "2026-03-02", "--until", "2026-03-02"),
        ("--since", str(TODAY)),
    ],
)
def test_mails_are_found_by_what_they_say(office: Office, replay: Replay, words: list[str]) -> None:
    """By Message-ID, sender, and days: open ones as well as done ones."""
    shas = {office.done(report_mail(1)), office.admit(report_mail(2), 2)}
    assert {one["sha256"] for one in replay(*words, "--dry-run")} == shas


@redis
@pytest.mark.parametrize(
    "words",
    [
        ("--message-id", "<2@sender-house.com>"),
        ("--from", "house.com"),
        ("--until", "2026-03-01"),
        ("--since", str(TODAY + timedelta(days=1))),
        ("--from", "sender-house.com", "--message-id", "other"),
    ],
)
def test_mails_that_do_not_fit_are_left(office: Office, replay: Replay, words: list[str]) -> None:
    """All that is asked for must be so."""
    office.done(report_mail(1))
    office.admit(report_mail(2), 2)
    assert replay(*words, "--dry-run") == []


@redis
def test_beginnings_of_shas_name_mails(office: Office, replay: Replay) -> None:
    """Of open and of done ones; one that names none is an error."""
    sha = office.done(report_mail(1))
    office.done(report_mail(2), 2)
    assert [one["sha256"] for one in replay(sha[:10].upper(), "--dry-run")] == [sha]
    assert office.admin("replay", "0000000000") == 65
    assert office.admin("replay", "xyz") == 65


@redis
def test_something_must_be_asked_for(office: Office, capsys: pytest.CaptureFixture[str]) -> None:
    """Without any word nothing is replayed, rather than everything."""
    office.done(report_mail(1))
    with pytest.raises(SystemExit, match="2"):
        office.admin("replay")
    assert "say which mails" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        office.admin("replay", "--since", "yesterday")


@redis
def test_a_dry_run_says_what_is_new_there_and_changed(office: Office, replay: Replay) -> None:
    """Against a library in which one indicator is gone, one has another status, and no File is."""
    raw = report_mail(1, attachment=b"the notes")
    sha = office.done(raw)
    api = office.threatq.api
    found = {one["value"]: one["id"] for one in api("GET", "indicators?limit=100")["data"]}
    api("DELETE", f"indicators/{found['evil-1.badplace.net']}")
    api("PUT", f"indicators/{found['45.155.205.233']}", {"status": "Indirect"})
    (file,) = api("GET", "attachments")["data"]
    api("DELETE", f"attachments/{file['id']}")
    before = snapshot(office)
    (line,) = replay(sha, "--dry-run")
    assert snapshot(office) == before
    assert office.mail(sha).state == "done"
    fates = {
        (one["what"], one["name"]): (one["fate"], one["detail"]) for one in line["differences"]
    }
    assert fates["indicator FQDN", "evil-1.badplace.net"] == ("new", "")
    assert fates["indicator IP Address", "45.155.205.233"] == (
        "change",
        "status Indirect to Active",
    )
    assert fates["file", "notes.txt"] == ("new", "")
    assert fates["relation", "notes.txt - 45.155.205.233"] == ("new", "")
    assert line["counts"]["there"] >= 1


@redis
def test_a_dry_run_after_nothing_happened_says_that_all_is_there(
    office: Office, replay: Replay
) -> None:
    """Delivered just now, there is nothing new and nothing to change."""
    sha = office.done(report_mail(1, attachment=b"the notes"))
    (line,) = replay(sha, "--dry-run")
    assert line["counts"] == {"new": 0, "there": len(line["differences"]), "change": 0}
    assert {one["what"].partition(" ")[0] for one in line["differences"]} == {
        "indicator",
        "file",
        "relation",
    }


@redis
def test_a_replay_adds_what_the_dry_run_called_new(office: Office, replay: Replay) -> None:
    """Missing objects come back, a deleted File too, and nothing that is there doubles."""
    sha = office.done(report_mail(1, attachment=b"the notes"))
    other = office.done(report_mail(2, attachment=b"other notes"), 2)
    before = office.threatq.counts()
    api = office.threatq.api
    (file,) = api("GET", "attachments?title=notes.txt&limit=1")["data"]
    api("DELETE", f"attachments/{file['id']}")
    (found,) = api("GET", "indicators?value=evil-2.badplace.net")["data"]
    api("DELETE", f"indicators/{found['id']}")
    assert office.threatq.counts() != before
    lines = replay("--from", "sender-house.com")
    assert {one["sha256"] for one in lines} == {sha, other}
    assert all("enqueued" in one["outcome"] for one in lines)
    office.process()
    assert office.threatq.counts() == before
    assert [one["counts"]["new"] for one in replay("--since", str(TODAY), "--dry-run")] == [0, 0]


@redis
def test_a_replay_of_what_is_all_there_changes_nothing(office: Office, replay: Replay) -> None:
    """Twice over: objects, attributes, sources and relations are the same."""
    sha = office.done(report_mail(1, attachment=b"the notes"))
    before = office.threatq.counts()
    values = [one["value"] for one in attributes(office)]
    for _ in range(2):
        replay(sha)
        office.process()
    assert office.threatq.counts() == before
    assert [one["value"] for one in attributes(office)] == values
    assert office.mail(sha).state == "done"


def attributes(office: Office) -> list[dict[str, Any]]:
    """Return the attributes of all indicators."""
    found = office.threatq.api("GET", "indicators?limit=100&with=attributes")["data"]
    return [attribute for one in found for attribute in one["attributes"]]


@redis
def test_a_mail_in_work_is_left_to_that(office: Office, replay: Replay) -> None:
    """A mail that waits has its job already; one that failed gets all its attempts again."""
    sha = office.admit(report_mail(1))
    (line,) = replay(sha)
    assert line["outcome"] == "is in the queue already"
    lease = office.ledger.lease(sha, owner="one")
    assert lease is not None
    lease.fail("ThreatQ: refuses the file.", final=True)
    office.process()
    assert office.mail(sha).state == "done"


@redis
def test_a_mail_whose_bytes_are_kept_no_more_is_named(office: Office, replay: Replay) -> None:
    """It stays done, and the line says which setting keeps bytes for longer."""
    sha = office.done(report_mail(1))
    office.redis.delete(f"{{tqimap}}:raw:{sha}")
    (line,) = replay(sha)
    assert "kept no more (worker.raw_days)" in line["outcome"]
    (line,) = replay(sha, "--dry-run")
    assert "not stored any more" in line["outcome"]
    assert office.mail(sha).state == "done"


@redis
def test_people_read_what_would_change(office: Office, capsys: pytest.CaptureFixture[str]) -> None:
    """A line a mail with sums, a line for each thing that is not there already."""
    sha = office.done(report_mail(1))
    (found,) = office.threatq.api("GET", "indicators?value=evil-1.badplace.net")["data"]
    office.threatq.api("DELETE", f"indicators/{found['id']}")
    capsys.readouterr()
    assert office.admin("replay", sha, "--dry-run") == 0
    shown = capsys.readouterr().out
    assert f"{sha[:12]}: 1 new, " in shown
    assert "new    indicator FQDN evil-1.badplace.net" in shown
    assert shown.endswith("1 mail\n")


@redis
def test_nothing_that_a_mail_says_is_logged(
    office: Office, caplog: pytest.LogCaptureFixture
) -> None:
    """Sender and Message-ID are remembered in the ledger, and in no line of the log."""
    caplog.set_level("DEBUG")
    sha = office.done(report_mail(1))
    assert office.mail(sha).attributes["sender"] == "ann@sender-house.com"
    assert office.mail(sha).attributes["message_id"] == "<1@sender-house.com>"
    assert " indicators" in caplog.text
    assert "sender-house" not in caplog.text


def test_what_is_remembered_is_short_and_one_line() -> None:
    """A hostile header neither fills Redis nor breaks a line, nor an encoder."""
    message = Message("e" * 64, 1, message_id="<a\r\nb\udcff" + "x" * 9999, sender="s@x.example")
    words = remembered(message, 50)
    assert len(words["message_id"]) == 50
    assert words["message_id"].startswith("<a b?x")
    assert words["date"] == ""


def test_a_forged_date_hides_no_mail() -> None:
    """A mail is in a time if it was fetched in it, whatever date it claims."""
    mail = Mail("e" * 64, "done", 1, 1, datetime.now(UTC).timestamp(), 0, "", {}, {})
    query = Query(since=TODAY, until=TODAY)
    assert query.fits(mail, {"date": "1971-01-01T00:00:00+00:00"})
    assert query.fits(mail, {"date": ""})
    assert not Query(until=TODAY - timedelta(days=1)).fits(mail, {})
