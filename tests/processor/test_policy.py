"""What becomes of indicators, and why."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from fixtures.built_mail import decision, mail, report

from tqimap_processor import cli
from tqimap_processor.find import Indicator
from tqimap_processor.lists import Entries
from tqimap_processor.policy import Rules, decide
from tqimap_processor.report import Action, Decision, Message, Sighting
from tqimap_shared.errors import SettingsError
from tqimap_shared.settings import Policy


if TYPE_CHECKING:
    from pathlib import Path


MESSAGE = Message(
    "0" * 64,
    1,
    sender="me@sender-house.com",
    recipients=("You@our-place.net", "me@sender-house.com"),
)

NO_LISTS = Policy()


def _decide(
    kind: str, value: str, *flags: str, where: str = "text", policy: Policy = NO_LISTS
) -> Decision:
    place = Sighting("1", where, 0, len(value), value)
    indicator = Indicator(kind, value, frozenset(flags), (place,))
    return decide(indicator, Rules.of(policy), MESSAGE)


@pytest.mark.parametrize(
    ("kind", "value", "flags", "action"),
    [
        ("IP Address", "8.8.4.4", (), Action.UPLOAD),
        ("IP Address", "10.1.2.3", (), Action.SKIP),
        ("IP Address", "10.1.2.3", ("defanged",), Action.SKIP),
        ("IP Address", "127.0.0.1", (), Action.SKIP),
        ("IP Address", "169.254.1.1", (), Action.SKIP),
        ("IP Address", "224.0.0.1", (), Action.SKIP),
        ("IP Address", "192.0.2.1", (), Action.SKIP),
        ("IP Address", "192.0.2.1", ("defanged",), Action.REVIEW),
        ("IPv6 Address", "fe80::1", (), Action.SKIP),
        ("IPv6 Address", "fd00::1", (), Action.SKIP),
        ("IPv6 Address", "2a00:1450::5", (), Action.UPLOAD),
        ("IPv6 Address", "2001:db8::5", (), Action.SKIP),
        ("IPv6 Address", "fec0::1", (), Action.SKIP),
        ("IP Address", "100.64.1.2", (), Action.SKIP),
        ("CIDR Block", "0.0.0.0/0", (), Action.SKIP),
        ("CIDR Block", "192.168.0.0/16", (), Action.SKIP),
        ("CIDR Block", "185.1.0.0/16", (), Action.UPLOAD),
        ("FQDN", "bad-house.com", (), Action.UPLOAD),
        ("FQDN", "bad-house.com", ("in-url",), Action.UPLOAD),
        ("FQDN", "bad-house.com", ("in-address",), Action.REVIEW),
        ("FQDN", "readme.md", ("file-like",), Action.REVIEW),
        ("FQDN", "readme.md", ("file-like", "defanged"), Action.UPLOAD),
        ("FQDN", "host.unknowntld", ("unknown-tld",), Action.REVIEW),
        ("FQDN", "www.example.com", (), Action.SKIP),
        ("FQDN", "printer.local", (), Action.SKIP),
        ("FQDN", "files.corp", (), Action.SKIP),
        ("FQDN", "bad.test", ("defanged",), Action.REVIEW),
        ("FQDN", "www.w3.org", (), Action.SKIP),
        ("FQDN", "www.w3.org", ("defanged",), Action.UPLOAD),
        ("URL", "http://www.w3.org/1999/xhtml", (), Action.SKIP),
        ("URL", "http://bad-house.com/x", (), Action.UPLOAD),
        ("URL", "http://bad-house.com/x.png", ("picture",), Action.REVIEW),
        ("URL", "http://192.168.1.1/x", (), Action.SKIP),
        ("URL", "http://[fe80::1]/x", (), Action.SKIP),
        ("URL", "http://3232235777/x", (), Action.SKIP),
        ("URL", "http://0x2d4d0c09/x", (), Action.UPLOAD),
        ("URL", "192.168.1.1:8080/x", ("no-scheme",), Action.SKIP),
        ("URL", "www.example.com/x", ("no-scheme",), Action.SKIP),
        ("URL", "bad-house.com:8080/x", ("no-scheme",), Action.UPLOAD),
        ("URL", "http://[::broken", (), Action.UPLOAD),
        ("URL", "https://e.safelinks.protection.outlook.com/?url=x", ("wrapper",), Action.SKIP),
        ("URL", "http://bad-house.com/?u=http://a.com", ("wrapper",), Action.UPLOAD),
        ("URL", "https://protect-us.mimecast.com/s/x", ("wrapper", "opaque"), Action.REVIEW),
        ("FQDN", "protect-us.mimecast.com", ("in-url",), Action.SKIP),
        ("Email Address", "you@our-place.net", (), Action.SKIP),
        ("Email Address", "you@our-place.net", ("defanged",), Action.UPLOAD),
        ("Email Address", "me@sender-house.com", (), Action.UPLOAD),
        ("Email Address", "a@example.org", (), Action.SKIP),
        ("Email Subject", "Invoice", (), Action.REVIEW),
        ("X-Mailer", "Kit", (), Action.REVIEW),
        ("MD5", "0" * 32, (), Action.UPLOAD),
        ("MD5", "0" * 32, ("in-url",), Action.REVIEW),
        ("MD5", "0" * 32, ("attached",), Action.REVIEW),
        ("SHA-256", "0" * 64, ("not-a-file",), Action.REVIEW),
        ("Filename", "run.exe", (), Action.UPLOAD),
        ("Filename", "list.xml", (), Action.REVIEW),
        ("CVE", "CVE-2024-3400", (), Action.UPLOAD),
        ("FQDN", "readme.md", ("file-like", "listed"), Action.UPLOAD),
        ("FQDN", "bad-house.com", ("in-address", "listed"), Action.UPLOAD),
        ("IP Address", "10.1.2.3", ("listed",), Action.SKIP),
        ("URL", "http://www.w3.org/1999/xhtml", ("listed",), Action.SKIP),
        ("URL", "http://bad-house.com/x", ("truncated",), Action.REVIEW),
        ("URL", "http://bad-house.com/x", ("truncated", "listed"), Action.REVIEW),
        ("FQDN", "bad-house.com", ("not-for-detection",), Action.REVIEW),
        ("FQDN", "bad-house.com", ("not-for-detection", "listed"), Action.REVIEW),
        ("FQDN", "bad-house.com", ("aside",), Action.REVIEW),
        ("FQDN", "bad-house.com", ("aside", "defanged"), Action.UPLOAD),
        ("FQDN", "relay.net-work.com", ("transport",), Action.SKIP),
        ("IP Address", "8.8.4.4", ("transport",), Action.SKIP),
        ("IP Address", "8.8.4.4", ("transport", "origin"), Action.REVIEW),
    ],
)
def test_decisions(kind: str, value: str, flags: tuple[str, ...], action: Action) -> None:
    """Each class of indicator has its fate, and the reason is a sentence."""
    outcome = _decide(kind, value, *flags)
    assert outcome.action is action
    assert outcome.reason.endswith(".")
    assert outcome.flags == set(flags)


def test_own_domains_and_networks_are_skipped() -> None:
    """What belongs to the organisation is no indicator, in whatever form, even defanged."""
    own = Policy(own_domains=["Our-Place.net"], own_networks=["185.5.0.0/16", "2a00:5::/32"])
    for kind, value in [
        ("FQDN", "our-place.net"),
        ("FQDN", "www.our-place.net"),
        ("URL", "https://www.our-place.net:8443/x"),
        ("Email Address", "ann@mail.our-place.net"),
        ("IP Address", "185.5.6.7"),
        ("IPv6 Address", "2a00:5::1"),
        ("CIDR Block", "185.5.6.0/24"),
        ("URL", "http://185.5.6.7/"),
    ]:
        outcome = _decide(kind, value, "defanged", policy=own)
        assert outcome.action is Action.SKIP, value
        assert "organisation" in outcome.reason
    assert _decide("FQDN", "not-our-place.net", policy=own).action is Action.UPLOAD
    assert _decide("CIDR Block", "185.0.0.0/8", policy=own).action is Action.UPLOAD


def test_allow_list_skips_and_is_named() -> None:
    """The reason names the entry that decided."""
    outcome = _decide("URL", "http://a.good-house.com/", policy=Policy(allow=["*.good-house.com"]))
    assert outcome.action is Action.SKIP
    assert outcome.reason == "The allow list has *.good-house.com."
    assert _decide("MD5", "A" * 32, policy=Policy(allow=["a" * 32])).action is Action.SKIP
    assert (
        _decide("Email Address", "x@y-z.com", policy=Policy(allow=["x@y-z.com"])).action
        is Action.SKIP
    )


def test_deny_list_wins_over_everything() -> None:
    """What the operator denies is uploaded, whatever else speaks against it."""
    policy = Policy(
        deny=["example", "10.0.0.0/8", "here.net"], allow=["here.net"], own_domains=["here.net"]
    )
    for kind, value in [
        ("FQDN", "bad.example"),
        ("IP Address", "10.1.2.3"),
        ("FQDN", "a.here.net"),
        ("URL", "http://10.9.9.9/x"),
    ]:
        assert _decide(kind, value, "truncated", policy=policy).action is Action.UPLOAD


def test_message_id_is_no_address_even_if_its_domain_is_denied() -> None:
    """An identifier that looks like an address is not uploaded for its domain's sake."""
    where = "header message-id"
    flags = ("transport",)
    outcome = _decide(
        "Email Address", "1@bad.com", *flags, where=where, policy=Policy(deny=["bad.com"])
    )
    assert outcome.action is Action.SKIP
    outcome = _decide(
        "Email Address", "1@bad.com", *flags, where=where, policy=Policy(deny=["1@bad.com"])
    )
    assert outcome.action is Action.UPLOAD


