"""The run state and the lock beside the configuration."""

from __future__ import annotations

import resource
import signal
import stat
from typing import TYPE_CHECKING

import pytest

from tqimap_fetcher import state
from tqimap_fetcher.lock import only_run
from tqimap_shared.errors import NotWritable


if TYPE_CHECKING:
    from pathlib import Path


DAMAGES = [
    b"",
    b"{",
    b"[]",
    b"5",
    b"\xff",
    b"[" * 100_000,
    b'{"connector_id": "7", "mailboxes": ["abuse"]}',
]


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


@pytest.mark.parametrize("damage", DAMAGES)
def test_damaged_state_is_no_fault(tmp_path: Path, damage: bytes) -> None:
    """A damaged state file costs nothing: the run goes on without it, and mends it."""
    (tmp_path / state.FILE_NAME).write_bytes(damage)
    memory = state.load(tmp_path)
    assert (memory.connector_id, memory.mailboxes) == (None, {})
    memory.note("abuse", fetched=3)
    state.save(tmp_path, memory)
    assert state.load(tmp_path).mailboxes["abuse"]["fetched"] == 3


def test_unknown_keys_of_the_state_are_dropped(tmp_path: Path) -> None:
    """A state that a later version wrote can be read by this one."""
    (tmp_path / state.FILE_NAME).write_bytes(b'{"connector_id": 5, "new": 1}')
    assert state.load(tmp_path).connector_id == 5


def test_runs_side_by_side_keep_each_others_notes(tmp_path: Path) -> None:
    """A run that left a mailbox to another one does not undo what that one noted."""
    early, late = state.load(tmp_path), state.load(tmp_path)
    early.note("abuse", fetched=3)
    late.note("intel", fetched=1)
    state.save(tmp_path, early)
    state.save(tmp_path, late)
    assert state.load(tmp_path).mailboxes.keys() == {"abuse", "intel"}


def test_full_disk_leaves_no_litter(tmp_path: Path) -> None:
    """A state that cannot be written is one sentence; the old one stays, and no half a file."""
    state.save(tmp_path, state.State(connector_id=7))
    wide = state.State(last_error="x" * 10_000)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    before = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (4096, hard))
        with pytest.raises(NotWritable, match="cannot be written"):
            state.save(tmp_path, wide)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, before)
    assert [path.name for path in tmp_path.iterdir()] == [state.FILE_NAME]
    assert state.load(tmp_path).connector_id == 7


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
