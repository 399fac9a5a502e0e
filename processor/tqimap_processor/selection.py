"""Choose mails of the ledger by what is remembered of them: Message-ID, sender, time, sha.

Every word of a mail's header is its sender's claim, so none of it is ever a key: a search may find
several mails, and that is an answer.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING

from tqimap_processor.message import envelope
from tqimap_processor.remembered import remembered
from tqimap_shared.errors import Never


if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from tqimap_shared.ledger import Ledger, Mail
    from tqimap_shared.records import Records
    from tqimap_shared.settings import Settings

LEAST = 4  # characters of a sha: fewer are a slip of the finger


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """What a mail must be to be chosen; what is empty does not matter.

    *shas* are beginnings of the mail's sha256, of which one must fit. *sender* is an address or a
    domain. A mail is in the time from *since* to *until*, both days included, if it was fetched
    then or claims to have been written then: neither may hide it.
    """

    shas: tuple[str, ...] = ()
    message_id: str = ""
    sender: str = ""
    since: date | None = None
    until: date | None = None

    @property
    def empty(self) -> bool:
        """Whether every mail fits."""
        return self == Query()

    @property
    def about_headers(self) -> bool:
        """Whether the mail's own words are needed to tell."""
        return bool(self.message_id or self.sender or self.since or self.until)

    def fits(self, mail: Mail, words: Mapping[str, str]) -> bool:
        """Tell whether *mail*, whose remembered *words* are given, is one of them."""
        if self.message_id and _bare(self.message_id) != _bare(words.get("message_id", "")):
            return False
        if self.sender and not _from(words.get("sender", ""), self.sender):
            return False
        return any(self._in_time(day) for day in _days(mail, words))

    def _in_time(self, day: date) -> bool:
        return (self.since or date.min) <= day <= (self.until or date.max)


def select(query: Query, *, ledger: Ledger, records: Records, settings: Settings) -> Iterator[Mail]:
    """Yield the mails that *query* means, oldest first. Raises Never for an odd or unknown sha."""
    shas = (
        [sha for beginning in query.shas for sha in _beginning(records, beginning.lower())]
        if query.shas
        else [*records.shas("done"), *records.shas("open")]
    )
    for mail in records.read(dict.fromkeys(shas)):
        words: Mapping[str, str] = mail.attributes
        if query.about_headers and "message_id" not in words:
            words = _read(mail, ledger, settings)
        if query.fits(mail, words):
            yield mail


def _beginning(records: Records, beginning: str) -> list[str]:
    if len(beginning) < LEAST or not set(beginning) <= set("0123456789abcdef"):
        raise Never(beginning, f"is no beginning of a sha256 with at least {LEAST} characters.")
    found = records.beginning(beginning)
    if not found:
        raise Never(beginning, "no mail begins with it.")
    return found


def _read(mail: Mail, ledger: Ledger, settings: Settings) -> dict[str, str]:
    """Read the header of a mail that is not done: nothing is remembered of it yet."""
    try:
        message = envelope(ledger.raw(mail.sha256), settings.limits)
    except Never:
        return {}
    return remembered(message, settings.threatq.max_attribute)


def _bare(message_id: str) -> str:
    return message_id.strip().removeprefix("<").removesuffix(">").strip()


def _from(sender: str, wanted: str) -> bool:
    sender, wanted = sender.casefold(), wanted.strip().casefold()
    domain = sender.rpartition("@")[2]
    return sender == wanted or domain == wanted.lstrip("@")


def _days(mail: Mail, words: Mapping[str, str]) -> Iterator[date]:
    yield datetime.fromtimestamp(mail.first_seen, UTC).date()
    if claimed := words.get("date"):
        yield datetime.fromisoformat(claimed).astimezone(UTC).date()
