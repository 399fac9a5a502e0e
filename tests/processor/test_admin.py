"""The operator's tool: status, requeue, the dashboard, and one clear line for what goes wrong."""

from __future__ import annotations

import base64
import json
import os
import pickle
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
import requests
import rq.serializers
from fixtures.workers import SETTINGS, Crew, build, until
from rq.job import Job

from tqimap_processor import admin, dashboard, status
from tqimap_sandbox.redis import free_port
from tqimap_shared import queue
from tqimap_shared.settings import Dashboard, Settings


if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from flask.testing import FlaskClient
    from redis import Redis


@pytest.fixture
def failed(crew: Crew) -> str:
    """Admit a mail that has failed for good; its sha."""
    sha = crew.give("refused")
    lease = crew.ledger.lease(sha, owner="one")
    assert lease is not None
    lease.fail("ThreatQ: refuses the file.", final=True)
    opened = queue.open_queue(crew.redis, SETTINGS.worker)
    opened.remove(sha)
    crew.redis.hset(Job.key_for(sha), "status", "failed")
    crew.redis.zadd(opened.failed_job_registry.key, {sha: -1})
    return sha


def run(crew: Crew, command: str, *arguments: str) -> int:
    """Run a command on the crew's configuration directory."""
    return admin.main([command, "-c", str(crew.directory), *arguments])


