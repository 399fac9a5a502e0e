"""Log in, open the folder, search, mark: against Dovecot, and against servers that lie."""

from __future__ import annotations

import ssl
import traceback
from typing import TYPE_CHECKING

import pytest
from fixtures.dovecot import PASSWORD as DOVECOT_PASSWORD
from fixtures.imap_script import DECENT, PASSWORD, ScriptedImap

from tqimap_fetcher.answer import uid_set
from tqimap_fetcher.mailbox import DONE_KEYWORD, open_mailbox
from tqimap_fetcher.pipeline import Batch
from tqimap_shared import log
from tqimap_shared.errors import Denied, StopProcess, TqimapError, TryLater
from tqimap_shared.settings import Fetch, Mailbox


if TYPE_CHECKING:
    from collections.abc import Callable

    from fixtures.dovecot import Dovecot

pytestmark = pytest.mark.usefixtures("forget_secrets")
DOVECOT = pytest.mark.dovecot
SEEN = r"\Seen"
MAILS = [b"Subject: %d\r\n\r\nbody\r\n" % number for number in range(6)]
LOGIN_ONLY = b"* CAPABILITY IMAP4rev1\r\n@ OK done\r\n"


def fault(mailbox: Mailbox) -> TqimapError:
    """Return the error with which opening *mailbox* ends."""
    with (
        pytest.raises(TqimapError) as caught,
        open_mailbox(mailbox, Fetch(connect_timeout=2, idle_timeout=1)),
    ):
        pass
    return caught.value


def shown(error: BaseException) -> str:
    """Write *error* as a log would, traceback and causes included."""
    return "".join(traceback.format_exception(error))


@DOVECOT
def test_a_wrong_password_is_denied_and_shown_nowhere(
    dovecot: Dovecot, caplog: pytest.LogCaptureFixture
) -> None:
    """The error names the settings; neither it nor the log holds the password."""
    caplog.set_level(1)
    error = fault(dovecot.mailbox(dovecot.user(), password="wrong-secret-9"))
    assert isinstance(error, Denied)
    assert "check mailbox.username and mailbox.password" in str(error)
    assert "wrong-secret-9" not in shown(error) + caplog.text


@pytest.mark.parametrize("capability", [DECENT["CAPABILITY"], LOGIN_ONLY])
@pytest.mark.parametrize(
    "answer",
    [b'@ NO LOGIN u "%s" failed\r\n', b'@ BAD LOGIN u "%s" what?\r\n', b"* BYE %s\r\n"],
)
def test_a_server_that_echoes_the_password_does_not_reach_the_log(
    imap_script: Callable[..., ScriptedImap],
    caplog: pytest.LogCaptureFixture,
    capability: bytes,
    answer: bytes,
) -> None:
    """The server's own text about a login is never shown."""
    caplog.set_level(1)
    echo = answer % PASSWORD.encode()
    server = imap_script({"CAPABILITY": capability, "LOGIN": echo, "AUTHENTICATE": echo})
    error = fault(server.mailbox())
    assert isinstance(error, TryLater if answer.startswith(b"*") else Denied)
    assert PASSWORD not in shown(error) + caplog.text


@DOVECOT
def test_auth_login_carries_any_password(dovecot_of_login: Dovecot) -> None:
    """Where PLAIN is not offered AUTH=LOGIN is used, which carries any character too."""
    with open_mailbox(dovecot_of_login.mailbox("anyone"), Fetch()) as session:
        assert session.unseen() == []
    error = fault(dovecot_of_login.mailbox("anyone", password="wrong-secret-9"))
    assert isinstance(error, Denied)


