"""What servers and people really do to a mailbox while it is read."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from fixtures.dovecot import SERVER_NAME
from fixtures.imap_script import DECENT, MAILS, fetched
from fixtures.post import DONE, SEEN, Post, mail
from fixtures.socks import PROXY_PASSWORD, PROXY_USER

from tqimap_fetcher import idle
from tqimap_fetcher.connection import connected
from tqimap_fetcher.login import open_folder
from tqimap_fetcher.refusal import Throttled
from tqimap_fetcher.run import fetch_all
from tqimap_fetcher.state import State
from tqimap_shared.errors import TryLater
from tqimap_shared.settings import Fetch


if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from fixtures.dovecot import Dovecot
    from fixtures.imap_script import Answer, ScriptedImap

    from tqimap_sandbox.socks import Proxy

    Start = Callable[..., ScriptedImap]


@pytest.mark.dovecot
@pytest.mark.redis
def test_a_mail_in_several_folders_is_one_mail(dovecot: Dovecot, user: str, post: Post) -> None:
    """As with labels, where a folder has all mail once more: it is done once, and told in each."""
    dovecot.create(user, "All")
    for folder in ("INBOX", "All"):
        dovecot.append(user, mail(1), folder=folder)
    post.mailbox = dovecot.mailbox(user, folders=["INBOX", "All"])
    post.fetch()
    assert [post.noted(name) for name in ("fetched", "new", "known")] == [2, 1, 1]
    post.work(1)
    post.fetch()
    for folder in ("INBOX", "All"):
        assert DONE in dovecot.flags(user, folder)[1]


@pytest.mark.redis
def test_mails_are_asked_for_in_no_way_that_marks_them(imap_script: Start, post: Post) -> None:
    """Some servers answer RFC822 without a mail; it and BODY[] mark what they give as read."""
    server = imap_script({"SEARCH SEEN": b"* SEARCH\r\n@ OK done\r\n"})
    post.mailbox = server.mailbox(subjects=["one"], take="new", done="nothing")
    post.fetch()
    asked = b"".join(server.lines).replace(b"BODY.PEEK[", b"").replace(b"RFC822.SIZE", b"")
    assert b"FETCH" in asked
    assert b"BODY" not in asked
    assert b"RFC822" not in asked
    assert b"STORE" not in asked


@pytest.mark.redis
def test_what_came_before_a_connection_broke_is_kept(imap_script: Start, post: Post) -> None:
    """The mail whose literal was cut comes with the next run, the one before is known by then."""
    cut: list[bytes | None] = [fetched(1, MAILS[1]), b"* 2 FETCH (UID 2 BODY[] {24}\r\nSub", None]
    post.settings = post.settings.model_copy(update={"fetch": Fetch(admit_messages=1)})
    post.mailbox = imap_script({"BODY": cut}).mailbox()
    assert len(post.fetch()) == 1
    before = post.open()
    post.mailbox = imap_script().mailbox()
    assert post.fetch() == []
    assert (post.open(), post.noted("known")) == (2, before)


@pytest.mark.redis
@pytest.mark.parametrize("command", ["MOVE", "SELECT", "HEADER"])
def test_throttling_is_obeyed_whatever_it_answers(
    imap_script: Start, post: Post, command: str
) -> None:
    """Also a move: it is not taken for a folder that cannot be written."""
    back_off = b"@ NO Request is throttled. Suggested Backoff Time: 299961 milliseconds\r\n"
    server = imap_script()
    post.mailbox = server.mailbox(done="move", done_folder="Done")
    post.fetch()
    post.work(1)
    settings = {"done": "move", "done_folder": "Done", "subjects": ["!never"]}
    script = {"MOVE": b"@ OK done\r\n", command: back_off}
    post.mailbox = imap_script(script).mailbox(**settings)
    (fault,) = post.fetch()
    assert isinstance(fault, Throttled)
    assert post.fetch() == []
    assert "left alone" in str(post.noted("held"))


@pytest.mark.redis
@pytest.mark.parametrize("flags", [b"(\\Seen)", b"(\\Answered \\Seen $MDNSent)"])
def test_a_server_without_keywords_is_asked_for_none(
    imap_script: Start, post: Post, flags: bytes
) -> None:
    """As Exchange: no run marks or searches by one, and what was done is known all the same."""
    server = imap_script({"SELECT": DECENT["SELECT"].replace(b"(\\Seen \\*)", flags)})
    post.mailbox = server.mailbox(unread_again="process")
    assert post.fetch() == []
    assert post.open() == 2
    post.work(1)
    post.work(1)
    assert post.fetch() == []
    assert (post.noted("done"), post.noted("again")) == (2, 2)
    sent = b"".join(server.lines)
    assert b"STORE 1:2 +FLAGS.SILENT (\\Seen)\r\n" in sent
    assert b"tqimap-" not in sent
    assert b"KEYWORD" not in sent


@pytest.mark.redis
def test_a_server_that_keeps_no_mark_brings_nothing_twice(imap_script: Start, post: Post) -> None:
    """It says OK and lists the same mails as unread for ever: the ledger knows them."""
    post.mailbox = imap_script().mailbox()
    for expected in ([2, 0, 0], [0, 2, 0], [0, 1, 1], [0, 0, 2]):
        assert post.fetch() == []
        assert [post.noted(one) for one in ("new", "known", "done")] == expected
        if expected[1]:
            post.work(1)
    assert post.open() == 0


@pytest.mark.redis
def test_a_server_that_keeps_no_mark_has_no_work_repeated(
    imap_script: Start, post: Post, caplog: pytest.LogCaptureFixture
) -> None:
    """What it lists as unread for ever is processed again once, not for ever; it is said once."""
    post.mailbox = imap_script().mailbox(unread_again="process")
    for again in (0, 2, 0, 0):
        assert post.fetch() == []
        assert post.noted("again") == again
        while post.open():
            post.work(1)
    assert caplog.text.count("keeps no mark") == 1


@pytest.mark.redis
@pytest.mark.parametrize("command", ["SEARCH", "SIZE", "BODY"])
def test_mails_numbered_anew_meanwhile_are_not_taken_for_others(
    imap_script: Start, post: Post, command: str
) -> None:
    """Between two windows of a search, or later: nothing more is marked, and the run ends."""
    anew = b"* OK [UIDVALIDITY 8] restored\r\n"
    server = imap_script({command: anew + DECENT[command]})
    post.mailbox = server.mailbox()
    post.settings = post.settings.model_copy(update={"fetch": Fetch(search_window=1)})
    (fault,) = post.fetch()
    assert isinstance(fault, TryLater)
    assert "numbered its mails anew" in str(fault)
    assert not any(b"STORE" in line for line in server.lines)


@pytest.mark.dovecot
@pytest.mark.redis
def test_many_runs_at_once_bring_each_mail_once(
    dovecot: Dovecot, user: str, post: Post, tmp_path: Path
) -> None:
    """On hosts of their own, so no lock keeps them apart, they hold a connection each."""
    dovecot.append(user, *[mail(number) for number in range(60)])
    hosts = [replace(post, directory=tmp_path / name) for name in "abcd"]
    for host in hosts:
        host.directory.mkdir()
    with ThreadPoolExecutor(len(hosts)) as pool:
        assert list(pool.map(Post.fetch, hosts)) == [[]] * len(hosts)
    assert post.open() == 60
    assert len(set(post.shas().values())) == 60
    assert all(SEEN in flags for flags in dovecot.flags(user).values())


@pytest.mark.dovecot
@pytest.mark.redis
def test_each_mailbox_goes_by_its_own_proxy(
    dovecot: Dovecot, post: Post, start_proxy: Callable[..., Proxy]
) -> None:
    """Two proxies in one run, and a mailbox without: none goes by another's."""
    proxies = [start_proxy(), start_proxy(password=True)]
    ways: list[dict[str, object]] = [
        {"proxy_address": "127.0.0.1", "proxy_port": one.port} for one in proxies
    ]
    ways[0] |= {"proxy_type": "socks4a", "server": SERVER_NAME}
    ways[1] |= {"proxy_username": PROXY_USER, "proxy_password": PROXY_PASSWORD}
    mailboxes = [
        dovecot.mailbox(dovecot.user(), name=f"box{number}", **way)
        for number, way in enumerate([*ways, {}])
    ]
    assert fetch_all(mailboxes, post.settings, post.directory, State()) == []
    asked = [one.destinations for one in proxies]
    assert asked == [[(SERVER_NAME, dovecot.imaps)], [("127.0.0.1", dovecot.imaps)]]


