"""A watched mailbox whose server is odd: it is neither missed nor worn out."""

from __future__ import annotations

import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest
from fixtures.imap_script import DECENT
from fixtures.post import mail
from fixtures.workers import until

from tqimap_fetcher import idle, run, state, watch
from tqimap_fetcher.watch import Watcher
from tqimap_shared.errors import StopProcess
from tqimap_shared.settings import Fetch


if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from fixtures.dovecot import Dovecot
    from fixtures.imap_script import Answer, ScriptedImap
    from fixtures.post import Post
    from redis import Redis

    from tqimap_shared.settings import Mailbox

    Start = Callable[..., ScriptedImap]

pytestmark = pytest.mark.redis

IDLE = b"* CAPABILITY IMAP4rev1 AUTH=PLAIN IDLE\r\n@ OK done\r\n"
BACK_OFF = b"* BYE Request is throttled. Suggested Backoff Time: 299961 milliseconds\r\n"


@contextmanager
def watching(post: Post, **fetch: float) -> Iterator[Watcher]:
    """Watch the mailbox of *post* until the end of the block."""
    settings = post.settings.model_copy(update={"fetch": Fetch.model_validate(fetch)})
    common = run.begin(settings, post.directory, state.load(post.directory))
    watcher = Watcher(common, post.mailbox, lambda: None)
    try:
        yield watcher
    finally:
        watcher.stop()
        watcher.join()
    assert watcher.fault is None


def serving(imap_script: Start, idle: Answer) -> ScriptedImap:
    """Serve what is always the same, with this answer to IDLE."""
    return imap_script({"CAPABILITY": IDLE, "IDLE": idle})


def commands(server: ScriptedImap) -> list[bytes]:
    """Return what came: the first word of commands, SELECT with its folder."""
    words = [line.split()[1:3] for line in list(server.lines) if line.count(b" ")]
    return [b" ".join(one).replace(b'"', b"") if one[0] == b"SELECT" else one[0] for one in words]


def test_further_folders_are_looked_at_while_the_first_is_waited_on(
    imap_script: Start, post: Post
) -> None:
    """IDLE tells of one folder only: after `fetch.poll` seconds of it all are looked at."""
    server = serving(imap_script, b"+ idling\r\n")
    post.mailbox = server.mailbox(folders=["INBOX", "Spam"])
    with watching(post, poll=0.2, min_poll=0.01):
        until(lambda: commands(server).count(b"IDLE") >= 3, seconds=60)
    between = b" ".join(commands(server)).split(b"IDLE")[1:-1]
    assert len(between) >= 2
    assert all(b"SELECT Spam UID" in one for one in between)


@pytest.mark.dovecot
def test_the_other_folders_are_watched_when_the_first_is_gone(
    dovecot: Dovecot, user: str, post: Post
) -> None:
    """The first that can be opened is waited on; no pause as long as that after a fault."""
    post.mailbox = dovecot.mailbox(user, folders=["Gone", "INBOX"])
    with watching(post, min_poll=0.01):
        for number in (1, 2):
            dovecot.append(user, mail(number))
            until(lambda: post.open() == number, seconds=60)  # noqa: B023 - asked at once


def test_watching_ends_when_redis_could_lose_mail(redis: Redis, post: Post) -> None:
    """It runs for months: what was checked at its start may not be so any more."""
    common = run.begin(post.settings, post.directory, state.load(post.directory))
    stop = idle.Stop()

    def mailboxes() -> list[Mailbox]:
        stop.set()
        return []

    redis.config_set("appendfsync", "everysec")
    try:
        with pytest.raises(StopProcess, match="could lose mails"):
            watch.watch(common, mailboxes, stop)
    finally:
        redis.config_set("appendfsync", "always")
        stop.close()


@pytest.mark.parametrize("answer", [b"@ NO not here\r\n", b"@ BAD what?\r\n", None])
def test_a_server_that_offers_idle_and_refuses_it_is_asked_ever_more_seldom(
    imap_script: Start, post: Post, answer: Answer
) -> None:
    """What went well before the refusal does not count: it would be logged in to each second."""
    server = serving(imap_script, answer)
    post.mailbox = server.mailbox()
    with watching(post, min_poll=0.01, max_pause=0.2) as watcher:
        until(lambda: watcher._failures >= 2, seconds=60)


def test_a_server_that_throttles_whoever_waits_is_left_alone(
    imap_script: Start, post: Post
) -> None:
    """It says so while it is waited on; no other connection is made before its time."""
    server = serving(imap_script, b"+ idling\r\n" + BACK_OFF)
    post.mailbox = server.mailbox()
    with watching(post, min_poll=0.01, poll=0.1, max_pause=0.1):
        until(lambda: "left alone" in str(post.noted("held")), seconds=60)
        time.sleep(0.3)
        assert commands(server).count(b"AUTHENTICATE") == 1


@pytest.mark.parametrize("select", [b"", b"* OK [UIDNEXT 3] next\r\n"])
def test_a_server_that_tells_of_mail_without_end_is_not_run_after(
    imap_script: Start, post: Post, select: bytes
) -> None:
    """Between two looks at least `fetch.min_poll` seconds pass, whatever seems to be new."""
    script = {"CAPABILITY": IDLE, "IDLE": b"+ idling\r\n* 3 EXISTS\r\n"}
    server = imap_script({**script, "SELECT": select + DECENT["SELECT"]})
    post.mailbox = server.mailbox()
    with watching(post, min_poll=1000):
        until(lambda: post.noted("fetched") == 2, seconds=60)
        time.sleep(0.3)
        assert commands(server).count(b"SELECT INBOX") == 1
