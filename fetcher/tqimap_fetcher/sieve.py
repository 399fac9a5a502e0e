"""Leave alone what a mailbox's filters do not want, untouched and unread.

Age and size are the server's to tell. Senders, recipients and subjects are read from the mail's
header here, never from its body: servers search for them each in a way of their own. What was left
alone once is remembered, so that it costs later runs nothing.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import TYPE_CHECKING

from tqimap_fetcher import header
from tqimap_shared.values import expression


if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from tqimap_fetcher.mailbox import Session
    from tqimap_shared.folders import Folders
    from tqimap_shared.settings import Mailbox

CHUNK = 1000  # mails looked at together
LONGEST = 1000  # characters of a subject that are looked at


class Sieve:
    """The filters of *mailbox* in the folder of *session*; *held* are the UIDs that they hold."""

    def __init__(self, session: Session, mailbox: Mailbox, folders: Folders) -> None:
        self._session = session
        self._mailbox = mailbox
        self._folders = folders
        self.held: set[int] = set()
        self._young: set[int] | None = None

    def passing(self, uids: Iterable[int], *, most: int) -> list[int]:
        """Return those of *uids* that may be taken, oldest first.

        Looks only until *most* have been found, so what follows them is not judged.
        """
        if not self._mailbox.filters:
            return sorted(uids)
        wanted = set(uids)
        known = self._folders.filtered(self._session.place, self._mailbox.filters)
        self.held |= wanted & known
        passing: list[int] = []
        rest = sorted(wanted - known)
        for start in range(0, len(rest), CHUNK):
            if len(passing) >= most:
                break
            passing += self._judge(rest[start : start + CHUNK])
        return passing

    def remember(self) -> None:
        """Remember what was left alone; what is no more, or is read by now, is forgotten."""
        if self._mailbox.filters:
            self._folders.remember_filtered(self._session.place, self._mailbox.filters, self.held)

    def _judge(self, uids: Sequence[int]) -> list[int]:
        rest = [uid for uid in uids if self._young_enough(uid)]
        if self._mailbox.max_size:
            sizes = self._session.sizes(rest)
            rest = [uid for uid in rest if sizes.get(uid, 0) <= self._mailbox.max_size]
        if self._mailbox.senders or self._mailbox.recipients or self._mailbox.subjects:
            asked = header.items(people=bool(self._mailbox.recipients))
            held = {
                uid
                for uid, fields in self._session.headers(rest, asked)
                if not fits(self._mailbox, header.words(fields))
            }
            rest = [uid for uid in rest if uid not in held]
        self.held |= set(uids).difference(rest)
        return rest

    def _young_enough(self, uid: int) -> bool:
        if not self._mailbox.max_age:
            return True
        if self._young is None:
            day = datetime.now(UTC).date() - timedelta(days=self._mailbox.max_age)
            self._young = set(self._session.since(day))
        return uid in self._young


def fits(mailbox: Mailbox, words: header.Words) -> bool:
    """Tell whether a mail with these *words* may be taken, by the filters of *mailbox*."""
    return (
        _allowed(mailbox.senders, words.senders, _is_of)
        and _allowed(mailbox.recipients, words.recipients, _is_of)
        and _allowed(mailbox.subjects, [words.subject[:LONGEST]], _says)
    )


def _allowed(rules: Iterable[str], values: Iterable[str], fit: Callable[[str, str], bool]) -> bool:
    """Tell whether no rule with ! fits a value, and one of the others does, if there are any."""
    values = list(values)
    wanted = [rule for rule in rules if not rule.startswith("!")]
    refused = [rule.removeprefix("!") for rule in rules if rule.startswith("!")]
    if any(fit(rule, value) for rule in refused for value in values):
        return False
    return not wanted or any(fit(rule, value) for rule in wanted for value in values)


def _is_of(rule: str, address: str) -> bool:
    """Tell whether *address* is the one of *rule*, or of its domain or below."""
    rule = rule.casefold()
    local, at, domain = rule.rpartition("@")
    if local:
        return address == rule
    of = address.rpartition("@")[2]
    return of == domain or (not at and of.endswith(f".{domain}"))


def _says(rule: str, subject: str) -> bool:
    if pattern := expression(rule):
        return _compiled(pattern).fullmatch(subject) is not None
    return rule.casefold() in subject.casefold()


@cache
def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern, re.IGNORECASE)
