"""Both ends of a line between the benchmark of the openers and one reader of files.

A reader is a function from a file's bytes to what it found there. It runs in a process of its own,
because some abort or hang: that one file is lost then, and a new process reads on.
"""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from html import unescape
from pathlib import Path
from typing import TYPE_CHECKING


if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    Reader = Callable[[bytes], Sequence[str]]

_LINK = re.compile(r"(?i)https?://[\x21\x23-\x26\x2a-\x3b\x3d\x3f-\x5b\x5d-\x7e]{4,2000}")
_TAIL = ".,;:!?'*_-]}"
_TICKS = os.sysconf("SC_CLK_TCK")
_ROOT = Path(__file__).parents[1]


@dataclass(frozen=True, slots=True)
class Answer:
    """What a reader found in a file, its processor seconds, and how it failed, if it did."""

    found: tuple[str, ...] = ()
    seconds: float = 0.0
    error: str = ""


def links(text: str) -> set[str]:
    """Return what begins like a link in *text*, entities undone, up to a character that ends it.

    Scheme and host are in lower case, as some write them.
    """
    found = (unescape(one).rstrip(_TAIL).split("/", 3) for one in _LINK.findall(unescape(text)))
    return {"/".join([*map(str.lower, one[:3]), *one[3:]]) for one in found}


def serve(readers: Mapping[str, Callable[[], Reader]]) -> None:
    """Read the files named on the standard input with the reader that the command line names."""
    reader, patience = readers[sys.argv[1]](), float(sys.argv[2])
    # libraries print what they like, but not into our line
    with os.fdopen(os.dup(1), "w", encoding="utf-8") as line:
        os.dup2(2, 1)
        for name in sys.stdin.read().splitlines():
            data = Path(name).read_bytes()
            # the signal's default ends the process, also in the middle of C code
            signal.setitimer(signal.ITIMER_REAL, patience)
            line.write(json.dumps(_read(reader, data)) + "\n")
            signal.setitimer(signal.ITIMER_REAL, 0)
            line.flush()


def _read(reader: Reader, data: bytes) -> dict[str, object]:
    begun, found, error = _spent(), list[str](), ""
    try:
        found = list(reader(data))
    except Exception as failed:  # noqa: BLE001 - what a reader raises is part of the result
        error = type(failed).__name__
    return {"found": found, "seconds": _spent() - begun, "error": error}


def ask(command: Sequence[str], files: Sequence[Path], patience: float) -> dict[Path, Answer]:
    """Let the reader that *command* starts read *files*, *patience* seconds each."""
    answers: dict[Path, Answer] = {}
    while left := [one for one in files if one not in answers]:
        with tempfile.TemporaryFile("w+") as names:
            names.write("".join(f"{one}\n" for one in left))
            names.seek(0)
            status, lines = _asked([*command, str(patience)], names.fileno())
        answers.update(zip(left, map(_answer, lines), strict=False))
        if len(lines) < len(left):
            how = "hangs" if status == -signal.SIGALRM else f"dies ({status})"
            answers[left[len(lines)]] = Answer(error=how, seconds=patience)
    return answers


def _asked(command: Sequence[str], names: int) -> tuple[int, list[str]]:
    environment = {**os.environ, "PYTHONPATH": str(_ROOT)}
    done = subprocess.run(
        command,
        stdin=names,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=environment,
        check=False,
        encoding="utf-8",
    )
    return done.returncode, done.stdout.splitlines()


def _answer(line: str) -> Answer:
    fields = json.loads(line)
    return Answer(tuple(fields["found"]), fields["seconds"], fields["error"])


def _spent() -> float:
    """Return the seconds of processor time of this process, its children and their children."""
    tick = os.sysconf("SC_CLK_TCK")
    living = 0
    for pid in Path(f"/proc/self/task/{os.getpid()}/children").read_text("ascii").split():
        facts = Path(f"/proc/{pid}/stat").read_text("utf-8").rpartition(")")[2].split()
        living += sum(map(int, facts[11:15]))
    return sum(os.times()[:4]) + living / tick
