"""Mails taken by UID, whoever has read them; and mails that somebody marked as unread again."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from fixtures.post import DONE, SEEN, mail

from tqimap_fetcher import state
from tqimap_shared.errors import StopProcess
from tqimap_shared.folders import Folders
from tqimap_shared.settings import Fetch


if TYPE_CHECKING:
    from collections.abc import Callable

    from fixtures.dovecot import Dovecot
    from fixtures.imap_script import ScriptedImap
    from fixtures.post import Post

pytestmark = [pytest.mark.dovecot, pytest.mark.redis]


@pytest.fixture
def shared(dovecot: Dovecot, user: str, post: Post) -> Post:
    """Have the mailbox read by what is new; one mail had been read, one not."""
    with dovecot.client(user) as client:
        client.append("INBOX", f"({SEEN})", '"01-Jan-2020 00:00:00 +0000"', mail(1))
    dovecot.append(user, mail(2))
    post.mailbox = dovecot.mailbox(user, take="new")
    return post


def unread(dovecot: Dovecot, user: str) -> list[int]:
    """Return the UIDs of unread mails."""
    return [uid for uid, flags in dovecot.flags(user).items() if SEEN not in flags]


def test_what_is_new_is_taken_whoever_has_read_it(
    dovecot: Dovecot, user: str, shared: Post
) -> None:
    """Of what was there before only the unread; nothing is marked as read, and none comes twice."""
    shared.fetch()
    assert shared.shas().keys() == {2}
    dovecot.append(user, mail(3), flags=SEEN)
    dovecot.append(user, mail(4))
    shared.fetch()
    assert shared.shas().keys() == {2, 3, 4}
    assert unread(dovecot, user) == [2, 4]
    shared.fetch()
    assert (shared.noted("fetched"), shared.noted("left")) == (0, 0)


def test_done_mails_are_marked_there_too(dovecot: Dovecot, user: str, shared: Post) -> None:
    """The keyword is put on them, and they stay unread."""
    shared.fetch()
    shared.work(1)
    shared.fetch()
    assert dovecot.flags(user) == {1: {SEEN}, 2: {DONE}}


def test_a_run_that_ends_early_leaves_its_mark_below_what_is_left(
    dovecot: Dovecot, user: str, shared: Post
) -> None:
    """The next runs take the rest, oldest first."""
    dovecot.append(user, mail(3), mail(4), mail(5), flags=SEEN)
    shared.fetch()
    dovecot.append(user, mail(6), mail(7), flags=SEEN)
    shared.mailbox = shared.mailbox.model_copy(update={"max_messages": 1})
    for number in (6, 7):
        shared.fetch()
        assert shared.shas().keys() == {2, *range(6, number + 1)}
    assert shared.noted("left") == 0


def test_a_mail_that_is_never_given_is_passed_in_the_end(
    imap_script: Callable[..., ScriptedImap], post: Post
) -> None:
    """It holds the mark back until it is quarantined; the others come meanwhile."""
    given = b"* 2 FETCH (UID 2 BODY[] {3}\r\nx\r\n)\r\n@ OK done\r\n"
    server = imap_script({"BODY": given, "SEARCH SEEN": b"* SEARCH\r\n@ OK done\r\n"})
    post.mailbox = server.mailbox(take="new")
    post.settings = post.settings.model_copy(update={"fetch": Fetch(missing_runs=2, audit_days=0)})
    highs = []
    for _ in range(4):
        post.fetch()
        known = Folders(post.redis).recall("test", "INBOX")
        assert known is not None
        highs.append(known.high)
    assert post.open() == 1
    assert (highs[0], highs[-1]) == (0, 2)


@pytest.mark.parametrize("lost", ["redis", "both"])
def test_after_a_loss_nothing_is_lost(dovecot: Dovecot, user: str, shared: Post, lost: str) -> None:
    """What was in work is taken in again; what is done is not, nor what people had read before."""
    dovecot.append(user, mail(3), mail(4))
    shared.fetch()
    shared.work(1)
    shared.fetch()
    shared.lose_redis()
    if lost == "both":
        shared.lose_state()
    shared.fetch()
    done = [uid for uid, flags in dovecot.flags(user).items() if DONE in flags]
    expected = {2, 3, 4} if lost == "both" else {2, 3, 4} - set(done)
    assert shared.shas().keys() == expected


def test_a_new_uidvalidity_is_read_again_and_recognised(
    dovecot: Dovecot, user: str, shared: Post
) -> None:
    """Mails since the first run are looked at again and known; what people had read stays out."""
    shared.fetch()
    dovecot.append(user, mail(3), flags=SEEN)
    shared.fetch()
    for _ in range(2):
        shared.work(1)
    folder = Folders(shared.redis).recall("test", "INBOX")
    assert folder is not None
    dovecot.number_anew(user)
    shared.fetch()
    renumbered = Folders(shared.redis).recall("test", "INBOX")
    assert renumbered is not None
    assert renumbered.uidvalidity != folder.uidvalidity
    assert (shared.open(), shared.noted("done")) == (0, 2)


def test_going_over_to_what_is_new_takes_no_old_mail(
    dovecot: Dovecot, user: str, post: Post
) -> None:
    """Neither what people had read nor what had been taken when it was unread."""
    dovecot.append(user, mail(1), flags=SEEN)
    dovecot.append(user, mail(2))
    post.fetch()
    post.mailbox = dovecot.mailbox(user, take="new")
    post.fetch()
    assert (post.noted("fetched"), post.open()) == (0, 1)
    dovecot.append(user, mail(3), flags=SEEN)
    post.fetch()
    assert post.open() == 2


def test_a_read_only_mailbox_can_be_looked_at(dovecot: Dovecot, user: str, post: Post) -> None:
    """With done = nothing no right to write is needed; otherwise the fault says how."""
    dovecot.append(user, mail(1))
    dovecot.create(user, "shelf")
    dovecot.append(user, mail(2), folder="shelf")
    dovecot.restrict(user, "shelf", "lr")
    post.mailbox = dovecot.mailbox(user, folder="shelf", take="new", done="nothing")
    assert post.fetch() == []
    assert post.open() == 1
    post.mailbox = dovecot.mailbox(user, folder="shelf")
    (fault,) = post.fetch()
    assert isinstance(fault, StopProcess)
    assert "mailbox.take to new" in str(fault)


@pytest.mark.parametrize("choice", ["mark", "process"])
def test_a_mail_that_somebody_marked_as_unread(
    dovecot: Dovecot, user: str, post: Post, choice: str
) -> None:
    """By default it is just marked as read; if wanted it is processed again, raw bytes or not."""
    dovecot.append(user, mail(1), mail(2))
    post.mailbox = dovecot.mailbox(user, unread_again=choice)
    post.fetch()
    for _ in range(2):
        post.work(1)
    post.redis.delete(*post.redis.keys("{tqimap}:raw:*"))
    post.fetch()
    with dovecot.client(user) as client:
        client.uid("STORE", "2", "-FLAGS", f"({SEEN})")
    post.fetch()
    wanted = choice == "process"
    assert (post.open(), post.noted("again")) == (wanted, wanted)
    assert unread(dovecot, user) == []
    if wanted:
        (sha,) = post.ledger.unfinished(older=-1)
        assert post.ledger.raw(sha) == mail(2)


def test_a_folder_that_keeps_marks_again_is_believed(
    dovecot: Dovecot, user: str, post: Post
) -> None:
    """It was found to keep none: until no known mail is unread there, none is processed again."""
    dovecot.append(user, mail(1))
    post.mailbox = dovecot.mailbox(user, unread_again="process")
    post.fetch()
    post.work(1)
    memory = state.load(post.directory)
    memory.keep(post.mailbox.name, forgetful=["INBOX"])
    state.save(post.directory, memory)
    for again in (0, 1):
        with dovecot.client(user) as client:
            client.uid("STORE", "1", "-FLAGS", f"({SEEN})")
        post.fetch()
        assert post.noted("again") == again
        post.fetch()
    assert post.open() == 1


def test_a_moved_mail_that_somebody_brings_back_unread_is_processed_again(
    dovecot: Dovecot, user: str, post: Post
) -> None:
    """Its keyword tells, though its UID is new; and it is moved away again once it is done."""
    dovecot.append(user, mail(1))
    settings = {"unread_again": "process", "done": "move", "done_folder": "Done"}
    post.mailbox = dovecot.mailbox(user, **settings)
    post.fetch()
    post.work(1)
    post.fetch()
    with dovecot.client(user, "Done") as client:
        client.uid("STORE", "1", "-FLAGS", f"({SEEN})")
        client.uid("MOVE", "1", "INBOX")
    post.fetch()
    assert post.open() == 1
    post.work(1)
    post.fetch()
    assert dovecot.flags(user) == {}
    assert len(dovecot.flags(user, "Done")) == 1


def test_the_bytes_of_a_day_are_limited_across_runs(
    dovecot: Dovecot, user: str, post: Post, caplog: pytest.LogCaptureFixture
) -> None:
    """Once they are used up nothing is fetched, it is said, and the run ends well."""
    dovecot.append(user, *[mail(number) for number in range(4)])
    post.mailbox = dovecot.mailbox(user, daily_bytes=2 * len(mail(1)))
    for _ in range(2):
        assert post.fetch() == []
    assert post.open() == 2
    assert "bytes of today are used up" in str(post.noted("held"))
    assert "mailbox test: nothing is fetched: the bytes of today" in caplog.text
    assert post.noted("left") == 2


def test_a_server_that_wants_to_know_who_we_are_is_told(
    imap_script: Callable[..., ScriptedImap], post: Post
) -> None:
    """ID comes after the login and before a folder is opened; an answer that refuses is ignored."""
    capabilities = b"* CAPABILITY IMAP4rev1 AUTH=PLAIN ID\r\n@ OK done\r\n"
    server = imap_script({"CAPABILITY": capabilities, "ID": b"@ NO whatever\r\n"})
    post.mailbox = server.mailbox()
    assert post.fetch() == []
    words = [line.split()[1] for line in server.lines if line.count(b" ")]
    assert words.index(b"AUTHENTICATE") < words.index(b"ID") < words.index(b"SELECT")
    assert b'ID ("name" "tqimap"' in b"".join(server.lines)