@pytest.mark.dovecot
@pytest.mark.redis
def test_unread_mails_that_are_numbered_anew_are_known(
    dovecot: Dovecot, user: str, post: Post
) -> None:
    """A backup from before they were read came back: they are taken in anew, and done once."""
    dovecot.append(user, mail(1), mail(2))
    post.fetch()
    post.work(1)
    with dovecot.client(user) as client:
        client.uid("STORE", "1:2", "FLAGS", "()")
    dovecot.number_anew(user)
    dovecot.append(user, mail(3))
    post.fetch()
    assert [post.noted(one) for one in ("new", "known", "done")] == [1, 1, 1]
    assert post.open() == 2
    assert all(SEEN in flags for flags in dovecot.flags(user).values())


@pytest.mark.redis
def test_a_mailbox_has_its_own_time(imap_script: Start, post: Post) -> None:
    """Once `mailbox.max_seconds` are over no further folder's mails are asked for."""

    def slowly() -> Iterator[bytes]:
        time.sleep(0.5)
        yield DECENT["BODY"]

    server = imap_script({"BODY": slowly()})
    post.mailbox = server.mailbox(folders=["INBOX", "Spam"], max_seconds=0.4)
    assert post.fetch() == []
    assert (post.noted("fetched"), post.noted("left")) == (2, 2)
    assert sum(b"BODY.PEEK[]" in line for line in server.lines) == 1


