"""Every script of the ledger, repeated at once or late, among those of others, in any order."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest

from tqimap_shared.scripts import Scripts


if TYPE_CHECKING:
    from redis import Redis

pytestmark = pytest.mark.redis

BASE = "{tqimap}:"
SHAS = ("a" * 64, "b" * 64)
TOKENS = ("one/1", "one/2", "two/1")
EFFECTS = ("file:x", "file:y")
LEASE = 90_000
STEPS = 80
LATE = 0.2  # share of acts that are an old one again, whose answer was lost long ago
RUNS_OUT = 0.1  # share of steps before which a lease or claim runs out
FENCED = {"renew", "intend", "done", "fail", "release"}
COUNTING = {"abandon", "reopen", "unplace", "trim"}  # say what they did: a second time, nothing

Act = tuple[str, tuple[str | bytes | float, ...]]


@dataclass
class Walk:
    """A way through the acts, and what must be true of effects by then."""

    redis: Redis
    random: random.Random
    past: list[Act] = field(default_factory=list)
    recorded: dict[tuple[str, str], bytes] = field(default_factory=dict)

    def act(self) -> Act:
        """Choose an act; often enough one that leads somewhere."""
        if self.past and self.random.random() < LATE:
            return self.random.choice(self.past)
        one = self.random.choice
        sha, effect = one(SHAS), one(EFFECTS)
        holder: Any = self.redis.hget(f"{BASE}m:{sha}", "token")
        token = holder.decode() if holder and self.random.random() < 0.7 else one(TOKENS)
        number = str(self.random.randrange(1000))
        acts: list[Act] = [
            ("admit", (sha, 9, "mailbox:INBOX:7", one("12"))),
            ("lease", (sha, one(TOKENS), LEASE)),
            ("lease", (sha, one(TOKENS), LEASE)),
            ("renew", (sha, token, LEASE, one(("", effect)))),
            ("intend", (sha, token, LEASE, effect)),
            ("intend", (sha, token, LEASE, effect)),
            ("record", (sha, effect, number)),
            ("holds", (sha, token, effect)),
            ("done", (sha, token, LEASE, one("01"), "files", "1")),
            ("fail", (sha, token, LEASE, "a reason", one("01"))),
            ("release", (sha, token, self.random.choice(("", "away")))),
            ("abandon", (sha, one(TOKENS).partition("/")[0], "a reason", one((2, 9)))),
            ("reopen", (sha,)),
            ("unplace", (sha,)),
            ("amend", (sha, effect, self._known(sha, effect), one(("", number)))),
            ("trim", (one((0, 9e9)), 9e9, 9e9, 9)),
        ]
        return one(acts)

    def _known(self, sha: str, effect: str) -> str:
        return self.recorded.get((sha, effect), b"7").decode()


def contents(redis: Redis) -> dict[bytes, bytes | None]:
    """Dump everything, without expiries."""
    return {key: redis.dump(key) for key in redis.scan_iter()}


def consistent(redis: Redis) -> None:
    """Assert what must be so after every act."""
    indexes: dict[str, Any] = {
        name: redis.zrange(BASE + name, 0, -1) for name in ("open", "done", "dead", "kept")
    }
    opened, done, dead, kept = ({one.decode() for one in index} for index in indexes.values())
    found: dict[str, Any] = {sha: redis.hgetall(f"{BASE}m:{sha}") for sha in SHAS}
    records = {sha: record for sha, record in found.items() if record}
    states = {sha: record[b"state"].decode() for sha, record in records.items()}
    assert opened == {sha for sha, state in states.items() if state != "done"}
    assert done == {sha for sha, state in states.items() if state == "done"}
    assert dead == {sha for sha, state in states.items() if state == "dead"}
    assert kept <= done
    assert {sha for sha in SHAS if redis.exists(f"{BASE}raw:{sha}")} <= opened | kept
    for sha, record in records.items():
        assert (b"token" in record) == (states[sha] == "processing")
        assert int(record[b"attempts"]) >= 0
    for counter, shas in (("bytes", opened), ("kept_bytes", kept)):
        packed = sum(int(records[sha][b"packed"]) for sha in shas)
        counted: Any = redis.get(BASE + counter)
        assert int(counted or 0) == packed


def perform(scripts: Scripts, name: str, arguments: tuple[Any, ...]) -> Any:  # noqa: ANN401 - Lua's answer
    """Do an act as the ledger does it."""
    if name == "admit":
        return scripts.run_upon({f"raw:{arguments[0]}": b"packed"}, name, *arguments)
    return scripts.run(name, *arguments)


def once_and_again(walk: Walk, scripts: Scripts, name: str, arguments: tuple[Any, ...]) -> None:
    """Do an act twice, as a client that lost the answer; the second time must change nothing."""
    redis = walk.redis
    before = contents(redis)
    holder: Any = redis.hget(f"{BASE}m:{arguments[0]}", "token")
    answer = perform(scripts, name, arguments)
    after = contents(redis)
    if name in FENCED and arguments[1].encode() != holder:
        assert after == before, "somebody who does not hold the lease changed something"
    again = perform(scripts, name, arguments)
    assert contents(redis) == after
    if name == "lease":
        answer, again = answer[:2], again[:2]  # the rest is one of the places where the mail lies
    assert name in COUNTING or again == answer or (name, answer) == ("admit", [b"new"])


def effects(walk: Walk, name: str, arguments: tuple[Any, ...]) -> None:
    """Assert that no recorded effect is replaced, except on purpose."""
    for sha in SHAS:
        for effect in EFFECTS:
            found: Any = walk.redis.hget(f"{BASE}m:{sha}", f"fx:{effect}")
            number = found.removeprefix(b"done:") if (found or b"").startswith(b"done:") else b""
            known = walk.recorded.get((sha, effect), b"")
            meant = name == "trim" or (name == "amend" and arguments[:2] == (sha, effect))
            assert number == known or not known or meant
            walk.recorded[sha, effect] = number


@pytest.mark.parametrize("seed", range(4))
def test_in_any_order_and_as_often_as_you_like(redis: Redis, seed: int) -> None:
    """Sets and sums agree with the records, the fence holds, what is recorded stays recorded."""
    walk = Walk(redis, random.Random(seed))
    scripts = Scripts(redis, BASE)
    done: Counter[str] = Counter()
    for _ in range(STEPS):
        if walk.random.random() < RUNS_OUT:
            keys = [*redis.scan_iter(f"{BASE}lease:*"), *redis.scan_iter(f"{BASE}claim:*")]
            redis.delete(*keys, "none")
        name, arguments = walk.act()
        once_and_again(walk, scripts, name, arguments)
        consistent(redis)
        effects(walk, name, arguments)
        walk.past.append((name, arguments))
        done[name] += 1
    assert len(done) > 10
