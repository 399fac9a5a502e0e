"""The run state and the lock beside the configuration."""

from __future__ import annotations

import stat
from typing import TYPE_CHECKING

import pytest

from tqimap_fetcher import state
from tqimap_fetcher.lock import only_run
from tqimap_shared.errors import NotWritable


if TYPE_CHECKING:
    from pathlib import Path


def test_state_round_trip(tmp_path: Path) -> None:
    """What one run saves, the next reads; the file is the owner's alone."""
    memory = state.State(connector_id=7, last_error="none")
    memory.note("abuse", fetched=3)
    state.save(tmp_path, memory)
    again = state.load(tmp_path)
    assert again.connector_id == 7
    assert again.mailboxes["abuse"]["fetched"] == 3
    assert stat.S_IMODE((tmp_path / state.FILE_NAME).stat().st_mode) == 0o600
    assert [path.name for path in tmp_path.iterdir()] == [state.FILE_NAME]


@pytest.mark.parametrize("damage", [b"", b"{", b"[]", b"\xff", b'{"connector_id": 5, "new": 1}'])
def test_damaged_state_is_no_fault(tmp_path: Path, damage: bytes) -> None:
    """A damaged state file costs nothing: the run goes on without it."""
    (tmp_path / state.FILE_NAME).write_bytes(damage)
    assert state.load(tmp_path).mailboxes == {}


def test_state_not_writable(tmp_path: Path) -> None:
    """A directory that is gone is said in one sentence."""
    with pytest.raises(NotWritable, match="cannot be written"):
        state.save(tmp_path / "gone", state.State())


def test_one_run_at_a_time(tmp_path: Path) -> None:
    """While one run holds a mailbox a second does not get it, but gets another mailbox."""
    with only_run(tmp_path, "a") as first, only_run(tmp_path, "a") as second:
        assert (first, second) == (True, False)
        with only_run(tmp_path, "b") as other:
            assert other
    with only_run(tmp_path, "a") as later:
        assert later


def test_lock_directory_gone(tmp_path: Path) -> None:
    """A directory that is gone is said in one sentence."""
    with pytest.raises(NotWritable), only_run(tmp_path / "gone", "a"):
        pass
