"""What a run learned, kept in `tqimap-state.json` beside the configuration.

Nothing in it is needed to be correct: without it the connector is found by its name.
"""

from __future__ import annotations

import json
import os
import tempfile
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tqimap_shared.errors import NotWritable


FILE_NAME = "tqimap-state.json"


@dataclass(slots=True)
class State:
    """The memory between runs. Times are UTC in ISO 8601; *mailboxes* holds a record by name."""

    connector_id: int | None = None
    last_run: str = ""
    last_error: str = ""
    mailboxes: dict[str, dict[str, Any]] = field(default_factory=dict)

    def note(self, mailbox: str, **facts: Any) -> None:  # noqa: ANN401 - whatever JSON can hold
        """Remember *facts* about the run that now fetched *mailbox*."""
        self.mailboxes[mailbox] = {"last_run": now(), **facts}


def now() -> str:
    """Return the time in UTC, to the second."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def load(directory: Path) -> State:
    """Read the state of *directory*; a missing or damaged file is an empty state."""
    try:
        data = json.loads((directory / FILE_NAME).read_bytes())
        return State(**{name: data[name] for name in State.__slots__ if name in data})
    except (OSError, ValueError, TypeError):
        return State()


def save(directory: Path, state: State) -> None:
    """Replace the state of *directory* in one step. Raises NotWritable."""
    path = directory / FILE_NAME
    try:
        descriptor, name = tempfile.mkstemp(dir=directory, prefix=f".{FILE_NAME}.")
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            json.dump(asdict(state), file, indent=2)
            file.write("\n")
        Path(name).replace(path)
    except OSError as error:
        raise NotWritable(str(path), f"cannot be written ({error.strerror}).") from None