def test_lists_are_compiled_once_and_not_for_each_mail() -> None:
    """Twenty thousand entries take a tenth of a second to compile."""
    policies = [Policy(deny=["evil.example"], own_domains=["our.example"]) for _ in range(2)]
    first, second = map(Rules.of, policies)
    assert first.deny is second.deny
    assert first.own is second.own


def test_lists_match_whole_labels_and_whole_values() -> None:
    """A domain covers what is below it, not what ends like it; a value is itself only."""
    entries = Entries.of(["bad.com", ".dotted.com", "@mail.com", "CVE-2024-3400", "1.2.3.4", " "])
    assert entries.match("", "x.bad.com") == "bad.com"
    assert entries.match("", "notbad.com") == ""
    assert entries.match("", "a.dotted.com") == ".dotted.com"
    assert entries.match("", "mail.com") == "@mail.com"
    assert entries.match("cve-2024-3400") == "CVE-2024-3400"
    assert entries.match("", "1.2.3.4") == "1.2.3.4"
    assert entries.match("", "1.2.3.40") == ""


def test_relays_are_skipped_and_the_origin_is_reviewed() -> None:
    """Of the Received fields only the lowest one's address gets a look, and the sender counts."""
    raw = (
        b"Received: from near.net-work.com (near.net-work.com [8.8.4.1]) by mx.our-place.net\r\n"
        b"Received: from far.net-work.com (far.net-work.com [8.8.4.9]) by near.net-work.com\r\n"
    ) + mail(b"x")
    outcome = report(raw)
    assert decision(outcome, "8.8.4.1").action is Action.SKIP
    assert decision(outcome, "8.8.4.9").action is Action.REVIEW
    assert decision(outcome, "near.net-work.com").action is Action.SKIP
    assert decision(outcome, "ann@sender-house.com").action is Action.UPLOAD
    assert decision(outcome, "sender-house.com").action is Action.REVIEW
    assert decision(outcome, "soc@our-place.net").action is Action.SKIP
    assert decision(outcome, "1@sender-house.com").action is Action.SKIP


