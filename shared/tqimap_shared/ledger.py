"""The ledger: what became of every mail, in Redis beside rq, and the truth where they differ.

rq moves ids and may lose or double a job; nothing here minds. Each act is one Lua script that may
be repeated (`scripts`). Raw bytes are stored with zstd: level 5 for large mails, where it saves
most and costs little, level 2 for others; 1.2 % more than with level 6 for all, for 60 % of the
time.

Keys, all in one hash slot, `{tqimap}:` before each:

    m:<sha>       hash    state stored|processing|done|dead, size and packed (bytes), attempts,
                          token, error, fx:<effect> = intent:<token>|done:<remote id>, a:<attribute>
    raw:<sha>     string  raw mail, zstd
    at:<sha>      set     "<place> <uid>" of every location of the mail
    lease:<sha>   string  token of who works on it, with an expiry
    claim:<effect> string sha of the mail that is about to cause it, with an expiry
    open          zset    by first sight: not done yet.  This defines work to do, not rq's list
    dead, done    zset    by time;  kept: done mails whose raw bytes are still here
    bytes, kept_bytes     counters of stored (compressed) bytes
    loc:<place>   hash    uid -> sha, what has been fetched;  flag:<place>  set of uids now done

A place is "<mailbox>:<folder>:<uidvalidity>", names percent-encoded.
"""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, cast
from urllib.parse import unquote

import zstandard

from tqimap_shared.envelope import place
from tqimap_shared.errors import Never
from tqimap_shared.lease import Lease, LeaseBusy, LeaseLost
from tqimap_shared.scripts import Scripts
from tqimap_shared.store import answering


if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    import redis

    from tqimap_shared.envelope import Envelope
    from tqimap_shared.settings import Worker

__all__ = ["Admission", "Counts", "Lease", "LeaseBusy", "LeaseLost", "Ledger", "Mail", "Trimmed"]

LARGE, LEVELS = 131_072, (2, 5)  # bytes; zstd's level for smaller mails, and for others
DAY = 86_400
CHUNK = 1000  # mails in one round trip when many are read
TRIM = 500  # mails forgotten in one call: a script holds all of Redis while it runs


class Admission(StrEnum):
    """What `Ledger.admit` found: the mail is new, known and not done yet, or done."""

    NEW = "new"
    KNOWN = "known"
    DONE = "done"


@dataclass(frozen=True, slots=True)
class Counts:
    """How many mails stand where. *open* includes the *dead*; bytes are as stored, compressed."""

    open: int
    dead: int
    done: int
    kept: int
    bytes: int
    kept_bytes: int

    @property
    def waiting(self) -> int:
        """Mails that the workers have still to do, without a person's help."""
        return self.open - self.dead


@dataclass(frozen=True, slots=True)
class Mail:
    """One record. *effects* are remote ids by effect; times are Unix seconds, 0 for never."""

    sha256: str
    state: str
    size: int
    attempts: int
    first_seen: float
    done_at: float
    error: str
    effects: dict[str, str]
    attributes: dict[str, str]


@dataclass(frozen=True, slots=True)
class Trimmed:
    """What one call of `Ledger.trim` removed; *more* says that another call has work."""

    raws: int
    mails: int

    @property
    def more(self) -> bool:
        """Whether a bound of the call was reached."""
        return max(self.raws, self.mails) >= TRIM


