"""The session: token, envelope, errors, deadlines, trust."""

from __future__ import annotations

import logging
import pickle
import time
from typing import TYPE_CHECKING

import pytest
from fixtures.scripted_https import TOKEN, Scripted, answer
from pydantic import SecretStr

from tqimap_shared import __version__
from tqimap_shared.errors import Denied, Never, Outage, SettingsError, TqimapError, TryLater
from tqimap_shared.settings import ThreatQ
from tqimap_shared.threatq import (
    Busy,
    Forbidden,
    Invalid,
    NotAllowed,
    NotFound,
    Session,
    address,
    session,
)


if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from fixtures.scripted_https import Step


def settings(server: Scripted, **changes: object) -> ThreatQ:
    """Name settings that reach *server*."""
    values: dict[str, object] = {
        "host": f"127.0.0.1:{server.port}",
        "client_id": "client-0123",
        "email": "mailbox@example.org",
        "password": SecretStr("correct horse"),
        "ca_file": server.ca_file,
        "connect_timeout": 5,
        "read_timeout": 5,
    }
    return ThreatQ.model_validate(values | changes)


@pytest.fixture
def opened(scripted: Scripted) -> Iterator[Session]:
    """Open a session with the scripted server, not logged in yet."""
    with Session(settings(scripted)) as one:
        yield one


@pytest.mark.parametrize(
    ("typed", "base"),
    [
        ("192.168.1.176", "https://192.168.1.176"),
        ("threatq.example.org", "https://threatq.example.org"),
        (" https://threatq.example.org/ ", "https://threatq.example.org"),
        ("https://threatq.example.org/api/", "https://threatq.example.org"),
        ("threatq.example.org:8443", "https://threatq.example.org:8443"),
        ("HTTPS://ThreatQ.example.org:443", "https://threatq.example.org"),
        ("::1", "https://[::1]"),
        ("[2001:db8::1]:8443", "https://[2001:db8::1]:8443"),
    ],
)
def test_a_host_becomes_the_base_of_all_addresses(typed: str, base: str) -> None:
    """A name, an address or an https URL is taken, with or without a port."""
    assert address(typed) == base


@pytest.mark.parametrize(
    "typed",
    [
        "",
        "http://threatq.example.org",
        "ftp://threatq.example.org",
        "threatq.example.org:port",
        "threatq.example.org:99999",
        "https://user:secret@threatq.example.org",
        "https://threatq.example.org/somewhere",
        "https://threatq.example.org/?a=b",
        "two words",
    ],
)
def test_what_is_no_https_host_is_refused(typed: str) -> None:
    """Other schemes, users, paths and bad ports are faults of the settings, told without them."""
    with pytest.raises(SettingsError, match=r"threatq\.host") as caught:
        address(typed)
    assert "secret" not in str(caught.value)


def test_the_first_call_logs_in_by_password_grant(scripted: Scripted, opened: Session) -> None:
    """The grant and client id go into the query, e-mail and password into the JSON body."""
    scripted.play(TOKEN, answer(200, {"total": 1, "data": [{"id": 7}]}))
    assert opened.get("indicators", {"limit": 1}) == [{"id": 7}]
    assert scripted.lines == [
        "POST /api/token?grant_type=password&client_id=client-0123",
        "GET /api/indicators?limit=1",
    ]
    login, read = scripted.asked
    assert login.endswith(b'{"email": "mailbox@example.org", "password": "correct horse"}')
    assert b"Authorization" not in login
    assert b"Authorization: Bearer access-one\r\n" in read
    assert f"User-Agent: tqimap/{__version__}\r\n".encode() in read
    assert scripted.connections == 1


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({"data": {"id": 3}}, [{"id": 3}]),
        ({"total": 2, "data": [{"id": 1}, {"id": 2}]}, [{"id": 1}, {"id": 2}]),
        ({"total": 0, "data": []}, []),
        ({}, []),
        ({"data": None}, []),
    ],
)
def test_every_envelope_becomes_a_list(
    scripted: Scripted, opened: Session, body: object, expected: object
) -> None:
    """An object is a list of one, the bare body of an empty collection is an empty list."""
    scripted.play(TOKEN, answer(200, body))
    assert opened.get("anything") == expected