def test_login_is_the_last_resort_and_quotes_what_it_sends(
    imap_script: Callable[..., ScriptedImap],
) -> None:
    """Without PLAIN the command LOGIN is used, with the user name quoted like the password."""
    server = imap_script({"CAPABILITY": LOGIN_ONLY})
    with open_mailbox(server.mailbox(username='a "b" c', password="p \\ q"), Fetch()):
        pass
    commands = [line.split(b" ", 1)[1] for line in server.lines]
    assert b'LOGIN "a \\"b\\" c" "p \\\\ q"\r\n' in commands


@pytest.mark.parametrize(
    ("script", "settings", "error", "sentence"),
    [
        ({"CAPABILITY": LOGIN_ONLY}, {"password": "schlüssel"}, StopProcess, "carries ASCII"),
        (
            {"CAPABILITY": b"* CAPABILITY IMAP4rev1 LOGINDISABLED\r\n@ OK done\r\n"},
            {},
            StopProcess,
            "set mailbox.security to tls or starttls",
        ),
        (
            {"AUTHENTICATE": b"@ NO [UNAVAILABLE] later\r\n"},
            {},
            TryLater,
            "takes no logins at the moment",
        ),
        (
            {"AUTHENTICATE": b"@ NO Too many simultaneous connections\r\n"},
            {},
            TryLater,
            "takes no logins at the moment",
        ),
        ({"SELECT": b"@ NO no such thing\r\n"}, {}, StopProcess, "check mailbox.folder"),
        ({"SELECT": b"@ NO [INUSE] wait\r\n"}, {}, TryLater, "at the moment"),
        (
            {"SELECT": b"@ BAD User is authenticated but not connected.\r\n"},
            {},
            StopProcess,
            "IMAP is switched off",
        ),
        (
            {"SELECT": DECENT["SELECT"].replace(b"READ-WRITE", b"READ-ONLY")},
            {},
            StopProcess,
            "is read-only",
        ),
        (
            {"SELECT": DECENT["SELECT"].replace(b"(\\Seen \\*)", b"(\\Deleted)")},
            {},
            StopProcess,
            "is read-only",
        ),
        (
            {"SELECT": b"* 2 EXISTS\r\n* OK [UIDVALIDITY 7] ok\r\n@ OK done\r\n"},
            {},
            StopProcess,
            "is read-only",
        ),
        (
            {"SELECT": b"* 2 EXISTS\r\n@ OK [READ-WRITE] done\r\n"},
            {},
            StopProcess,
            "no UIDVALIDITY",
        ),
        ({"GREETING": b"* PREAUTH welcome\r\n"}, {}, StopProcess, "PREAUTH"),
        (
            {},
            {"username": "", "password": ""},
            StopProcess,
            "set mailbox.username and mailbox.pass",
        ),
    ],
)
def test_each_way_to_fail_says_what_to_do(
    imap_script: Callable[..., ScriptedImap],
    script: dict[str, bytes],
    settings: dict[str, str],
    error: type[TqimapError],
    sentence: str,
) -> None:
    """What a person must change stops the process; what passes is tried later."""
    found = fault(imap_script(script).mailbox(**settings))
    assert isinstance(found, error)
    assert sentence in str(found)


STARTTLS = b"* CAPABILITY IMAP4rev1 STARTTLS AUTH=PLAIN\r\n@ OK done\r\n"


@pytest.mark.parametrize(
    ("script", "error", "sentence"),
    [
        ({}, StopProcess, "does not offer STARTTLS"),
        ({"CAPABILITY": STARTTLS, "STARTTLS": b"@ NO not now\r\n"}, TryLater, "refused to begin"),
        (
            {
                "CAPABILITY": STARTTLS,
                "STARTTLS": b"@ OK go on\r\n* CAPABILITY IMAP4rev1 AUTH=PLAIN\r\n",
            },
            TryLater,
            "clear text after STARTTLS",
        ),
        ({"GREETING": b"* PREAUTH welcome\r\n", "CAPABILITY": STARTTLS}, StopProcess, "PREAUTH"),
        ({"CAPABILITY": STARTTLS, "STARTTLS": b"@ OK go on\r\n"}, TryLater, "TLS"),
    ],
)
def test_starttls_cannot_be_talked_away(
    imap_script: Callable[..., ScriptedImap],
    script: dict[str, bytes],
    error: type[TqimapError],
    sentence: str,
) -> None:
    """Stripped, refused, injected into, skipped or faked: no password is ever sent in the clear."""
    server = imap_script(script)
    found = fault(server.mailbox(security="starttls", server="localhost"))
    assert isinstance(found, error)
    assert sentence in str(found)
    assert not any(b"LOGIN" in line or b"AUTHENTICATE" in line for line in server.lines)