def test_expressions_match_whole_values() -> None:
    """A regular expression covers a value as a whole, letter case aside, and is named."""
    policy = Policy(allow=[r"/[^.]*+\.good-house[0-9]+\.com/"])
    outcome = _decide("FQDN", "www.good-house7.com", policy=policy)
    assert outcome.action is Action.SKIP
    assert "good-house" in outcome.reason
    assert _decide("FQDN", "www.good-house7.com.bad.net", policy=policy).action is Action.UPLOAD


@pytest.mark.parametrize(
    "pattern", [r"(a+)+", r"(?:ab)*c", r".*a.*", r"(a)\1", r"(?=a)a", "[", "a" * 201, "a?" * 5]
)
def test_expressions_that_could_be_slow_are_refused(pattern: str) -> None:
    """What could backtrack, or is no expression at all, is a fault of the settings."""
    with pytest.raises(SettingsError):
        Rules.of(Policy(deny=[f"/{pattern}/"]))


def test_many_networks_cost_little() -> None:
    """A list of networks is looked up by prefix length, and finds what lies within any of them."""
    entries = Entries.of([f"11.{a}.{b}.0/24" for a in range(200) for b in range(100)])
    assert entries.match("", "11.7.9.200") == "11.7.9.0/24"
    assert entries.match("", "11.7.9.0/25") == "11.7.9.0/24"
    assert entries.match("", "11.7.0.0/16") == ""
    assert entries.match("", "12.7.9.200") == ""


