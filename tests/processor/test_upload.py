"""A mail's delivery to ThreatQ: what arrives, and that it arrives once whatever breaks."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from fixtures.reports import artefact, decision, report, seen
from fixtures.threatq_client import account

from tqimap_processor.artefact import Problem
from tqimap_processor.report import Action
from tqimap_processor.threatq import Client
from tqimap_processor.upload import Receipt, deliver
from tqimap_shared.envelope import Envelope, Location
from tqimap_shared.errors import TqimapError, TryLater
from tqimap_shared.lease import LeaseBusy, LeaseLost
from tqimap_shared.settings import Settings


if TYPE_CHECKING:
    from fixtures.threatq import StandIn
    from redis import Redis

    from tqimap_processor.report import Report
    from tqimap_shared.lease import Lease
    from tqimap_shared.ledger import Ledger

pytestmark = pytest.mark.redis

PDF = artefact("2", "invoice.pdf", b"%PDF", "attachment", Problem("encrypted"))
ZIP = artefact("3", "docs.zip", b"PK")
INNER = artefact("3.1", "inner.docx", b"PK2", "archive-entry")
DECISIONS = (
    decision("FQDN", "body.example"),
    decision("FQDN", "pdf.example", seen("page 1", "pdf.example", "2")),
    decision("FQDN", "zip.example", seen("text", "zip.example", "3.1")),
    decision("FQDN", "maybe.example", action=Action.REVIEW),
    decision("FQDN", "skipped.example", action=Action.SKIP),
)
MAIL = report(PDF, ZIP, INNER, decisions=DECISIONS)


@pytest.fixture
def lease(ledger: Ledger) -> Lease:
    """Admit a mail and lease it."""
    return leased(ledger)


def leased(ledger: Ledger, raw: bytes = b"the mail") -> Lease:
    """Lease the one mail that most tests use, or another."""
    envelope = Envelope.seal(Location("m", "INBOX", 1, 1), raw)
    ledger.admit([envelope])
    got = ledger.lease(envelope.sha256, owner="test")
    assert got is not None
    return got


def send(threatq: StandIn, lease: Lease, what: Report = MAIL, **changes: object) -> Receipt:
    """Deliver a report with the settings changed."""
    settings = Settings(threatq=account(threatq, **changes))
    with Client.open(settings.threatq) as client:
        return deliver(what, client=client, lease=lease, settings=settings)


def related(threatq: StandIn) -> dict[str, list[str]]:
    """Return the values related to each File, by its title."""
    files = threatq.api("GET", "attachments?limit=100")["data"]
    return {
        one["title"]: sorted(
            linked["value"]
            for linked in threatq.api("GET", f"attachments/{one['id']}/indicators?limit=100").get(
                "data", []
            )
        )
        for one in files
    }


def test_a_mail_becomes_indicators_files_and_relations(threatq: StandIn, lease: Lease) -> None:
    """The seed's rule: every attachment is related to all that was found in its mail."""
    assert send(threatq, lease) == Receipt(files=2, indicators=4, relations=8)
    everything = ["body.example", "maybe.example", "pdf.example", "zip.example"]
    assert related(threatq) == {"invoice.pdf": everything, "docs.zip": everything}
    assert threatq.counts() == {"files": 2, "indicators": 4, "relations": 8}


def test_what_is_to_be_reviewed_has_its_own_status(threatq: StandIn, lease: Lease) -> None:
    """Skipped decisions do not arrive at all."""
    send(threatq, lease)
    found = threatq.api("GET", "indicators?limit=100&with=status")["data"]
    assert {one["value"]: one["status"]["name"] for one in found} == {
        "body.example": "Active",
        "pdf.example": "Active",
        "zip.example": "Active",
        "maybe.example": "Review",
    }


def test_found_in_relates_what_stands_in_the_attachment(threatq: StandIn, lease: Lease) -> None:
    """What was found in a file of an archive was found in the archive."""
    assert send(threatq, lease, relate="found-in").relations == 2
    assert related(threatq) == {"invoice.pdf": ["pdf.example"], "docs.zip": ["zip.example"]}


