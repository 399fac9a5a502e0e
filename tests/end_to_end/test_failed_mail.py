"""A mail that fails is kept and comes back; several workers share the work."""

from __future__ import annotations

import json
import os
import subprocess
import time
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

import pytest
import requests
from fixtures.serving import free_ports
from fixtures.site import clean, sample
from redis import Redis
from rq.registry import FailedJobRegistry

from tqimap_sandbox import part


if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from fixtures.site import Site


def failed(site: Site) -> list[str]:
    """Return what rq has in its failed registry."""
    with Redis.from_url(site.redis_url) as client:
        return list(FailedJobRegistry("tqimap", connection=client, serializer="json").get_job_ids())


@pytest.fixture
def failing(site: Site) -> Site:
    """Bring one mail into the failed registry: ThreatQ refuses it for good."""
    site.dovecot.append(site.user, sample("04"))
    site.ready()
    site.fetch()
    site.threatq.inject("errors", path="/api/indicators")
    done = site.work()
    assert len(failed(site)) == 1, done.stdout
    assert site.threatq.counts()["relations"] == 0
    site.threatq.heal()
    return site


def test_requeue_by_admin(failing: Site) -> None:
    """`tqimap-admin requeue` completes a failed mail."""
    status = json.loads(failing.run("tqimap-admin", "status", "--json").stdout)
    assert (status["mails"]["failed"], status["queue"]["failed"]) == (1, 1)
    sha = failed(failing)[0]
    done = failing.run("tqimap-admin", "requeue", sha[:10])
    assert done.returncode == 0, done.stderr
    failing.work()
    assert failed(failing) == []
    assert failing.threatq.counts()["files"] == 1
    assert failing.threatq.counts()["relations"] >= 4


def test_requeue_by_dashboard(failing: Site) -> None:
    """rq-dashboard shows the failed mail, cannot delete it, and requeues it to completion."""
    sha = failed(failing)[0]
    with dashboard(failing) as url:
        page = requests.get(f"{url}/0/data/jobs/tqimap/failed/10/asc/1.json", timeout=120)
        assert sha in page.text
        deleted = requests.post(f"{url}/job/{sha}/delete", timeout=120)
        assert deleted.status_code >= 400
        requeued = requests.post(f"{url}/job/{sha}/requeue", timeout=120)
        assert requeued.status_code < 400
    failing.work()
    assert failed(failing) == []
    assert failing.threatq.counts()["files"] == 1


@contextmanager
def dashboard(site: Site) -> Iterator[str]:
    """Run the dashboard as the Procfile does, on a free port."""
    (port,) = free_ports(1)
    command = [part.program("tqimap-admin"), "dashboard", "-c", str(site.config)]
    with subprocess.Popen(
        [*command, "--port", str(port)], env=clean(os.environ), stdout=subprocess.DEVNULL
    ) as process:
        url = f"http://127.0.0.1:{port}"
        try:
            for _ in range(200):
                try:
                    requests.get(url, timeout=120)
                    break
                except requests.ConnectionError:
                    assert process.poll() is None
                    time.sleep(0.1)
            yield url
        finally:
            process.terminate()
            process.wait(120)


def test_two_workers_share_the_work(site: Site) -> None:
    """A second host with only a worker and the configuration takes its part of the mails."""
    mails = [sample("01").replace(b"203.0.113.45", b"203.0.113.%d" % n) for n in range(1, 25)]
    site.dovecot.append(site.user, *mails)
    site.ready()
    site.fetch()
    site.threatq.inject("slow", delay=0.2)
    options = ("-c", str(site.config), "--burst", "-v", "2")
    with ExitStack() as stack:
        workers = []
        for number, log in enumerate(_log_directories(site)):
            own = ("--name", f"host-{number}", "-ll", str(log))
            command = [part.program("tqimap-worker"), *options, *own]
            workers.append(subprocess.Popen(command, env=clean(os.environ)))
            stack.callback(workers[-1].kill)
        assert [one.wait(120) for one in workers] == [0, 0]
    shares = [
        (log / "tqimap-worker.log").read_text().count(": done in") for log in _log_directories(site)
    ]
    assert sum(shares) == len(mails)
    assert min(shares) >= 3
    values = {value for _, value in site.arrived().indicators}
    assert {f"203.0.113.{n}" for n in range(1, 25)} <= values


def _log_directories(site: Site) -> list[Path]:
    found = [site.logs / name for name in ("first", "second")]
    for path in found:
        path.mkdir(exist_ok=True)
    return found
