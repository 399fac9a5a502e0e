"""What operators do with it: options, secrets, proxies, several mailboxes, hosts that refuse."""

from __future__ import annotations

import dataclasses
import json
import os
import shutil
import subprocess
import time
import tomllib
from contextlib import ExitStack
from typing import TYPE_CHECKING

import pytest
from fixtures.dovecot import PASSWORD
from fixtures.serving import free_ports, need
from fixtures.site import clean, sample
from fixtures.terminal import converse
from imapclient import imap_utf7

from tqimap_fetcher.lock import only_run
from tqimap_sandbox import part
from tqimap_sandbox.socks import Rules, serving
from tqimap_shared.settings import CONNECTOR, FILE_NAME


if TYPE_CHECKING:
    from collections.abc import Callable

    from fixtures.dovecot import Dovecot
    from fixtures.site import Done, Site

    from tqimap_sandbox.socks import Proxy

OTHER_FOLDER = "Prüfung/受信箱"


def seen(site: Site, user: str, folder: str = "INBOX") -> list[bool]:
    """Tell for each mail of a folder, by UID, whether it is marked as read."""
    return [r"\Seen" in flags for flags in site.dovecot.flags(user, folder).values()]


def kept(site: Site) -> dict[str, object]:
    """Return the account as the first run wrote it, and what the configuration began with."""
    section: dict[str, object] = tomllib.loads((site.config / FILE_NAME).read_text())["threatq"]
    return section


def test_starttls_and_auth_login(site: Site, dovecot_of_login: Dovecot) -> None:
    """A mail server with STARTTLS that knows AUTH=LOGIN alone is fetched from."""
    plain = {"security": "starttls", "port": dovecot_of_login.imap}
    other = dataclasses.replace(site, dovecot=dovecot_of_login, mailbox=plain)
    other.configure()
    other.dovecot.append(other.user, sample("01"))
    other.ready()
    other.fetch()
    assert seen(other, other.user) == [True]


@pytest.mark.parametrize("kind", ["socks4a", "socks5h"])
def test_a_name_that_only_the_proxy_knows(
    site: Site, start_proxy: Callable[..., Proxy], kind: str
) -> None:
    """With SOCKS4a and SOCKS5h the proxy gets the name, and the certificate must be for it."""
    proxy = start_proxy()
    site.mailbox.update(proxy_type=kind)
    site.configure()
    site.dovecot.append(site.user, sample("01"))
    server = f"mail.test:{site.dovecot.imaps}"
    site.ready(imap_server=server, proxy_address="127.0.0.1", proxy_port=str(proxy.port))
    site.fetch()
    assert proxy.destinations == [("mail.test", site.dovecot.imaps)]
    assert seen(site, site.user) == [True]


def test_a_name_in_letters_of_its_own(site: Site) -> None:
    """A host name with letters beyond ASCII is asked for in its registered spelling."""
    names = {"xn--mller-kva.example": "127.0.0.1"}
    site.mailbox.update(proxy_type="socks5h", verify=False)
    site.configure()
    site.dovecot.append(site.user, sample("01"))
    with serving(Rules(names=names)) as proxy:
        server = f"müller.example:{site.dovecot.imaps}"
        site.ready(imap_server=server, proxy_address="127.0.0.1", proxy_port=str(proxy.port))
        done = site.fetch()
        assert "NOT checked" in done.stdout
        assert [host for host, _ in proxy.destinations] == list(names)
    assert seen(site, site.user) == [True]


def test_several_mailboxes(site: Site) -> None:
    """Tables add mailboxes, folders of any name among them; a faulty one does not keep others."""
    users = [site.dovecot.user() for _ in range(2)]
    site.dovecot.create(users[0], imap_name(OTHER_FOLDER))
    site.dovecot.append(users[0], sample("01"), folder=imap_name(OTHER_FOLDER))
    for user in (site.user, users[1]):
        site.dovecot.append(user, sample("04"))
    site.ready()
    base = {"server": "localhost", "port": site.dovecot.imaps, "ca_file": str(site.dovecot.ca_file)}
    wrong = {"name": "wrong", "username": users[1], "password": "wrong horse"}
    added = {"name": "added", "username": users[0], "password": PASSWORD, "folder": OTHER_FOLDER}
    own = {"name": CONNECTOR, "ca_file": base["ca_file"]}
    site.configure(threatq=kept(site), mailbox=[{**base, **wrong}, {**base, **added}, own])
    done = site.tqimap("-v", "2")
    assert done.returncode == 77
    assert done.stderr.count("\n") == 1
    assert "mailbox wrong" in done.stderr
    assert seen(site, site.user) == [True]
    assert seen(site, users[0], imap_name(OTHER_FOLDER)) == [True]
    assert seen(site, users[1]) == [False]
    state = json.loads((site.config / "tqimap-state.json").read_text())
    assert state["mailboxes"].keys() == {"wrong", "added", CONNECTOR}