def test_the_same_content_twice_in_a_mail_is_one_file(threatq: StandIn, lease: Lease) -> None:
    """It has both names; found-in counts what stands in either."""
    again = artefact("3", "copy.pdf", b"%PDF")
    one = decision("FQDN", "copy.example", seen("page 1", "copy.example", "3"))
    mail = report(PDF, again, decisions=(*DECISIONS[:2], one))
    assert send(threatq, lease, mail, relate="found-in").files == 1
    assert related(threatq) == {"invoice.pdf": ["copy.example", "pdf.example"]}
    (file,) = threatq.api("GET", "attachments?with=attributes")["data"]
    said = [(a["name"], a["value"]) for a in file["attributes"]]
    assert ("File Name", "copy.pdf") in said
    assert ("Problem", "encrypted") in said


def test_an_empty_attachment_is_not_uploaded(threatq: StandIn, lease: Lease) -> None:
    """There is nothing in it, and all empty files would be one."""
    mail = report(artefact("2", "empty.txt", b""), decisions=DECISIONS[:1])
    assert send(threatq, lease, mail) == Receipt(files=0, indicators=1, relations=0)


def test_a_mail_with_nothing_in_it_needs_no_threatq(threatq: StandIn, lease: Lease) -> None:
    """Nothing is sent, not even a login."""
    assert send(threatq, lease, report(decisions=DECISIONS[-1:])) == Receipt(0, 0, 0)
    assert threatq.journal() == []


def test_an_attachment_that_came_before_is_the_same_file(
    threatq: StandIn, ledger: Ledger, lease: Lease
) -> None:
    """Another mail with the same attachment adds relations, not a File."""
    send(threatq, lease)
    other = Envelope.seal(Location("m", "INBOX", 1, 2), b"another mail")
    ledger.admit([other])
    second = ledger.lease(other.sha256, owner="test")
    assert second is not None
    mail = report(PDF, decisions=(decision("FQDN", "new.example"),))
    assert send(threatq, second, mail) == Receipt(files=1, indicators=1, relations=1)
    assert threatq.counts() == {"files": 2, "indicators": 5, "relations": 9}


def test_a_second_delivery_changes_nothing(threatq: StandIn, ledger: Ledger, lease: Lease) -> None:
    """After a crash before the mail was done all is tried again, and all is there."""
    first = send(threatq, lease)
    lease.release()
    threatq.forget_journal()
    assert send(threatq, leased(ledger)) == first
    assert threatq.counts() == {"files": 2, "indicators": 4, "relations": 8}
    assert threatq.journal("/api/attachments/upload") == []


@pytest.mark.parametrize("kind", ["drop-before", "drop-after", "502"])
def test_whatever_call_breaks_the_outcome_is_the_same(
    threatq: StandIn, ledger: Ledger, kind: str
) -> None:
    """Each request of a delivery is broken once, before and after it took effect.

    The next attempt, from a new process' point of view, ends with each file, indicator and relation
    exactly once.
    """
    broken, after = 0, 0
    while True:
        threatq.heal()
        threatq.inject(kind, path="/api/", after=after, count=1)
        mail = numbered(after)
        one = leased(ledger)
        try:
            send(threatq, one, mail)
        except TryLater:
            broken += 1
            one.release()
            threatq.heal()
            one = leased(ledger)
            assert send(threatq, one, mail) == Receipt(2, 2, 4)
        one.release()
        counts = threatq.counts()
        mails = after + 1
        assert counts == {"files": 2 * mails, "indicators": 2 * mails, "relations": 4 * mails}
        faults: list[dict[str, Any]] = threatq.control("GET", "faults")["data"]
        if faults and not faults[0]["hits"]:
            break
        after += 1
    assert broken >= 10


def numbered(number: int) -> Report:
    """Make a mail that shares nothing with those of other numbers."""
    return report(
        artefact("2", "a.pdf", f"pdf {number}".encode()),
        artefact("3", "a.pdf", f"other pdf {number}".encode()),
        decisions=(
            decision("FQDN", f"evil{number}.example"),
            decision("URL", f"http://evil{number}.example/a?b=1"),
        ),
    )


