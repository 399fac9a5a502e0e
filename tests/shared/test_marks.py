"""Back-pressure has two marks: fetching stops at the upper one and goes on below the lower one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tqimap_shared.envelope import Envelope, Location
from tqimap_shared.pressure import held
from tqimap_shared.settings import Redis as RedisSettings


if TYPE_CHECKING:
    from collections.abc import Iterator

    from redis import Redis

    from tqimap_shared.ledger import Ledger

pytestmark = pytest.mark.redis

MARKS = RedisSettings(open_mails=3)  # the shares are the defaults: 60 and 40 %


@pytest.fixture
def bounded(redis: Redis) -> Iterator[Redis]:
    """Give back all of Redis' memory at the end."""
    yield redis
    redis.config_set("maxmemory", 0)


def fill(redis: Redis, share: float) -> None:
    """Make what Redis uses *share* of what it may."""
    memory: Any = redis.info("memory")
    redis.config_set("maxmemory", int(memory["used_memory"] / share))


def test_memory(bounded: Redis, ledger: Ledger) -> None:
    """60 % stop it; 50 % do not let it go on, and would not have stopped it."""
    answers = []
    for share in (0.5, 0.65, 0.5, 0.35, 0.5):
        fill(bounded, share)
        answers.append(held(bounded, ledger, MARKS))
    assert [bool(one) for one in answers] == [False, True, True, False, False]
    assert "of its maxmemory" in str(answers[1])


def test_a_store_that_takes_no_writes(bounded: Redis, ledger: Ledger) -> None:
    """Fetching stops with the reason, although that cannot be noted."""
    fill(bounded, 1.5)
    assert "of its maxmemory" in str(held(bounded, ledger, MARKS))


def test_open_mails(redis: Redis, ledger: Ledger) -> None:
    """Three waiting mails stop it, also if Redis may take all memory; two do not let it go on."""
    mails = [Envelope.seal(Location("m", "f", 1, number), b"%d" % number) for number in range(3)]
    assert held(redis, ledger, MARKS) is None
    ledger.admit(mails)
    assert held(redis, ledger, MARKS) == "3 mails wait for the workers"
    for mail, answer in zip(mails, ("2 mails wait for the workers", None), strict=False):
        lease = ledger.lease(mail.sha256, owner="one")
        assert lease is not None
        lease.done({})
        assert held(redis, ledger, MARKS) == answer
