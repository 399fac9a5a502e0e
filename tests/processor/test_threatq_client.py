"""The client against the stand-in: what arrives in the threat library."""

from __future__ import annotations

import logging
import os
from typing import TYPE_CHECKING, Any

import pytest
from fixtures.reports import artefact, decision, report
from fixtures.threatq_client import account

from tqimap_processor.threatq import Client, payload
from tqimap_processor.threatq.memory import SIZE, Memory
from tqimap_processor.threatq.places import Places
from tqimap_shared.errors import SettingsError, TryLater
from tqimap_shared.threatq import Invalid, Session


if TYPE_CHECKING:
    from fixtures.threatq import StandIn

    from tqimap_processor.artefact import Artefact
    from tqimap_shared.threatq import Record

PLACES = Places(report())


def phrased(client: Client, *values: tuple[str, str]) -> list[Record]:
    """Phrase indicators of these types and values."""
    settings = client.session.settings
    return [payload.indicator(decision(kind, value), PLACES, settings) for kind, value in values]


def nothing() -> None:
    """Renew no lease."""


def stored(threatq: StandIn, what: str, **query: object) -> list[dict[str, Any]]:
    """Read a collection of the stand-in."""
    filters = "".join(f"&{name}={value}" for name, value in query.items())
    found = threatq.api("GET", f"{what}?limit=1000&with=sources,attributes,type,status{filters}")
    data: list[dict[str, Any]] = found.get("data", [])
    return data


def upload(client: Client, one: Artefact) -> int:
    """Upload an artefact with the client's own settings."""
    return client.files.upload(one, client.session.settings, before=nothing)


def test_indicators_arrive_with_type_status_source_and_attributes(
    threatq_of_each_generation: StandIn,
) -> None:
    """Type ids differ between releases; by name the right type is met in each."""
    values = [("FQDN", "evil.example"), ("URL", "http://evil.example/a?b=1"), ("SHA-256", "a" * 64)]
    with Client.open(account(threatq_of_each_generation, tlp="AMBER")) as client:
        ids = client.upsert(phrased(client, *values), before=nothing)
    assert set(ids) == set(values)
    there = {one["id"]: one for one in stored(threatq_of_each_generation, "indicators")}
    for (kind, value), number in ids.items():
        one = there[number]
        assert (one["type"]["name"], one["value"]) == (kind, value)
        assert one["status"]["name"] == "Active"
        assert [(s["name"], s["tlp_id"]) for s in one["sources"]] == [("Intelligence Mailbox", 2)]
        assert {a["name"]: a["value"] for a in one["attributes"]}["Found In"] == "mail body, text"


def test_the_same_indicators_again_are_the_same_objects(client: Client, threatq: StandIn) -> None:
    """An upsert adds nothing the second time."""
    sent = phrased(client, ("FQDN", "evil.example"), ("MD5", "0" * 32))
    first = client.upsert(sent, before=nothing)
    assert client.upsert(sent, before=nothing) == first
    assert threatq.counts()["indicators"] == 2
    names = [a["name"] for a in stored(threatq, "indicators")[0]["attributes"]]
    assert len(names) == len(set(names))


def test_batches_are_as_large_as_set(threatq: StandIn) -> None:
    """The lease is renewed before each call."""
    renewals: list[int] = []
    with Client.open(account(threatq, batch=4)) as client:
        sent = phrased(client, *(("FQDN", f"evil{n}.example") for n in range(10)))
        assert len(client.upsert(sent, before=lambda: renewals.append(1))) == 10
    calls = [one for one in threatq.journal() if one["path"] == "/api/indicators/consume"]
    assert (len(calls), len(renewals)) == (3, 3)


def test_a_server_that_normalises_is_followed(threatq: StandIn) -> None:
    """Schemes and queries go, URLs become hosts and addresses: the ids are found all the same."""
    threatq.settings(normalize="Y")
    values = [
        ("URL", "http://evil.example/a?b=1"),
        ("URL", "https://only-host.example"),
        ("URL", "http://192.0.2.7:8080"),
        ("URL", "https://slash.example/"),
        ("FQDN", "evil.example"),
        ("Email Subject", "Your new salary"),
    ]
    with Client.open(account(threatq)) as client:
        ids = client.upsert(phrased(client, *values), before=nothing)
    assert set(ids) == set(values)
    there = {one["id"]: one["value"] for one in stored(threatq, "indicators")}
    assert "evil.example/a" in there[ids[values[0]]]
    assert there[ids[values[1]]] == "only-host.example"
    assert there[ids[values[2]]] == "192.0.2.7"


def test_a_type_that_this_release_lacks_is_left_out_and_told(
    threatq: StandIn, client: Client, caplog: pytest.LogCaptureFixture
) -> None:
    """One WARNING a type says how many indicators are missing; the others arrive."""
    caplog.set_level(logging.WARNING)
    sent = phrased(client, ("JA3", "0" * 32), ("JA3", "1" * 32), ("FQDN", "evil.example"))
    assert list(client.upsert(sent, before=nothing)) == [("FQDN", "evil.example")]
    assert "no indicator type JA3: 2 indicators" in caplog.text
    assert threatq.counts()["indicators"] == 1


