"""The errors that make extractors bad, one test a class; all texts were written for this file."""

from __future__ import annotations

import pytest

from tqimap_processor.extract import extract


def values(text: str, *kinds: str) -> list[str]:
    """Return the values of the types *kinds* in *text*, the implied hosts left out."""
    return [
        finding.value
        for finding in extract(text)
        if finding.type in kinds and not finding.flags & {"in-url", "in-address"}
    ]


def flags(text: str, value: str) -> frozenset[str]:
    """Return the flags of *value* in *text*."""
    return next(finding.flags for finding in extract(text) if finding.value == value)


@pytest.mark.parametrize(
    "text",
    [
        "Firefox/115.0.2.1 and build 5.4.3.2",
        "update to version 10.20.30.40, was v7.8.9.10",
        "libbaz-4.3.2.1.tar.xz",
        "OID 1.2.840.113549.1.9.16.2",
        "section 3.1.4.1.5 of the manual",
        "numbers 256.1.1.1, 1.2.3.4567 and 010.020.030.040",
    ],
)
def test_versions_are_no_addresses(text: str) -> None:
    """Versions, object identifiers, sections and impossible octets are not IPv4 addresses."""
    assert values(text, "IP Address") == []


@pytest.mark.parametrize(
    "text",
    [
        "run deploy.py after build.sh, see NOTES.md",
        "unpack photos.zip and play holiday.mov",
        "linked against libcurl.so today",
        "attached: letter.pdf.zip",
    ],
)
def test_files_are_no_domains(text: str) -> None:
    """A name whose last label is a file extension is a file, and found as one."""
    assert values(text, "FQDN", "URL") == []
    assert values(text, "Filename")


@pytest.mark.parametrize(
    "text",
    [
        "os.path.exists(x) then self.name = this.id",
        "document.location.me and window.open and app.run",
        "e.g.that, i.e.this and U.S. law",
        "He saw Ann.In the garden.It rained.So what.",
        "written in ASP.NET",
    ],
)
def test_code_and_prose_are_no_domains(text: str) -> None:
    """Attributes, abbreviations and sentences without a space are not domains."""
    assert values(text, "FQDN", "URL") == []


def test_local_part_is_no_host() -> None:
    """What stands before the @ of an address is not a domain."""
    assert values("to jane.doe.com@mx.bad-place.net now", "FQDN") == []
    assert values("to jane.doe.com@mx.bad-place.net now", "Email Address") == [
        "jane.doe.com@mx.bad-place.net"
    ]


@pytest.mark.parametrize(
    ("text", "mail"),
    [
        ("mail:ann@bad-place.net.", "ann@bad-place.net"),
        ("(ann+x@bad-place.net)", "ann+x@bad-place.net"),
        ("mailto=ann@bad-place.net;", "ann@bad-place.net"),
        ("bounce-7=victim.org@bad-place.net", "bounce-7=victim.org@bad-place.net"),
        ("root@[45.77.12.9]", "root@[45.77.12.9]"),
    ],
)
def test_mail_addresses_have_ends(text: str, mail: str) -> None:
    """Labels, brackets and sentence marks are no part of an e-mail address."""
    assert values(text, "Email Address") == [mail]


@pytest.mark.parametrize(
    ("text", "urls"),
    [
        ("Go to http://bad-place.net/x.", ["http://bad-place.net/x"]),
        ("(http://bad-place.net/x), or", ["http://bad-place.net/x"]),
        ("have you seen http://bad-place.net/?q=1?", ["http://bad-place.net/?q=1"]),
        ("http://bad-place.net/a_(b) ok", ["http://bad-place.net/a_(b)"]),
        ("[click](http://bad-place.net/x) it", ["http://bad-place.net/x"]),
        ("\u201chttp://bad-place.net/x\u201d", ["http://bad-place.net/x"]),
        ("http://bad-place.net/x,True,7", ["http://bad-place.net/x"]),
        ("http://bad-place.net/44648,61.dat", ["http://bad-place.net/44648,61.dat"]),
        (
            "http://a-place.net/1,http://b-place.net/2;http://c-place.net/3|d",
            ["http://a-place.net/1", "http://b-place.net/2", "http://c-place.net/3"],
        ),
        ('<a href="http://bad-place.net/?a=1&amp;b=2">', ["http://bad-place.net/?a=1&b=2"]),
        ("&quot;http://bad-place.net/x&quot;", ["http://bad-place.net/x"]),
        (r'"http://bad-place.net/x\r\n"', ["http://bad-place.net/x"]),
    ],
)
def test_urls_have_ends(text: str, urls: list[str]) -> None:
    """A URL ends before the marks of the sentence, the table or the markup around it."""
    assert values(text, "URL") == urls


