"""What was made of a mail: its headers, its artefacts, and every finding with place and reason.

The pure half of the processor ends in a `Report`; uploading and explaining begin with it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING


if TYPE_CHECKING:
    from datetime import datetime

    from tqimap_processor.artefact import Artefact


class Action(StrEnum):
    """What happens to a finding."""

    UPLOAD = "upload"
    REVIEW = "review"
    SKIP = "skip"


@dataclass(frozen=True, slots=True)
class Sighting:
    """One place where a finding stands: characters *start* to *end* of a span of *artefact*.

    *text* is what stands there, as written (defanged, if it was).
    """

    artefact: str
    where: str
    start: int
    end: int
    text: str


@dataclass(frozen=True, slots=True)
class Decision:
    """A distinct indicator, all its places, and what becomes of it for what reason.

    *type* is ThreatQ's type name. *attributes* are further (name, value) pairs for ThreatQ.
    """

    type: str
    value: str
    action: Action
    reason: str
    flags: frozenset[str] = frozenset()
    found: tuple[Sighting, ...] = ()
    attributes: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Message:
    """A mail's envelope data; addresses are bare, texts decoded, all of it the sender's claim."""

    sha256: str
    size: int
    message_id: str = ""
    subject: str = ""
    sender: str = ""
    recipients: tuple[str, ...] = ()
    date: datetime | None = None


@dataclass(frozen=True, slots=True)
class Report:
    """The outcome of examining a mail. *artefacts* are in breadth-first order, the mail first."""

    message: Message
    artefacts: tuple[Artefact, ...] = field(default=(), repr=False)
    decisions: tuple[Decision, ...] = field(default=(), repr=False)

    @property
    def attachments(self) -> tuple[Artefact, ...]:
        """The mail's own parts that ThreatQ gets as Files: all but the bodies."""
        return tuple(a for a in self.artefacts if a.parent == "0" and a.how != "body")