@pytest.mark.redis
def test_status_counts_and_says_why(
    crew: Crew, failed: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Scripts read one JSON line: mails, queue, workers, and the reason of each failure."""
    crew.give("well", 2)
    assert run(crew, "status", "--json") == 0
    found = json.loads(capsys.readouterr().out)
    assert found["mails"] == {"waiting": 1, "failed": 1, "done": 0, "kept": 0}
    assert found["queue"] == {
        "name": "tqimap",
        "queued": 1,
        "started": 0,
        "scheduled": 0,
        "failed": 1,
    }
    assert found["failures"] == [
        {"sha256": failed, "attempts": 1, "reason": "ThreatQ: refuses the file."}
    ]


@pytest.mark.redis
def test_status_says_why_mails_wait(crew: Crew, capsys: pytest.CaptureFixture[str]) -> None:
    """What was put off, or failed and is tried again, is counted by reason."""
    for number in range(2):
        lease = crew.ledger.lease(crew.give("well", number), owner="one")
        assert lease is not None
        lease.release("ThreatQ: is away.")
    assert run(crew, "status", "--json") == 0
    found = json.loads(capsys.readouterr().out)
    assert found["put_off"] == [{"mails": 2, "reason": "ThreatQ: is away."}]
    assert run(crew, "status") == 0
    assert "2 waiting: ThreatQ: is away." in capsys.readouterr().out


@pytest.mark.redis
def test_status_lists_live_workers_and_reads_well(
    crew: Crew, failed: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """People see the same in a table: workers by name, failures by sha and reason."""
    crew.start("--name", "night-shift")
    until(lambda: crew.redis.exists("rq:worker:night-shift"))
    assert run(crew, "status") == 0
    shown = capsys.readouterr().out
    assert "night-shift" in shown
    assert f"{failed[:12]} failed: ThreatQ: refuses the file." in shown


@pytest.mark.redis
def test_status_shows_the_first_failures_and_counts_the_rest(
    crew: Crew, capsys: pytest.CaptureFixture[str]
) -> None:
    """After an outage the table stays readable, and says that it is not all."""
    for number in range(status.SHOWN + 3):
        lease = crew.ledger.lease(crew.give("refused", number), owner="one")
        assert lease is not None
        lease.fail("ThreatQ: refuses the file.", final=True)
    assert run(crew, "status") == 0
    lines = capsys.readouterr().out.splitlines()
    assert sum(" failed: ThreatQ" in line for line in lines) == status.SHOWN
    assert lines[-1] == "... and 3 more failed mails (--json lists them)"


@pytest.mark.redis
def test_requeue_takes_beginnings_of_shas(
    crew: Crew, failed: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """What the log shows of a sha is enough; a second call finds nothing to do."""
    assert run(crew, "requeue", failed[:12].upper(), failed) == 0
    assert run(crew, "requeue", failed[:12]) == 0
    assert capsys.readouterr().out.splitlines() == ["1 mail requeued", "0 mails requeued"]
    assert queue.open_queue(crew.redis, SETTINGS.worker).job_ids == [failed]


@pytest.mark.redis
def test_requeue_all_leaves_nothing_failed(
    crew: Crew, failed: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """One command after an outage brings all failed mails back."""
    assert run(crew, "requeue", "--all") == 0
    assert capsys.readouterr().out == "1 mail requeued\n"
    assert crew.failed() == []
    assert queue.open_queue(crew.redis, SETTINGS.worker).job_ids == [failed]


@pytest.mark.redis
@pytest.mark.parametrize("beginning", ["0000", "abc", "xyzw", ""])
def test_requeue_refuses_what_names_no_mail(
    crew: Crew, failed: str, capsys: pytest.CaptureFixture[str], beginning: str
) -> None:
    """A mistyped sha is one clear line, and nothing is requeued."""
    assert run(crew, "requeue", beginning) == 65
    assert capsys.readouterr().err.startswith(f"tqimap-admin: {beginning}")
    assert crew.failed() == [failed]


def test_requeue_needs_to_know_what(capsys: pytest.CaptureFixture[str]) -> None:
    """Neither --all nor a SHA is a wrong command line."""
    with pytest.raises(SystemExit) as caught:
        admin.main(["requeue"])
    assert caught.value.code == 2
    assert "--all" in capsys.readouterr().err


@pytest.mark.parametrize("command", ["status", "explain nothing.eml", "doctor"])
def test_a_mistyped_directory_is_named(tmp_path: Path, command: str) -> None:
    """Defaults do not stand in for a configuration directory that is not there."""
    done = subprocess.run(
        [sys.executable, "-m", "tqimap_processor.admin", *command.split(), "-c", tmp_path / "no"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 73
    assert f"config directory {tmp_path / 'no'}: is not there" in done.stdout + done.stderr


@pytest.mark.redis
@pytest.mark.parametrize("command", ["status", "requeue --all", "dashboard"])
def test_redis_away_is_one_line_and_75(
    tmp_path: Path, redis: Redis, capsys: pytest.CaptureFixture[str], command: str
) -> None:
    """A command that needs Redis says where it looked for it."""
    crew = build(tmp_path, f"redis://:secret-word@127.0.0.1:{free_port()}/0", redis)
    assert run(crew, *command.split()) == 75
    shown = capsys.readouterr().err
    assert "Redis: 127.0.0.1:" in shown
    assert "secret-word" not in shown


def test_explain_needs_neither_redis_nor_settings(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A mail in a file is explained on a machine that has nothing else."""
    mail = tmp_path / "mail.eml"
    mail.write_bytes(b"Subject: see http://bad.test/x\r\n\r\nhxxp://evil[.]example.net/\r\n")
    assert admin.main(["explain", "--json", "-c", str(tmp_path), str(mail)]) == 0
    assert json.loads(capsys.readouterr().out)["message"]["size"] == mail.stat().st_size


def test_help_names_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    """--help lists the commands, each has a help of its own, and an unknown one is status 2."""
    with pytest.raises(SystemExit):
        admin.main(["--help"])
    shown = capsys.readouterr().out
    for command, sentence in admin.COMMANDS.items():
        assert f"{command:9}  {sentence}" in shown
        with pytest.raises(SystemExit) as caught:
            admin.main([command, "--help"])
        assert caught.value.code == 0
        assert f"tqimap-admin {command}" in capsys.readouterr().out
    with pytest.raises(SystemExit) as caught:
        admin.main(["sink"])
    assert caught.value.code == 2


@pytest.fixture
def page(crew: Crew, failed: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[FlaskClient]:
    """Open the dashboard as a browser on this machine; a failed mail is there."""
    del failed
    monkeypatch.setattr(rq.serializers, "PickleSerializer", rq.serializers.PickleSerializer)
    app = dashboard.build(crew.redis, SETTINGS, "redis://127.0.0.1/0")
    with app.test_client() as client:
        yield client


@pytest.mark.redis
def test_the_dashboard_shows_and_requeues(crew: Crew, failed: str, page: FlaskClient) -> None:
    """The failed job is listed, opens, and waits again after one click."""
    assert page.get("/").status_code == 200
    listed = page.get("/0/data/jobs/tqimap/failed/8/asc/1.json")
    assert failed in listed.text
    assert page.get(f"/0/view/job/{failed}").status_code == 200
    assert page.get(f"/0/data/job/{failed}.json").status_code == 200
    assert page.post(f"/job/{failed}/requeue").status_code == 200
    assert queue.open_queue(crew.redis, SETTINGS.worker).job_ids == [failed]


@pytest.mark.redis
def test_the_dashboard_deletes_nothing(crew: Crew, failed: str, page: FlaskClient) -> None:
    """Neither a job nor a queue can be thrown away there."""
    assert page.post(f"/job/{failed}/delete").status_code == 403
    assert page.post("/queue/tqimap/failed/empty").status_code == 403
    assert crew.failed() == [failed]


@pytest.mark.redis
@pytest.mark.parametrize(
    "headers", [{"Sec-Fetch-Site": "cross-site"}, {"Host": "attacker.example:9181"}]
)
def test_the_dashboard_does_nothing_for_other_sites(
    crew: Crew, failed: str, page: FlaskClient, headers: dict[str, str]
) -> None:
    """A page elsewhere cannot press a button here, nor read through a name that points here."""
    assert page.get("/requeue/tqimap", headers=headers).status_code == 403
    assert crew.failed() == [failed]


@pytest.mark.redis
def test_the_dashboard_runs_no_pickle(
    crew: Crew, failed: str, page: FlaskClient, tmp_path: Path
) -> None:
    """Code that somebody put into a job's hash is not executed when the job is looked at."""
    trace = tmp_path / "executed"
    crew.redis.hset(Job.key_for(failed), "meta", _pickle(f"touch {trace}"))
    page.get(f"/0/view/job/{failed}")
    page.get(f"/0/data/job/{failed}.json")
    page.post(f"/job/{failed}/requeue")
    assert not trace.exists()


def _pickle(command: str) -> bytes:
    class Trap:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return os.system, (command,)

    return pickle.dumps(Trap())


@pytest.mark.redis
def test_the_dashboard_asks_for_its_login(crew: Crew, monkeypatch: pytest.MonkeyPatch) -> None:
    """With a password set nothing is shown without it."""
    monkeypatch.setattr(rq.serializers, "PickleSerializer", rq.serializers.PickleSerializer)
    login = Dashboard.model_validate({"username": "ops", "password": "pass-word"})
    app = dashboard.build(crew.redis, Settings(dashboard=login), "redis://127.0.0.1/0")
    with app.test_client() as client:
        for given, status in (("", 401), ("ops:wrong", 401), ("x:pass-word", 401)):
            basic = "Basic " + base64.b64encode(given.encode()).decode()
            assert client.get("/", headers={"Authorization": basic}).status_code == status
        assert client.get("/").status_code == 401
        right = "Basic " + base64.b64encode(b"ops:pass-word").decode()
        assert client.get("/", headers={"Authorization": right}).status_code == 200


@pytest.mark.redis
@pytest.mark.parametrize(
    ("lines", "setting"),
    [('host = "0.0.0.0"', "dashboard.host"), ('username = "ops"', "dashboard.username")],
)
def test_the_dashboard_is_not_opened_to_others_without_a_password(
    crew: Crew, capsys: pytest.CaptureFixture[str], lines: str, setting: str
) -> None:
    """An address that others reach, or half a login, is refused with the setting to change."""
    with (crew.directory / "tqimap.toml").open("a") as file:
        file.write(f"[dashboard]\n{lines}\n")
    assert run(crew, "dashboard") == 78
    assert f"tqimap-admin: {setting}: " in capsys.readouterr().err


@pytest.mark.redis
def test_the_dashboard_serves_on_loopback_until_told_to_stop(crew: Crew) -> None:
    """The command prints its address, answers there, and ends on Ctrl-C."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tqimap_processor.admin", "dashboard", "--port", "0"],
        cwd=crew.directory,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        url = process.stdout.readline().removeprefix("rq-dashboard: ").strip()
        assert url.startswith("http://127.0.0.1:")
        assert requests.get(url, timeout=120).status_code == 200
        process.send_signal(signal.SIGINT)
        assert process.wait(120) == 0
    finally:
        process.kill()
        process.communicate()