@DOVECOT
def test_starttls_encrypts(dovecot: Dovecot) -> None:
    """After STARTTLS the session's socket is TLS 1.2 or later."""
    mailbox = dovecot.mailbox(dovecot.user(), security="starttls")
    with open_mailbox(mailbox, Fetch()) as session:
        assert isinstance(session._imap.sock, ssl.SSLSocket)
        assert session._imap.sock.version() in {"TLSv1.2", "TLSv1.3"}


@DOVECOT
@pytest.mark.parametrize("rights", ["lr", "lrwt"])
def test_a_folder_without_the_right_to_mark_is_refused(dovecot: Dovecot, rights: str) -> None:
    r"""Without the right to store \Seen, mails would come again and again."""
    user = dovecot.user()
    dovecot.create(user, "shelf", rights=rights)
    found = fault(dovecot.mailbox(user, folder="shelf"))
    assert isinstance(found, StopProcess)
    assert "is read-only" in str(found)


@DOVECOT
def test_the_right_to_mark_is_enough(dovecot: Dovecot) -> None:
    r"""A folder where only \Seen may be stored can be read."""
    user = dovecot.user()
    dovecot.create(user, "shelf", rights="lrs")
    with open_mailbox(dovecot.mailbox(user, folder="shelf"), Fetch()) as session:
        assert session.unseen() == []


@DOVECOT
@pytest.mark.parametrize("folder", ["Meldungen - Über & 日本", 'with "quotes" \\ and space'])
def test_a_folder_may_have_any_name(dovecot: Dovecot, folder: str) -> None:
    """Names are Unicode in the settings; a move creates the folder, which then can be read."""
    user = dovecot.user()
    dovecot.append(user, *MAILS)
    settings = {"done": "move", "done_folder": folder}
    with open_mailbox(dovecot.mailbox(user, **settings), Fetch()) as session:
        assert session.mark_done([1, 2]) == 2
    with open_mailbox(dovecot.mailbox(user, folder=folder), Fetch()) as session:
        assert len(session.unseen()) == 2


@DOVECOT
def test_only_unread_mails_that_are_not_deleted_are_found(dovecot: Dovecot) -> None:
    """Seen and Deleted mails are left alone; the oldest comes first."""
    user = dovecot.user()
    for flags, mail in zip(["", SEEN, r"\Deleted", r"\Flagged", "", ""], MAILS, strict=True):
        dovecot.append(user, mail, flags=flags)
    with open_mailbox(dovecot.mailbox(user), Fetch()) as session:
        assert session.unseen() == [1, 4, 5, 6]
        assert session.sizes([5, 1, 77]) == {5: len(MAILS[4]), 1: len(MAILS[0])}
        assert session.uidvalidity > 0


@DOVECOT
def test_streaming_marks_nothing(dovecot: Dovecot) -> None:
    """Bodies are peeked at: fetching alone leaves every mail unread."""
    user = dovecot.user()
    dovecot.append(user, *MAILS)
    with open_mailbox(dovecot.mailbox(user), Fetch()) as session:
        found = dict(session.stream([Batch((1, 2, 3), 99), Batch((4, 5, 6), 99)]))
    assert found == dict(enumerate(MAILS, 1))
    assert all(SEEN not in flags for flags in dovecot.flags(user).values())


