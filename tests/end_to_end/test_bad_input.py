"""Whatever is wrong, there is one clear line, an exit status, and no mail is lost."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING

import pytest
from fixtures.dovecot import PASSWORD
from fixtures.serving import free_ports
from fixtures.site import sample
from redis import Redis

from tqimap_sandbox.redis import serving
from tqimap_shared import queue
from tqimap_shared.settings import FILE_NAME


if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from fixtures.crash_site import CrashSite
    from fixtures.site import Done, Site

    from tqimap_sandbox.socks import Proxy


def refused(site: Site, done: Done, status: int, *words: str) -> None:
    """Assert one clear line with *words* and *status*, no secret, and that no mail was touched."""
    assert done.returncode == status, done.stderr
    assert done.stderr.startswith("tqIMAP: ")
    assert done.stderr.count("\n") == 1
    for word in words:
        assert word in done.stderr
    for secret in (PASSWORD, site.threatq.password, "wrong horse"):
        assert secret not in done.stderr + done.stdout
    flags = site.dovecot.flags(site.user)
    assert len(flags) == 1
    assert not any(r"\Seen" in one for one in flags.values())


@pytest.fixture
def on(site: Site) -> Site:
    """Enrol and switch on a site with one unread mail."""
    site.dovecot.append(site.user, sample("01"))
    site.ready()
    return site


def test_wrong_threatq_password(site: Site) -> None:
    """A wrong ThreatQ password is a refusal, and writes no configuration."""
    site.dovecot.append(site.user, sample("01"))
    account = {**site.account, "TQIMAP_THREATQ__PASSWORD": "wrong horse"}
    refused(site, site.run("tqIMAP", environment=account), 77, "password")
    assert "wrong horse" not in (site.config / FILE_NAME).read_text()


def test_nothing_to_log_in_with(site: Site) -> None:
    """Without a terminal and without settings the line names all that are missing."""
    site.dovecot.append(site.user, sample("01"))
    names = ("HOST", "CLIENT_ID", "EMAIL", "PASSWORD")
    refused(site, site.tqimap(), 78, *(f"TQIMAP_THREATQ__{name}" for name in names))


def test_wrong_imap_password(on: Site) -> None:
    """A wrong IMAP password is a refusal."""
    on.threatq.fill_in(imap_password="wrong horse")
    refused(on, on.tqimap(), 77, "password")


def test_untrusted_certificate(on: Site) -> None:
    """A certificate of an unknown authority is a refusal."""
    on.mailbox["ca_file"] = str(on.dovecot.other_ca_file)
    on.configure(threatq=threatq_section(on))
    refused(on, on.tqimap(), 77, "certificate")


def test_wrong_host_name(on: Site) -> None:
    """A certificate of another name is a refusal."""
    on.threatq.fill_in(imap_server=f"127.0.0.1:{on.dovecot.imaps}")
    refused(on, on.tqimap(), 77, "certificate")


def threatq_section(site: Site) -> dict[str, object]:
    """Return the account as tqimap.toml has it after the first run."""
    return {
        "ca_file": site.threatq.ca_file,
        "host": site.threatq.url,
        "client_id": site.threatq.client_id,
        "email": site.threatq.email,
        "password": site.threatq.password,
    }


def test_untrusted_threatq(on: Site) -> None:
    """ThreatQ's own certificate must be trusted too; the line names the setting."""
    on.configure(threatq={**threatq_section(on), "ca_file": str(on.dovecot.other_ca_file)})
    refused(on, on.tqimap(), 77, "certificate", "ca_file")


def test_proxy_down(on: Site) -> None:
    """A proxy that is not there means: try later."""
    (port,) = free_ports(1)
    on.threatq.fill_in(proxy_address="127.0.0.1", proxy_port=str(port), proxy_type="socks5")
    refused(on, on.tqimap(), 75, "proxy")


@pytest.mark.parametrize("kind", ["refuse", "drip"])
def test_proxy_misbehaves(on: Site, start_proxy: Callable[..., Proxy], kind: str) -> None:
    """A proxy that refuses or drips ends the run within the deadline."""
    on.mailbox["ca_file"] = str(on.dovecot.ca_file)
    on.configure(threatq=threatq_section(on), fetch={"connect_timeout": 3})
    port = start_proxy(fault=kind).port
    on.threatq.fill_in(proxy_address="127.0.0.1", proxy_port=str(port), proxy_type="socks5")
    began = time.monotonic()
    refused(on, on.tqimap(), 75, "proxy")
    assert time.monotonic() - began < 40, "the drip alone takes longer"


def test_read_only_mailbox(on: Site) -> None:
    """A folder in which nothing can be marked is refused before anything is fetched."""
    on.dovecot.create(on.user, "reports", rights="lr")
    on.mailbox["folder"] = "reports"
    on.configure(threatq=threatq_section(on))
    refused(on, on.tqimap(), 78, "read-only")


