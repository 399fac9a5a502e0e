"""Passages of reports, logs and mails of all kinds, each with all that it holds."""

from __future__ import annotations

import pytest

from tqimap_processor.extract import extract


KINDS = {
    "asn": "ASN", "cidr": "CIDR Block", "coin": "String", "cve": "CVE", "file": "Filename",
    "fqdn": "FQDN", "fuzzy": "Fuzzy Hash", "ip": "IP Address", "ip6": "IPv6 Address",
    "mac": "MAC Address", "mail": "Email Address", "md5": "MD5", "mutex": "Mutex",
    "path": "File Path", "reg": "Registry Key", "serial": "x509 Serial", "sha1": "SHA-1",
    "sha256": "SHA-256", "sha384": "SHA-384", "sha512": "SHA-512", "ua": "User-agent", "url": "URL",
}  # fmt: skip
IMPLIED = {"in-url", "in-address", "in-path"}
PASSAGES: list[tuple[str, set[str]]] = [
    (
        "http://a.bad-place.ru/xhttp://b.bad-place.ru/y",
        {
            "url:http://a.bad-place.ru/x",
            "url:http://b.bad-place.ru/y",
        },
    ),
    (
        "http://a.bad-place.ru/x.exehttps://b.bad-place.ru/y.exehttp://c.bad-place.ru",
        {
            "url:http://a.bad-place.ru/x.exe",
            "url:http://c.bad-place.ru",
            "url:https://b.bad-place.ru/y.exe",
        },
    ),
    (
        "hxxp://a.bad-place[.]ru/xhxxp://b.bad-place[.]ru/y",
        {
            "url:http://a.bad-place.ru/x",
            "url:http://b.bad-place.ru/y",
        },
    ),
    (
        "http://a.bad-place.ruhttp://b.bad-place.ru",
        {
            "url:http://a.bad-place.ru",
            "url:http://b.bad-place.ru",
        },
    ),
    (
        "https://bad-place.net/x.phphttp://45.77.12.9/a",
        {
            "url:http://45.77.12.9/a",
            "url:https://bad-place.net/x.php",
        },
    ),
    ("versions before 3.2.1.0 are affected", set()),
    ("before 3.2.1.0", set()),
    ("up to 10.1.14.3", set()),
    ("all versions < 4.5.6.7", set()),
    ("Apache Foo 2.4.1.1 (fixed in 2.4.1.2)", set()),
    ("since 5.6.7.8", set()),
    ("jQuery 3.2.1.0", set()),
    ("starting with 3.1.0.2", set()),
    ("until 5.0.2.1", set()),
    ("IBM AS400 servers", set()),
    ("AS400 (iSeries) midrange", set()),
    ("legacy AS400 and mainframe systems", set()),
    ("AS2 protocol for EDI", set()),
    ("EDI over AS2", set()),
    ("AS2/AS4 gateways", set()),
    ("the AS2 file transfer server", set()),
    ("OpenAS2 AS2 messages", set()),
    ("AS4 messaging profile", set()),
    ("AS1, AS2 and AS3 are EDIINT standards", set()),
    ("MOVEit and GoAnywhere AS2 modules", set()),
    ("SFTP, FTPS, HTTPS and AS2 are supported", set()),
    ("the IBM i (AS400) client", set()),
    ("asn = 12389", {"asn:AS12389"}),
    (
        (
            "[x509-certificate:serial_number = '02:08:87:83:f2:13:58:1f:79:52:1e:66:90:0a:02:24:c"
            "9:6b:c7:dc']"
        ),
        {
            "serial:02088783f213581f79521e66900a0224c96bc7dc",
        },
    ),
    (
        (
            'alert http $HOME_NET any -> $EXTERNAL_NET any (msg:"ET MALWARE Win32/Loader CnC Chec'
            'kin M2"; flow:established,to_server; http.method; content:"POST"; http.uri; content:'
            '"/api/check.php"; startswith; http.host; content:"bad-place.net"; bsize:13; referenc'
            "e:md5,0123456789abcdef0123456789abcdef; reference:url,twitter.com/x/status/1745; cla"
            "sstype:trojan-activity; sid:2050001; rev:1; metadata:created_at 2024_01_10;)"
        ),
        {
            "fqdn:bad-place.net",
            "md5:0123456789abcdef0123456789abcdef",
            "url:twitter.com/x/status/1745",
        },
    ),
    (
        (
            '{"ts":1707130000.1,"id.orig_h":"10.1.1.5","id.resp_h":"45.66.230.5","host":"bad-plac'
            'e.net","uri":"/a.php","user_agent":"curl/8.4.0"}'
        ),
        {
            "fqdn:bad-place.net",
            "ip:10.1.1.5",
            "ip:45.66.230.5",
            "ua:curl/8.4.0",
        },
    ),
    ("bad-place[.]NET", {"fqdn:bad-place.net"}),
    ("[http]://bad-place.net/x", {"url:http://bad-place.net/x"}),
    ("[http://]bad-place[.]net/x", {"url:http://bad-place.net/x"}),
    (
        (
            "\u6076\u610f\u57df\u540d\u4e3a0123456789abcdef0123456789abcdef0123456789abcdef012345"
            "6789abcdef\uff0c\u8bf7\u5c01\u5835\u3002"
        ),
        {
            "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
        },
    ),
    (
        "\u6076\u610f\u57df\u540d\u4e3aann@bad-place.net\uff0c\u8bf7\u5c01\u5835\u3002",
        {
            "mail:ann@bad-place.net",
        },
    ),
    (
        "\u6076\u610f\u57df\u540d\u4e3aCVE-2024-3400\uff0c\u8bf7\u5c01\u5835\u3002",
        {
            "cve:CVE-2024-3400",
        },
    ),
    (
        (
            "\u30de\u30eb\u30a6\u30a7\u30a2\u306fhttp://bad-place.net/a.php\u306b\u63a5\u7d9a"
            "\u3057\u307e\u3059\u3002"
        ),
        {
            "url:http://bad-place.net/a.php",
        },
    ),
    (
        (
            "\u30de\u30eb\u30a6\u30a7\u30a2\u306f0123456789abcdef0123456789abcdef0123456789abcdef"
            "0123456789abcdef\u306b\u63a5\u7d9a\u3057\u307e\u3059\u3002"
        ),
        {
            "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
        },
    ),
    (
        (
            "\u30de\u30eb\u30a6\u30a7\u30a2\u306fann@bad-place.net\u306b\u63a5\u7d9a\u3057\u307e"
            "\u3059\u3002"
        ),
        {
            "mail:ann@bad-place.net",
        },
    ),
    (
        (
            "\u30de\u30eb\u30a6\u30a7\u30a2\u306fCVE-2024-3400\u306b\u63a5\u7d9a\u3057\u307e"
            "\u3059\u3002"
        ),
        {
            "cve:CVE-2024-3400",
        },
    ),
    ("\xbfann@bad-place.net?", {"mail:ann@bad-place.net"}),
    ("\u2705http://bad-place.net/a.php\u274c", {"url:http://bad-place.net/a.php"}),
    ("\u2705ann@bad-place.net\u274c", {"mail:ann@bad-place.net"}),
    ("https://bad-place.net/a,b,c.html", {"url:https://bad-place.net/a,b,c.html"}),
    (
        (
            '<a href=3D"http://bad-place.net/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa=\r\nbb/x?u=3D5&amp;v'
            '=3D6">go</a>'
        ),
        {
            "url:http://bad-place.net/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaabb/x?u=5&v=6",
        },
    ),
    (
        "Hallo =C3=A4,\nhttp://bad-place.net/login.php?token=3Dabc=\ndef&x=3D1 =\nbye",
        {
            "url:http://bad-place.net/login.php?token=abcdef&x=1",
        },
    ),
    (
        "<http://bad-place.net/aaaaaaaaaaaaaaaa/\nbbbbbb.html>",
        {
            "url:http://bad-place.net/aaaaaaaaaaaaaaaa/bbbbbb.html",
        },
    ),
    (
        (
            "see <https://bad-place.net/a/very/long/path/that/was/\r\n  wrapped/by/the/mailer.php"
            "?x=1&\r\ny=2> for more"
        ),
        {
            (
                "url:https://bad-place.net/a/very/long/path/that/was/wrapped/by/the/mailer.php?x="
                "1&y=2"
            ),
        },
    ),
    ("2a03[:]2880[:]f12f[::]25de", {"ip6:2a03:2880:f12f::25de"}),
    ("2001:67c:4e8:f004::9:", {"ip6:2001:67c:4e8:f004::9"}),
    ("2001:67c:4e8:f004[::]9", {"ip6:2001:67c:4e8:f004::9"}),
    ("IPv6:2001:67c:4e8:f004::9", {"ip6:2001:67c:4e8:f004::9"}),
    ("[IPv6:2001:67c:4e8:f004::9]", {"ip6:2001:67c:4e8:f004::9"}),
    ("hxxp://[2001[:]67c[:]4e8[:]f004[::]9]/x", {"url:http://[2001:67c:4e8:f004::9]/x"}),
    (
        "45.66.230.5, 45.66.230.6,45.66.230.7;45.66.230.8|45.66.230.9/45.66.230.10",
        {
            "ip:45.66.230.10",
            "ip:45.66.230.5",
            "ip:45.66.230.6",
            "ip:45.66.230.7",
            "ip:45.66.230.8",
            "ip:45.66.230.9",
        },
    ),
    (
        "45.66.230.5/24,45.66.231.0/255.255.255.0",
        {
            "cidr:45.66.230.5/24",
            "ip:255.255.255.0",
            "ip:45.66.231.0",
        },
    ),
    ("45.66.230.5->10.1.1.1", {"ip:10.1.1.1", "ip:45.66.230.5"}),
    (
        "dropped to C:\\Program Files\\Common Files\\System Update\\upd svc.exe.",
        {
            "path:C:\\Program Files\\Common Files\\System Update\\upd svc.exe",
        },
    ),
    (
        "'C:\\Users\\John Doe\\AppData\\Local\\Temp\\a b.exe'",
        {
            "path:C:\\Users\\John Doe\\AppData\\Local\\Temp\\a b.exe",
        },
    ),
    (
        "%LOCALAPPDATA%\\Google\\Chrome\\User Data\\Default\\Login Data",
        {
            "path:%LOCALAPPDATA%\\Google\\Chrome\\User Data\\Default\\Login Data",
        },
    ),
    ("c:\\$Recycle.Bin\\S-1-5-18\\x.sys", {"path:c:\\$Recycle.Bin\\S-1-5-18\\x.sys"}),
    (
        "/Applications/Evil App.app/Contents/MacOS/Evil",
        {
            "path:/Applications/Evil App.app/Contents/MacOS/Evil",
        },
    ),
    ("\u91ca\u653e\u5230/tmp/xmrig\u6587\u4ef6", {"path:/tmp/xmrig"}),
    ("HKEY_CURRENT_USER \\Software\\Evil", {"reg:HKEY_CURRENT_USER\\Software\\Evil"}),
    (
        "\u5199\u5165HKCU\\Software\\Evil\u6ce8\u518c\u8868",
        {
            "reg:HKEY_CURRENT_USER\\Software\\Evil",
        },
    ),
    ("a mutex called 9f8e7d6c5b", {"mutex:9f8e7d6c5b"}),
    ('CreateMutexA(0, 0, "MyMtx77")', {"mutex:MyMtx77"}),
    ('OpenMutex("MyMtx77")', {"mutex:MyMtx77"}),
    ("mutex value: AsyncMutex_6SI8", {"mutex:AsyncMutex_6SI8"}),
    ('mutex ("abc_12345")', {"mutex:abc_12345"}),
    ("mutex, Global\\abcd", {"mutex:Global\\abcd"}),
    ('user_agent: "Go-http-client/2.0"', {"ua:Go-http-client/2.0"}),
    ("User-agent\tMicrosoft BITS/7.8", {"ua:Microsoft BITS/7.8"}),
    ("| User-Agent | Microsoft BITS/7.8 |", {"ua:Microsoft BITS/7.8"}),
    ("a3b4c5.i2p and x.bit", {"fqdn:a3b4c5.i2p", "fqdn:x.bit"}),
    (
        (
            "v=spf1 ip4:45.66.230.0/24 ip6:2a03:b0c0::/32 include:_spf.bad-place.net a:mail.bad-p"
            "lace.net -all"
        ),
        {
            "cidr:2a03:b0c0::/32",
            "cidr:45.66.230.0/24",
            "fqdn:_spf.bad-place.net",
            "fqdn:mail.bad-place.net",
        },
    ),
    (
        (
            "Subject: CN=*.bad-place.net, O=Evil\nIssuer: C=US, O=Let's Encrypt, CN=R3\nSerial Nu"
            "mber: 03:5a:1b:2c:3d:4e:5f:60:71:82:93:a4:b5:c6:d7:e8:f9:0a\nSHA1 Fingerprint: 2F:D4"
            ":E1:C6:7A:2D:28:FC:ED:84:9E:E1:BB:76:E7:39:1B:93:EB:12\nX509v3 Subject Alternative N"
            "ame: DNS:bad-place.net, DNS:www.bad-place.net"
        ),
        {
            "fqdn:bad-place.net",
            "fqdn:www.bad-place.net",
            "serial:035a1b2c3d4e5f60718293a4b5c6d7e8f90a",
            "sha1:2fd4e1c67a2d28fced849ee1bb76e7391b93eb12",
        },
    ),
    (
        (
            "Mar  1 10:11:12 fw %ASA-4-106023: Deny tcp src outside:45.66.230.5/51234 dst inside:"
            "10.0.0.5/445 by access-group"
        ),
        {
            "ip:10.0.0.5",
            "ip:45.66.230.5",
        },
    ),
    (
        "10:11:12.123456 IP 10.1.1.5.49733 > 45.66.230.5.443: Flags [S], seq 1, win 64240",
        {
            "ip:10.1.1.5",
            "ip:45.66.230.5",
        },
    ),
    ("psexec.exe \\\\10.0.0.5 -s cmd.exe", {"file:cmd.exe", "file:psexec.exe", "ip:10.0.0.5"}),
    (
        'wmic /node:10.0.0.5 process call create "cmd /c C:\\Windows\\Temp\\r.bat"',
        {
            "ip:10.0.0.5",
            "path:C:\\Windows\\Temp\\r.bat",
        },
    ),
    (
        (
            "\u6837\u672cMD5\uff1a0123456789abcdef0123456789abcdef\uff0cC2\uff1abad-place[.]net:4"
            "43\uff0cIP\uff1a45.66.230[.]5\uff0c\u6f0f\u6d1eCVE-2024-21412\u3002"
        ),
        {
            "cve:CVE-2024-21412",
            "fqdn:bad-place.net",
            "ip:45.66.230.5",
            "md5:0123456789abcdef0123456789abcdef",
        },
    ),
    ("iOS 17.0.3.1", set()),
    ("Log4j 2.14.1.1", set()),
    ("ActiveMQ 5.15.15.1", set()),
    ("AnyDesk 7.0.14.0", set()),
    ("assembly 4.0.0.0", set()),
    ("SMBIOS 2.8.0.1", set()),
    ("DLL 6.0.0.1", set()),
]


@pytest.mark.parametrize(("text", "expected"), PASSAGES)
def test_passages(text: str, expected: set[str]) -> None:
    """A passage gives what a careful reader would take from it, and nothing else."""
    found = {(one.type, one.value) for one in extract(text) if not one.flags & IMPLIED}
    wanted = {tuple(one.split(":", 1)) for one in expected}
    assert found == {(KINDS[kind], value) for kind, value in wanted}
