"""What a run learned, kept in `tqimap-state.json` beside the configuration.

Without it the connector is found by its name, and what people had read before tqimap came is known
from Redis; only when both are lost at once it has a say of its own (see `audit`).
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from tqimap_fetcher.replace import replace


if TYPE_CHECKING:
    from pathlib import Path

FILE_NAME = "tqimap-state.json"
LASTING = (
    "came",
    "not_before",
    "behind",
    "failed_at",
    "forgetful",
)  # facts about a mailbox that a run does not replace


@dataclass(slots=True)
class State:
    """The memory between runs. Times are UTC in ISO 8601; *mailboxes* holds a record by name.

    *noted* names the mailboxes that this run has fetched; it is not kept.
    """

    connector_id: int | None = None
    last_run: str = ""
    last_error: str = ""
    mailboxes: dict[str, dict[str, Any]] = field(default_factory=dict)
    noted: set[str] = field(default_factory=set, repr=False, compare=False)

    def note(self, mailbox: str, **facts: Any) -> None:  # noqa: ANN401 - whatever JSON can hold
        """Remember *facts* about the run that now fetched *mailbox*, and its lasting ones."""
        lasting = {name: fact for name, fact in self.of(mailbox).items() if name in LASTING}
        self.mailboxes[mailbox] = {"last_run": now(), **lasting, **facts}
        self.noted.add(mailbox)

    def of(self, mailbox: str) -> dict[str, Any]:
        """Return what is remembered about *mailbox*."""
        found = self.mailboxes.get(mailbox)
        return found if isinstance(found, dict) else {}

    def keep(self, mailbox: str, **facts: Any) -> None:  # noqa: ANN401 - whatever JSON can hold
        """Remember lasting *facts* about *mailbox*, beside the others."""
        self.mailboxes[mailbox] = self.of(mailbox) | facts
        self.noted.add(mailbox)


def now() -> str:
    """Return the time in UTC, to the second."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def load(directory: Path) -> State:
    """Read the state of *directory*; what is missing or damaged is as if it had never been."""
    try:
        data = json.loads((directory / FILE_NAME).read_bytes())
    except (OSError, ValueError, RecursionError):
        return State()
    if not isinstance(data, dict):
        return State()
    connector, mailboxes = data.get("connector_id"), data.get("mailboxes")
    return State(
        connector_id=connector if isinstance(connector, int) else None,
        last_run=str(data.get("last_run", "")),
        last_error=str(data.get("last_error", "")),
        mailboxes=mailboxes if isinstance(mailboxes, dict) else {},
    )


def save(directory: Path, state: State) -> None:
    """Replace the state of *directory* in one step. Raises NotWritable.

    What other runs have noted meanwhile, of mailboxes that this one left to them, stays.
    """
    noted = {name: state.mailboxes[name] for name in state.noted}
    content = {
        "connector_id": state.connector_id,
        "last_run": state.last_run,
        "last_error": state.last_error,
        "mailboxes": load(directory).mailboxes | noted,
    }
    replace(directory / FILE_NAME, f"{json.dumps(content, indent=2)}\n".encode())
