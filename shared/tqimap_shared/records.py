"""Look through the ledger's records, and set single ones right: what operators' tools need.

Apart from the ledger itself because neither fetching nor working needs it; here beside it because
the keys are the same. Each change is one Lua script that may be repeated, as the ledger's are.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, cast
from urllib.parse import unquote

from tqimap_shared.ledger import pack, read_mail
from tqimap_shared.scripts import Scripts
from tqimap_shared.store import answering


if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    import redis

    from tqimap_shared.ledger import Mail

CHUNK = 1000  # records in one round trip

Index = Literal["open", "done", "dead", "kept"]


@dataclass(frozen=True, slots=True)
class Untold:
    """Mails of a folder that are done and of which the mail server has not been told."""

    mailbox: str
    folder: str
    uidvalidity: int
    uids: frozenset[int]


class Records:
    """The ledger's records in the Redis of *redis*. Raises TryLater when Redis is away."""

    def __init__(self, redis: redis.Redis, *, prefix: str = "tqimap") -> None:
        self._redis = redis
        self._base = f"{{{prefix}}}:"
        self._run = Scripts(redis, self._base).run

    def shas(self, index: Index, *, since: float = 0) -> list[str]:
        """Return the mails of an index, oldest first; those since a Unix time only."""
        with answering(self._redis):
            key = f"{self._base}{index}"
            found = cast("list[bytes]", self._redis.zrangebyscore(key, since, "+inf"))
        return [sha.decode() for sha in found]

    def has(self, index: Index, sha256: str) -> bool:
        """Tell whether a mail is in an index."""
        with answering(self._redis):
            return self._redis.zscore(f"{self._base}{index}", sha256) is not None

    def read(self, shas: Iterable[str]) -> Iterator[Mail]:
        """Yield the records of *shas*, without those that are not there."""
        wanted = list(shas)
        for start in range(0, len(wanted), CHUNK):
            some = wanted[start : start + CHUNK]
            with answering(self._redis), self._redis.pipeline(transaction=False) as pipeline:
                for sha in some:
                    pipeline.hgetall(f"{self._base}m:{sha}")
                found = pipeline.execute()
            for sha, fields in zip(some, found, strict=True):
                if fields:
                    yield read_mail(sha, {k.decode(): v.decode() for k, v in fields.items()})

    def beginning(self, beginning: str) -> list[str]:
        """Return the mails, open or done, whose sha begins with *beginning*."""
        found: set[str] = set()
        for index in ("open", "done"):
            with answering(self._redis):
                key, match = f"{self._base}{index}", f"{beginning}*"
                members = self._redis.zscan_iter(key, match=match, count=CHUNK)
                found.update(sha.decode() for sha, _ in members)
        return sorted(found)

    def with_raw(self, shas: Iterable[str]) -> set[str]:
        """Return those of *shas* whose raw bytes are stored."""
        wanted = list(shas)
        with answering(self._redis), self._redis.pipeline(transaction=False) as pipeline:
            for sha in wanted:
                pipeline.exists(f"{self._base}raw:{sha}")
            return {sha for sha, there in zip(wanted, pipeline.execute(), strict=True) if there}

    def leases(self) -> dict[str, str]:
        """Return the owner of each mail that is leased now."""
        prefix = f"{self._base}lease:"
        with answering(self._redis):
            keys = [key.decode() for key in self._redis.scan_iter(f"{prefix}*", count=CHUNK)]
            tokens = cast("list[bytes | None]", self._redis.mget(keys)) if keys else []
        return {
            key.removeprefix(prefix): token.decode().rpartition("/")[0]
            for key, token in zip(keys, tokens, strict=True)
            if token
        }

    def untold(self) -> list[Untold]:
        """Return the done mails of which their mail servers have not been told."""
        prefix = f"{self._base}flag:"
        found = []
        with answering(self._redis):
            for key in sorted(self._redis.scan_iter(f"{prefix}*", count=CHUNK)):
                uids = cast("set[bytes]", self._redis.smembers(key))
                mailbox, folder, validity = key.decode().removeprefix(prefix).split(":")
                where = unquote(mailbox), unquote(folder), int(validity)
                found.append(Untold(*where, frozenset(int(uid) for uid in uids)))
        return found

    def reopen(self, sha256: str, raw: bytes | None = None) -> str:
        """Have a done mail processed again: it is open, and has all its attempts.

        Answers "ok", "open" when it was not done, "gone" when its *raw* bytes are not given and
        are kept no more.
        """
        given = [] if raw is None else [pack(raw)]
        return str(self._run("reopen", sha256, *given).decode())

    def amend(self, sha256: str, effect: str, *, was: str, now: str = "") -> bool:
        """Correct the remote id of an effect from *was* to *now*; "" makes it never have happened.

        False when another id is recorded.
        """
        return bool(self._run("amend", sha256, effect, was, now))

    def unplace(self, sha256: str) -> int:
        """Forget a mail's bytes and its places, so that an audit takes it in anew; count them."""
        return int(self._run("unplace", sha256))