def test_one_bad_indicator_does_not_take_its_batch_along(
    threatq: StandIn, client: Client, caplog: pytest.LogCaptureFixture
) -> None:
    """A refused batch is halved until the culprit is alone, and that is counted."""
    caplog.set_level(logging.WARNING)
    sent = phrased(client, *(("FQDN", f"evil{n}.example") for n in range(9)))
    sent[4]["value"] = ""
    assert len(client.upsert(sent, before=nothing)) == 8
    assert threatq.counts()["indicators"] == 8
    assert "1 of 9 indicators were not taken" in caplog.text


def test_a_server_that_refuses_all_of_a_mail_is_an_error(threatq: StandIn) -> None:
    """When nothing at all is taken the mail must not pass as done, however few there are."""
    with Client.open(account(threatq)) as client:
        payloads = phrased(client, ("FQDN", "evil.example"), ("FQDN", "bad.example"))
        threatq.inject("errors", path="/api/indicators")
        with pytest.raises(Invalid):
            client.upsert(payloads, before=nothing)


def test_a_server_that_refuses_everything_is_an_error(threatq: StandIn) -> None:
    """What fails for every indicator is no fault of a single one."""
    with Client.open(account(threatq, max_rejected=3)) as client:
        sent = phrased(client, *(("FQDN", f"evil{n}.example") for n in range(9)))
        for number, one in enumerate(sent):
            one["value"] = " " * number
        with pytest.raises(Invalid):
            client.upsert(sent, before=nothing)


def test_an_answer_that_tells_nothing_is_followed_up(threatq: StandIn, client: Client) -> None:
    """Indicators whose ids did not come back are searched, commas and wildcards and all."""
    values = [("FQDN", "evil.example"), ("URL", "http://evil.example/a,b?c=100%25")]
    first = client.upsert(phrased(client, *values), before=nothing)
    again = {
        key: number
        for one in phrased(client, *values)
        for key, number in [((one["type"]["name"], one["value"]), client._look_up(one)[0]["id"])]
    }
    assert again == first
    assert threatq.counts()["indicators"] == 2


def test_an_unknown_status_is_a_fault_of_the_settings(client: Client, threatq: StandIn) -> None:
    """Statuses are checked by name; the appliance's spelling is used."""
    spelled = client.spelled(account(threatq, status="active", review_status="REVIEW"))
    assert (spelled.status, spelled.review_status) == ("Active", "Review")
    with pytest.raises(SettingsError, match=r"threatq\.review_status.*it has Active"):
        client.spelled(account(threatq, review_status="Hot"))


def test_the_next_process_knows_what_the_last_one_learned(threatq: StandIn) -> None:
    """Every mail has a process of its own, yet only the first logs in and reads the tables."""
    client = Client(Session(account(threatq)))
    for _ in range(3):
        threatq.forget_journal()
        in_child(client)
    assert [one["path"] for one in threatq.journal()] == ["/api/indicators/consume"]


def test_a_token_that_was_revoked_between_two_processes_is_replaced(threatq: StandIn) -> None:
    """The process that finds out logs in, and those after it do not."""
    client = Client(Session(account(threatq)))
    in_child(client)
    threatq.revoke()
    in_child(client)
    threatq.forget_journal()
    in_child(client)
    assert len(threatq.journal()) == 1


def test_tables_are_read_anew_after_their_time(threatq: StandIn) -> None:
    """A type that somebody adds is found without a restart."""
    client = Client(Session(account(threatq, tables=1e-9)))
    in_child(client)
    threatq.forget_journal()
    in_child(client)
    assert "/api/indicator/types" in {one["path"] for one in threatq.journal()}


def test_a_note_that_its_writer_could_not_finish_is_no_note() -> None:
    """A process may be killed while it writes."""
    memory = Memory()
    assert memory.read() == {}
    memory.write({"token": "a" * 100})
    assert memory.read() == {"token": "a" * 100}
    memory._mapping[60:62] = b"zz"
    assert memory.read() == {}
    memory.write({"token": "a" * SIZE})
    assert memory.read() == {}


def in_child(client: Client) -> None:
    """Send an indicator from a process of its own, as a worker's job does."""
    pid = os.fork()
    if not pid:
        status = 1
        try:
            with client.attended():
                client.upsert(phrased(client, ("FQDN", "evil.example")), before=nothing)
            status = 0
        finally:
            os._exit(status)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0


