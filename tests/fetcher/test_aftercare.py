"""Several folders of one mailbox, its limits, and what becomes of its mails afterwards."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from fixtures.post import DONE, SEEN, mail
from pydantic import ValidationError

from tqimap_fetcher.mover import Moved
from tqimap_shared.errors import StopProcess
from tqimap_shared.settings import Mailbox


if TYPE_CHECKING:
    from collections.abc import Callable

    from fixtures.dovecot import Dovecot
    from fixtures.imap_script import ScriptedImap
    from fixtures.post import Post

pytestmark = [pytest.mark.dovecot, pytest.mark.redis]

UMLAUT = "Meldungen - Über & 日本"
LONG_AGO = '"01-Jan-2020 00:00:00 +0000"'


def fill(dovecot: Dovecot, user: str, folder: str, *numbers: int) -> None:
    """Put unread mails into *folder*, which is created."""
    with dovecot.client(user, None) as client:
        client.create(imap_name(folder))
        for number in numbers:
            assert client.append(imap_name(folder), "", "", mail(number))[0] == "OK"


def imap_name(folder: str) -> str:
    """Write a folder's name as IMAP does."""
    from imapclient import imap_utf7  # noqa: PLC0415

    return f'"{imap_utf7.encode(folder).decode()}"'


def test_several_folders_are_read_over_one_connection(
    dovecot: Dovecot, user: str, post: Post
) -> None:
    """Each has its unread mails taken in; the state file has their sums, and each one's own."""
    dovecot.append(user, mail(1))
    fill(dovecot, user, UMLAUT, 2, 3)
    fill(dovecot, user, "Spam", 4)
    post.mailbox = dovecot.mailbox(user, folders=["INBOX", UMLAUT, "Spam"])
    assert post.fetch() == []
    assert post.open() == 4
    assert post.noted("fetched") == 4
    folders = post.noted("folders")
    assert isinstance(folders, dict)
    assert {name: facts["fetched"] for name, facts in folders.items()} == {
        "INBOX": 1,
        UMLAUT: 2,
        "Spam": 1,
    }
    assert post.fetch() == []
    assert post.noted("fetched") == 0


def test_one_connection_serves_all_folders(
    imap_script: Callable[..., ScriptedImap], post: Post
) -> None:
    """The server sees one login and one SELECT for each folder."""
    server = imap_script()
    post.mailbox = server.mailbox(folders=["INBOX", "A", "B"])
    post.fetch()
    words = [line.split()[1] for line in server.lines if line.count(b" ")]
    assert (words.count(b"AUTHENTICATE"), words.count(b"SELECT")) == (1, 3)


def test_a_folder_that_cannot_be_opened_does_not_keep_the_others(
    dovecot: Dovecot, user: str, post: Post
) -> None:
    """Its fault is returned and noted; the rest is fetched."""
    dovecot.append(user, mail(1))
    post.mailbox = dovecot.mailbox(user, folders=["Gone", "INBOX"])
    (fault,) = post.fetch()
    assert isinstance(fault, StopProcess)
    assert "folder Gone: cannot be opened" in str(fault)
    assert post.open() == 1
    assert "Gone" in str(post.noted("last_error"))


def test_the_memory_of_every_folder_survives_the_loss_of_redis(
    dovecot: Dovecot, user: str, post: Post
) -> None:
    """What people had read in any folder is never taken in, what was in work is."""
    fill(dovecot, user, "Spam", 1)
    for folder in ("INBOX", "Spam"):
        dovecot.append(user, mail(7), folder=folder, flags=SEEN)
    dovecot.append(user, mail(2))
    post.mailbox = dovecot.mailbox(user, folders=["INBOX", "Spam"])
    post.fetch()
    assert post.open() == 2
    post.lose_redis()
    post.fetch()
    assert post.open() == 2


def test_a_mailbox_has_its_own_limits_and_no_folder_starves(
    dovecot: Dovecot, user: str, post: Post
) -> None:
    """The limit is for all folders together, and the next run begins where this one had to stop."""
    dovecot.append(user, *[mail(number) for number in range(4)])
    fill(dovecot, user, "Spam", 11, 12, 13, 14)
    post.mailbox = dovecot.mailbox(user, folders=["INBOX", "Spam"], max_messages=3)
    post.fetch()
    assert (post.noted("fetched"), post.noted("left")) == (3, 5)
    dovecot.append(user, mail(5), mail(6))
    post.fetch()
    read = {
        name: sum(SEEN in one for one in dovecot.flags(user, name).values())
        for name in ("INBOX", "Spam")
    }
    assert read == {"INBOX": 3, "Spam": 3}


def test_the_bytes_of_a_mailbox_are_limited(dovecot: Dovecot, user: str, post: Post) -> None:
    """As fetch.max_bytes does, for this mailbox alone."""
    dovecot.append(user, *[mail(number) for number in range(4)])
    post.mailbox = dovecot.mailbox(user, max_bytes=2 * len(mail(1)))
    post.fetch()
    assert (post.noted("fetched"), post.noted("left")) == (2, 2)


