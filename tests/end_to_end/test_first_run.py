"""The first run enrols, with and without a terminal; later runs look at the feed's page."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import tomllib
from typing import TYPE_CHECKING

import pytest
from fixtures.site import clean
from fixtures.terminal import converse

from tqimap_sandbox import part
from tqimap_shared.settings import FILE_NAME


if TYPE_CHECKING:
    from fixtures.site import Site

FIELDS = {
    "IMAP Server",
    "IMAP Username",
    "IMAP Password",
    "Proxy Address",
    "Proxy Port",
    "Proxy Type",
}


def test_without_a_terminal(site: Site) -> None:
    """With the account in the environment the connector is created and the configuration kept."""
    done = site.enrol()
    assert (done.returncode, done.stderr) == (0, "")
    assert "Connector configured. Set information in UI." in done.stdout
    assert (
        "Intelligence Mailbox CRITICAL: Connector has been created, please use UI for final "
        "configuration"
    ) in done.stdout
    feed = site.threatq.feed()
    assert feed is not None
    assert (feed["category"]["name"], bool(feed["is_active"])) == ("ThreatQ Labs", False)
    assert {one["label"] for one in feed["custom_fields"]} == FIELDS
    path = site.config / FILE_NAME
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    kept = tomllib.loads(path.read_text())
    assert kept["threatq"]["host"] == site.threatq.url
    assert kept["files"] == {"root": str(site.directory), "name": "files"}
    assert kept["policy"]["deny"], "what was in the file stays"


def test_at_a_terminal(site: Site) -> None:
    """The five questions come in the guide's order, and the password is not echoed."""
    answers = [
        ("ThreatQ Host: ", site.threatq.url),
        ("Client ID: ", site.threatq.client_id),
        ("E-Mail Address: ", site.threatq.email),
        ("Password: ", site.threatq.password),
        ("Status: ", "Active"),
    ]
    options = [*site.where, "-v", "3", "-f", str(site.directory), "--files", "files"]
    said = converse([part.program("tqIMAP"), *options], answers, clean(os.environ))
    assert said.status == 0, said.shown
    assert "Connector configured. Set information in UI." in said.shown
    assert site.threatq.password not in said.shown
    assert site.threatq.feed() is not None
    assert tomllib.loads((site.config / FILE_NAME).read_text())["threatq"]["status"] == "Active"


def test_feed_off(site: Site) -> None:
    """While the feed is off a run stops with a sentence that names the page."""
    site.enrol()
    done = site.tqimap()
    assert done.returncode == 69
    assert "switched off" in done.stderr
    assert "Incoming Feeds > ThreatQ Labs > Intelligence Mailbox" in done.stderr
    assert done.stderr.count("\n") == 1


def test_feed_incomplete(site: Site) -> None:
    """A feed that is on but lacks fields is refused, with their names as the page has them."""
    site.enrol()
    site.threatq.toggle()
    done = site.tqimap()
    assert done.returncode == 69
    assert "IMAP Server, IMAP Username, IMAP Password" in done.stderr


@pytest.mark.parametrize("driver", ["tqIMAP", "tqimap", "tq-imap"])
def test_three_spellings(site: Site, driver: str) -> None:
    """The driver answers to all three of the guide's spellings."""
    done = site.run(driver, "-h")
    assert done.returncode == 0
    for option in ("-ll LOGLOCATION", "-c CONFIG", "-v {1,2,3}", "-f DIR", "--files NAME"):
        assert option in done.stdout


def test_current_directory_is_the_default(site: Site) -> None:
    """Without -c the current directory is the configuration directory."""
    done = subprocess.run(
        [part.program("tqIMAP")],
        cwd=site.config,
        env={**clean(os.environ), **site.account},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    assert json.loads((site.config / "tqimap-state.json").read_text())["connector_id"]


def test_log_directory(site: Site) -> None:
    """With -ll the log goes to a file there, and the console has only what a person must see."""
    done = site.run("tqIMAP", "-ll", str(site.logs), "-v", "3", environment=site.account)
    assert done.stdout == "Connector configured. Set information in UI.\n"
    text = (site.logs / "tqIMAP.log").read_text()
    assert "CRITICAL: Connector has been created" in text
    assert site.threatq.password not in text


def test_second_first_run_keeps_what_was_filled_in(site: Site) -> None:
    """Enrolling again from an empty directory finds the connector and changes nothing in it."""
    site.ready()
    (site.config / FILE_NAME).unlink()
    (site.config / "tqimap-state.json").unlink()
    site.configure()
    done = site.run("tqIMAP", environment=site.account)
    assert done.returncode == 0, done.stderr
    feed = site.threatq.feed()
    assert feed is not None
    values = {one["key"]: one["value"] for one in feed["custom_fields"]}
    assert values["imap_username"] == site.user