def test_redis_down(on: Site) -> None:
    """Without Redis mail stays unread on the mail server."""
    (port,) = free_ports(1)
    on.configure(threatq=threatq_section(on), redis={"url": f"redis://127.0.0.1:{port}/0"})
    refused(on, on.tqimap(), 75, "Redis")
    done = on.run("tqimap-worker", "--burst")
    assert done.returncode == 75
    assert done.stderr.count("\n") == 1


def test_redis_that_may_lose_mail(on: Site, tmp_path: Path) -> None:
    """A Redis without `appendfsync always` is refused by both programs."""
    with serving(tmp_path / "other") as url:
        with Redis.from_url(url) as client:
            client.config_set("appendfsync", "everysec")
        on.configure(threatq=threatq_section(on), redis={"url": url})
        refused(on, on.tqimap(), 78, "appendfsync")
        done = on.run("tqimap-worker", "--burst")
        assert (done.returncode, "appendfsync" in done.stderr) == (78, True)


def test_open_configuration(on: Site) -> None:
    """A configuration that others can read is refused, with the command that mends it."""
    (on.config / FILE_NAME).chmod(0o644)
    refused(on, on.tqimap(), 78, "chmod 600")


def test_all_faults_at_once(on: Site) -> None:
    """An unknown key and a wrong type are named in one line, by both programs."""
    on.configure(threatq={**threatq_section(on), "hots": "x"}, fetch={"window": "many"})
    refused(on, on.tqimap(), 78, "threatq.hots: unknown key", "fetch.window")
    done = on.run("tqimap-worker", "--burst")
    assert done.returncode == 78
    assert "threatq.hots: unknown key" in done.stderr
    assert "fetch.window" in done.stderr


def test_log_directory_gone(on: Site) -> None:
    """A log location that cannot be written is said before anything is done."""
    refused(on, on.tqimap("-ll", str(on.logs / "gone")), 73, "log location")


def test_config_directory_gone(on: Site) -> None:
    """A configuration directory that is not there is one line."""
    (on.directory / "elsewhere").mkdir()
    done = on.run("tqIMAP", "-c", str(on.directory / "nowhere"))
    refused(on, done, 73, "config directory")


@pytest.mark.parametrize(
    ("kind", "status"),
    [
        ("401", 77),
        # such an appliance or account offers no connectors: [[mailbox]] must serve alone
        ("403", 78),
        ("429", 75),
        ("500", 75),
        ("502", 75),
        ("html", 75),
        ("errors", 65),
        ("drop-before", 75),
    ],
)
def test_threatq_answers_to_the_fetcher(on: Site, kind: str, status: int) -> None:
    """Whatever ThreatQ answers when the feed's page is read, mail stays unread."""
    on.threatq.inject(kind, path="/api/connectors")
    done = on.tqimap("-ll", str(on.logs))
    refused(on, done, status)


def test_threatq_says_nothing(on: Site) -> None:
    """An appliance that takes the call and never answers ends the run at threatq.read_timeout."""
    on.configure(threatq={**threatq_section(on), "read_timeout": 1})
    on.threatq.inject("slow", delay=5, path="/api/connectors")
    refused(on, on.tqimap(), 75, "did not answer in time")


@pytest.mark.parametrize(
    ("kind", "more"),
    [
        ("401", {"count": 1}),
        ("401", {}),
        ("403", {}),
        ("429", {}),
        ("500", {}),
        ("502", {}),
        ("html", {}),
        ("errors", {}),
        ("drop-before", {}),
        ("drop-after", {"method": "POST"}),
    ],
)
def test_threatq_answers_to_the_worker(
    crash_site: CrashSite, kind: str, more: dict[str, object]
) -> None:
    """Whatever ThreatQ answers to an upload, the mail is kept, and completes once it is well."""
    threatq = crash_site.site.threatq
    threatq.inject(kind, path="/api/attachments", **more)
    sha = crash_site.give()
    crash_site.site.work()
    threatq.heal()
    queue.requeue_all(crash_site.redis, crash_site.ledger, crash_site.settings.worker)
    if crash_site.mail(sha).state != "done":
        crash_site.heal(sha)
    assert threatq.counts() == {"files": 1, "indicators": 5, "relations": 5}


def test_broken_mails(site: Site) -> None:
    """Broken MIME, no body, a nameless attachment and a NUL in a charset are processed like any."""
    site.dovecot.drop(
        site.user, sample("09"), sample("10"), sample("11"), b"", b"\r\n\r\n", b"\xff\x00\xfe" * 99
    )
    site.ready()
    site.fetch()
    site.work()
    came = site.arrived()
    assert {"half.txt", "part-2", "urls.txt"} <= came.files
    assert ("URL", "http://nul.brittle-reef.example/a") in came.indicators
    status = json.loads(site.run("tqimap-admin", "status", "--json").stdout)
    assert (status["mails"]["waiting"], status["mails"]["failed"]) == (0, 0)
