"""The packages, their pins, and the words in the tree."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest

import tqimap_shared


ROOT = Path(__file__).resolve().parent.parent
MEMBERS = ("shared", "fetcher", "processor", "deploy/sandbox")
LOCKS = ROOT / "deploy/requirements"


def project(member: str) -> dict[str, Any]:
    """Return the [project] table of a member."""
    text = (ROOT / member / "pyproject.toml").read_text(encoding="utf-8")
    table = tomllib.loads(text)["project"]
    assert isinstance(table, dict)
    return table


def pins(lock: str) -> dict[str, str]:
    """Return the version that a lock pins for each distribution."""
    text = (LOCKS / f"{lock}.lock").read_text(encoding="utf-8")
    return dict(re.findall(r"^([a-z0-9._-]+)(?:\[[a-z,]+\])?==([^ ]+)", text, re.MULTILINE))


def test_versions_agree() -> None:
    """All members have one version, and pin each other to it."""
    assert {project(member)["version"] for member in MEMBERS} == {tqimap_shared.__version__}
    ours = [
        requirement
        for member in MEMBERS
        for requirement in project(member)["dependencies"]
        if requirement.startswith("tqimap-")
    ]
    assert len(ours) == 5
    assert all(one.endswith(f"=={tqimap_shared.__version__}") for one in ours)


def test_locks_agree() -> None:
    """What two locks both pin, they pin to one version; dev pins all that the others do."""
    whole = pins("dev")
    for lock in ("fetcher", "processor", "sandbox"):
        part = pins(lock)
        assert part
        assert part.items() <= whole.items()


def test_locks_name_no_place() -> None:
    """A lock names versions and hashes, never an index or a download address."""
    for lock in LOCKS.glob("*.lock"):
        text = lock.read_text(encoding="utf-8")
        assert "://" not in text
        assert "--index" not in text
        requirements = [line for line in text.splitlines() if line and line[0] not in "# "]
        assert all(line.endswith("\\") for line in requirements), "a requirement without hashes"


def test_fetcher_stays_light() -> None:
    """The fetcher's lock brings no parser."""
    names = pins("fetcher").keys()
    assert names.isdisjoint({"mail-parser", "iocextract", "turbohtml", "rich", "flask"})
    assert len(names) < 30


def test_licence_in_every_wheel() -> None:
    """Each member carries the licence, as its wheel must."""
    licence = (ROOT / "LICENSE").read_bytes()
    for member in MEMBERS:
        assert (ROOT / member / "LICENSE").read_bytes() == licence


def test_root_shows_only_its_rooms() -> None:
    """The top level holds the rooms and nothing else."""
    listed = subprocess.run(
        ["git", "-C", ROOT, "ls-files"], capture_output=True, text=True, check=True
    ).stdout.split()
    tops = {name.partition("/")[0] for name in listed}
    rooms = {"fetcher", "processor", "shared", "tests", "deploy"}
    files = {"pyproject.toml", "Procfile", "README.md", "LICENSE", "CHANGELOG.md"}
    assert {top for top in tops if not top.startswith(".")} == rooms | files


@pytest.mark.parametrize("check", ["settings", "help"])
def test_documents_are_current(check: str) -> None:
    """The annotated tqimap.toml, the README's table and its `tqIMAP -h` are those of the code."""
    if check == "settings":
        done = subprocess.run(
            [sys.executable, ROOT / "deploy/annotate", "--check"],
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.stdout + done.stderr == ""
        return
    from tqimap_fetcher.cli import parser  # noqa: PLC0415 - only this case needs the fetcher

    usage = parser().format_usage().split("usage: ")[1]
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert " ".join(usage.split()) in " ".join(readme.split())