@pytest.mark.parametrize("chunk", [2**20, 1000])
def test_a_file_arrives_whole(threatq: StandIn, chunk: int) -> None:
    """In one piece or in several, with the mail's name as title, locked, of the type set."""
    data = bytes(range(256)) * 10
    pdf = artefact("2", "Rechnung März.pdf", data)
    with Client.open(account(threatq, chunk=chunk, tlp="GREEN")) as client:
        assert client.files.find(pdf) is None
        number = upload(client, pdf)
        assert client.files.find(pdf) == number
    (file,) = stored(threatq, "attachments")
    assert (file["id"], file["title"], file["file_size"]) == (number, "Rechnung März.pdf", 2560)
    assert file["name"] == f"{pdf.sha256[:16]}-Rechnung_M_rz.pdf"
    assert file["type"]["name"] == "Spearphish Attachment"
    assert file["malware_locked"] in (1, True)
    assert [(s["name"], s["tlp_id"]) for s in file["sources"]] == [("Intelligence Mailbox", 3)]


def test_a_file_is_found_whoever_put_it_there(threatq: StandIn, client: Client) -> None:
    """An analyst's upload of the same content is the File; of several the oldest counts."""
    one = artefact("2", "a.bin", b"content")
    fields = {"name": "by hand.bin", "type": "Malware Sample", "title": "x", "malware_locked": "1"}
    answer = threatq.request(
        "POST",
        "/api/attachments",
        data=fields,
        files={"file": ("by hand.bin", b"content")},
        headers={"Authorization": f"Bearer {threatq.token()}"},
    )
    assert answer.status_code == 201
    assert client.files.find(one) == answer.json()["data"]["id"]
    assert client.files.find(artefact("2", "a.bin", b"other")) is None


def test_a_forged_twin_is_not_taken_for_the_file(
    client: Client, caplog: pytest.LogCaptureFixture
) -> None:
    """MD5 can be forged; a File of ours whose name tells of another sha256 is other content."""
    caplog.set_level(logging.WARNING)
    one = artefact("2", "a.bin", b"content")
    fields = payload.file(one, client.session.settings) | {"name": f"{'0' * 16}-a.bin"}
    client.files._send(one, fields["name"], nothing)
    client.session.post("attachments", json=fields)
    assert client.files.find(one) is None
    assert "same MD5 and other content" in caplog.text


def test_a_lost_answer_to_an_upload_leaves_a_file_that_is_found(
    threatq: StandIn, client: Client
) -> None:
    """The upload's outcome is unknown: it is not repeated, and a look tells that it is there."""
    one = artefact("2", "a.bin", b"content")
    client.session.login()
    threatq.inject("drop-after", path="/api/attachments", method="POST", after=1, count=1)
    with pytest.raises(TryLater):
        upload(client, one)
    threatq.heal()
    assert client.files.find(one) is not None
    assert threatq.counts()["files"] == 1


def test_relations_are_made_once(threatq: StandIn) -> None:
    """In batches; what is related already stays, twins in the list count once."""
    with Client.open(account(threatq, batch=2)) as client:
        sent = phrased(client, *(("FQDN", f"evil{n}.example") for n in range(5)))
        ids = list(client.upsert(sent, before=nothing).values())
        number = upload(client, artefact("2", "a.bin", b"content"))
        assert client.relate(number, ids[:3], before=nothing) == 3
        assert client.relate(number, [*ids, ids[0]], before=nothing) == 5
        assert client.relate(number, [], before=nothing) == 0
    related = threatq.api("GET", f"attachments/{number}/indicators?limit=100")["data"]
    assert sorted(one["id"] for one in related) == sorted(ids)
    assert threatq.counts()["relations"] == 5


@pytest.mark.parametrize("kind", ["errors", "400"])
def test_a_release_that_refuses_known_links_is_followed(
    threatq: StandIn, client: Client, kind: str
) -> None:
    """After a 400 only what is not linked yet is sent, one by one."""
    sent = phrased(client, *(("FQDN", f"evil{n}.example") for n in range(3)))
    ids = list(client.upsert(sent, before=nothing).values())
    number = upload(client, artefact("2", "a.bin", b"content"))
    client.relate(number, ids[:1], before=nothing)
    path = f"/api/attachments/{number}/indicators"
    status = 400 if kind == "400" else 200
    threatq.inject("errors", path=path, method="POST", count=1, status=status)
    assert client.relate(number, ids, before=nothing) == 3
    posts = [one for one in threatq.journal(path) if one["method"] == "POST"]
    assert len(posts) == 4
    assert threatq.counts()["relations"] == 3


def test_attributes_of_a_file_are_added_once(threatq: StandIn, client: Client) -> None:
    """A second mail with the same attachment adds its own, the first's stay single."""
    number = upload(client, artefact("2", "a.bin", b"content"))
    settings = client.session.settings
    first = payload.attributes([("Mail Subject", "one"), ("SHA-256", "x")], settings)
    for attributes in (first, first, payload.attributes([("Mail Subject", "two")], settings), []):
        client.describe(number, attributes, before=nothing)
    (file,) = stored(threatq, "attachments")
    assert sorted((a["name"], a["value"]) for a in file["attributes"]) == [
        ("Mail Subject", "one"),
        ("Mail Subject", "two"),
        ("SHA-256", "x"),
    ]
