"""Unread mail becomes files, indicators and relations: the whole way, on real servers."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from fixtures.dante import PASSWORD, USER
from fixtures.site import sample

from tqimap_sandbox import arrival


if TYPE_CHECKING:
    from fixtures.dante import Dante
    from fixtures.site import Site


def deliver(site: Site) -> int:
    """Put all sample mails into the site's mailbox; return how many."""
    mails = [path.read_bytes() for path in sorted(arrival.MAILS.glob("*.eml"))]
    site.dovecot.drop(site.user, *mails)
    return len(mails) + 1  # `drop` adds a mail of its own


@pytest.mark.parametrize("kind", ["socks4", "socks5"])
def test_through_a_proxy(site: Site, dante: Dante, kind: str) -> None:
    """All sample mails go from Dovecot through Dante into ThreatQ, and are told to be done."""
    count = deliver(site)
    port = dante.open
    if kind == "socks5":
        port = dante.with_password
        site.mailbox.update(proxy_username=USER, proxy_password=PASSWORD)
        site.configure()
    site.ready(proxy_address="127.0.0.1", proxy_port=str(port), proxy_type=kind)
    site.fetch()
    flags = site.dovecot.flags(site.user)
    assert len(flags) == count
    assert all(r"\Seen" in one for one in flags.values())
    site.work()
    assert site.arrived().faults() == []
    site.fetch()
    assert all("$tqimap-done" in one for one in site.dovecot.flags(site.user).values())


def test_nothing_takes_effect_twice(site: Site) -> None:
    """Mails that are marked unread again, and copies of them, change nothing in ThreatQ."""
    deliver(site)
    site.ready()
    site.fetch()
    site.work()
    before = site.threatq.counts()
    with site.dovecot.client(site.user) as imap:
        imap.store("1:*", "-FLAGS", r"(\Seen)")
        imap.copy("1:*", "INBOX")
    site.fetch()
    site.work()
    assert site.threatq.counts() == before


def test_attachments_are_kept(site: Site) -> None:
    """Every attachment lies under -f/--files, byte for byte, under its hash."""
    site.dovecot.append(site.user, sample("04"))
    site.ready()
    site.fetch()
    site.work()
    (kept,) = [path for path in (site.directory / "files").rglob("*") if path.is_file()]
    assert kept.name == "week-09.csv"
    assert kept.read_bytes().startswith(b"indicator,type,first_seen")
    assert kept.stat().st_mode & 0o777 == 0o600


def test_every_indicator_says_where_and_why(site: Site) -> None:
    """An uploaded indicator carries where it was found, why it was kept, and which mail it is."""
    site.dovecot.append(site.user, sample("05"))
    site.ready()
    site.fetch()
    site.work()
    (found,) = site.threatq.api(
        "GET", "indicators?value=203.0.113.130&with=attributes,sources,status"
    )["data"]
    attributes = {one["name"]: one["value"] for one in found["attributes"]}
    assert "case-4471.zip" in attributes["Found In"]
    assert "hosts.txt" in attributes["Found In"]
    assert attributes["Reason"]
    assert attributes["Message-ID"] == "<demo-05@partner.example>"
    assert [one["name"] for one in found["sources"]] == ["Intelligence Mailbox"]
    assert found["status"]["name"] == "Active"


@pytest.mark.parametrize("rule", ["all", "found-in"])
def test_relation_rule(site: Site, rule: str) -> None:
    """By the guide's rule body findings are related to the attachment too; a setting narrows it."""
    site.configure(threatq={"ca_file": site.threatq.ca_file, "relate": rule})
    site.dovecot.append(site.user, sample("05"))
    site.ready()
    site.fetch()
    site.work()
    related = {one[1] for name, one in site.arrived().relations if name == "case-4471.zip"}
    assert "203.0.113.130" in related
    assert ("203.0.113.129" in related) == (rule == "all")


def test_state_of_the_run(site: Site) -> None:
    """The state file tells when the last run was, what it did, and what went wrong."""
    site.dovecot.append(site.user, sample("01"), sample("15"))
    site.ready()
    site.fetch()
    state = json.loads((site.config / "tqimap-state.json").read_text())
    (mailbox,) = state["mailboxes"].values()
    assert (mailbox["fetched"], mailbox["new"], mailbox["left"]) == (2, 2, 0)
    assert state["last_error"] == ""
    site.threatq.fill_in(imap_password="wrong horse")
    site.tqimap()
    state = json.loads((site.config / "tqimap-state.json").read_text())
    (mailbox,) = state["mailboxes"].values()
    assert "password" in mailbox["last_error"]
    assert "wrong horse" not in json.dumps(state)
