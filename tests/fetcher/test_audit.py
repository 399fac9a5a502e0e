"""Read mails that are nowhere are found again; what people had read before is left alone."""

from __future__ import annotations

import json
import re
import time
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from fixtures.imap_script import DECENT
from fixtures.post import DONE, SEEN, TAKEN, mail

from tqimap_shared.folders import Folders
from tqimap_shared.settings import Fetch


if TYPE_CHECKING:
    from collections.abc import Callable

    from fixtures.dovecot import Dovecot
    from fixtures.imap_script import ScriptedImap
    from fixtures.post import Post

pytestmark = [pytest.mark.dovecot, pytest.mark.redis]


def searches(caplog: pytest.LogCaptureFixture) -> int:
    """Count the warnings about mails that are taken in again."""
    return sum("taken in again" in one.message for one in caplog.records)


def test_after_the_loss_of_redis_unfinished_mails_are_taken_in_again(
    dovecot: Dovecot, user: str, post: Post, caplog: pytest.LogCaptureFixture
) -> None:
    """What is not marked done comes back, what is done does not, and it is said once."""
    dovecot.append(user, *[mail(number) for number in range(4)])
    post.fetch()
    post.work(1)
    post.fetch()
    assert sum(DONE in flags for flags in dovecot.flags(user).values()) == 1
    post.lose_redis()
    post.fetch()
    assert post.open() == 3
    assert "does not remember INBOX" in caplog.text
    post.fetch()
    assert searches(caplog) == 1
    assert post.open() == 3


@pytest.mark.parametrize("lost", ["redis", "both"])
def test_what_people_had_read_before_is_never_taken_in(
    dovecot: Dovecot, user: str, post: Post, lost: str
) -> None:
    """Neither at first nor after any loss: their mails are told from ours, and stay as they are."""
    dovecot.append(user, mail(1), mail(2), flags=SEEN)
    dovecot.append(user, mail(3))
    dovecot.append(user, mail(4), flags=SEEN)
    post.fetch()
    assert post.open() == 1
    post.lose_redis()
    if lost == "both":
        post.lose_state()
    post.fetch()
    assert post.open() == 1
    flags = dovecot.flags(user)
    assert flags == {1: {SEEN}, 2: {SEEN}, 3: {SEEN, TAKEN}, 4: {SEEN}}


def test_a_mail_that_somebody_reads_too_early_is_taken_in_by_the_next_audit(
    dovecot: Dovecot, user: str, post: Post
) -> None:
    """Read between two runs by a person, it was never unread for us; an audit finds it."""
    post.fetch()
    dovecot.append(user, mail(1), flags=SEEN)
    post.fetch()
    assert post.open() == 0
    post.settings = post.settings.model_copy(update={"fetch": Fetch(audit_every=0.001)})
    post.fetch()
    assert post.open() == 1


def test_an_audit_does_not_wait_for_a_wrong_clock(dovecot: Dovecot, user: str, post: Post) -> None:
    """The last one is noted for a day to come: the clock has been set back since."""
    post.fetch()
    folders = Folders(post.redis)
    (folder,) = folders.every()
    folders.remember(replace(folder, audited=folders.now() + 365 * 86_400))
    dovecot.append(user, mail(1), flags=SEEN)
    post.fetch()
    assert post.open() == 1


def test_an_audit_can_be_asked_for_and_is_made_once(
    dovecot: Dovecot, user: str, post: Post
) -> None:
    """What the operator's tool leaves in Redis is heeded by the next run, not by those after."""
    post.fetch()
    folders = Folders(post.redis)
    folders.want_audit()
    dovecot.append(user, mail(1), flags=SEEN)
    post.fetch()
    assert post.open() == 1
    dovecot.append(user, mail(2), flags=SEEN)
    post.fetch()
    assert post.open() == 1


def test_audits_can_be_switched_off(dovecot: Dovecot, user: str, post: Post) -> None:
    """With fetch.audit_days at 0 read mails are never looked for."""
    post.settings = post.settings.model_copy(update={"fetch": Fetch(audit_days=0)})
    dovecot.append(user, mail(1))
    post.fetch()
    post.lose_redis()
    post.fetch()
    assert post.open() == 0


def test_where_done_mails_are_moved_away_all_that_is_left_is_taken_in(
    dovecot: Dovecot, user: str, post: Post
) -> None:
    r"""What is \Seen and still in the folder is unfinished; the state file knows people's own."""
    post.mailbox = dovecot.mailbox(user, done="move", done_folder="Done")
    dovecot.append(user, mail(0), flags=SEEN)
    dovecot.append(user, *[mail(number) for number in (1, 2, 3)])
    post.fetch()
    assert TAKEN not in dovecot.flags(user)[2]
    post.work(1)
    post.fetch()
    assert len(dovecot.flags(user, "Done")) == 1
    post.lose_redis()
    post.fetch()
    assert post.open() == 2
    post.lose_redis()
    post.lose_state()
    post.fetch()
    assert post.open() == 0


