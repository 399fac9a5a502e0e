"""Back-pressure: a small Redis never overflows, because what it has no room for stays on IMAP."""

from __future__ import annotations

import base64
import random
from typing import TYPE_CHECKING

import pytest

from tqimap_shared.ledger import Ledger
from tqimap_shared.settings import Redis as RedisSettings
from tqimap_shared.settings import Worker
from tqimap_shared.store import connect


if TYPE_CHECKING:
    from collections.abc import Iterator

    from fixtures.site import Site
    from redis import Redis

MAILS = 24
SIZE = 100_000  # bytes each, which hardly compress
ROOM = 3_000_000  # bytes beyond what an empty Redis takes: 60 % are less than the mails
ROUNDS = 8  # of fetching and working; four suffice


@pytest.fixture
def tight(site: Site) -> Iterator[Redis]:
    """Leave the site's Redis little room."""
    with connect(RedisSettings(url=site.redis_url)) as client:
        before = client.config_get("maxmemory")["maxmemory"] or 0
        client.config_set("maxmemory", client.info("memory")["used_memory"] + ROOM)
        client.config_resetstat()
        yield client
        client.config_set("maxmemory", before)


def mail(number: int) -> bytes:
    """Return a mail that is large and has nothing in it."""
    noise = base64.encodebytes(random.Random(number).randbytes(SIZE)).replace(b"\n", b"\r\n")
    head = b"Subject: noise\r\nContent-Type: application/octet-stream\r\n"
    return head + b"Content-Transfer-Encoding: base64\r\n\r\n" + noise


def test_more_mail_than_redis_can_hold_arrives_all_the_same(site: Site, tight: Redis) -> None:
    """The fetcher stops at the mark, says so and ends well; it goes on when workers made room."""
    site.dovecot.append(site.user, *[mail(number) for number in range(MAILS)])
    site.configure(
        fetch={"batch_messages": 2, "window": 1, "admit_messages": 2},
        worker={"raw_days": 0},
        redis={"url": site.redis_url, "high_water": 0.6, "low_water": 0.55},
    )
    site.ready()
    ledger = Ledger(tight, settings=Worker())
    held = 0
    for _ in range(ROUNDS):
        said = site.fetch()
        held += "of its maxmemory" in said.stdout + said.stderr
        if ledger.counts().done == MAILS:
            break
        site.work()
    assert held
    assert (ledger.counts().done, ledger.counts().open) == (MAILS, 0)
    assert "errorstat_OOM" not in tight.info("errorstats")
