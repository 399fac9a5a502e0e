"""`tqIMAP --watch`: mail comes at once, whatever happens to the server, and it ends well."""

from __future__ import annotations

import dataclasses
import os
import signal
import subprocess
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest
from fixtures.dovecot import PASSWORD
from fixtures.post import mail
from fixtures.site import clean
from fixtures.workers import until

from tqimap_sandbox import part
from tqimap_shared.ledger import Ledger
from tqimap_shared.settings import Worker


if TYPE_CHECKING:
    from collections.abc import Iterator

    from fixtures.dovecot import Dovecot
    from fixtures.site import Site
    from redis import Redis

pytestmark = [pytest.mark.dovecot, pytest.mark.redis]

PATIENCE = 60.0


@contextmanager
def watching(site: Site) -> Iterator[subprocess.Popen[str]]:
    """Run `tqIMAP --watch` until the end of the block, if it has not ended before."""
    command = [part.program("tqIMAP"), *site.where, "-ll", str(site.logs), "-v", "3", "--watch"]
    process = subprocess.Popen(command, env=clean(os.environ), stderr=subprocess.PIPE, text=True)
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


@dataclasses.dataclass
class House:
    """A site that is watched, and its ledger."""

    site: Site
    ledger: Ledger

    def deliver(self, *numbers: int) -> None:
        """Deliver mails."""
        self.site.dovecot.append(self.site.user, *map(mail, numbers))

    def arrived(self, count: int) -> bool:
        """Wait until so many mails have been admitted."""
        return until(lambda: self.ledger.counts().open == count, seconds=PATIENCE)

    def log(self) -> str:
        """Read the log."""
        path = self.site.logs / "tqIMAP.log"
        return path.read_text("utf-8") if path.exists() else ""

    def says(self, sentence: str) -> bool:
        """Wait until the log has *sentence*."""
        return until(lambda: sentence in self.log(), seconds=PATIENCE)


def settle(site: Site, redis: Redis, **fetch: float) -> House:
    """Enrol and switch on, with settings of [fetch]."""
    site.configure(fetch=fetch)
    site.ready()
    return House(site, Ledger(redis, settings=Worker()))


def end(process: subprocess.Popen[str], number: int = signal.SIGTERM) -> None:
    """Stop the program, which must end well."""
    process.send_signal(number)
    assert process.wait(PATIENCE) == 0
    assert process.stderr is not None
    assert process.stderr.read() == ""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_mail_is_admitted_as_soon_as_it_is_delivered(
    site: Site, redis: Redis, number: signal.Signals
) -> None:
    """The server tells of it: the next look would be too late. A signal ends it, logged out."""
    house = settle(site, redis, poll=1740)
    house.deliver(1)
    with watching(site) as process:
        assert house.arrived(1)
        for count in (2, 3):
            house.deliver(count)
            assert house.arrived(count)
        assert site.fetch().returncode == 0  # cron may go on beside it
        end(process, number)
    assert all(r"\Seen" in flags for flags in site.dovecot.flags(site.user).values())


def test_a_server_without_idle_is_looked_at_now_and_then(site: Site, redis: Redis) -> None:
    """Every `fetch.poll` seconds; several folders are watched so too."""
    site = dataclasses.replace(
        site,
        mailbox={"folders": ["INBOX", "Spam"], "security": "none", "port": site.dovecot.imap},
    )
    site.dovecot.create(site.user, "Spam")
    house = settle(site, redis, poll=0.2)
    site.threatq.fill_in(imap_server="127.0.0.2")
    with watching(site) as process:
        for count, folder in enumerate(("INBOX", "Spam"), start=1):
            site.dovecot.append(site.user, mail(count), folder=folder)
            assert house.arrived(count)
        end(process)


def test_several_mailboxes_are_watched_at_once(site: Site, redis: Redis) -> None:
    """Each has a connection of its own, on which its server tells."""
    other = site.dovecot.mailbox(site.dovecot.user(), name="Second")
    table = other.model_dump(mode="json", exclude_unset=True) | {"password": PASSWORD}
    site = dataclasses.replace(site, more=[table])
    house = settle(site, redis, poll=1740)
    with watching(site) as process:
        for count, user in enumerate((other.username, site.user, other.username), start=1):
            site.dovecot.append(user, mail(count))
            assert house.arrived(count)
        end(process)


def test_a_server_that_is_killed_is_watched_again(
    site: Site, redis: Redis, own_dovecot: Dovecot
) -> None:
    """It is tried again, ever more seldom, until it is back; the mail comes then."""
    site = dataclasses.replace(site, dovecot=own_dovecot)
    house = settle(site, redis, poll=1740, max_pause=1)
    house.deliver(1)
    with watching(site) as process:
        assert house.arrived(1)
        with own_dovecot.killed():
            assert house.says("cannot be reached")
        house.deliver(2)
        assert house.arrived(2)
        house.deliver(3)
        assert house.arrived(3)
        end(process)


def test_a_feed_that_is_switched_off_is_not_watched(site: Site, redis: Redis) -> None:
    """Its page in ThreatQ is looked at every `fetch.refresh` seconds, also for the way back."""
    house = settle(site, redis, poll=0.2, refresh=0.2)
    with watching(site) as process:
        house.deliver(1)
        assert house.arrived(1)
        site.threatq.toggle(on=False)
        assert house.says("Nothing is watched until then")
        house.deliver(2)
        site.threatq.toggle()
        assert house.arrived(2)
        end(process)


def test_a_full_redis_is_waited_for(site: Site, redis: Redis) -> None:
    """Fetching fails while it does not take writes, and goes on by itself."""
    house = settle(site, redis, poll=0.2, max_pause=0.2)
    with watching(site) as process:
        house.deliver(1)
        assert house.arrived(1)
        redis.config_set("maxmemory", "1mb")
        house.deliver(2)
        assert house.says("reached its maxmemory")
        redis.config_set("maxmemory", "0")
        assert house.arrived(2)
        end(process)


def test_a_wrong_password_is_tried_seldom(site: Site, redis: Redis) -> None:
    """The server must not lock the account: the next attempt is after the longest pause."""
    house = settle(site, redis, max_pause=1740)
    site.threatq.fill_in(imap_password="wrong horse")
    with watching(site) as process:
        assert house.says("the server refuses the user name or password")
        end(process)
    assert house.log().count("refuses the user name") == 1