def test_a_deletion_has_no_answer(scripted: Scripted, opened: Session) -> None:
    """204 without a body is success."""
    scripted.play(TOKEN, answer(204))
    assert opened.delete("indicators/1/attachments", json=[9597]) == []
    assert scripted.asked[-1].endswith(b"[9597]")


def test_wrong_credentials_are_denied(scripted: Scripted, opened: Session) -> None:
    """ThreatQ answers 400 to a bad login; the error names what to check and no secret."""
    scripted.play(answer(400, {"errors": ["The user credentials were incorrect. correct horse"]}))
    with pytest.raises(Denied, match="check client id, e-mail and password") as caught:
        opened.login()
    assert "horse" not in str(caught.value)


@pytest.mark.parametrize("body", [{}, {"data": []}, {"access_token": ""}, {"access_token": None}])
def test_an_answer_without_a_token_is_denied(
    scripted: Scripted, opened: Session, body: object
) -> None:
    """A 2xx without access_token is a failed login."""
    scripted.play(answer(200, body))
    with pytest.raises(Denied, match="no token"):
        opened.login()


def test_a_host_that_is_no_threatq_is_denied(scripted: Scripted, opened: Session) -> None:
    """404 at the token address must never end a mail, so it stops the process."""
    scripted.play(answer(404, b"<html>nginx</html>"))
    with pytest.raises(Denied, match="no ThreatQ API"):
        opened.login()


def test_a_login_without_settings_names_them(scripted: Scripted) -> None:
    """Nothing is sent while a login setting is missing."""
    empty = settings(scripted, email="", password=SecretStr(""))
    with (
        Session(empty) as one,
        pytest.raises(SettingsError, match=r"threatq\.email, threatq\.password"),
    ):
        one.get("indicators")
    assert not scripted.asked


def token(access: str, refresh: str, seconds: object) -> list[Step]:
    """Build the answer to a token call."""
    return answer(200, {"access_token": access, "refresh_token": refresh, "expires_in": seconds})


def test_an_old_token_is_renewed_by_its_refresh_token(scripted: Scripted, opened: Session) -> None:
    """expires_in is honoured; both tokens are replaced, the old bearer token goes along."""
    scripted.play(token("one", "again-1", 1), answer(200, {}))
    opened.get("a")
    time.sleep(1)
    scripted.play(token("two", "again-2", 3600), answer(200, {}))
    opened.get("b")
    assert scripted.lines[2] == "POST /api/token?grant_type=refresh_token&refresh_token=again-1"
    assert b"Authorization: Bearer one\r\n" in scripted.asked[2]
    assert b"Authorization: Bearer two\r\n" in scripted.asked[3]


def test_a_refused_refresh_token_leads_to_a_new_login(scripted: Scripted, opened: Session) -> None:
    """A refresh token is good once; without a good one the password serves again."""
    scripted.play(token("one", "again-1", 1), answer(200, {}))
    opened.get("a")
    time.sleep(1)
    scripted.play(answer(400, {"errors": ["invalid"]}), TOKEN, answer(200, {"data": {"id": 1}}))
    assert opened.get("b") == [{"id": 1}]
    assert scripted.lines[3].startswith("POST /api/token?grant_type=password")


@pytest.mark.parametrize("seconds", [None, "soon", 0, -5, "Infinity", "7200"])
def test_an_odd_lifetime_still_gives_a_usable_token(
    scripted: Scripted, opened: Session, seconds: object
) -> None:
    """Without a sensible expires_in a token is good for half an hour."""
    scripted.play(token("one", "again", seconds), answer(200, {}), answer(200, {}))
    opened.get("a")
    opened.get("b")
    assert len(scripted.asked) == 3


