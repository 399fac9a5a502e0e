"""What is read in a mailbox, and what becomes of it: the second half of a [[mailbox]] table."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from tqimap_shared.account import Account
from tqimap_shared.values import Count, Line, Seconds, TextRule


class Mailbox(Account):
    """An IMAP mailbox: one more than the UI's, or, by its name, what overrides the UI's fields."""

    folder: Line = Field("INBOX", description="folder to read")
    folders: list[Line] = Field([], description="several folders to read, instead of that one")
    take: Literal["unread", "new"] = Field(
        "unread",
        description="unread mails, which are then marked as read; or what is new since the last "
        "run, read or not, and nothing is marked as read",
    )
    unread_again: Literal["mark", "process"] = Field(
        "mark",
        description="what happens to a known mail that somebody marked as unread: it is marked as "
        "read, or processed again first",
    )
    senders: list[Line] = Field(
        [],
        description="take mails of these alone: addresses, or domains with what is below them; "
        "with ! in front: not of these",
    )
    recipients: list[Line] = Field([], description="take mails to these alone; as `senders`")
    subjects: list[TextRule] = Field(
        [],
        description="take mails with one of these texts in the subject, or that one of these "
        "/expressions/ fits from its beginning to its end; ! as in `senders`",
    )
    max_size: Count | None = Field(None, description="bytes; larger mails are left alone")
    max_age: Count | None = Field(None, description="days; mails that came before are left alone")
    done: Literal["keyword", "move", "nothing"] = Field(
        "keyword",
        description="what happens to a mail once ThreatQ has it: keyword $tqimap-done, move, or "
        "nothing",
    )
    done_folder: Line = Field("", description="where `move` puts it")
    failed_folder: Line = Field(
        "", description="where a mail is moved that failed for good; it stays if empty"
    )
    delete_days: int = Field(
        0, ge=0, description="days after which a mail marked $tqimap-done is deleted; 0: never"
    )
    max_messages: Count | None = Field(None, description="instead of fetch.max_messages")
    max_bytes: Count | None = Field(None, description="instead of fetch.max_bytes")
    max_seconds: Seconds | None = Field(None, description="instead of fetch.max_seconds")
    daily_bytes: Count | None = Field(None, description="bytes in one day (UTC), at most")

    @property
    def reading(self) -> tuple[str, ...]:
        """The folders to read."""
        return tuple(dict.fromkeys(self.folders)) or (self.folder,)

    @property
    def filters(self) -> str:
        """All filters in one line, empty if there are none: who knows it knows what they let in."""
        found = (self.senders, self.recipients, self.subjects, self.max_size, self.max_age)
        return repr(found) if any(found) else ""

    @property
    def only_looks(self) -> bool:
        """Whether nothing is ever changed in the mailbox."""
        nothing = self.done == "nothing" and not self.failed_folder and not self.delete_days
        return self.take == "new" and nothing

    def in_folder(self, folder: str) -> Self:
        """Return the same mailbox with *folder* as the one to open."""
        return self.model_copy(update={"folder": folder})

    @model_validator(mode="after")
    def _not_into_itself(self) -> Self:
        for name in ("done_folder", "failed_folder"):
            if getattr(self, name) in self.reading:
                raise ValueError(f"{name} must not be one of the folders that are read")
        return self