@DOVECOT
def test_mails_expunged_by_another_are_none(dovecot: Dovecot) -> None:
    """A mail that vanishes after the search has no bytes, and the others still come."""
    user = dovecot.user()
    dovecot.append(user, *MAILS)
    with open_mailbox(dovecot.mailbox(user), Fetch()) as session:
        assert len(session.unseen()) == 6
        with dovecot.client(user) as client:
            client.uid("STORE", "2,5", "+FLAGS", r"(\Deleted)")
            client.expunge()
        found = dict(session.stream([Batch((1, 2, 3), 99), Batch((4, 5, 6), 99)]))
        session.mark_seen([1, 2, 3])
    assert found == {1: MAILS[0], 2: None, 3: MAILS[2], 4: MAILS[3], 5: None, 6: MAILS[5]}
    ours = {SEEN, "$tqimap-taken"}
    assert dovecot.flags(user) == {1: ours, 3: ours, 4: set(), 6: set()}


@DOVECOT
def test_part_of_a_mail_can_be_asked_for(dovecot: Dovecot) -> None:
    """A batch with a part gives just so many bytes."""
    user = dovecot.user()
    dovecot.append(user, *MAILS)
    with open_mailbox(dovecot.mailbox(user), Fetch()) as session:
        assert dict(session.stream([Batch((2,), 9, part=9)])) == {2: MAILS[1][:9]}


@DOVECOT
def test_marks_are_there_when_the_session_ends(dovecot: Dovecot) -> None:
    """Marks are sent without waiting, and waited for at the end."""
    user = dovecot.user()
    dovecot.append(user, *MAILS)
    with open_mailbox(dovecot.mailbox(user), Fetch()) as session:
        for uid in (1, 2, 4):
            session.mark_seen([uid])
    assert [uid for uid, flags in dovecot.flags(user).items() if SEEN in flags] == [1, 2, 4]


@DOVECOT
def test_done_mails_get_the_keyword(dovecot: Dovecot) -> None:
    """The keyword stays with the mail, beside its other flags."""
    user = dovecot.user()
    dovecot.append(user, *MAILS, flags=SEEN)
    with open_mailbox(dovecot.mailbox(user), Fetch()) as session:
        assert session.mark_done([3, 1]) == 2
    assert dovecot.flags(user)[1] == {SEEN, DONE_KEYWORD}
    assert dovecot.flags(user)[2] == {SEEN}
    assert dovecot.flags(user)[3] == {SEEN, DONE_KEYWORD}


def test_a_server_without_keywords_is_left_alone(
    imap_script: Callable[..., ScriptedImap], caplog: pytest.LogCaptureFixture
) -> None:
    """Such a server would answer OK and keep nothing: nothing is sent, and a warning says so."""
    server = imap_script({"SELECT": DECENT["SELECT"].replace(b" \\*", b"")})
    with open_mailbox(server.mailbox(), Fetch()) as session:
        assert session.mark_done([1]) == 0
    assert not any(b"STORE" in line for line in server.lines)
    assert "keeps no keywords" in caplog.text


@DOVECOT
@pytest.mark.parametrize("address", ["127.0.0.1", "127.0.0.2"])
def test_done_mails_are_moved(dovecot: Dovecot, address: str) -> None:
    """By MOVE where there is, else copied and marked as deleted; either way into a new folder."""
    user = dovecot.user()
    dovecot.append(user, *MAILS, flags=SEEN)
    settings = {"server": address, "security": "none", "done": "move", "done_folder": "Done/2026"}
    with open_mailbox(dovecot.mailbox(user, **settings), Fetch()) as session:
        assert session.mark_done([2, 3, 6]) == 3
        assert session._mover._client.has_capability("MOVE") is (address == "127.0.0.1")
    left = {uid for uid, flags in dovecot.flags(user).items() if r"\Deleted" not in flags}
    assert left == {1, 4, 5}
    assert sorted(dovecot.bodies(user, "Done/2026").values()) == [MAILS[1], MAILS[2], MAILS[5]]