class Ledger:
    """The ledger in the Redis of *redis*. Every method raises TryLater when Redis is away."""

    def __init__(self, redis: redis.Redis, *, settings: Worker, prefix: str = "tqimap") -> None:
        self._redis = redis
        self._settings = settings
        self._base = f"{{{prefix}}}:"
        self._scripts = Scripts(redis, self._base)
        self._run = self._scripts.run

    def admit(self, envelopes: Sequence[Envelope]) -> list[Admission]:
        """Take *envelopes* in at once; when this returns they are on disk. Repeat at will."""
        if not envelopes:
            return []
        arguments: list[str | int] = []
        for envelope in envelopes:
            where = envelope.location
            arguments += [envelope.sha256, len(envelope.raw)]
            arguments += [place(where.mailbox, where.folder, where.uidvalidity), where.uid]
        raws = {f"raw:{one.sha256}": one.packed or pack(one.raw) for one in envelopes}
        answers = self._scripts.run_upon(raws, "admit", *arguments)
        return [Admission(one.decode()) for one in answers]

    def lease(self, sha256: str, *, owner: str) -> Lease | None:
        """Become the only one who works on a mail; None when there is nothing to do.

        That is: it is done, or unknown. *owner* names the process' slot, without
        "/". Raises LeaseBusy while somebody else has it.
        """
        token = f"{owner}/{secrets.token_hex(16)}"
        answer = [one.decode() for one in self._run("lease", sha256, token, self._lease_ms)]
        if answer[0] == "busy":
            raise LeaseBusy(sha256[:12], "somebody else is working on it.")
        if answer[0] != "leased":
            return None
        mailbox = unquote(answer[2].partition(":")[0])
        return Lease(
            sha256=sha256,
            token=token,
            attempts=int(answer[1]),
            mailbox=mailbox,
            milliseconds=self._lease_ms,
            keep=bool(self._settings.raw_days and self._settings.raw_bytes),
            run=self._run,
        )

    def abandon(self, sha256: str, *, owner: str, reason: str, allowed: int) -> tuple[int, str]:
        """End the lease of *owner*, who is known to be gone; answer attempts made and new state.

        The mail is dead when it has had *allowed* attempts. (0, "") if it was not *owner*'s.
        """
        answer = self._run("abandon", sha256, owner, reason, allowed)
        return (int(answer[0]), answer[1].decode()) if answer else (0, "")

    def raw(self, sha256: str) -> bytes:
        """Return the raw bytes of a mail. Raises Never when they are gone or damaged."""
        with answering(self._redis):
            packed = cast("bytes | None", self._redis.get(f"{self._base}raw:{sha256}"))
        if packed is None:
            raise Never(sha256[:12], "the raw mail is not stored any more.")
        try:
            raw = zstandard.ZstdDecompressor().decompress(packed)
        except zstandard.ZstdError:
            raw = b""
        if hashlib.sha256(raw).hexdigest() != sha256:
            raise Never(sha256[:12], "the stored raw mail is damaged.")
        return raw

    def mail(self, sha256: str) -> Mail | None:
        """Return the record of a mail, or None."""
        with answering(self._redis):
            found = cast("dict[bytes, bytes]", self._redis.hgetall(f"{self._base}m:{sha256}"))
        fields = {name.decode(): value.decode() for name, value in found.items()}
        return read_mail(sha256, fields) if fields else None

    def counts(self) -> Counts:
        """Count mails and bytes."""
        with answering(self._redis), self._redis.pipeline(transaction=False) as pipeline:
            for name in ("open", "dead", "done", "kept"):
                pipeline.zcard(self._base + name)
            for name in ("bytes", "kept_bytes"):
                pipeline.get(self._base + name)
            return Counts(*(int(one or 0) for one in pipeline.execute()))

    def known(self, mailbox: str, folder: str, uidvalidity: int, uids: Sequence[int]) -> list[bool]:
        """Tell for each of *uids* whether its mail was admitted from there."""
        if not uids:
            return []
        key = f"{self._base}loc:{place(mailbox, folder, uidvalidity)}"
        with answering(self._redis):
            found = cast("list[bytes | None]", self._redis.hmget(key, [str(uid) for uid in uids]))
        return [sha is not None for sha in found]

    def to_flag(self, mailbox: str, folder: str, uidvalidity: int) -> list[int]:
        """Return the UIDs there whose mail is done and not yet told to the mail server, sorted."""
        with answering(self._redis):
            found = self._redis.smembers(self._flag_key(mailbox, folder, uidvalidity))
        return sorted(int(uid) for uid in cast("set[bytes]", found))

    def flagged(self, mailbox: str, folder: str, uidvalidity: int, uids: Iterable[int]) -> None:
        """Note that the mail server has been told about *uids*."""
        members = [str(uid) for uid in uids]
        if members:
            with answering(self._redis):
                self._redis.srem(self._flag_key(mailbox, folder, uidvalidity), *members)

    def unfinished(self, *, older: float) -> list[str]:
        """Return every mail first seen more than *older* seconds ago that is not done.

        Dead ones too: they belong into rq's FailedJobRegistry, and are orphans if not there. What
        was first seen in days to come is old: a clock has been set back since.
        """
        key = f"{self._base}open"
        with answering(self._redis):
            now = self._redis.time()[0]
            shas = cast("list[bytes]", self._redis.zrangebyscore(key, 0, now - older))
            shas += cast("list[bytes]", self._redis.zrangebyscore(key, now + DAY, "+inf"))
        return [sha.decode() for sha in shas]

    def states(self, shas: Iterable[str]) -> dict[str, str]:
        """Return the state of each mail, empty for one that is unknown, in one round trip."""
        wanted = list(shas)
        with answering(self._redis), self._redis.pipeline(transaction=False) as pipeline:
            for sha in wanted:
                pipeline.hget(f"{self._base}m:{sha}", "state")
            found = pipeline.execute()
        return {sha: (state or b"").decode() for sha, state in zip(wanted, found, strict=True)}

    def find(self, beginning: str) -> list[str]:
        """Return the open mails whose sha begins with *beginning*."""
        with answering(self._redis):
            found = self._redis.zscan_iter(f"{self._base}open", match=f"{beginning}*", count=CHUNK)
            return sorted({sha.decode() for sha, _ in found})

    def dead(self) -> list[str]:
        """Return the mails that failed for good, oldest first."""
        with answering(self._redis):
            found = cast("list[bytes]", self._redis.zrange(f"{self._base}dead", 0, -1))
        return [sha.decode() for sha in found]

    def trim(self) -> Trimmed:
        """Forget what is past its time: at most TRIM raws and TRIM records in one call."""
        worker = self._settings
        raws, mails = self._run(
            "trim", worker.done_days * DAY, worker.raw_days * DAY, self._room(), TRIM
        )
        return Trimmed(int(raws), int(mails))

    def _room(self) -> int:
        """Return how many bytes of done mails may be kept: no new mail must wait for their end."""
        with answering(self._redis):
            most = int(self._redis.info("memory").get("maxmemory", 0))
        limit = self._settings.raw_bytes
        return min(limit, int(most * self._settings.raw_share)) if most else limit

    @property
    def _lease_ms(self) -> int:
        return int(self._settings.lease * 1000)

    def _flag_key(self, mailbox: str, folder: str, uidvalidity: int) -> str:
        return f"{self._base}flag:{place(mailbox, folder, uidvalidity)}"


def pack(raw: bytes) -> bytes:
    """Compress a raw mail as it is stored."""
    return zstandard.ZstdCompressor(level=LEVELS[len(raw) >= LARGE]).compress(raw)


def read_mail(sha256: str, record: dict[str, str]) -> Mail:
    """Read the fields of a record."""
    return Mail(
        sha256=sha256,
        state=record.get("state", ""),
        size=int(record.get("size", 0)),
        attempts=int(record.get("attempts", 0)),
        first_seen=float(record.get("first_seen", 0)),
        done_at=float(record.get("done_at", 0)),
        error=record.get("error", ""),
        effects={
            key.removeprefix("fx:"): value.removeprefix("done:")
            for key, value in record.items()
            if key.startswith("fx:") and value.startswith("done:")
        },
        attributes={
            key.removeprefix("a:"): value for key, value in record.items() if key.startswith("a:")
        },
    )
