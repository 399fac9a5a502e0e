"""What other parts rely on: types, values, places, flags."""

from __future__ import annotations

import pytest

from tqimap_processor.extract import Finding, extract, refang


ONE_OF_EACH = {
    "IP Address": ("beacons to 45.77.12.9 hourly", "45.77.12.9"),
    "IPv6 Address": ("beacons to 2a03:b0c0::51:9 hourly", "2a03:b0c0::51:9"),
    "CIDR Block": ("block 45.77.0.0/16 now", "45.77.0.0/16"),
    "FQDN": ("seen at cdn.bad-place.net today", "cdn.bad-place.net"),
    "URL": ("got https://bad-place.net/a?b=1 today", "https://bad-place.net/a?b=1"),
    "Email Address": ("from Sales@bad-place.net today", "sales@bad-place.net"),
    "MD5": ("file " + "0123456789abcdef" * 2, "0123456789abcdef" * 2),
    "SHA-1": ("file " + "01234567" * 5, "01234567" * 5),
    "SHA-256": ("file " + "0123456789ABCDEF" * 4, "0123456789abcdef" * 4),
    "SHA-384": ("file " + "0123456789abcdef" * 6, "0123456789abcdef" * 6),
    "SHA-512": ("file " + "0123456789abcdef" * 8, "0123456789abcdef" * 8),
    "Fuzzy Hash": ("ssdeep 192:Kf9xYtRw2vQ1:Kf9xYtRQ1 end", "192:Kf9xYtRw2vQ1:Kf9xYtRQ1"),
    "CVE": ("exploits cve-2021-44228 again", "CVE-2021-44228"),
    "Filename": ("opens rechnung_4711.docm and waits", "rechnung_4711.docm"),
    "File Path": (r"drops C:\Users\Public\a.dll there", r"C:\Users\Public\a.dll"),
    "Registry Key": (r"sets HKCU\Software\Bad there", r"HKEY_CURRENT_USER\Software\Bad"),
    "Mutex": ("creates Mutex: qaz-5512-wsx then", "qaz-5512-wsx"),
    "User-agent": ("User-Agent: BadBot/1.0 (x)", "BadBot/1.0 (x)"),
    "ASN": ("hosted in AS 64496 there", "AS64496"),
    "MAC Address": ("host 00-1B-44-11-3A-B7 asks", "00:1b:44:11:3a:b7"),
    "x509 Serial": ("Serial number: 0a:1b:2c:3d:4e:5f:60:71", "0a1b2c3d4e5f6071"),
    "String": ("pay 1BoatSLRHtKNngkdXEeobR76b53LETtpyT now", "1BoatSLRHtKNngkdXEeobR76b53LETtpyT"),
}


@pytest.mark.parametrize("kind", ONE_OF_EACH)
def test_every_type_is_found(kind: str) -> None:
    """One sentence with one indicator of each type gives it, canonical and in its place."""
    text, value = ONE_OF_EACH[kind]
    found = [finding for finding in extract(text) if finding.type == kind]
    assert [finding.value for finding in found] == [value]
    written = text[found[0].start : found[0].end]
    assert written
    assert written == written.strip()


def test_findings_are_sorted_and_repeat() -> None:
    """A value that occurs twice is found twice, in the order of the text."""
    text = "a.bad-place.net 45.77.12.9 a.bad-place.net"
    found = extract(text)
    assert [finding.value for finding in found] == text.split()
    assert [finding.start for finding in found] == [0, 16, 27]


def test_a_finding_cannot_be_changed() -> None:
    """Findings are frozen, have no dictionary and compare by value."""
    finding = extract("45.77.12.9")[0]
    assert finding == Finding("IP Address", "45.77.12.9", 0, 10)
    assert not hasattr(finding, "__dict__")
    with pytest.raises(AttributeError):
        finding.value = "45.77.12.8"  # type: ignore[misc]  # the assignment is what is tested


def test_a_url_gives_its_host() -> None:
    """The host of a URL is a finding of its own, at its place inside the URL."""
    text = "see hxxps://login[.]bad-place[.]net:8443/a"
    url, host = extract(text)
    assert (url.type, url.value) == ("URL", "https://login.bad-place.net:8443/a")
    assert url.attributes == (("Port", "8443"),)
    assert (host.type, host.value) == ("FQDN", "login.bad-place.net")
    assert host.flags == {"in-url", "defanged"}
    assert text[host.start : host.end] == "login[.]bad-place[.]net"


def test_an_address_gives_its_domain() -> None:
    """The domain of an e-mail address is a finding of its own."""
    mail, domain = extract("sales[at]bad-place[.]net")
    assert (mail.type, mail.value) == ("Email Address", "sales@bad-place.net")
    assert (domain.value, "in-address" in domain.flags) == ("bad-place.net", True)


def test_empty_text_holds_nothing() -> None:
    """No text, no findings, and nothing to refang."""
    assert list(extract("")) == []
    assert refang("") == ""


def test_a_cut_url_says_so() -> None:
    """A URL longer than a token may be is cut and flagged, never dropped in silence."""
    url = extract("http://bad-place.net/" + "a" * 5000)[0]
    assert url.value.startswith("http://bad-place.net/aaa")
    assert "truncated" in url.flags
    assert "truncated" not in extract("http://bad-place.net/a")[0].flags