def test_copied_mails_alone_are_expunged(imap_script: Callable[..., ScriptedImap]) -> None:
    """Without MOVE but with UIDPLUS, just the copied UIDs are expunged."""
    capabilities = b"* CAPABILITY IMAP4rev1 AUTH=PLAIN UIDPLUS\r\n@ OK done\r\n"
    server = imap_script(
        {"CAPABILITY": capabilities, "COPY": b"@ OK done\r\n", "EXPUNGE": b"@ OK done\r\n"}
    )
    with open_mailbox(server.mailbox(done="move", done_folder="Done"), Fetch()) as session:
        assert session.mark_done([5, 4]) == 2
    commands = [line.strip().split(b" ", 1)[1] for line in server.lines[-4:-1]]
    assert commands[0] == b'UID COPY 4,5 "Done"'
    assert commands[1].startswith(b"UID STORE 4,5 +FLAGS.SILENT (\\Deleted)")
    assert commands[2] == b"UID EXPUNGE 4,5"


@DOVECOT
def test_a_move_that_cannot_be_stops(dovecot: Dovecot) -> None:
    """No folder named, or one that must not be written: the sentence names the setting."""
    user = dovecot.user()
    dovecot.append(user, *MAILS)
    dovecot.create(user, "shelf", rights="lr")
    for folder in ("", "shelf"):
        mailbox = dovecot.mailbox(user, done="move", done_folder=folder)
        with (
            pytest.raises(StopProcess, match=r"mailbox\.done_folder"),
            open_mailbox(mailbox, Fetch()) as session,
        ):
            session.mark_done([1])
    assert len(dovecot.flags(user)) == len(MAILS)


@DOVECOT
def test_nothing_is_done_where_nothing_is_asked(dovecot: Dovecot) -> None:
    """With done = nothing, and with no UIDs, no mail changes."""
    user = dovecot.user()
    dovecot.append(user, *MAILS)
    with open_mailbox(dovecot.mailbox(user, done="nothing"), Fetch()) as session:
        assert session.mark_done([1]) == 0
    with open_mailbox(dovecot.mailbox(user), Fetch()) as session:
        assert session.mark_done([]) == 0
        session.mark_seen([])
    assert all(not flags for flags in dovecot.flags(user).values())


@DOVECOT
def test_the_connection_ends_with_the_block(dovecot: Dovecot) -> None:
    """Also after an error of the caller, which comes out as it went in."""
    with (
        pytest.raises(KeyError, match="mine"),
        open_mailbox(dovecot.mailbox(dovecot.user()), Fetch()) as session,
    ):
        raise KeyError("mine")
    assert session._imap.sock.fileno() == -1


def test_passwords_are_hidden_from_the_log(imap_script: Callable[..., ScriptedImap]) -> None:
    """Whatever logs a password later, the log blots it out."""
    with open_mailbox(imap_script().mailbox(), Fetch()):
        assert PASSWORD not in log.scrub(f"oh {PASSWORD}")


@DOVECOT
def test_a_password_may_hold_any_character(dovecot: Dovecot) -> None:
    """PLAIN carries UTF-8."""
    assert not DOVECOT_PASSWORD.isascii()
    with open_mailbox(dovecot.mailbox(dovecot.user()), Fetch()) as session:
        assert session.unseen() == []


@pytest.mark.parametrize(
    ("uids", "text"),
    [([], ""), ([7], "7"), ([1, 2, 3], "1:3"), ([1, 3, 4, 9], "1,3:4,9"), ([2, 5], "2,5")],
)
def test_a_uid_set_names_just_these(uids: list[int], text: str) -> None:
    """Only neighbours make a range: a gap may hold mails that nobody asked for."""
    assert uid_set(uids) == text