def test_a_twin_is_deleted(threatq: StandIn, lease: Lease) -> None:
    """Somebody thought dead recorded the same file first: theirs counts, ours goes."""
    settings = Settings(threatq=account(threatq))

    def interfering(script: str, *arguments: object) -> object:
        if script == "record":
            with Client.open(settings.threatq) as other:
                twin = other.files.upload(PDF, settings.threatq, before=lease.renew)
            lease.record(str(arguments[1]), str(twin))
            theirs.append(twin)
        return lease.run(script, *arguments)

    theirs: list[int] = []
    assert send(threatq, replace(lease, run=interfering), report(PDF)) == Receipt(1, 0, 0)
    (file,) = threatq.api("GET", "attachments?limit=10")["data"]
    assert [file["id"]] == theirs


def test_two_mails_with_the_same_file_at_once_make_one_file(
    threatq: StandIn, ledger: Ledger, lease: Lease
) -> None:
    """Between the first's look and its upload the second comes: it is put off, and finds it."""
    second = replace(leased(ledger, b"another mail"), milliseconds=500)

    def interfering(script: str, *arguments: object) -> object:
        if script == "renew" and str(arguments[-1]).startswith("file:"):
            with pytest.raises(LeaseBusy):
                send(threatq, second, report(PDF))
        return lease.run(script, *arguments)

    assert send(threatq, replace(lease, run=interfering), report(PDF)) == Receipt(1, 0, 0)
    assert send(threatq, second, report(PDF)) == Receipt(1, 0, 0)
    assert threatq.counts()["files"] == 1


def test_a_file_sent_by_a_process_that_slept_too_long_is_deleted(
    threatq: StandIn, ledger: Ledger, redis: Redis, lease: Lease
) -> None:
    """Another mail brought the same file meanwhile: the one that was first counts."""
    settings = Settings(threatq=account(threatq))
    other = leased(ledger, b"another mail")

    def interfering(script: str, *arguments: object) -> object:
        if script == "holds":
            redis.delete(f"{{tqimap}}:claim:{arguments[-1]}")
        if script == "renew" and str(arguments[-1]).startswith("file:") and not theirs:
            with Client.open(settings.threatq) as client:
                theirs.append(client.files.upload(PDF, settings.threatq, before=other.renew))
        return lease.run(script, *arguments)

    theirs: list[int] = []
    assert send(threatq, replace(lease, run=interfering), report(PDF)) == Receipt(1, 0, 0)
    (file,) = threatq.api("GET", "attachments?limit=10")["data"]
    assert [file["id"]] == theirs


def test_only_what_we_sent_is_deleted_as_a_twin(
    threatq: StandIn, ledger: Ledger, redis: Redis, lease: Lease
) -> None:
    """Another mail and another attempt both came first, with a File each: both stay."""
    settings = Settings(threatq=account(threatq))
    other = leased(ledger, b"another mail")
    theirs: list[int] = []

    def upload() -> int:
        with Client.open(settings.threatq) as client:
            theirs.append(client.files.upload(PDF, settings.threatq, before=other.renew))
        return theirs[-1]

    def interfering(script: str, *arguments: object) -> object:
        if script == "holds":
            redis.delete(f"{{tqimap}}:claim:{arguments[-1]}")
        if script == "renew" and str(arguments[-1]).startswith("file:") and not theirs:
            upload()
        if script == "record":
            lease.record(str(arguments[1]), str(upload()))
        return lease.run(script, *arguments)

    send(threatq, replace(lease, run=interfering), report(PDF))
    assert [one["id"] for one in threatq.api("GET", "attachments?limit=10")["data"]] == theirs


def test_a_lost_lease_stops_the_delivery(threatq: StandIn, ledger: Ledger, lease: Lease) -> None:
    """Whoever lost the mail to another worker sends nothing more."""
    lease.release()
    leased(ledger)
    with pytest.raises(LeaseLost):
        send(threatq, lease)
    assert threatq.counts() == {"files": 0, "indicators": 0, "relations": 0}


@pytest.mark.parametrize("kind", ["401", "403", "429", "500", "html", "errors", "slow"])
def test_a_broken_threatq_is_told_as_one_of_three_kinds(
    threatq: StandIn, lease: Lease, kind: str
) -> None:
    """Nothing but our own errors comes out, and none shows a secret."""
    threatq.inject(kind, path="/api/", delay=3)
    with pytest.raises(TqimapError) as caught:
        send(threatq, lease, read_timeout=1)
    assert threatq.password not in str(caught.value)
    assert isinstance(caught.value, TryLater) == (kind in {"429", "500", "html", "slow"})