@pytest.mark.parametrize(
    "text", ["at 23:59:58:01 sharp", "ratio 3:2:1", "std::string and a::b", "00:1b:44:11:3a:b7"]
)
def test_clocks_are_no_ipv6(text: str) -> None:
    """Times, ratios, scope operators and MAC addresses are not IPv6 addresses."""
    assert values(text, "IPv6 Address") == []


@pytest.mark.parametrize(
    "text",
    ["run " + "ab12" * 21, "id 9e107d9d-372b-b682-6bd8-1d3542a419d6", "x" + "ab12" * 8 + "z"],
)
def test_hashes_stand_alone(text: str) -> None:
    """Only a whole run of exactly a digest's length is a hash."""
    assert values(text, "MD5", "SHA-1", "SHA-256", "SHA-384", "SHA-512") == []


def test_imphash_is_no_file_hash() -> None:
    """The word before a digest says that it is something else than a file's hash."""
    digest = "18ddf28a71089acdbab5038f58044c0a"
    assert values(f"imphash: {digest}", "MD5") == []
    assert values(f"imphash: {digest}", "Fuzzy Hash") == [digest]
    assert "not-a-file" in flags(f"JA3 {digest}", digest)


def test_host_is_behind_the_last_at() -> None:
    """Userinfo that looks like a host does not hide the host."""
    url, host = extract("http://www.big-bank.com@45.77.12.9/x")
    assert url.flags == {"userinfo"}
    assert host.value == "45.77.12.9"


@pytest.mark.parametrize("host", ["760024073", "0x2d.0x4d.0xc.0x9", "055.0115.014.011"])
def test_number_hosts_mean_addresses(host: str) -> None:
    """A host in decimal, hexadecimal or octal is a URL and the address that it means."""
    url, address = extract(f"http://{host}/x")
    assert url.value == f"http://{host}/x"
    assert address.value == "45.77.12.9"
    assert "number-host" in address.flags


def test_harmless_values_are_flagged() -> None:
    """Reserved and private values are found and say what they are."""
    text = "192.168.1.5 203.0.113.7 www.example.com 2001:db8::7:1"
    assert [(f.value, sorted(f.flags)) for f in extract(text)] == [
        ("192.168.1.5", ["private"]),
        ("203.0.113.7", ["reserved"]),
        ("www.example.com", ["reserved"]),
        ("2001:db8::7:1", ["reserved"]),
    ]


def test_idn_gives_both_spellings() -> None:
    """A name beyond ASCII has its A-labels as value and its U-labels beside it."""
    finding = extract("visit m\u00fcnchen-bank.de")[0]
    assert finding.value == "xn--mnchen-bank-thb.de"
    assert finding.attributes == (("U-label", "m\u00fcnchen-bank.de"),)
    assert "mixed-script" in extract("p\u0430ypal-login.com")[0].flags
    url, _ = extract("http://m\u00fcnchen-bank.de/x")
    assert url.attributes == (("U-label", "m\u00fcnchen-bank.de"),)


