"""What is remembered of each IMAP folder, in Redis beside the ledger.

The fetcher writes it, because only the fetcher talks to mail servers; `tqimap-admin` reads it, and
leaves word here when it wants the fetcher to look at a folder again. Keys, `{tqimap}:` before each:

    folder:<mailbox>:<folder>  hash    the fields of `Folder`;  folders  set of those keys' ends
    filtered:<place>           hash    filters, and the uids that they leave alone, as `ranges`
    missing:<place>            hash    uid -> runs in which the server gave nothing for it
    spent:<day>                hash    mailbox -> bytes fetched on that day since 1970, UTC
    not-before                 hash    mailbox -> Unix time until which to leave its server alone
    audit-wanted               string  Unix time: folders audited before are due
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import quote, unquote

from tqimap_shared import ranges
from tqimap_shared.envelope import place
from tqimap_shared.store import answering


if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    import redis

CHUNK = 1000  # UIDs asked for in one command
DAY = 86_400


@dataclass(frozen=True, slots=True, kw_only=True)
class Folder:
    """A folder since tqimap came to it. Sets of UIDs are written as `ranges`, times Unix seconds.

    *read* are the mails, of those that came on the day *since* (ISO 8601) or later, which people
    had read before tqimap came. *audited* is when the last audit was complete, 0 for never; *left*
    are read mails that it found and could not take in. *fetched* is when
    the last run that went well began. Where mails are taken by UID all up to *high* have been (-1
    elsewhere), since the day *began*.
    """

    mailbox: str
    folder: str
    uidvalidity: int
    since: str
    read: str
    audited: float = 0.0
    fetched: float = 0.0
    left: str = ""
    high: int = -1
    began: str = ""

    @property
    def place(self) -> tuple[str, str, int]:
        """The arguments by which the ledger names it."""
        return self.mailbox, self.folder, self.uidvalidity


@dataclass(frozen=True, slots=True)
class Missing:
    """A mail for which the server gave nothing in *runs* runs."""

    mailbox: str
    folder: str
    uidvalidity: int
    uid: int
    runs: int


class Folders:
    """The memory in the Redis of *redis*. Every method raises TryLater when Redis is away."""

    def __init__(self, redis: redis.Redis, *, prefix: str = "tqimap") -> None:
        self._redis = redis
        self._base = f"{{{prefix}}}:"

    def now(self) -> float:
        """Return Redis' time, by which all times here are."""
        with answering(self._redis):
            seconds, micro = self._redis.time()
        return seconds + micro / 1_000_000

    def recall(self, mailbox: str, folder: str) -> Folder | None:
        """Return what is remembered of a folder; None if Redis is new to it, or new."""
        return self._read(_name(mailbox, folder))

    def remember(self, folder: Folder) -> None:
        """Remember *folder* in the place of what was."""
        facts: dict[Any, Any] = asdict(folder)
        name = _name(facts.pop("mailbox"), facts.pop("folder"))
        with answering(self._redis), self._redis.pipeline() as pipeline:
            pipeline.hset(f"{self._base}folder:{name}", mapping=facts)
            pipeline.sadd(f"{self._base}folders", name)
            pipeline.execute()

    def every(self) -> list[Folder]:
        """Return all folders that were ever fetched with this Redis."""
        with answering(self._redis):
            names = cast("set[bytes]", self._redis.smembers(f"{self._base}folders"))
        return [found for name in sorted(names) if (found := self._read(name.decode())) is not None]

    def forget(self, mailbox: str) -> int:
        """Forget the folders of a mailbox that is fetched no more; return how many there were."""
        gone = [folder for folder in self.every() if folder.mailbox == mailbox]
        with answering(self._redis), self._redis.pipeline() as pipeline:
            for folder in gone:
                name, where = _name(mailbox, folder.folder), place(*folder.place)
                for key in (f"folder:{name}", f"filtered:{where}", f"missing:{where}"):
                    pipeline.delete(self._base + key)
                pipeline.srem(f"{self._base}folders", name)
            pipeline.hdel(f"{self._base}not-before", mailbox)
            pipeline.execute()
        return len(gone)

    def shas(
        self, mailbox: str, folder: str, uidvalidity: int, uids: Iterable[int]
    ) -> dict[int, str]:
        """Return the mails of those *uids* that were admitted from there."""
        key = f"{self._base}loc:{place(mailbox, folder, uidvalidity)}"
        wanted = sorted(set(uids))
        found: dict[int, str] = {}
        for start in range(0, len(wanted), CHUNK):
            some = wanted[start : start + CHUNK]
            with answering(self._redis):
                shas = cast("list[bytes | None]", self._redis.hmget(key, [str(u) for u in some]))
            found |= {uid: sha.decode() for uid, sha in zip(some, shas, strict=True) if sha}
        return found

    def failed(self, mailbox: str, folder: str, uidvalidity: int) -> dict[int, str]:
        """Return the mails that were admitted from there and have failed for good."""
        where = f"{place(mailbox, folder, uidvalidity)} "
        found: dict[int, str] = {}
        with answering(self._redis):
            shas = cast("list[bytes]", self._redis.zrange(f"{self._base}dead", 0, -1))
            with self._redis.pipeline(transaction=False) as pipeline:
                for sha in shas:
                    pipeline.smembers(f"{self._base}at:{sha.decode()}")
                places = pipeline.execute()
        for sha, members in zip(shas, places, strict=True):
            for member in (one.decode() for one in members):
                if member.startswith(where):
                    found[int(member.removeprefix(where))] = sha.decode()
        return found

    def filtered(self, where: tuple[str, str, int], filters: str) -> set[int]:
        """Return the mails that these *filters* are known to leave alone."""
        with answering(self._redis):
            key = f"{self._base}filtered:{place(*where)}"
            known, uids = cast("list[bytes | None]", self._redis.hmget(key, ["filters", "uids"]))
        return ranges.split(str(uids, "ascii")) if known == filters.encode() and uids else set()

    def remember_filtered(
        self, where: tuple[str, str, int], filters: str, uids: Iterable[int]
    ) -> None:
        """Remember that these *filters* leave *uids* alone, in the place of what was."""
        facts: dict[Any, Any] = {"filters": filters, "uids": ranges.join(uids)}
        with answering(self._redis):
            self._redis.hset(f"{self._base}filtered:{place(*where)}", mapping=facts)

    def moved(
        self,
        where: tuple[str, str, int],
        shas: Mapping[int, str],
        there: tuple[str, str, int],
        uids: Mapping[int, int],
    ) -> None:
        """Note that the mails *shas*, by UID, have left a folder, to have these *uids* *there*."""
        old, new = place(*where), place(*there)
        with answering(self._redis), self._redis.pipeline() as pipeline:
            for uid, sha in shas.items():
                pipeline.srem(f"{self._base}at:{sha}", f"{old} {uid}")
                pipeline.hdel(f"{self._base}loc:{old}", str(uid))
                if uid in uids:
                    pipeline.sadd(f"{self._base}at:{sha}", f"{new} {uids[uid]}")
                    pipeline.hset(f"{self._base}loc:{new}", str(uids[uid]), sha)
            pipeline.execute()

    def count_missing(
        self, where: tuple[str, str, int], uids: Sequence[int], *, forget: Iterable[int]
    ) -> dict[int, int]:
        """Count one more run without the mails *uids*; return for each how many there were.

        Those to *forget* have come, or are no more.
        """
        key = f"{self._base}missing:{place(*where)}"
        gone = [str(uid) for uid in forget]
        if not uids and not gone:
            return {}
        with answering(self._redis), self._redis.pipeline() as pipeline:
            for uid in uids:
                pipeline.hincrby(key, str(uid), 1)
            if gone:
                pipeline.hdel(key, *gone)
            counts = pipeline.execute()
        return dict(zip(uids, counts, strict=False))

    def missing(self, mailbox: str, folder: str, uidvalidity: int) -> dict[int, int]:
        """Return the runs in which the server gave nothing, by UID."""
        key = f"{self._base}missing:{place(mailbox, folder, uidvalidity)}"
        with answering(self._redis):
            found = cast("dict[bytes, bytes]", self._redis.hgetall(key))
        return {int(uid): int(runs) for uid, runs in found.items()}

    def quarantined(self, runs: int) -> list[Missing]:
        """Return the mails of all folders that were missing in *runs* runs or more."""
        return [
            Missing(*folder.place, uid, count)
            for folder in self.every()
            for uid, count in sorted(self.missing(*folder.place).items())
            if count >= runs
        ]

    def spend(self, mailbox: str, octets: int) -> None:
        """Count *octets* fetched from *mailbox* today."""
        key = self._spent_key()
        with answering(self._redis), self._redis.pipeline() as pipeline:
            pipeline.hincrby(key, mailbox, octets)
            pipeline.expire(key, 2 * DAY)
            pipeline.execute()

    def spent(self, mailbox: str) -> int:
        """Return how many bytes have been fetched from *mailbox* today."""
        key = self._spent_key()
        with answering(self._redis):
            return int(cast("bytes | None", self._redis.hget(key, mailbox)) or 0)

    def _spent_key(self) -> str:
        return f"{self._base}spent:{int(self.now()) // DAY}"

    def want_audit(self) -> None:
        """Have the next run of each folder look for read mails that Redis does not know."""
        with answering(self._redis):
            self._redis.set(f"{self._base}audit-wanted", self.now())

    def audit_wanted(self) -> float:
        """Return when an audit was last asked for, 0 for never."""
        with answering(self._redis):
            return float(cast("bytes | None", self._redis.get(f"{self._base}audit-wanted")) or 0)

    def hold_off(self, mailbox: str, seconds: float) -> None:
        """Remember that the server of *mailbox* is to be left alone for *seconds*."""
        until = self.now() + seconds
        with answering(self._redis):
            self._redis.hset(f"{self._base}not-before", mailbox, str(until))

    def held_off(self) -> dict[str, float]:
        """Return until when each mailbox is left alone, for those that are."""
        with answering(self._redis):
            found = cast("dict[bytes, bytes]", self._redis.hgetall(f"{self._base}not-before"))
        now = self.now() if found else 0
        return {name.decode(): float(at) for name, at in found.items() if float(at) > now}

    def _read(self, name: str) -> Folder | None:
        with answering(self._redis):
            found = cast("dict[bytes, bytes]", self._redis.hgetall(f"{self._base}folder:{name}"))
        facts = {key.decode(): value.decode() for key, value in found.items()}
        if not facts:
            return None
        mailbox, folder = name.split(":")
        return Folder(
            mailbox=unquote(mailbox),
            folder=unquote(folder),
            uidvalidity=int(facts["uidvalidity"]),
            since=facts["since"],
            read=facts["read"],
            audited=float(facts["audited"]),
            fetched=float(facts["fetched"]),
            left=facts["left"],
            high=int(facts.get("high", -1)),
            began=facts.get("began", ""),
        )


def _name(mailbox: str, folder: str) -> str:
    return f"{quote(mailbox, safe='')}:{quote(folder, safe='')}"