IDLE: dict[str, Answer] = {"CAPABILITY": b"* CAPABILITY IMAP4rev1 AUTH=PLAIN IDLE\r\n@ OK done\r\n"}


@pytest.fixture
def stop() -> Iterator[idle.Stop]:
    """Give a wish to stop that is not wished yet."""
    wish = idle.Stop()
    yield wish
    wish.close()


def wait(server: ScriptedImap, stop: idle.Stop, seconds: float = 60) -> bool:
    """Wait for mail at *server*."""
    mailbox, fetch = server.mailbox(), Fetch(max_lines=100)
    with connected(mailbox, fetch) as client:
        open_folder(client, mailbox, fetch)
        return idle.wait(client, "test", seconds=seconds, stop=stop)


@pytest.mark.parametrize(
    ("answer", "news"),
    [
        ([b"+ idling\r\n* 3 EXI", b"STS\r\n"], True),
        (b"* 3 EXISTS\r\n+ idling\r\n", True),
        ([b"+\r\n", b"* OK Still here\r\n* 1 FETCH (FLAGS (\\Seen))\r\n* 3 EXISTS\r\n"], True),
        (b"+ idling\r\n* OK Still here\r\n* 1 EXPUNGE\r\n", False),
        (b"+ idling\r\n", False),
    ],
)
def test_the_server_tells_of_mail(
    imap_script: Start, stop: idle.Stop, answer: Answer, *, news: bool
) -> None:
    """However it cuts its lines; what is no mail is not taken for one."""
    server = imap_script(IDLE | {"IDLE": answer})
    assert wait(server, stop, 60 if news else 0.3) is news
    assert b"DONE\r\n" in server.lines


@pytest.mark.parametrize(
    "answer",
    [
        b"+ idling\r\n* BYE\r\n",
        b"+ idling\r\n* BYE going\r\n",
        [b"+ idling\r\n", None],
        b"@ NO not now\r\n",
        b"+ idling\r\n" + b"* OK Still here\r\n" * 200,
        b"nonsense\r\n",
    ],
)
def test_a_broken_wait_is_tried_again_later(
    imap_script: Start, stop: idle.Stop, answer: Answer
) -> None:
    """A farewell, a flood, a refusal: the connection is given up."""
    with pytest.raises(TryLater):
        wait(imap_script(IDLE | {"IDLE": answer}), stop)


def test_a_wish_to_stop_ends_the_wait_at_once(imap_script: Start, stop: idle.Stop) -> None:
    """Whoever waits is woken."""
    server = imap_script(IDLE)
    threading.Timer(0.2, stop.set).start()
    began = time.monotonic()
    assert not wait(server, stop, 600)
    assert time.monotonic() - began < 60
    assert not wait(server, stop, 600)
