"""The doctor names the first link that fails, each broken once, and changes nothing."""

from __future__ import annotations

import json
import subprocess
from typing import TYPE_CHECKING, Any

import pytest
import redis
from fixtures.dovecot import PASSWORD
from fixtures.serving import free_ports
from rq import Worker

from tqimap_fetcher import connector
from tqimap_processor import admin
from tqimap_sandbox import part
from tqimap_sandbox.arrival import MAILS
from tqimap_shared import queue, settings
from tqimap_shared.folders import Folders
from tqimap_shared.threatq import Session


if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from fixtures.imap_script import ScriptedImap
    from fixtures.site import Site
    from fixtures.token_endpoint import TokenEndpoint

Report = dict[str, Any]


def threatq(site: Site, **changes: str) -> dict[str, object]:
    """Return the section that a first run would have written, with *changes*."""
    account = {name.rpartition("__")[2].lower(): value for name, value in site.account.items()}
    return {"ca_file": site.threatq.ca_file, **account, **changes}


def configure(site: Site, **more: object) -> None:
    """Write tqimap.toml anew: this site's mailbox with *more*, and where ThreatQ is."""
    site.mailbox.update(more)
    files = {"root": str(site.directory), "name": "files"}
    site.configure(threatq=threatq(site), files=files)


def reconnect(site: Site, **changes: str) -> None:
    """Write tqimap.toml anew, with *changes* of where ThreatQ is."""
    site.configure(threatq=threatq(site, **changes))


@pytest.fixture
def well(site: Site) -> Iterator[Site]:
    """Prepare a site whose every link holds, with one unread mail and a live worker."""
    site.dovecot.append(site.user, next(MAILS.glob("01*.eml")).read_bytes())
    configure(site)
    loaded = settings.load(site.config)
    with Session(loaded.threatq) as session:
        connector.ensure(session, loaded.threatq, None)
    site.switch_on()
    with redis.Redis.from_url(site.redis_url) as client:
        worker = Worker([queue.open_queue(client, loaded.worker)], connection=client)
        worker.register_birth()  # type: ignore[no-untyped-call]  # rq's, untyped
        yield site
        client.config_set("appendfsync", "always")


def examine(site: Site, capsys: pytest.CaptureFixture[str]) -> tuple[int, Report]:
    """Run the doctor; return its exit status and report."""
    capsys.readouterr()
    status = admin.main(["doctor", "--json", *site.where])
    out = capsys.readouterr().out
    report: Report = json.loads(out)
    secrets = (PASSWORD, site.threatq.password, site.threatq.client_secret)
    assert not any(one in out for one in secrets)
    return status, report


def kept(site: Site) -> object:
    """Read all that a run could change: files, Redis, the mail's flags, ThreatQ's counts."""
    with redis.Redis.from_url(site.redis_url) as client:
        dump = {key: client.dump(key) for key in client.scan_iter()}
    files = {path: path.read_bytes() for path in site.directory.rglob("*") if path.is_file()}
    return dump, files, site.dovecot.flags(site.user), site.threatq.counts(), site.threatq.feed()


def test_a_well_system_is_told_to_be_well(well: Site, capsys: pytest.CaptureFixture[str]) -> None:
    """Every link is tried in its order and timed, and nothing is changed anywhere."""
    before = kept(well)
    status, report = examine(well, capsys)
    assert (status, report["well"], report["first"]) == (0, True, None)
    assert [(one["part"], one["name"]) for one in report["links"]] == [
        ("settings", "file"),
        *(("Redis", name) for name in ("version", "persistence", "memory")),
        *(("ThreatQ", name) for name in ("settings", "name", "tls", "login", "page")),
        *(
            ("mailbox Intelligence Mailbox", name)
            for name in ("settings", "name", "tcp", "tls", "greeting", "capability", "sign-in")
        ),
        ("mailbox Intelligence Mailbox", "select INBOX"),
        ("mailbox Intelligence Mailbox", "search INBOX"),
        ("worker", "alive"),
        ("ThreatQ", "tables"),
        ("disk", "attachments"),
    ]
    said = {one["name"]: one["sentence"] for one in report["links"]}
    assert said["search INBOX"] == "1 unread."
    assert "1 mails; may be marked" in said["select INBOX"]
    assert "certificate of mail.test" in said["tls"]
    assert all(one["seconds"] >= 0 for one in report["links"])
    assert kept(well) == before


