"""The demo: one command, everything on this machine, and nothing left behind."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
import tomllib
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import requests
from fixtures.leaks import command_lines, descendants, found_in
from fixtures.site import clean

from tqimap_sandbox import part
from tqimap_shared.settings import FILE_NAME


if TYPE_CHECKING:
    from collections.abc import Iterator

DEMO = [part.program("tqimap-sandbox"), "demo"]
PARTS = ("redis", "mailbox", "socks", "threatq")


def gone(pids: set[int]) -> bool:
    """Wait for processes to end; say whether they did."""
    until = time.monotonic() + 120
    while any(Path(f"/proc/{pid}").exists() for pid in pids):
        if time.monotonic() > until:
            return False
        time.sleep(0.1)
    return True


def test_check(tmp_path: Path) -> None:
    """`--check` ends with JSON and status 0, with the other type ids and beside real settings."""
    real = {"TQIMAP_REDIS__URL": "redis://127.0.0.1:1/0", "TQIMAP_FILES__NAME": "real"}
    done = subprocess.run(
        [*DEMO, "--check", "--types", "G2"],
        env={**clean(os.environ), **real, "TMPDIR": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    counts = json.loads(done.stdout.splitlines()[-1])
    assert counts.keys() == {"mails", "files", "indicators", "relations", "seconds"}
    assert counts["mails"] == 15
    assert min(counts["files"], counts["indicators"], counts["relations"]) > 5
    assert list(tmp_path.iterdir()) == []


def test_check_fails_when_something_is_missing(tmp_path: Path) -> None:
    """`--check` is not satisfied when an expected indicator does not arrive."""
    done = subprocess.run(
        [*DEMO, "--check"],
        env={
            **clean(os.environ),
            "TMPDIR": str(tmp_path),
            "TQIMAP_POLICY__ALLOW": '["kaizoku-bune.example"]',
            "TQIMAP_POLICY__DENY": '["203.0.113.0/24"]',
        },
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 1
    assert "missing: 08-iso-2022-jp: URL http://kaizoku-bune.example/otp" in done.stdout


@contextmanager
def demo(directory: Path, *options: str) -> Iterator[subprocess.Popen[str]]:
    """Run the demo; kill it at the end if it still runs."""
    with subprocess.Popen(
        [*DEMO, *options],
        env={**clean(os.environ), "TMPDIR": str(directory)},
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def read_until(process: subprocess.Popen[str], words: str) -> str:
    """Return what the demo says up to the line with *words*."""
    assert process.stdout is not None
    said = ""
    for line in process.stdout:
        said += line
        if words in line:
            return said
    pytest.fail(f"the demo ended: {said}")


def leaked(directory: Path, family: set[int]) -> list[str]:
    """Return the places in the process list in which a password of the demo stands."""
    (path,) = directory.glob(f"*/{FILE_NAME}")
    kept = tomllib.loads(path.read_text("utf-8"))
    secrets = [kept["threatq"]["password"], kept["mailbox"][0]["proxy_password"]]
    lines = [(line.decode("utf-8", "replace"), line) for line in command_lines(family)]
    assert len(lines) >= len(PARTS)
    return found_in(lines, secrets)


def test_interrupt_leaves_nothing(tmp_path: Path) -> None:
    """Without --check the pages stay up until Ctrl-C, after which nothing runs and nothing lies."""
    with demo(tmp_path) as process:
        said = read_until(process, "Ctrl-C ends everything")
        family = descendants(process.pid)
        assert len(family) >= len(PARTS)
        url = said[said.rindex("https://") :].split()[0]
        (ca_file,) = tmp_path.glob("*/ca.pem")
        assert leaked(tmp_path, family) == []
        page = requests.get(f"{url}/indicators?q=203.0.113.45", verify=str(ca_file), timeout=120)
        assert ">203.0.113.45<" in page.text
        process.send_signal(signal.SIGINT)
        assert process.wait(120) == 0
    assert gone(family)
    assert list(tmp_path.iterdir()) == []


def test_killed_demo_takes_its_parts_along(tmp_path: Path) -> None:
    """Even SIGKILL leaves no server running."""
    with demo(tmp_path, "--check") as process:
        read_until(process, "threatq")
        family = descendants(process.pid)
        assert len(family) >= len(PARTS)
        process.kill()
    assert gone(family)
