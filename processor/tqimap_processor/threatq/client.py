"""Put indicators, files, attributes and relations into ThreatQ, each of them once.

Everything here may be done again after a crash: indicators are upserted, files are looked up by
their MD5 before they are sent, links that are there already are left alone.
"""

from __future__ import annotations

import logging
import time
from contextlib import contextmanager
from dataclasses import asdict
from typing import TYPE_CHECKING, Self

from tqimap_processor.threatq.files import Files
from tqimap_processor.threatq.match import Key, forms, key, match
from tqimap_processor.threatq.memory import Memory
from tqimap_processor.threatq.reference import Reference
from tqimap_shared.threatq import Invalid, Session, Token, indispensable


if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterator, Sequence

    from tqimap_shared.settings import ThreatQ
    from tqimap_shared.threatq import Record

logger = logging.getLogger(__name__)

KEPT = 10  # seconds that an idle connection is kept for the next mail: servers close theirs soon


class Client:
    """A threat library. *before* is called before every write: there a lease is renewed.

    All methods raise what a session raises: TryLater, Never, Denied, SettingsError.
    """

    def __init__(self, session: Session) -> None:
        self.session = session
        self.files = Files(session)
        self._reference: Reference | None = None
        self._memory = Memory()
        self._used = 0.0

    @classmethod
    @contextmanager
    def open(cls, settings: ThreatQ) -> Iterator[Self]:
        """Open a session for the time of the block; it logs in when it must."""
        with Session(settings) as session:
            yield cls(session)

    @contextmanager
    def attended(self) -> Iterator[Self]:
        """Work in the block with what other processes have learned, and leave them what is new.

        Those are the processes that were forked from the one that made the client.
        """
        if time.monotonic() - self._used > KEPT:
            self.session.close()
        self._recall(self._memory.read())
        known = self.session.token, self._reference
        try:
            yield self
        finally:
            self._used = time.monotonic()
            if known != (self.session.token, self._reference):
                self._memory.write(self._known())

    @property
    def reference(self) -> Reference:
        """What this appliance calls its types and statuses."""
        if self._reference is None or self._reference.older(self.session.settings.tables):
            with indispensable():
                self._reference = Reference.read(self.session)
        return self._reference

    def _known(self) -> Record:
        token, tables = self.session.token, self._reference
        return {"token": token and asdict(token), "tables": tables and asdict(tables)}

    def _recall(self, note: Record) -> None:
        if note.get("token"):
            self.session.token = Token.of(**note["token"])
        if note.get("tables"):
            self._reference = Reference(**note["tables"])

    def spelled(self, settings: ThreatQ) -> ThreatQ:
        """Return *settings* with the appliance's spelling of both statuses."""
        status = self.reference.status("threatq.status", settings.status)
        review = self.reference.status("threatq.review_status", settings.review_status)
        return settings.model_copy(update={"status": status, "review_status": review})

    def upsert(self, payloads: Sequence[Record], *, before: Callable[[], None]) -> dict[Key, int]:
        """Create or extend indicators; return their ids.

        Those of types that the appliance does not have, and those that it refuses, are left out
        with a WARNING that counts them. It is an error if more than threatq.max_rejected are
        refused, or all: then it is not them that are wrong, and the mail must not pass as done.
        """
        known = [one for one in payloads if one["type"]["name"] in self.reference.types]
        self._tell_unknown(payloads)
        refused: dict[Key, Invalid] = {}
        found: dict[Key, int] = {}
        for some in self._batches(known):
            answers = self._consume(some, refused, before)
            found |= match(some, answers, self.reference.types)
        if refused and not found:
            raise next(iter(refused.values()))
        for one in known:
            if key(one) not in found and key(one) not in refused:
                before()
                found |= match([one], self._look_up(one), self.reference.types)
        if lost := len(known) - len(found):
            logger.warning("%d of %d indicators were not taken by ThreatQ.", lost, len(known))
        return found

    def relate(self, file: int, indicators: Sequence[int], *, before: Callable[[], None]) -> int:
        """Relate indicators to a file; return how many are related now."""
        wanted = [{"id": number} for number in dict.fromkeys(indicators)]
        path = f"attachments/{file}/indicators"
        for some in self._batches(wanted):
            self._link(path, some, lambda one: one.get("id"), before)
        return len(wanted)

    def describe(
        self, file: int, attributes: Sequence[Record], *, before: Callable[[], None]
    ) -> None:
        """Add attributes to a file."""
        if attributes:
            path = f"attachments/{file}/attributes"
            self._link(path, [*attributes], lambda one: (one.get("name"), one.get("value")), before)

    def _batches(self, items: Sequence[Record]) -> Iterator[list[Record]]:
        size = self.session.settings.batch
        for start in range(0, len(items), size):
            yield list(items[start : start + size])

    def _tell_unknown(self, payloads: Sequence[Record]) -> None:
        kinds = [one["type"]["name"] for one in payloads]
        for kind in sorted(set(kinds) - set(self.reference.types)):
            logger.warning(
                "This ThreatQ has no indicator type %s: %d indicators are left out.",
                kind,
                kinds.count(kind),
            )

    def _consume(
        self, some: list[Record], refused: dict[Key, Invalid], before: Callable[[], None]
    ) -> list[Record]:
        """Send a batch; if it is refused, halve it until the culprits are alone."""
        before()
        try:
            return self.session.post("indicators/consume", json=some)
        except Invalid as error:
            if len(some) == 1:
                refused[key(some[0])] = error
                if len(refused) > self.session.settings.max_rejected:
                    raise
                return []
        middle = len(some) // 2
        return self._consume(some[:middle], refused, before) + self._consume(
            some[middle:], refused, before
        )

    def _look_up(self, payload: Record) -> list[Record]:
        """Search an indicator that was sent and of which the answer told nothing."""
        kind, value = key(payload)
        found: list[Record] = []
        for form in dict.fromkeys([value, *forms(kind, value)]):
            # a comma ends a filter's value
            wanted = form if "," not in form else f"{form.partition(',')[0]}%"
            found += self.session.get("indicators", {"value": wanted, "limit": 1000})
        return found

    def _link(
        self,
        path: str,
        wanted: list[Record],
        name: Callable[[Record], Hashable],
        before: Callable[[], None],
    ) -> None:
        """Link what is not linked yet; some releases refuse a link that exists."""
        before()
        try:
            self.session.post(path, json=wanted)
        except Invalid:
            there = {name(one) for one in self.session.every(path)}
            for one in wanted:
                if name(one) not in there:
                    before()
                    self._link_alone(path, one)

    def _link_alone(self, path: str, wanted: Record) -> None:
        try:
            self.session.post(path, json=wanted)
        except Invalid as error:
            logger.warning("%s", error)
