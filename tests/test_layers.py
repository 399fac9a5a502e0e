"""The import contracts catch what they are there for."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

from tqimap_sandbox import part


ROOT = Path(__file__).resolve().parent.parent
ROOMS = ("shared", "fetcher", "processor", "deploy/sandbox")
PLANTED = {
    "processor/tqimap_processor/artefact.py": "from tqimap_processor import upload",
    "fetcher/tqimap_fetcher/proxy.py": "from tqimap_fetcher import run",
    "shared/tqimap_shared/errors.py": "from tqimap_shared import queue",
}


def test_an_upward_import_is_caught(tmp_path: Path) -> None:
    """An import against the layers breaks the contract of its house, and of no other."""
    for room in ROOMS:
        shutil.copytree(ROOT / room, tmp_path / room, ignore=shutil.ignore_patterns("*.pyc"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    for path, line in PLANTED.items():
        with (tmp_path / path).open("a", encoding="utf-8") as file:
            file.write(f"\n{line}\n")
    done = subprocess.run(
        [part.program("lint-imports"), "--no-logo", "--no-cache"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(str(tmp_path / one) for one in ROOMS)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1, done.stdout + done.stderr
    broken = [line for line in done.stdout.splitlines() if line.endswith("BROKEN")]
    assert len(broken) == len(PLANTED), done.stdout
    for house in ("processor", "fetcher", "shared"):
        assert f"tqimap_{house}." in done.stdout
