"""Redis is lost whole: every mail still arrives, once, and the operator can see that it has."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
import redis
from fixtures.site import sample


if TYPE_CHECKING:
    from fixtures.site import Site

pytestmark = [pytest.mark.dovecot, pytest.mark.redis]

SEEN, DONE = r"\Seen", "$tqimap-done"


def lose_redis(site: Site) -> None:
    """Wipe Redis."""
    with redis.Redis.from_url(site.redis_url) as client:
        client.flushall()


def test_no_mail_is_lost_and_none_takes_effect_twice(site: Site) -> None:
    """Lost with mails unprocessed, and again with mails done but not marked; verify finds it well.

    What a person had read before the first run does not arrive, however often Redis is lost.
    """
    site.dovecot.append(site.user, sample("05"), flags=SEEN)
    site.ready()
    site.dovecot.append(site.user, sample("04"), sample("03"))
    site.fetch()
    lose_redis(site)
    assert "taken in again" in site.fetch().stdout
    site.work()
    first = site.threatq.counts()
    assert first["files"] == 1
    lose_redis(site)
    (site.config / "tqimap-state.json").unlink()
    site.fetch()
    site.work()
    assert site.threatq.counts() == first
    site.fetch()
    marked = {uid: DONE in flags for uid, flags in site.dovecot.flags(site.user).items()}
    assert marked == {1: False, 2: True, 3: True}
    arrived = site.arrived()
    assert ("IP Address", "203.0.113.130") not in arrived.indicators
    done = site.run("tqimap-admin", "verify", "--json")
    report = json.loads(done.stdout.splitlines()[-1])
    assert (done.returncode, report["faults"]) == (0, [])
    assert report["mails"] == {"open": 0, "failed": 0, "done": 2}
