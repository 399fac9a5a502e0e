"""Admit mails and enqueue them; what it returns from is durable, so that it may be marked."""

from __future__ import annotations

import logging
from collections import Counter
from typing import TYPE_CHECKING

from tqimap_shared.ledger import Admission


if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from tqimap_fetcher.context import Run
    from tqimap_fetcher.mailbox import Session
    from tqimap_shared.envelope import Envelope
    from tqimap_shared.settings import Mailbox

logger = logging.getLogger(__name__)

AGAIN = "again"


class Intake:
    """The way in for the mails of *mailbox*; *admitted* counts what they were found to be."""

    def __init__(self, run: Run, mailbox: Mailbox) -> None:
        self._run = run
        self._mailbox = mailbox
        self._lost: Collection[int] = ()
        self._again: Collection[int] = ()
        self._reopened: set[int] = set()
        self.admitted: Counter[str] = Counter({str(one): 0 for one in (*Admission, AGAIN)})

    def expect(self, session: Session, found: Sequence[int], lost: Collection[int]) -> None:
        """Say which UIDs are *found* in the folder, and which of its mails were *lost* before.

        The lost are done even if they had failed; a done one that somebody marked as unread is
        done again, if the mailbox wants that.
        """
        self._lost = frozenset(lost)
        if self._mailbox.unread_again == "process" and not session.takes_new:
            known = self._run.folders.shas(*session.place, found)
            again = frozenset(known).union(session.unread_again())
            if session.folder not in self._forgetful:
                self._again = again
            elif not again:
                self._remember(self._forgetful - {session.folder})

    def doubt(self, session: Session) -> None:
        """Notice a folder that keeps no mark: nobody can mark as unread what stays so."""
        if self._reopened and self._reopened.issubset(session.unseen()):
            logger.warning(
                "mailbox %s: %s keeps no mark of what is read; unread mails that are known are not "
                "processed again there (mailbox.unread_again).",
                session.mailbox,
                session.folder,
            )
            self._remember(self._forgetful | {session.folder})

    @property
    def _forgetful(self) -> frozenset[str]:
        return frozenset(self._run.memory.of(self._mailbox.name).get("forgetful", ()))

    def _remember(self, forgetful: Collection[str]) -> None:
        self._run.memory.keep(self._mailbox.name, forgetful=sorted(forgetful))

    def admit(self, envelopes: Sequence[Envelope]) -> None:
        """Make *envelopes* durable and give them to the workers."""
        admissions = self._run.ledger.admit(envelopes)
        if self._mailbox.daily_bytes:
            octets = sum(len(envelope.raw) for envelope in envelopes)
            self._run.folders.spend(self._mailbox.name, octets)
        fresh = []
        for envelope, admission in zip(envelopes, admissions, strict=True):
            self.admitted[admission] += 1
            location = envelope.location
            name = envelope.sha256[:12]
            logger.debug(
                "mailbox %s: UID %d is %s (%s)", location.mailbox, location.uid, name, admission
            )
            if self._wants(envelope, admission):
                fresh.append(envelope)
        self._enqueue(fresh)

    def _wants(self, envelope: Envelope, admission: Admission) -> bool:
        """Tell whether the workers are to do the mail; what was done is reopened if so."""
        if admission is not Admission.DONE:
            return True
        return envelope.location.uid in self._again and self._reopen(envelope)

    def _enqueue(self, envelopes: Sequence[Envelope]) -> None:
        from tqimap_shared import queue  # noqa: PLC0415 - rq is loaded only where there is mail

        client, settings = self._run.client, self._run.settings.worker
        anew = {*self._lost, *self._again}
        shas = [one.sha256 for one in envelopes if one.location.uid not in anew]
        queue.enqueue_all(client, shas, settings)
        for envelope in envelopes:
            if envelope.location.uid in anew:
                queue.requeue(client, envelope.sha256, settings)

    def _reopen(self, envelope: Envelope) -> bool:
        from tqimap_shared.records import Records  # noqa: PLC0415 - rarely needed

        self.admitted[AGAIN] += 1
        self._reopened.add(envelope.location.uid)
        return Records(self._run.client).reopen(envelope.sha256, envelope.raw) == "ok"
