"""How programs end: one line for people, one for the log, and a status."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import pytest

from tqimap_shared.errors import TryLater
from tqimap_shared.log import STDOUT
from tqimap_shared.program import Program


if TYPE_CHECKING:
    from pathlib import Path


def _fail() -> int:
    raise TryLater("Redis", "is away.")


@pytest.mark.parametrize("to_file", [True, False])
def test_what_ends_a_program_is_said_once_in_each_place(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    *,
    to_file: bool,
) -> None:
    """Cron's log directory gets the reason too; a console that is the log gets it once."""
    monkeypatch.setattr("logging.root.handlers", [])
    program = Program("tool", logging.getLogger("tool"), str(tmp_path) if to_file else STDOUT)
    assert program.run(_fail, verbosity=1) == 75
    shown = capsys.readouterr()
    assert (shown.out, shown.err) == ("", "tool: Redis: is away.\n")
    log = tmp_path / "tool.log"
    for handler in logging.root.handlers:
        handler.close()
    written = log.read_text().splitlines() if to_file else []
    assert [line.partition(" - ")[2] for line in written] == (
        ["tool CRITICAL: Redis: is away."] * to_file
    )