@pytest.mark.parametrize(
    ("name", "flags"),
    [
        ("\u30bd\u30cb\u30fcshop\u5e97.com", {"idn"}),
        ("\ud55c\uad6dshop.com", {"idn"}),
        ("\u0430\u0440\u0440\u04cf\u0435.com", {"idn"}),
        ("g\u043e\u043egle.com", {"idn", "mixed-script"}),
        ("\u03bficrosoft.com", {"idn", "mixed-script"}),
        ("\u4e2d\u0430.com", {"idn", "mixed-script"}),
    ],
)
def test_scripts_are_mixed_where_no_language_mixes_them(name: str, flags: set[str]) -> None:
    """Latin beside Chinese, Japanese or Korean is ordinary; Cyrillic or Greek beside it is not."""
    assert extract(f"http://{name}/")[0].flags == flags


WRAPPED = [
    "https://nam01.safelinks.protection.outlook.com/?url=https%3A%2F%2Fbad-place.net%2Fx&data=05",
    "https://urldefense.proofpoint.com/v1/url?u=https://bad-place.net/x&k=1",
    "https://urldefense.proofpoint.com/v2/url?u=https-3A__bad-2Dplace.net_x&d=Dw",
    "https://urldefense.com/v3/__https://bad-place.net/x__;!!abc!def$",
    "https://www.google.com/url?q=https://bad-place.net/x&sa=D",
    "https://linkprotect.cudasvc.com/url?a=https%3a%2f%2fbad-place.net%2fx&c=E",
    "https://protect2.fireeye.com/v1/url?k=1&u=https%3A%2F%2Fbad-place.net%2Fx",
    "https://l.facebook.com/l.php?u=https%3A%2F%2Fbad-place.net%2Fx&h=A",
    "https://secure-web.cisco.com/1abc/https%3A%2F%2Fbad-place.net%2Fx",
]


@pytest.mark.parametrize("wrapper", WRAPPED)
def test_gateways_are_unwrapped(wrapper: str) -> None:
    """A gateway's link gives itself and its target, and says by which way it was reached."""
    urls = [finding for finding in extract(wrapper) if finding.type == "URL"]
    assert [finding.value for finding in urls] == [wrapper.rstrip("$"), "https://bad-place.net/x"]
    assert "wrapper" in urls[0].flags
    assert ("Reached Through", wrapper.rstrip("$")) in urls[1].attributes


def test_paths_may_hold_blanks() -> None:
    """A blank belongs to a path where a separator follows; prose behind it does not."""
    text = (
        r"C:\Program Files\Bad Thing\a.exe ran; HKLM\Software\Microsoft\Windows NT\Run was set"
        " and /opt/bad/run.bin stayed"
    )
    assert [(f.type, f.value) for f in extract(text)] == [
        ("File Path", r"C:\Program Files\Bad Thing\a.exe"),
        ("Registry Key", r"HKEY_LOCAL_MACHINE\Software\Microsoft\Windows NT\Run"),
        ("File Path", "/opt/bad/run.bin"),
    ]


def test_coins_need_their_checksum() -> None:
    """One wrong letter makes a crypto-currency address none."""
    good = "1BoatSLRHtKNngkdXEeobR76b53LETtpyT"
    assert values(f"to {good}", "String") == [good]
    assert values(f"to {good[:-1]}U", "String") == []


def test_percent_encoded_urls_are_decoded() -> None:
    """A URL that stands percent-encoded outside a URL is found in its plain spelling."""
    url, host = extract('target="http%3A%2F%2Fbad-place%2Enet%2Fx"')
    assert (url.value, host.value) == ("http://bad-place.net/x", "bad-place.net")
    assert "percent-encoded" in url.flags


def test_censored_hosts_name_no_host() -> None:
    """A URL whose host is starred out is kept as evidence, without a host of its own."""
    (url,) = extract("http://bad****.net/x and http://")
    assert (url.type, url.value) == ("URL", "http://bad****.net/x")
    assert "censored" in url.flags


def test_second_opinion_is_asked() -> None:
    """What our grammar leaves bracketed or spaced is found by iocextract, and says so."""
    finding = extract("write to ann @ mail.bad-place.net please")[0]
    assert (finding.type, finding.value) == ("Email Address", "ann@mail.bad-place.net")
    assert "second-opinion" in finding.flags