def test_a_done_mail_whose_mark_was_taken_away_gets_it_again(
    dovecot: Dovecot, user: str, post: Post
) -> None:
    """An audit sees that it is done and unmarked, and does not take it in again."""
    dovecot.append(user, mail(1))
    post.fetch()
    post.work(1)
    post.fetch()
    with dovecot.client(user) as client:
        client.uid("STORE", "1", "-FLAGS", f"({DONE})")
    Folders(post.redis).want_audit()
    post.fetch()
    assert DONE in dovecot.flags(user)[1]
    assert post.open() == 0


def test_a_new_uidvalidity_is_said_with_both_values_and_loses_nothing(
    dovecot: Dovecot, user: str, post: Post, caplog: pytest.LogCaptureFixture
) -> None:
    """Mails are known by their content, and marked done where they now are."""
    dovecot.append(user, mail(1), mail(2))
    post.fetch()
    post.work(1)
    (before,) = Folders(post.redis).every()
    dovecot.number_anew(user)
    post.fetch()
    (after,) = Folders(post.redis).every()
    assert after.uidvalidity != before.uidvalidity
    assert f"was {before.uidvalidity} and is {after.uidvalidity}" in caplog.text
    assert post.open() == 1
    post.work(2)
    post.fetch()
    assert all(DONE in flags for flags in dovecot.flags(user).values())


def scripted(imap_script: Callable[..., ScriptedImap], **script: bytes) -> ScriptedImap:
    """Serve two mails of which the first is never given."""
    body = re.sub(rb"\* \d+ FETCH \(UID 1 .*?\r\n\)\r\n", b"", DECENT["BODY"], flags=re.DOTALL)
    return imap_script({"BODY": body, **script})


def test_a_mail_that_is_never_given_is_quarantined(
    imap_script: Callable[..., ScriptedImap], post: Post, caplog: pytest.LogCaptureFixture
) -> None:
    """After some runs it is named, no longer asked for, and keeps nobody from being fetched."""
    server = scripted(imap_script)
    post.mailbox = server.mailbox()
    post.settings = post.settings.model_copy(update={"fetch": Fetch(missing_runs=2, audit_days=0)})
    for _ in range(3):
        assert post.fetch() == []
    assert post.open() == 1
    assert "UID 1 of INBOX (UIDVALIDITY 7) is quarantined" in caplog.text
    asked = [line for line in server.lines if b"BODY.PEEK" in line]
    assert [b"FETCH 1:2 " in line for line in asked] == [True, True, False]
    assert '"quarantined": [1]' in json.dumps(post.noted("folders"))
    (missing,) = Folders(post.redis).quarantined(2)
    assert (missing.uid, missing.runs, missing.folder) == (1, 2, "INBOX")


def test_what_was_missing_and_vanished_is_forgotten(
    imap_script: Callable[..., ScriptedImap], post: Post
) -> None:
    """A count is kept only for mails that the server still lists."""
    post.mailbox = scripted(imap_script).mailbox()
    post.settings = post.settings.model_copy(update={"fetch": Fetch(audit_days=0)})
    post.fetch()
    place = (post.mailbox.name, "INBOX", 7)
    assert Folders(post.redis).missing(*place) == {1: 1}
    post.mailbox = imap_script({"SEARCH": b"* SEARCH 2\r\n@ OK done\r\n"}).mailbox()
    post.fetch()
    assert Folders(post.redis).missing(*place) == {}


THROTTLED = b"@ NO Request is throttled. Suggested Backoff Time: 299961 milliseconds\r\n"


@pytest.mark.parametrize("lost", ["nothing", "redis", "state"])
def test_a_throttled_mailbox_is_skipped_until_its_time(
    imap_script: Callable[..., ScriptedImap],
    post: Post,
    caplog: pytest.LogCaptureFixture,
    lost: str,
) -> None:
    """The next runs do not even connect, say so and end well, whichever memory was lost."""
    server = imap_script({"SELECT": THROTTLED})
    post.mailbox = server.mailbox()
    assert len(post.fetch()) == 1
    lines = len(server.lines)
    if lost == "redis":
        post.lose_redis()
    elif lost == "state":
        post.lose_state()
    assert post.fetch() == []
    assert len(server.lines) == lines
    assert re.search(r"asked to be left alone for (299|300) more seconds", caplog.text)
    assert "left alone" in str(post.noted("held"))


def test_a_server_may_not_ask_for_too_long(
    imap_script: Callable[..., ScriptedImap], post: Post
) -> None:
    """After fetch.max_backoff seconds it is visited again, whatever it asked for."""
    server = imap_script({"SELECT": THROTTLED})
    post.mailbox = server.mailbox()
    post.settings = post.settings.model_copy(update={"fetch": Fetch(max_backoff=0.2)})
    assert len(post.fetch()) == 1
    time.sleep(0.3)
    assert len(post.fetch()) == 1