def test_after_401_a_new_token_is_tried_once(scripted: Scripted, opened: Session) -> None:
    """A write may be repeated after 401 because a refused call did nothing."""
    scripted.play(TOKEN, answer(401, {"errors": ["expired"]}), token("two", "x", 3600))
    scripted.play(answer(201, {"data": {"id": 5}}))
    assert opened.post("attachments", json={"name": "a"}) == [{"id": 5}]
    assert b"Bearer two" in scripted.asked[-1]


def test_401_twice_is_denied(scripted: Scripted, opened: Session) -> None:
    """A server that refuses its own new token cannot be worked with."""
    scripted.play(TOKEN, answer(401), TOKEN, answer(401))
    with pytest.raises(Denied, match="401"):
        opened.get("indicators")
    assert len(scripted.asked) == 4


@pytest.mark.parametrize(
    ("reply", "kind", "words"),
    [
        (answer(403, {"errors": ["no"]}), Forbidden, "Maintenance"),
        (answer(400, {"data": {"errors": {"type": ["is unknown."]}}}), Invalid, "type: is unknown"),
        (answer(400, {"errors": ["one", ["two", "three"]]}), Invalid, "one; two three"),
        (answer(422, {"errors": ["odd"]}), Invalid, "odd"),
        (answer(404, {"errors": ["gone"]}), NotFound, "404: gone"),
        (answer(405, b"<html>"), NotAllowed, "405"),
        (answer(413, b"<html>"), Never, "413"),
        (answer(200, {"errors": ["quietly"], "data": []}), Invalid, "quietly"),
        (answer(429, b"", Retry_After="17"), Busy, "17 s"),
        (answer(500, {"errors": ["oops"]}), TryLater, "500: oops"),
        (answer(502, b"<html>bad gateway</html>"), TryLater, "502"),
        (answer(200, b"<html>hello</html>"), TryLater, "no JSON"),
        (answer(200, b"[" * 100_000), TryLater, "no JSON"),
        (answer(200, b'"text"'), TryLater, "no JSON"),
        (answer(200), TryLater, "empty"),
        (answer(302, b"", Location="https://sso.example/x?y"), TryLater, "https://sso.example,"),
        ([None], TryLater, "connection failed"),
        ([b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\n{", None], TryLater, "connection failed"),
        ([b"SSH-2.0-OpenSSH\r\n", None], TryLater, "connection failed"),
    ],
)
def test_an_answer_is_one_of_three_kinds_of_error(
    scripted: Scripted, opened: Session, reply: list[Step], kind: type[TqimapError], words: str
) -> None:
    """Each failure has its kind, one sentence, the server's words, and survives pickling."""
    scripted.play(TOKEN, reply)
    with pytest.raises(kind, match=words) as caught:
        opened.post("indicators/consume", json=[{"value": "evil.example"}])
    assert "evil.example" not in str(caught.value)
    assert caught.value.__cause__ is None
    assert len(scripted.asked) == 2, "a write is not repeated"
    again = pickle.loads(pickle.dumps(caught.value))
    assert (type(again), str(again)) == (type(caught.value), str(caught.value))


def test_a_busy_server_says_when_to_come_back(scripted: Scripted, opened: Session) -> None:
    """Retry-After survives pickling; its date form is not read."""
    scripted.play(TOKEN, answer(429, {}, Retry_After="30"))
    with pytest.raises(Busy) as caught:
        opened.get("a")
    assert pickle.loads(pickle.dumps(caught.value)).after == 30
    scripted.play(answer(503, {}, Retry_After="Fri, 31 Dec 1999 23:59:59 GMT"))
    with pytest.raises(Busy) as caught:
        opened.get("a")
    assert caught.value.after == 0


def test_a_servers_words_are_scrubbed_and_shortened(scripted: Scripted, opened: Session) -> None:
    """What we sent and our secrets are blotted out, the rest is one line of bounded length."""
    echo = f"bad\n\x1b[31m evil.example correct horse {'x' * 5000}"
    scripted.play(TOKEN, answer(400, {"errors": [echo]}))
    with pytest.raises(Invalid) as caught:
        opened.post("indicators", json=[{"value": "evil.example", "type": {"name": "FQDN"}}])
    text = str(caught.value)
    assert "evil.example" not in text
    assert "horse" not in text
    assert "\x1b" not in text
    assert len(text) < 500


def test_a_read_is_repeated_on_a_dropped_connection(scripted: Scripted, opened: Session) -> None:
    """The server closed the kept connection just as a read went out: ask once more."""
    scripted.play(TOKEN, [None], answer(200, {"data": {"id": 1}}))
    assert opened.get("a") == [{"id": 1}]
    scripted.play([None], [None])
    with pytest.raises(TryLater):
        opened.get("b")


def test_a_commit_is_never_repeated(scripted: Scripted, opened: Session) -> None:
    """Some of ThreatQ's GETs write."""
    scripted.play(TOKEN, [None])
    with pytest.raises(TryLater):
        opened.get("imports/4/commit")
    assert len(scripted.asked) == 2


def dripping(piece: bytes) -> list[Step]:
    """Send *piece* ten times a second for four seconds."""
    return [step for _ in range(40) for step in (piece, 0.1)]


@pytest.mark.parametrize(
    "reply",
    [
        [6.0],
        dripping(b"H"),
        [b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n", *dripping(b" ")],
        [b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", *dripping(b"1\r\n \r\n")],
    ],
    ids=["silent", "dripping head", "dripping body", "dripping chunks"],
)
def test_a_slow_answer_is_given_up_in_time(scripted: Scripted, reply: list[Step]) -> None:
    """The read timeout is for the whole answer: dripping bytes do not prolong it."""
    scripted.play(TOKEN, reply)
    with Session(settings(scripted, read_timeout=0.5)) as one:
        one.login()
        began = time.monotonic()
        with pytest.raises(TryLater, match="in time"):
            one.get("a")
        assert time.monotonic() - began < 2


def test_the_last_byte_does_not_start_the_clock_again(scripted: Scripted) -> None:
    """After some bytes only the rest of the time is left."""
    scripted.play(TOKEN, [b"H", 0.8, b"T", 6.0])
    with Session(settings(scripted, read_timeout=1)) as one:
        one.login()
        began = time.monotonic()
        with pytest.raises(TryLater, match="in time"):
            one.get("a")
        assert time.monotonic() - began < 1.5


def test_an_endless_answer_is_cut(scripted: Scripted) -> None:
    """An answer larger than threatq.max_answer is not kept in memory."""
    scripted.play(TOKEN, answer(200, b" " * 300_000))
    with (
        Session(settings(scripted, max_answer=200_000)) as one,
        pytest.raises(TryLater, match="max_answer"),
    ):
        one.get("a")


def test_nobody_listening_is_a_matter_for_later(scripted: Scripted) -> None:
    """A refused connection says so."""
    with (
        Session(settings(scripted, host="127.0.0.1:1")) as one,
        pytest.raises(Outage, match="Connection refused"),
    ):
        one.login()


@pytest.mark.parametrize("reply", [answer(502, b"<html>"), answer(429, b""), [None]])
def test_without_a_token_no_mail_gets_through(scripted: Scripted, reply: list[Step]) -> None:
    """A server that cannot log anybody in is out, whatever it says."""
    scripted.play(reply)
    with Session(settings(scripted)) as one, pytest.raises(Outage):
        one.post("indicators/consume", json=[])


def test_an_untrusted_certificate_is_denied(scripted: Scripted) -> None:
    """The system's certificates do not know the appliance: the error names the setting."""
    with (
        Session(settings(scripted, ca_file=None)) as one,
        pytest.raises(Denied, match=r"threatq\.ca_file"),
    ):
        one.login()
    assert not scripted.asked


def test_a_certificate_for_another_name_is_denied(
    scripted_server: Callable[..., Scripted],
) -> None:
    """A trusted certificate for another host does not do."""
    server = scripted_server("other.example")
    with Session(settings(server)) as one, pytest.raises(Denied, match=r"set threatq\.host"):
        one.login()


def test_unverified_tls_works_and_is_said_once(
    scripted: Scripted, caplog: pytest.LogCaptureFixture
) -> None:
    """With verify off any certificate does, and one WARNING a process says so."""
    session._say_unverified.cache_clear()
    caplog.set_level(logging.WARNING)
    loose = settings(scripted, verify=False, ca_file=None)
    for _ in range(2):
        scripted.play(TOKEN)
        with Session(loose) as one:
            one.login()
    assert [r.levelname for r in caplog.records] == ["WARNING"]
    assert "not checked" in caplog.text


@pytest.mark.parametrize("content", [None, b"no certificate"])
def test_an_unusable_ca_file_is_a_fault_of_the_settings(
    scripted: Scripted, content: bytes | None
) -> None:
    """A missing or empty certificate file is named."""
    path = scripted.ca_file.with_name("other.pem")
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(SettingsError, match=r"threatq\.ca_file.*other\.pem"):
        Session(settings(scripted, ca_file=path))


def test_netrc_does_not_replace_the_token(
    scripted: Scripted,
    opened: Session,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A .netrc entry for the host would make requests send its password instead."""
    netrc = scripted.ca_file.with_name("netrc")
    netrc.write_text("machine 127.0.0.1 login a password b\n")
    monkeypatch.setenv("NETRC", str(netrc))
    scripted.play(TOKEN, answer(200, {}))
    opened.get("a")
    assert b"Authorization: Bearer access-one" in scripted.asked[1]


def test_the_proxy_of_the_environment_is_used_but_not_for_this_machine(
    scripted: Scripted, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A hosted ThreatQ may be behind a proxy; one on the same machine never is."""
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:1")
    scripted.play(TOKEN)
    with Session(settings(scripted)) as one:
        one.login()
    with (
        Session(settings(scripted, host="threatq.invalid")) as one,
        pytest.raises(TryLater, match="HTTPS proxy"),
    ):
        one.login()


def test_a_collection_is_read_page_by_page(scripted: Scripted, opened: Session) -> None:
    """Pages are asked for by rows until the total is there or nothing new comes."""
    first, second = ([{"id": n} for n in numbers] for numbers in (range(3), range(3, 5)))
    scripted.play(TOKEN, answer(200, {"total": 5, "data": first}))
    scripted.play(answer(200, {"total": 5, "data": second}))
    assert [one["id"] for one in opened.every("a", {"with": "type"})] == [0, 1, 2, 3, 4]
    assert scripted.lines[-1] == "GET /api/a?with=type&limit=500&offset=3"
    scripted.play(answer(200, {"data": first}), answer(200, {"data": first}))
    assert [one["id"] for one in opened.every("b")] == [0, 1, 2]


def test_a_file_goes_as_a_multipart_form(scripted: Scripted, opened: Session) -> None:
    """Fields and bytes are one form; the part is named as ThreatQ's own clients name it."""
    scripted.play(TOKEN, answer(200, {"data": {}}))
    opened.upload("attachments/upload", {"resumableFilename": "a.pdf"}, b"\x00\xff")
    sent = scripted.asked[-1]
    assert b"Content-Type: multipart/form-data; boundary=" in sent
    assert b'name="resumableFilename"\r\n\r\na.pdf\r\n' in sent
    assert b'name="file"; filename="blob"\r\nContent-Type: application/octet-stream' in sent
    assert b"\r\n\r\n\x00\xff\r\n" in sent