def _warning_list(directory: Path, name: str, kind: str, entries: list[str], about: str) -> None:
    folder = directory / "lists" / name
    folder.mkdir(parents=True)
    content = {"type": kind, "list": entries, "version": 7, "matching_attributes": about.split()}
    (folder / "list.json").write_text(json.dumps(content))


def test_warning_lists_are_reviewed_unless_defanged(tmp_path: Path) -> None:
    """MISP's lists are matched by their kind; list, version and entry are named."""
    _warning_list(tmp_path, "top", "hostname", ["big-house.com"], "domain hostname url")
    _warning_list(tmp_path, "exact", "string", ["one.net", ".two.net"], "hostname")
    _warning_list(tmp_path, "nets", "cidr", ["8.8.4.0/24"], "ip-src")
    _warning_list(tmp_path, "parts", "substring", ["track"], "url")
    _warning_list(tmp_path, "shapes", "regex", ["(a+)+", "x[0-9]+\\.com"], "hostname")
    policy = Policy(
        warning_lists=["top", "exact", "nets", "parts", "shapes"], warning_lists_dir=str(tmp_path)
    )
    for kind, value, listed in [
        ("FQDN", "www.big-house.com", "top"),
        ("URL", "http://www.big-house.com/x", "top"),
        ("FQDN", "one.net", "exact"),
        ("FQDN", "a.two.net", "exact"),
        ("IP Address", "8.8.4.9", "nets"),
        ("URL", "http://bad-house.com/Track/1", "parts"),
        ("FQDN", "x12.com", "shapes"),
    ]:
        outcome = _decide(kind, value, policy=policy)
        assert outcome.action is Action.REVIEW, value
        assert f"({listed}, version 7: " in outcome.reason
        assert _decide(kind, value, "defanged", policy=policy).action is Action.UPLOAD
    for kind, value in [("FQDN", "a.one.net"), ("URL", "http://one.net/"), ("FQDN", "aaa")]:
        assert _decide(kind, value, policy=policy).action is Action.UPLOAD


def test_a_missing_warning_list_is_a_fault_of_the_settings(tmp_path: Path) -> None:
    """A list that is not there stops the process with a sentence instead of deciding nothing."""
    with pytest.raises(SettingsError, match="not-there"):
        Rules.of(Policy(warning_lists=["not-there"], warning_lists_dir=str(tmp_path)))


def test_the_worker_does_not_start_with_a_faulty_list(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """What cannot be read of the lists is said at the start, before any mail is taken."""
    settings = tmp_path / "tqimap.toml"
    settings.touch(0o600)
    settings.write_text(
        '[threatq]\nhost = "https://tq.good-house.org"\nclient_id = "a"\nemail = "b@c.de"\n'
        'password = "d"\n[policy]\ndeny = ["/(a+)+/"]\n'
    )
    assert cli.main(["-c", str(tmp_path), "-f", str(tmp_path)]) == 78
    assert "repeats a group" in capsys.readouterr().err


def test_blacked_out_values_are_reviewed() -> None:
    """An address of which only a part can be read is looked at by somebody."""
    assert _decide("Email Address", "v***re@bad-house.com", "censored").action is Action.REVIEW
