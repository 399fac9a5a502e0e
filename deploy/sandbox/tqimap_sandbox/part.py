"""Run another program of the sandbox as a child that cannot outlive us."""

from __future__ import annotations

import ctypes
import json
import os
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any


if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

START_SECONDS = 30
STOP_SECONDS = 10
_PR_SET_PDEATHSIG = 1


def secret(name: str, default: str = "") -> str:
    """Return `SANDBOX_<name>` of the environment: anyone on a machine sees command lines."""
    return os.environ.get(f"SANDBOX_{name}", default)


def program(name: str) -> str:
    """Return the path of one of our console scripts in this environment."""
    return str(Path(sys.executable).parent / name)


def die_with_parent(by: signal.Signals = signal.SIGKILL) -> None:
    """Ask the kernel (Linux) to send *by* to this process when its parent dies, even by SIGKILL."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, by)


@contextmanager
def running(
    arguments: Sequence[str], *, environment: Mapping[str, str], errors: Path
) -> Iterator[dict[str, Any]]:
    """Run `tqimap-sandbox` with *arguments*; yield its ready line; stop it at the end.

    What it writes to standard error goes to the file *errors*. Raises RuntimeError when it does
    not get ready.
    """
    with (
        errors.open("ab") as log,
        subprocess.Popen(
            [program("tqimap-sandbox"), *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=log,
            env={**os.environ, **environment},
            # its own session: Ctrl-C reaches us alone, and we stop it in order
            start_new_session=True,
            preexec_fn=die_with_parent,  # noqa: PLW1509 - no threads run while parts are started
        ) as process,
    ):
        try:
            yield _ready(process, arguments[0], errors)
        finally:
            _stop(process)


def _ready(process: subprocess.Popen[bytes], part: str, errors: Path) -> dict[str, Any]:
    assert process.stdout is not None
    os.set_blocking(process.stdout.fileno(), False)
    line, end = b"", time.monotonic() + START_SECONDS
    while not line.endswith(b"\n"):
        if process.poll() is not None or time.monotonic() > end:
            raise RuntimeError(f"{part} did not start; {errors} says why")
        line += process.stdout.read() or b""
        time.sleep(0.02)
    ready = json.loads(line.splitlines()[0])
    assert isinstance(ready, dict)
    return ready


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