def test_people_get_a_line_a_link(well: Site) -> None:
    """A host without the processor has the same doctor as a program of its own."""
    done = subprocess.run(
        [part.program("tqimap-doctor"), *well.where], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    *lines, last = done.stdout.splitlines()
    assert all(line.startswith(("ok ", "WARNING ")) and " s  " in line for line in lines)
    assert last.startswith(f"All {len(lines)} links hold, ")


def broken_file(site: Site) -> None:
    """Give tqimap.toml an unknown key."""
    site.configure(redis={"url": site.redis_url, "colour": "red"})


def no_directory(site: Site) -> None:
    """Take the configuration directory away."""
    site.config.rename(site.directory / "elsewhere")


def no_redis(site: Site) -> None:
    """Point to where no Redis is."""
    site.configure(redis={"url": f"redis://127.0.0.1:{free_ports(1)[0]}"}, threatq=threatq(site))


def forgetful_redis(site: Site) -> None:
    """Let Redis acknowledge what is not on disk."""
    with redis.Redis.from_url(site.redis_url) as client:
        client.config_set("appendfsync", "everysec")


def no_worker(site: Site) -> None:
    """Take the worker's record away, as its end does."""
    with redis.Redis.from_url(site.redis_url) as client:
        for key in client.scan_iter("rq:worker*"):
            client.delete(key)


def closed_port(_: Site) -> dict[str, object]:
    """Name a port on which nothing listens."""
    return {"port": free_ports(1)[0]}


BREAKS: list[tuple[Any, int, str, str]] = [
    (broken_file, 78, "settings, file", "redis.colour: unknown key"),
    (no_directory, 73, "settings, file", "see -c"),
    (no_redis, 75, "Redis, version", "is the server running?"),
    (forgetful_redis, 78, "Redis, persistence", "set appendonly yes, appendfsync always"),
    (lambda s: reconnect(s, email=""), 78, "ThreatQ, settings",
     "needs threatq.email"),
    (lambda s: reconnect(s, host="no.such.invalid"), 75, "ThreatQ, name",
     "check threatq.host"),
    (lambda s: reconnect(s, ca_file=str(s.dovecot.ca_file)), 77,
     "ThreatQ, tls", "set threatq.ca_file"),
    (lambda s: reconnect(s, host=f"https://localhost:{free_ports(1)[0]}"), 75,
     "ThreatQ, tls", "cannot be reached by TLS"),
    (lambda s: reconnect(s, password="wrong horse"), 77, "ThreatQ, login",
     "check client id, e-mail and password"),
    (lambda s: s.threatq.toggle(on=False), 69, "ThreatQ, page", "switch it on"),
    (lambda s: s.threatq.fill_in(imap_password=""), 69, "ThreatQ, page", "fill in IMAP Password"),
    (no_worker, 75, "worker, alive", "start tqimap-worker"),
    (lambda s: reconnect(s, status="Odd"), 78,
     "ThreatQ, tables", "knows no such indicator status"),
    (lambda s: s.configure(threatq=threatq(s), files={"root": "/nowhere"}), 73,
     "disk, attachments", "must exist and be writable"),
]  # fmt: skip


@pytest.mark.parametrize(("break_it", "status", "first", "words"), BREAKS)
def test_a_broken_link_is_named(
    well: Site,
    capsys: pytest.CaptureFixture[str],
    break_it: Callable[[Site], object],
    status: int,
    first: str,
    words: str,
) -> None:
    """Settings, Redis, ThreatQ, worker, disk: the first that fails, what to do, and its status."""
    break_it(well)
    found = examine(well, capsys)
    assert (found[0], found[1]["first"]) == (status, first)
    (link,) = (one for one in found[1]["links"] if f"{one['part']}, {one['name']}" == first)
    assert words in link["sentence"]


MAILBOX_BREAKS: list[tuple[dict[str, object], int, str, str]] = [
    ({"password_file": "/nowhere"}, 78, "settings", "password_file /nowhere: cannot be read"),
    ({"server": "no.such.invalid"}, 75, "name", "check the name"),
    ({"proxy_address": "127.0.0.1", "proxy_port": 1, "proxy_type": "socks5h"}, 75, "proxy",
     "mailbox.proxy_address 127.0.0.1 cannot be reached"),
    ({"port": 1}, 75, "tcp", "nothing listens there"),
    ({"security": "none", "auth": "oauthbearer", "client_id": "c", "refresh_token": "r"}, 78,
     "capability", "check mailbox.auth"),
    ({"password": "wrong horse"}, 77, "sign-in", "check mailbox.username"),
    ({"folder": "Nowhere"}, 78, "select Nowhere", "check mailbox.folder"),
]  # fmt: skip


def first_of(found: tuple[int, Report]) -> tuple[int, str]:
    """Return the status, and the name of the first link of a mailbox that fails."""
    return found[0], found[1]["first"].removeprefix("mailbox Intelligence Mailbox, ")


@pytest.mark.parametrize(("change", "status", "first", "words"), MAILBOX_BREAKS)
def test_a_mailboxs_broken_link_is_named(
    well: Site,
    capsys: pytest.CaptureFixture[str],
    imap_script: Callable[..., ScriptedImap],
    change: dict[str, object],
    status: int,
    first: str,
    words: str,
) -> None:
    """From the settings to the folder; the links behind it are not tried."""
    if change.get("security") == "none":
        change = {**change, "server": "127.0.0.1", "port": imap_script().port}
    configure(well, **change)
    found = examine(well, capsys)
    assert first_of(found) == (status, first)
    mine = [one for one in found[1]["links"] if one["part"].startswith("mailbox")]
    assert mine[-1]["name"] == first
    assert words in mine[-1]["sentence"]


def test_an_untrusted_certificate_is_named(well: Site, capsys: pytest.CaptureFixture[str]) -> None:
    """Another authority's certificate breaks the link tls."""
    configure(well, ca_file=str(well.dovecot.other_ca_file))
    assert first_of(examine(well, capsys)) == (77, "tls")


@pytest.mark.parametrize(
    ("script", "status", "first"),
    [
        ({"GREETING": b"220 smtp.example ESMTP\r\n"}, 75, "greeting"),
        ({"GREETING": b"* PREAUTH hello\r\n"}, 78, "greeting"),
        ({"EXAMINE": b"@ OK [READ-ONLY] done\r\n", "SEARCH": b"@ BAD what?\r\n"}, 75,
         "search INBOX"),
    ],
)  # fmt: skip
def test_a_server_that_is_none_is_named(
    well: Site,
    capsys: pytest.CaptureFixture[str],
    imap_script: Callable[..., ScriptedImap],
    script: dict[str, bytes],
    status: int,
    first: str,
) -> None:
    """What answers as no IMAP server does breaks the link at which it shows."""
    server = imap_script(script)
    configure(well, server="127.0.0.1", port=server.port, security="none")
    assert first_of(examine(well, capsys)) == (status, first)
    assert not any(b" SELECT " in line or b" STORE " in line for line in server.lines)


def test_a_folder_that_is_read_only_is_named(
    well: Site, capsys: pytest.CaptureFixture[str]
) -> None:
    """Rights are asked for: EXAMINE alone would not show that nothing can be marked."""
    well.dovecot.create(well.user, "Shared", rights="lr")
    configure(well, folder="Shared")
    found = examine(well, capsys)
    assert first_of(found) == (78, "select Shared")
    assert "give the user write access" in found[1]["links"][-4]["sentence"]


def test_a_server_that_wants_to_be_left_alone_is(
    well: Site, capsys: pytest.CaptureFixture[str], imap_script: Callable[..., ScriptedImap]
) -> None:
    """A mailbox that is held off is named and not visited."""
    server = imap_script()
    configure(well, server="127.0.0.1", port=server.port, security="none")
    with redis.Redis.from_url(well.redis_url) as client:
        Folders(client).hold_off("Intelligence Mailbox", 300)
    status, report = examine(well, capsys)
    (link,) = (one for one in report["links"] if one["part"].startswith("mailbox"))
    assert (status, link["name"], link["state"]) == (0, "throttle", "warning")
    assert server.lines == []


def test_a_token_that_is_not_given_is_named(
    well: Site, capsys: pytest.CaptureFixture[str], token_endpoint: TokenEndpoint
) -> None:
    """The token has a link of its own; a token that comes is not kept."""
    mailbox = token_endpoint.mailbox(well.dovecot)
    token_endpoint.user = well.user
    names = ("tenant", "client_id", "token_url")
    more: dict[str, object] = {name: getattr(mailbox, name) for name in names}
    more |= {"client_secret": "client~secret-8Q", "ca_file": str(mailbox.ca_file)}
    configure(well, **more)
    before = kept(well)
    assert examine(well, capsys)[0] == 0
    assert kept(well) == before
    token_endpoint.fail(401, "invalid_client", "AADSTS7000222: expired")
    found = examine(well, capsys)
    assert first_of(found) == (77, "token")