def imap_name(folder: str) -> str:
    """Write a folder's name as IMAP does: modified UTF-7."""
    return f'"{imap_utf7.encode(folder).decode()}"'


def test_where_attachments_go(site: Site) -> None:
    """A relative -f is kept as an absolute path; a worker's own options win; no name leads out."""
    command = [part.program("tqIMAP"), *site.where, "-f", ".", "--files", "kept/"]
    done = subprocess.run(
        command,
        cwd=site.directory,
        env={**clean(os.environ), **site.account},
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    written = tomllib.loads((site.config / FILE_NAME).read_text())["files"]
    assert written == {"root": str(site.directory), "name": "kept"}
    site.switch_on()
    site.dovecot.append(site.user, sample("04"))
    site.fetch()
    (site.directory / "host").mkdir()
    for program, name in (("tqIMAP", "../out"), ("tqimap-worker", "/etc")):
        refused = site.run(program, "-f", str(site.directory), "--files", name)
        assert (refused.returncode, "--files" in refused.stderr) == (78, True)
    options = ("-f", str(site.directory / "host"), "--files", "own/", "-ll", str(site.logs))
    assert "are not those of tqimap.toml" in site.tqimap(*options[:4]).stdout
    done_ = site.run("tqimap-worker", "--burst", "-v", "2", *options)
    assert (done_.returncode, done_.stdout) == (0, "")
    assert "done in" in (site.logs / "tqimap-worker.log").read_text()
    files = site.directory.rglob("*.csv")
    assert [path.relative_to(site.directory).parts[:2] for path in files] == [("host", "own")]


def test_verbosity_and_console(site: Site) -> None:
    """-v 1 is silent about a good run, 2 has a line a mailbox, 3 a line a mail; all on stdout."""
    site.ready()
    levels = []
    for options in (("-ll", "stdout"), ("-v", "2", "-ll", "stdout"), ("-v", "3")):
        site.dovecot.append(site.user, sample("01"))
        done = site.tqimap(*options)
        assert (done.returncode, done.stderr) == (0, "")
        levels.append({line.partition(": ")[0].split()[-1] for line in done.stdout.splitlines()})
    assert levels == [set(), {"INFO"}, {"INFO", "DEBUG"}]


def test_secrets_from_credentials(site: Site) -> None:
    """What systemd's credentials hold is used by both programs, and is never written down."""
    credentials = site.directory / "credentials"
    credentials.mkdir()
    for name, value in site.account.items():
        (credentials / name.lower()).write_text(f"{value}\n")
    site.secret_files.append("tqimap_threatq__password")
    environment = {"CREDENTIALS_DIRECTORY": str(credentials)}
    assert site.run("tqIMAP", environment=environment).returncode == 0
    assert site.threatq.password not in (site.config / FILE_NAME).read_text()
    site.switch_on()
    site.dovecot.append(site.user, sample("01"))
    before = (site.config / FILE_NAME).stat()
    assert site.run("tqIMAP", environment=environment).returncode == 0
    assert (site.config / FILE_NAME).stat() == before, "a later run has nothing to write"
    assert site.run("tqimap-worker", "--burst", environment=environment).returncode == 0
    assert site.threatq.counts()["indicators"] > 0


def test_a_password_in_letters_of_its_own(site: Site) -> None:
    """A password beyond ASCII is taken at the terminal as it is, whatever the locale."""
    answers = [
        ("ThreatQ Host: ", site.threatq.url),
        ("Client ID: ", site.threatq.client_id),
        ("E-Mail Address: ", site.threatq.email),
        ("Password: ", "schlüssel-受信"),
        ("Status: ", ""),
    ]
    said = converse([part.program("tqIMAP"), *site.where], answers, clean(os.environ))
    assert said.status == 77
    assert "ThreatQ refused the login" in said.shown
    assert "schlüssel" not in said.shown


def test_threatq_away(site: Site) -> None:
    """While ThreatQ is away no mail is touched, and one already fetched waits and completes."""
    site.dovecot.append(site.user, sample("01"))
    site.ready()
    site.fetch()
    site.dovecot.append(site.user, sample("04"))
    account = kept(site)
    (port,) = free_ports(1)
    site.configure(threatq={**account, "host": f"127.0.0.1:{port}"})
    done = site.tqimap()
    assert (done.returncode, done.stderr.count("\n")) == (75, 1)
    assert seen(site, site.user) == [True, False]
    site.work()
    status = json.loads(site.run("tqimap-admin", "status", "--json").stdout)
    assert (status["mails"]["waiting"], status["mails"]["failed"]) == (1, 0)
    site.configure(threatq=account)
    site.fetch()
    time.sleep(1.1)  # worker.retries of the site
    site.work()
    counts = site.threatq.counts()
    assert (counts["files"], counts["indicators"] > 1) == (1, True)


def test_an_idle_run_is_cheap(site: Site) -> None:
    """With nothing to fetch a run asks ThreatQ for its token and the feed's page, and no more."""
    site.ready()
    site.fetch()
    site.threatq.forget_journal()
    site.fetch()
    asked = [(line["method"], line["path"].partition("?")[0]) for line in site.threatq.journal()]
    assert asked == [("POST", "/api/token"), ("GET", "/api/connectors/1")]


def test_three_hundred_mails(site: Site) -> None:
    """A mailbox of 300 mails is fetched in one run, each once."""
    mails = [sample("01").replace(b"demo-01", b"many-%03d" % number) for number in range(299)]
    site.dovecot.drop(site.user, *mails)
    site.ready()
    assert "fetched 300" in site.fetch().stdout
    assert seen(site, site.user) == [True] * 300
    status = json.loads(site.run("tqimap-admin", "status", "--json").stdout)
    assert (status["mails"]["waiting"], status["queue"]["queued"]) == (300, 300)


def test_two_runs_at_once(site: Site) -> None:
    """A run that meets another at work on the mailbox leaves it alone, and that is no fault."""
    site.ready()
    site.dovecot.append(site.user, sample("01"))
    with only_run(site.config, CONNECTOR):
        assert "another run" in site.fetch().stdout
        assert seen(site, site.user) == [False]
    command = [part.program("tqIMAP"), *site.where]
    with ExitStack() as stack:
        runs = [subprocess.Popen(command, env=clean(os.environ)) for _ in range(2)]
        for one in runs:
            stack.callback(one.kill)
        assert [one.wait(60) for one in runs] == [0, 0]
    assert seen(site, site.user) == [True]


def test_a_slip_in_the_form(site: Site) -> None:
    """What cannot be in a field is said by the field's name on the page, all slips at once."""
    site.ready(imap_server="localhost:99999", proxy_address="127.0.0.1", proxy_port="1O80")
    done = site.tqimap()
    assert (done.returncode, done.stderr.count("\n")) == (69, 1)
    assert "IMAP Server" in done.stderr
    assert "Proxy Port" in done.stderr


def unprivileged(site: Site, program: str, *arguments: str, **environment: str) -> Done:
    """Run one of our programs without root's right to ignore permissions."""
    drop = [need("setpriv", "util-linux"), "--bounding-set=-all", "--inh-caps=-all"]
    return subprocess.run(
        [*(drop if os.geteuid() == 0 else []), part.program(program), *site.where, *arguments],
        env={**clean(os.environ), **environment},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("program", ["tqIMAP", "tqimap-worker"])
def test_what_may_not_be_read_or_written(site: Site, program: str) -> None:
    """Closed directories and files are each one line, with a status, before anything is done."""
    site.ready()
    site.dovecot.append(site.user, sample("01"))
    (site.directory / "closed").mkdir(mode=0o500)
    log = site.logs / f"{program}.log"
    log.touch(mode=0o400)
    cases = [
        (73, "log location", ("-ll", str(site.directory / "closed"))),
        (73, "log location", ("-ll", str(site.logs))),
        (73, "files directory", ("-f", str(site.directory / "closed"))),
    ]
    burst = ("--burst",) if program == "tqimap-worker" else ()
    for status, words, options in cases:
        done = unprivileged(site, program, *burst, *options)
        assert (done.returncode, done.stderr.count("\n")) == (status, 1), done.stderr
        assert words in done.stderr
    secret = site.directory / "tqimap_threatq__password"
    secret.write_text("wrong horse")
    for path in (secret, site.config / FILE_NAME):
        path.chmod(0o000)
        done = unprivileged(site, program, *burst, CREDENTIALS_DIRECTORY=str(site.directory))
        assert (done.returncode, f"{path}: cannot be read" in done.stderr) == (78, True)
        path.chmod(0o600)
    if program == "tqIMAP":
        site.config.chmod(0o500)
        done = unprivileged(site, program)
        site.config.chmod(0o700)
        assert (done.returncode, "config directory" in done.stderr) == (73, True)
    assert seen(site, site.user) == [False]
    shutil.rmtree(site.directory / "closed")


def test_the_unit_files_worker_needs_only_its_own_directories(site: Site) -> None:
    """Where the root is closed and the directory below it is open, attachments are kept."""
    root = site.directory / "root"
    (root / "files").mkdir(parents=True)
    root.chmod(0o500)
    site.dovecot.append(site.user, sample("04"))
    site.ready()
    site.fetch()
    done = unprivileged(site, "tqimap-worker", "--burst", "-f", str(root), "--files", "files")
    root.chmod(0o700)
    assert done.returncode == 0, done.stderr
    assert [path.name for path in root.rglob("*.csv")] == ["week-09.csv"]
