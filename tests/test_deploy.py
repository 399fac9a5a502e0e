"""What deploy/ and the Procfile start are programs of ours, with options that they have."""

from __future__ import annotations

import configparser
import re
import shlex
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import tqimap_fetcher.cli
import tqimap_processor.cli
from tqimap_processor import admin
from tqimap_sandbox import redis
from tqimap_shared.settings import Worker


if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parent.parent
UNITS = sorted((ROOT / "deploy/systemd").iterdir())
STARTING = [ROOT / "Procfile", ROOT / "deploy/crontab", *UNITS]
PROGRAM = re.compile(r"(?<![\w-])(tqIMAP|tqimap-worker|tqimap-admin dashboard)( -[^;\n]*)")


PARSERS = {
    "tqIMAP": tqimap_fetcher.cli.parser(),
    "tqimap-worker": tqimap_processor.cli.parser(),
    "tqimap-admin dashboard": admin.parser_of("dashboard"),
}


def commands(path: Path) -> Iterator[tuple[str, list[str]]]:
    """Yield each program that a file starts, and its arguments."""
    lines = [
        one for one in path.read_text("utf-8").splitlines() if not one.lstrip().startswith("#")
    ]
    for program, options in PROGRAM.findall("\n".join(lines)):
        yield program, shlex.split(options.replace("%H-%i", "host-1"))


@pytest.mark.parametrize("path", STARTING, ids=lambda path: path.name)
def test_what_is_started_parses(path: Path) -> None:
    """Every command line is accepted by the program that it starts."""
    found = list(commands(path))
    assert len(found) == {"Procfile": 3, "tqimap-fetch.timer": 0}.get(path.name, 1)
    for program, options in found:
        parsed = PARSERS[program].parse_args(options)
        assert str(parsed.config)


def test_the_crontab_is_one() -> None:
    """Five fields and a command, which names config and log directory as the guide demands."""
    (line,) = [
        line
        for line in (ROOT / "deploy/crontab").read_text("utf-8").splitlines()
        if line and not line.startswith("#")
    ]
    *fields, command = line.split(maxsplit=5)
    assert all(re.fullmatch(r"(\*|\d+)(/\d+)?", field) for field in fields)
    assert "%" not in command, "cron makes a line break of it"
    assert {"-c", "-ll"} <= set(shlex.split(command))


def unit(name: str) -> configparser.SectionProxy:
    """Read the [Service] section of a unit."""
    parser = configparser.ConfigParser(interpolation=None, strict=False)
    parser.read(ROOT / "deploy/systemd" / name, "utf-8")
    return parser["Service"]


def test_units_can_write_where_their_programs_do() -> None:
    """Directories of -c and -ll are writable for each unit, the attachments' for the worker."""
    for name in ("tqimap-fetch.service", "tqimap-worker@.service"):
        service = unit(name)
        writable = service["ReadWritePaths"].split()
        options = shlex.split(service["ExecStart"])
        for option in ("-c", "-ll"):
            assert options[options.index(option) + 1] in writable
    assert "/opt/integrations/files" in writable


def test_a_worker_is_given_time_to_end_its_mail() -> None:
    """A unit is stopped later than one mail may take, by a signal to the worker alone."""
    service = unit("tqimap-worker@.service")
    assert int(service["TimeoutStopSec"]) > Worker().job_timeout
    assert service["KillMode"] == "mixed"


def test_the_redis_of_tests_and_demo_is_the_one_recommended() -> None:
    """What the sandbox sets for speed and safety is in deploy/redis.conf, with the same value."""
    own = ("{", "daemonize", "protected-mode", "unixsocketperm")  # a place, or of the sandbox alone
    shared = [one for one in redis.CONFIGURATION.splitlines() if not any(a in one for a in own)]
    recommended = (ROOT / "deploy/redis.conf").read_text("utf-8").splitlines()
    assert shared
    assert set(shared) <= set(recommended)


def test_the_logs_are_rotated() -> None:
    """What the units and the crontab write as logs is what logrotate turns over."""
    text = (ROOT / "deploy/logrotate").read_text("utf-8")
    (pattern,) = re.findall(r"^(/\S+)/\*\.log \{$", text, re.MULTILINE)
    found = {
        word for path in STARTING for word in re.findall(r"-ll (\S+)", path.read_text("utf-8"))
    }
    assert {word.rstrip("/") for word in found} == {pattern}
    assert "copytruncate" not in text