def test_a_mail_that_failed_for_good_is_moved_away(dovecot: Dovecot, user: str, post: Post) -> None:
    """Into the failed folder, which is made; not while it may still succeed, and once."""
    dovecot.append(user, mail(1), mail(2))
    post.mailbox = dovecot.mailbox(user, failed_folder=UMLAUT)
    post.fetch()
    post.fetch()
    assert len(dovecot.flags(user)) == 2
    post.fail(1)
    post.fetch()
    assert post.noted("moved") == 1
    assert len(dovecot.flags(user)) == 1
    assert len(dovecot.flags(user, imap_name(UMLAUT))) == 1
    post.fetch()
    assert post.noted("moved") == 0
    assert post.ledger.counts().dead == 1


def test_a_failed_mail_that_is_done_in_the_end_is_treated_so(
    dovecot: Dovecot, user: str, post: Post
) -> None:
    """From the failed folder, where it is known, it goes to the done one."""
    dovecot.append(user, mail(1), mail(2))
    post.mailbox = dovecot.mailbox(user, failed_folder="Failed", done="move", done_folder="Done")
    post.fetch()
    post.fail(1)
    post.fetch()
    assert len(dovecot.flags(user, "Failed")) == 1
    post.work(1)
    post.fetch()
    assert dovecot.flags(user, "Failed") == {}
    assert len(dovecot.flags(user, "Done")) == 1
    assert post.records.untold() == []


@pytest.mark.parametrize(
    "said",
    [[], [b"7"], [b"7 1 1:4000000000"], [b"7 1:2 3"], [b"x 1 1"], [b"7 1 x"], [b"7 4:1 4:1"]],
)
def test_a_server_that_tells_nonsense_of_moved_mails_is_not_believed(said: list[bytes]) -> None:
    """Nor does it take memory: then nobody knows where they are."""
    assert not Moved().joined(said, [1]).uids


def test_only_done_mails_are_deleted_and_only_after_their_days(
    dovecot: Dovecot, user: str, post: Post
) -> None:
    """What is not done, is done again, or has come since, stays, however it is marked."""
    with dovecot.client(user) as client:
        for number in range(1, 5):
            assert client.append("INBOX", "", LONG_AGO, mail(number))[0] == "OK"
    dovecot.append(user, mail(5))
    post.mailbox = dovecot.mailbox(user)
    post.fetch()
    for _ in range(5):
        post.work(1)
    post.fetch()
    assert all(DONE in flags for flags in dovecot.flags(user).values())
    (again,) = (sha for uid, sha in post.shas().items() if uid == 2)
    assert post.records.reopen(again) == "ok"
    with dovecot.client(user) as client:
        client.uid("STORE", "1", "-FLAGS", f"({DONE})")
    post.mailbox = dovecot.mailbox(user, delete_days=30)
    post.fetch()
    assert post.noted("deleted") == 2
    assert sorted(dovecot.flags(user)) == [1, 2, 5]


def test_moved_mails_are_deleted_after_their_days(dovecot: Dovecot, user: str, post: Post) -> None:
    """In the done folder too, those that tqimap put there."""
    fill(dovecot, user, "Done")
    with dovecot.client(user) as client:
        for folder, number in (("INBOX", 1), ("Done", 2)):
            assert client.append(folder, "", LONG_AGO, mail(number))[0] == "OK"
    post.mailbox = dovecot.mailbox(user, done="move", done_folder="Done", delete_days=30)
    post.fetch()
    post.work(1)
    post.fetch()
    assert list(dovecot.bodies(user, "Done").values()) == [mail(2)]
    assert dovecot.flags(user) == {}


def test_nothing_is_expunged_but_what_is_ours(
    imap_script: Callable[..., ScriptedImap], post: Post
) -> None:
    """Without MOVE and UIDPLUS our mails are marked as deleted, and no EXPUNGE is ever sent."""
    server = imap_script(
        {
            "CAPABILITY": b"* CAPABILITY IMAP4rev1 AUTH=PLAIN\r\n@ OK done\r\n",
            "COPY": b"@ OK done\r\n",
        }
    )
    post.mailbox = server.mailbox(failed_folder="Failed", done="move", done_folder="Done")
    post.fetch()
    post.work(1)
    post.fail(1)
    post.fetch()
    sent = b"".join(server.lines)
    assert len(re.findall(rb"UID COPY \d (?:Failed|Done|\"Failed\"|\"Done\")", sent)) == 2
    assert sent.count(rb"FLAGS.SILENT (\Deleted)") == 2
    assert b"EXPUNGE" not in sent
    assert b"CLOSE" not in sent


@pytest.mark.parametrize("setting", ["done_folder", "failed_folder"])
def test_no_mail_is_moved_to_where_it_is_read(setting: str) -> None:
    """Such settings would fetch the same mails for ever, and are refused."""
    with pytest.raises(ValidationError, match=setting):
        Mailbox.model_validate({"folders": ["INBOX", "Spam"], setting: "Spam"})
