"""The right to work on one mail: a fencing token that only the last holder can act with.

A lease expires by itself when its holder is killed. A holder that was merely slow keeps it as long
as nobody else has taken the mail, because every act renews it; once somebody has, every further act
raises LeaseLost and changes nothing.

An effect that several mails want, as a file that came with each of them, is claimed by one of them
until it is recorded; a claim that its mail does not get to use runs out like a lease.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tqimap_shared.errors import TryLater


if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


POLL = 0.1  # seconds between two looks at what another mail is about to cause
WAIT_SHARE = 0.2  # of the lease that such a mail is waited for before the mail is put off


class LeaseBusy(TryLater):
    """Somebody else works on the mail, or on what it needs, now."""


class LeaseLost(TryLater):
    """Somebody else has taken the mail since: stop at once, do nothing more for it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Lease:
    """A mail in work, got from `Ledger.lease`. All methods may be repeated after a lost answer.

    *attempts* counts this one; *mailbox* names where the mail was seen (one place, if several).
    """

    sha256: str
    token: str
    attempts: int
    mailbox: str
    milliseconds: int
    keep: bool
    run: Callable[..., Any] = field(repr=False)

    def intend(self, effect: str) -> str | None:
        """Write down that *effect* is about to happen; return its remote id if it already has.

        None does not mean that it never happened: a process may have been killed in between, so
        look for it on the other side before doing it. Waits for another mail that is about to
        cause the same; raises LeaseBusy when that takes long.
        """
        until = time.monotonic() + self.milliseconds / 1000 * WAIT_SHARE
        while True:
            answer = self.run("intend", self.sha256, self.token, self.milliseconds, effect)
            if answer[0] != b"busy":
                break
            if time.monotonic() > until:
                raise LeaseBusy(self.sha256[:12], "another mail is about to do the same.")
            time.sleep(POLL)
        self._hold(answer[0] == b"ok")
        return answer[1].decode() if len(answer) > 1 else None

    def record(self, effect: str, remote_id: str) -> str:
        """Write down that *effect* has happened; return the id that counts.

        An id already recorded is never overwritten: if another one comes back, *remote_id* is a
        twin. Not fenced, because it is a fact whoever holds the lease now.
        """
        answer = self.run("record", self.sha256, effect, remote_id)
        self._hold(answer is not None)
        return str(answer.decode())

    def renew(self, effect: str = "") -> None:
        """Keep the lease, and the claim on an intended *effect*, for its full time from now on.

        Raises LeaseBusy when the claim has run out.
        """
        answer = self.run("renew", self.sha256, self.token, self.milliseconds, effect)
        if answer == b"busy":
            raise LeaseBusy(self.sha256[:12], "another mail may have done the same since.")
        self._hold(answer == b"ok")

    def holds(self, effect: str) -> bool:
        """Tell whether nobody else can have caused an intended *effect* until now."""
        return bool(self.run("holds", self.sha256, self.token, effect) == b"ok")

    def done(self, attributes: Mapping[str, str]) -> None:
        """End the mail well, with *attributes* to remember; tell its locations to the fetcher."""
        pairs = [text for pair in attributes.items() for text in pair]
        keep = "1" if self.keep else "0"
        self._hold(
            self.run("done", self.sha256, self.token, self.milliseconds, keep, *pairs) == b"ok"
        )

    def fail(self, reason: str, *, final: bool) -> None:
        """End this attempt for *reason*, a sentence without mail content; *final* if for good."""
        last = "1" if final else "0"
        answer = self.run("fail", self.sha256, self.token, self.milliseconds, reason, last)
        self._hold(answer == b"ok")

    def release(self, reason: str = "") -> None:
        """Give the mail back as if it had never been taken; *reason* says why it waits."""
        self._hold(self.run("release", self.sha256, self.token, reason) == b"ok")

    def _hold(self, held: bool) -> None:  # noqa: FBT001 - the one thing it checks
        if not held:
            raise LeaseLost(self.sha256[:12], "somebody else has taken it since.")
