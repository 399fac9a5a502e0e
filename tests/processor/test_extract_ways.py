"""Reports, SOC mails and logs: ways of writing, each with all that it holds."""

from __future__ import annotations

import pytest

from tqimap_processor.extract import extract


IMPLIED = {"in-url", "in-address"}
FOUND: list[tuple[str, set[str]]] = [
    ("\u8bf7\u8bbf\u95eeevil.com\u4e0b\u8f7d", {"evil.com"}),
    ("\u4e0b\u8f7dhttps://evil.com\u4e0b\u8f7d", {"https://evil.com"}),
    ("\u7db2\u5740\uff1aevil.com\u6216worse.net", {"evil.com", "worse.net"}),
    ("\u4f8b\u5b50.com", {"xn--fsqu00a.com"}),
    (
        r"http://evil.com/a.dat&&%windir%\a b\c.exe",
        {"http://evil.com/a.dat", r"%windir%\a b\c.exe"},
    ),
    ("http://evil.com/?a=1&&b=2", {"http://evil.com/?a=1&&b=2"}),
    (r'"C:\Program Files\Foo Bar"', {r"C:\Program Files\Foo Bar"}),
    (r'"C:\Windows\cmd /c x"', {r"C:\Windows\cmd"}),
    (r"C:\Documents and Settings\x\Data\a.exe", {r"C:\Documents and Settings\x\Data\a.exe"}),
    (r"`HKCU\Software\My Evil App`", {r"HKEY_CURRENT_USER\Software\My Evil App"}),
    ("Message-ID: <20240101.1234$abc@mail.evil.com>", set()),
    ("v*****re@evil.com", {"v*****re@evil.com"}),
    (
        "The implant beacons to hxxp://185[.]220[.]101[.]47:8443/api/v2/checkin?id=77 every 60s.",
        {"http://185.220.101.47:8443/api/v2/checkin?id=77"},
    ),
    (
        "C2: evil-cdn[.]top, update.micros0ft[.]com; fallback 91.219.236[.]166",
        {"91.219.236.166", "evil-cdn.top", "update.micros0ft.com"},
    ),
    ("domains such as login-secure[.]xyz/auth (now sinkholed)", {"login-secure.xyz/auth"}),
    ("Contact: john.doe(at)protonmail(dot)com", {"john.doe@protonmail.com"}),
    ("Contact: john.doe [AT] protonmail [DOT] com", {"john.doe@protonmail.com"}),
    ('From: "IT Support" <it-support@micros0ft-help.com>', {"it-support@micros0ft-help.com"}),
    ("sender address was billing@evil-invoice.co.uk.", {"billing@evil-invoice.co.uk"}),
    (
        "the file was served from https://raw.githubusercontent[.]com/x/y/main/a.ps1",
        {"https://raw.githubusercontent.com/x/y/main/a.ps1"},
    ),
    (
        "visited www.bad-shop.info/checkout.php?step=2 twice",
        {"www.bad-shop.info/checkout.php?step=2"},
    ),
    ("ip:45.9.148.108|port:443", {"45.9.148.108"}),
    ("src=45.9.148.108 dst=10.1.2.3 dpt=443", {"10.1.2.3", "45.9.148.108"}),
    ("[2024-03-01 10:11:12] 45.9.148.108:51234 -> 10.0.0.5:3389", {"10.0.0.5", "45.9.148.108"}),
    ("45.9.148.0/24, 91.219.236.0/22", {"45.9.148.0/24", "91.219.236.0/22"}),
    ("IPs 45.9.148.108/32", {"45.9.148.108/32"}),
    ("45.9.148[.]108[:]8080", {"45.9.148.108"}),
    ("45[.]9[.]148[.]0/24", {"45.9.148.0/24"}),
    ("2a02:4780:b:1234::1 resolved", {"2a02:4780:b:1234::1"}),
    ("2001:67c:2e8:22::/64 was announced", {"2001:67c:2e8:22::/64"}),
    ("http://[2a02:4780:b:1234::1]:8080/x", {"http://[2a02:4780:b:1234::1]:8080/x"}),
    ("::ffff:45.9.148.108 in the log", {"45.9.148.108", "::ffff:2d09:946c"}),
    (
        "SHA256: 0123456789ABCDEF0123456789ABCDEF0123456789ABCDEF0123456789ABCDEF",
        {"0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"},
    ),
    ("md5=0123456789abcdef0123456789abcdef", {"0123456789abcdef0123456789abcdef"}),
    ("(0123456789abcdef0123456789abcdef01234567)", {"0123456789abcdef0123456789abcdef01234567"}),
    (
        "0123456789abcdef0123456789abcdef:0123456789abcdef0123456789abcdef01234567",
        {"0123456789abcdef0123456789abcdef", "0123456789abcdef0123456789abcdef01234567"},
    ),
    (
        "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
        {"0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"},
    ),
    (
        "https://www.virustotal.com/gui/file/0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef/detection",
        {
            "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
            "https://www.virustotal.com/gui/file/0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef/detection",
        },
    ),
    (
        "| 0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef | dropper.exe |",
        {"0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef", "dropper.exe"},
    ),
    (
        "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef  /tmp/a.bin",
        {"/tmp/a.bin", "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"},
    ),
    ("imphash f34d5f2d4577ed6d9ceec516c1f5a744", {"f34d5f2d4577ed6d9ceec516c1f5a744"}),
    (
        "ssdeep: 3072:ZtA8Yyxq5GkLw8PqDVhGbJkQ3hH2+Lw8fA:ZtDYyxq5GkLw8PqDV",
        {"3072:ZtA8Yyxq5GkLw8PqDVhGbJkQ3hH2+Lw8fA:ZtDYyxq5GkLw8PqDV"},
    ),
    (
        "JARM fingerprint: 2ad2ad0002ad2ad00042d42d00000ad9bf51cc3f5a1e29eecb81d0c7b06eb4",
        {"2ad2ad0002ad2ad00042d42d00000ad9bf51cc3f5a1e29eecb81d0c7b06eb4"},
    ),
    (
        "jarm=2ad2ad0002ad2ad00042d42d00000ad9bf51cc3f5a1e29eecb81d0c7b06eb4",
        {"2ad2ad0002ad2ad00042d42d00000ad9bf51cc3f5a1e29eecb81d0c7b06eb4"},
    ),
    (
        "TLSH T1A1B2C3D4E5F60718293A4B5C6D7E8F90A1B2C3D4E5F60718293A4B5C6D7E8F90A1B2C3",
        {"T1A1B2C3D4E5F60718293A4B5C6D7E8F90A1B2C3D4E5F60718293A4B5C6D7E8F90A1B2C3"},
    ),
    ("exploits CVE-2023-23397 (Outlook)", {"CVE-2023-23397"}),
    ("CVE-2021-44228/CVE-2021-45046", {"CVE-2021-44228", "CVE-2021-45046"}),
    ("cve\u20132024\u201321412", {"CVE-2024-21412"}),
    ("hosted at AS202425 (IP Volume)", {"AS202425"}),
    ("ASN 9009", {"AS9009"}),
    ("asn:9009", {"AS9009"}),
    ("AS-9009", {"AS9009"}),
    ("MAC 00:0c:29:ab:cd:ef", {"00:0c:29:ab:cd:ef"}),
    ("00-0C-29-AB-CD-EF", {"00:0c:29:ab:cd:ef"}),
    ("000c.29ab.cdef", {"000c.29ab.cdef"}),
    (
        "HKLM\\SYSTEM\\CurrentControlSet\\Services\\evilsvc",
        {"HKEY_LOCAL_MACHINE\\SYSTEM\\CurrentControlSet\\Services\\evilsvc"},
    ),
    (
        "HKEY_CURRENT_USER\\Software\\Microsoft\\Windows\\CurrentVersion\\Run",
        {"HKEY_CURRENT_USER\\Software\\Microsoft\\Windows\\CurrentVersion\\Run"},
    ),
    (
        "HKCU:\\Software\\Classes\\ms-settings\\shell\\open\\command",
        {"HKEY_CURRENT_USER\\Software\\Classes\\ms-settings\\shell\\open\\command"},
    ),
    (
        "hklm\\software\\policies\\microsoft\\windows defender\\DisableAntiSpyware",
        {"HKEY_LOCAL_MACHINE\\software\\policies\\microsoft\\windows defender\\DisableAntiSpyware"},
    ),
    (
        "reg add HKCU\\Software\\Microsoft\\Windows\\CurrentVersion\\Run /v upd /d x",
        {"HKEY_CURRENT_USER\\Software\\Microsoft\\Windows\\CurrentVersion\\Run"},
    ),
    (
        'reg add "HKLM\\SOFTWARE\\Microsoft\\Windows NT\\CurrentVersion\\Winlogon" /v Shell',
        {"HKEY_LOCAL_MACHINE\\SOFTWARE\\Microsoft\\Windows NT\\CurrentVersion\\Winlogon"},
    ),
    ("HKU\\.DEFAULT\\Control Panel\\Desktop", {"HKEY_USERS\\.DEFAULT\\Control Panel\\Desktop"}),
    (
        "HKEY_CLASSES_ROOT\\CLSID\\{42aedc87-2188-41fd-b9a3-0c966feabec1}\\InprocServer32",
        {"HKEY_CLASSES_ROOT\\CLSID\\{42aedc87-2188-41fd-b9a3-0c966feabec1}\\InprocServer32"},
    ),
    ("[HKEY_LOCAL_MACHINE\\SOFTWARE\\Evil]", {"HKEY_LOCAL_MACHINE\\SOFTWARE\\Evil"}),
    ("Computer\\HKEY_LOCAL_MACHINE\\SOFTWARE\\Evil", {"HKEY_LOCAL_MACHINE\\SOFTWARE\\Evil"}),
    ("Registry::HKLM\\SOFTWARE\\Evil", {"HKEY_LOCAL_MACHINE\\SOFTWARE\\Evil"}),
    ("\\REGISTRY\\MACHINE\\SOFTWARE\\Evil", {"HKEY_LOCAL_MACHINE\\SOFTWARE\\Evil"}),
    ("\\Registry\\User\\S-1-5-21-1\\Software\\Evil", {"HKEY_USERS\\S-1-5-21-1\\Software\\Evil"}),
    ("C:\\Users\\Public\\Libraries\\svchost.exe", {"C:\\Users\\Public\\Libraries\\svchost.exe"}),
    ("%TEMP%\\~tmp1234.dat", {"%TEMP%\\~tmp1234.dat"}),
    ("%AppData%\\Roaming\\x.vbs", {"%AppData%\\Roaming\\x.vbs"}),
    ("%USERPROFILE%\\AppData\\Local\\Temp\\a.js", {"%USERPROFILE%\\AppData\\Local\\Temp\\a.js"}),
    (
        "\\\\fileserver01\\share$\\tools\\psexec.exe",
        {"\\\\fileserver01\\share$\\tools\\psexec.exe"},
    ),
    ("\\\\45.9.148.108\\webdav\\a.lnk", {"45.9.148.108", "\\\\45.9.148.108\\webdav\\a.lnk"}),
    ("\\\\evil.com@SSL\\DavWWWRoot\\x.exe", {"\\\\evil.com@SSL\\DavWWWRoot\\x.exe", "evil.com"}),
    ("c:\\windows\\system32\\drivers\\etc\\hosts", {"c:\\windows\\system32\\drivers\\etc\\hosts"}),
    (
        "“C:\\Program Files (x86)\\Common Files\\a.dll”",
        {"C:\\Program Files (x86)\\Common Files\\a.dll"},
    ),
    ("D:\\work\\proj\\Release\\loader.pdb", {"D:\\work\\proj\\Release\\loader.pdb"}),
    ("/usr/local/bin/.hidden/miner", {"/usr/local/bin/.hidden/miner"}),
    ("/tmp/.X11-unix/kworker", {"/tmp/.X11-unix/kworker"}),
    ("~/.ssh/authorized_keys", {"~/.ssh/authorized_keys"}),
    ("$HOME/.bashrc", {"$HOME/.bashrc"}),
    ("/Library/LaunchAgents/com.evil.plist", {"/Library/LaunchAgents/com.evil.plist"}),
    ("/etc/cron.d/0hourly", {"/etc/cron.d/0hourly"}),
    ("/dev/shm/x", {"/dev/shm/x"}),
    ("$env:TEMP\\a.ps1", {"$env:TEMP\\a.ps1"}),
    ("C:/Users/Public/a.exe", {"C:/Users/Public/a.exe"}),
    (
        "creates the mutex Global\\MsWinZonesCacheCounterMutexA",
        {"Global\\MsWinZonesCacheCounterMutexA"},
    ),
    ("Mutex name: qwert-1234-asd", {"qwert-1234-asd"}),
    ("mutex: {8761ABBD-7F85-42EE-B272-A76179687C63}", {"{8761ABBD-7F85-42EE-B272-A76179687C63}"}),
    ('mutexes: "Local\\\\abc123"', {"Local\\abc123"}),
    ("User-Agent: python-requests/2.28.1", {"python-requests/2.28.1"}),
    (
        "UA: Mozilla/4.0 (compatible; MSIE 8.0; Windows NT 6.1)",
        {"Mozilla/4.0 (compatible; MSIE 8.0; Windows NT 6.1)"},
    ),
    ('the user agent string "Go-http-client/1.1"', {"Go-http-client/1.1"}),
    ("BTC 1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa", {"1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa"}),
    ("3J98t1WpEZ73CNmQviecrnyiWrnqRhWNLy", {"3J98t1WpEZ73CNmQviecrnyiWrnqRhWNLy"}),
    ("bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4", {"bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4"}),
    (
        "bc1p0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7vqzk5jj0",
        {"bc1p0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7vqzk5jj0"},
    ),
    (
        "ETH: 0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed",
        {"0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed"},
    ),
    ("0xde0b295669a9fd93d5f28d9ec85e40f4cb697bae", {"0xde0b295669a9fd93d5f28d9ec85e40f4cb697bae"}),
    (
        "http://lockbitapt6vx57t3eeqjofwgcglmutr3a35nygvokja5uuccip4ykyd.onion/post",
        {"http://lockbitapt6vx57t3eeqjofwgcglmutr3a35nygvokja5uuccip4ykyd.onion/post"},
    ),
    (
        "lockbitapt6vx57t3eeqjofwgcglmutr3a35nygvokja5uuccip4ykyd[.]onion",
        {"lockbitapt6vx57t3eeqjofwgcglmutr3a35nygvokja5uuccip4ykyd.onion"},
    ),
    ("Serial Number: 0b:5a:3e:1f:aa:bb:cc:dd:ee:ff:00:11", {"0b5a3e1faabbccddeeff0011"}),
    (
        "serial: 33 00 00 01 87 72 17 72 15 59 40 c7 09 00 00 00 00 01 87",
        {"3300000187721772155940c709000000000187"},
    ),
    ("Cert serial no. 0x1A2B3C4D5E6F7A8B", {"1a2b3c4d5e6f7a8b"}),
    ("http://xn--80ak6aa92e.com/login", {"http://xn--80ak6aa92e.com/login"}),
    ("http://3232235777/x", {"http://3232235777/x"}),
    ("http://0xC0A80101/x", {"http://0xc0a80101/x"}),
    ("http://0300.0250.0001.0001/", {"http://0300.0250.0001.0001/"}),
    ("https://google.com@evil.example-bad.com/x", {"https://google.com@evil.example-bad.com/x"}),
    ("hxxps[:]//evil[.]com/path", {"https://evil.com/path"}),
    ("hxxps:\\\\evil[.]com\\path", {"https://evil.com\\path"}),
    ("evil[.com", {"evil.com"}),
    ("evil.]com", {"evil.com"}),
    ("evil[dot]com", {"evil.com"}),
    ("evil (dot) com", {"evil.com"}),
    ("evil{.}com", {"evil.com"}),
    ("hxxp://evil .com/x", {"http://evil.com/x"}),
    ("http[s]://evil[.]com/x", {"https://evil.com/x"}),
    ("tcp://evil[.]com:4444", {"tcp://evil.com:4444"}),
    ("hxxp[://]1.2.3[.]4/x.bin", {"http://1.2.3.4/x.bin"}),
    ("evil(.)com, worse(.)net", {"evil.com", "worse.net"}),
    ("evil,com", set()),
    ("admin[@]evil[.]com", {"admin@evil.com"}),
    ("admin@evil[.]com", {"admin@evil.com"}),
    ("admin<at>evil<dot>com", {"admin@evil.com"}),
    ("https://evil[.]com[/]a[/]b", {"https://evil.com/a/b"}),
    ("hxxps://evil[.]com[:]8443/a", {"https://evil.com:8443/a"}),
    ("ftp://evil.com/a.zip", {"ftp://evil.com/a.zip"}),
    ("fxp://evil.com/a.zip", {"ftp://evil.com/a.zip"}),
    (
        "https://eur01.safelinks.protection.outlook.com/?url=https%3A%2F%2Furldefense.com%2Fv3%2F__https%3A%2F%2Fevil.com%2Fx__%3B!!abc!def%24&data=1",
        {
            "https://eur01.safelinks.protection.outlook.com/?url=https%3A%2F%2Furldefense.com%2Fv3%2F__https%3A%2F%2Fevil.com%2Fx__%3B!!abc!def%24&data=1",
            "https://evil.com/x",
            "https://urldefense.com/v3/__https://evil.com/x__;!!abc!def",
        },
    ),
    (
        "https://www.google.com/url?q=https://l.facebook.com/l.php?u=https%3A%2F%2Fevil.com%2Fx&h=1",
        {
            "https://evil.com/x",
            "https://l.facebook.com/l.php?u=https://evil.com/x",
            "https://www.google.com/url?q=https://l.facebook.com/l.php?u=https%3A%2F%2Fevil.com%2Fx&h=1",
        },
    ),
    (
        "https://protect-eu.mimecast.com/s/abcDEF123?domain=evil.com",
        {"https://protect-eu.mimecast.com/s/abcDEF123?domain=evil.com"},
    ),
    (
        "https://urldefense.us/v2/url?u=https-3A__evil.com_x&d=DwMFAg",
        {"https://evil.com/x", "https://urldefense.us/v2/url?u=https-3A__evil.com_x&d=DwMFAg"},
    ),
    ("http://010036057336/x", {"http://010036057336/x"}),
    (
        "888tNkZrPN6JsEgekjMnABU4TBzc2Dt29EPAvkRxbANsAnjyPbb3iQ1YBRk1UXcdRsiKc9dhwMVgN5S9cQUiyoogDavup3H",
        {
            "888tNkZrPN6JsEgekjMnABU4TBzc2Dt29EPAvkRxbANsAnjyPbb3iQ1YBRk1UXcdRsiKc9dhwMVgN5S9cQUiyoogDavup3H"
        },
    ),
]


@pytest.mark.parametrize(("text", "values"), FOUND)
def test_ways_of_writing(text: str, values: set[str]) -> None:
    """A line gives its indicators, and nothing else."""
    assert {found.value for found in extract(text) if not found.flags & IMPLIED} == values
