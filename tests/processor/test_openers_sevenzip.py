"""What 7zz opens: passwords, lies, bombs, links, limits, and its absence."""

from __future__ import annotations

import struct
from dataclasses import replace

import pytest
from fixtures import built_archives as built
from fixtures.archive_cases import ARCHIVES
from fixtures.built_mail import mixed, part, source, zipped

from tqimap_processor.openers import open_artefact, open_inside, sevenzip
from tqimap_processor.openers.sevenzip import NEEDED, open_with_7zz
from tqimap_processor.walk import walk
from tqimap_shared.settings import Limits


MIB = 2**20
LIMITS = Limits()
NOTE = b"http://some-place.com/"


def _encrypted(kind: str, *options: str) -> bytes:
    return built.sevenzipped(kind, ("a.txt", NOTE), ("d/b.txt", b"two"), options=options)


@pytest.mark.opens(*sevenzip.KINDS)
@pytest.mark.parametrize("kind", sorted(set(ARCHIVES) & set(sevenzip.KINDS)))
def test_entry_is_a_child_with_its_name(kind: str) -> None:
    """Whatever the format, what is in it comes out whole, under the name that it has there."""
    opened = open_artefact(kind, source(ARCHIVES[kind]))
    names = {"msi": "Note", "rpm": "x.i386.cpio", "apm": "disk.hfs", "hfs": "ISOIMAGE/a.txt"}
    names |= dict.fromkeys(("iso", "fat", "mbr", "vhd", "vhdx", "gpt", "vmdk", "dmg"), "A.TXT")
    names |= dict.fromkeys(("chm", "hxs"), "a.htm") | dict.fromkeys(("compress", "mslz"), "")
    own = {"[TOC].xml", "[SYSTEM]/$MFT"}
    (child,) = [one for one in opened.children if one.name not in own]
    assert (child.name, child.how) == (names.get(kind, "a.txt"), "archive-entry")
    assert child.data == NOTE or (kind in {"rpm", "apm"} and NOTE in child.data)


@pytest.mark.parametrize(
    "data",
    [
        _encrypted("7z", "-psesame-4711", "-mhe=on"),
        _encrypted("7z", "-psesame-4711"),
        _encrypted("zip", "-psesame-4711", "-mem=AES256"),
    ],
    ids=["7z with hidden names", "7z", "aes-zip"],
)
def test_password_told_in_the_mail_opens(data: bytes) -> None:
    """7z, with and without a readable directory, and AES-ZIP open with a word of the body."""
    body = b"Content-Type: text/plain\r\n\r\nThe password is: sesame-4711.\r\n"
    tree = walk(mixed(body, part(data, "application/x", name="s")), LIMITS)
    assert [(one.name, one.data) for one in tree if one.how == "archive-entry"] == [
        ("a.txt", NOTE),
        ("d/b.txt", b"two"),
    ]


def test_unknown_password_is_a_problem_and_names_stay() -> None:
    """Without the password the names that can be read are kept, and each is said to be locked."""
    hidden = open_with_7zz(_encrypted("7z", "-pother", "-mhe=on"), LIMITS)
    assert (hidden.children, [one.kind for one in hidden.problems]) == ((), ["encrypted"])
    for kind in ("7z", "zip"):
        opened = open_artefact(kind, source(_encrypted(kind, "-pother")))
        assert [one.name for one in opened.children] == ["a.txt", "d/b.txt"]
        assert {one.kind for child in opened.children for one in child.problems} == {"encrypted"}


def test_entries_are_kept_in_order_with_the_names_they_claim() -> None:
    """Names that lead elsewhere come through as they are."""
    data = built.sevenzipped("7z", ("a b*.txt", b"one"), ("ü/c", b"two"), ("@d", b""))
    opened = open_with_7zz(data, LIMITS)
    assert {one.name: one.data for one in opened.children} == {
        "a b*.txt": b"one",
        "ü/c": b"two",
        "@d": b"",
    }
    evil = data_with_name(b"../../../evil.exe")
    assert [one.name for one in open_with_7zz(evil, LIMITS).children] == ["../../../evil.exe"]


def data_with_name(name: bytes) -> bytes:
    """Return a cpio archive of a file so named."""
    return built.cpio(name.decode(), b"x")


def test_no_link_is_followed() -> None:
    """A symbolic link yields a count, never what it points to."""
    data = built.cpio("link", b"/etc/passwd").replace(b"000081A4", b"0000A1FF", 1)
    opened = open_with_7zz(data, LIMITS)
    assert (opened.children, [one.kind for one in opened.problems]) == ((), ["links"])


def test_lying_sizes_are_read_entry_by_entry() -> None:
    """Where the listed sizes do not part the contents, no content is given to a wrong name."""
    data = built.cab("a.txt", NOTE)
    cut = data[:-5]
    opened = open_with_7zz(cut, LIMITS)
    assert all(one.problems for one in opened.children)
    assert all(NOTE.startswith(one.data) for one in opened.children)


def test_bomb_stops_at_the_budgets() -> None:
    """Zeros without end stop at the room of the mail and the limit for one artefact."""
    bomb = built.sevenzipped("7z", ("zeros", bytes(48 * MIB)), ("more", bytes(8 * MIB)))
    assert len(bomb) < MIB
    limits = Limits(artefact=20 * MIB)
    opened = open_with_7zz(bomb, limits, (), 24 * MIB)
    assert sum(len(one.data) for one in opened.children) <= 24 * MIB
    assert all(len(one.data) <= limits.artefact for one in opened.children)
    assert {one.kind for child in opened.children for one in child.problems} == {"truncated"}


def test_entries_beyond_the_count_are_left_out() -> None:
    """The number of children is limited, and what was left out is said."""
    data = built.sevenzipped("7z", *((f"{n:02}", b"x") for n in range(12)))
    opened = open_with_7zz(data, Limits(children=10))
    assert (len(opened.children), opened.problems[0].kind) == (10, "too-many")
    assert opened.problems[0].detail == "2 entries left out"


def test_memory_and_time_are_limited() -> None:
    """A program that needs more memory or time than allowed is stopped, and that is a problem."""
    data = built.sevenzipped("7z", ("a", bytes(64 * MIB)), options=("-m0=lzma:d=64m:a=0",))
    small = open_with_7zz(data, Limits(unpacker_memory=40 * MIB))
    assert [one.kind for one in small.children[0].problems] == ["too-large"]
    late = open_with_7zz(
        data, Limits(unpacker_wall=1, unpacker_cpu=1).model_copy(update={"unpacker_wall": 0})
    )
    assert [one.kind for one in late.problems] == ["too-slow"]


def test_missing_program_is_a_problem(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where 7zz is not there, or cannot be started, the archive is kept closed and says why."""
    data = _encrypted("7z")
    monkeypatch.setattr(sevenzip, "binary", lambda: None)
    assert [one.kind for one in open_with_7zz(data, LIMITS).problems] == ["unsupported"]
    monkeypatch.setattr(sevenzip, "binary", lambda: "/nowhere/7zz")
    assert [one.kind for one in open_with_7zz(data, LIMITS).problems] == ["unsupported"]


def test_openers_start_no_process_themselves(monkeypatch: pytest.MonkeyPatch) -> None:
    """Inside the jail an archive only asks for 7zz; a step outside heeds it, and only then."""
    locked = _encrypted("zip", "-pinfected", "-mem=AES256")
    open_one = _encrypted("7z")
    monkeypatch.setattr(sevenzip, "binary", lambda: pytest.fail("started"))
    assert open_inside("7z", source(open_one)).problems == (NEEDED,)
    asked = open_inside("zip", source(locked))
    assert [one.problems for one in asked.children] == [(NEEDED,), (NEEDED,)]
    plain = open_inside("zip", source(zipped(("a", b"x"))))
    assert sevenzip.complete(source(zipped(("a", b"x"))), plain) is plain
    monkeypatch.undo()
    done = sevenzip.complete(source(locked), asked)
    assert [(one.data, one.problems) for one in done.children] == [(NOTE, ()), (b"two", ())]


def test_mixed_zip_keeps_what_the_library_reads() -> None:
    """Only entries that need 7zz come from it; lies about the others are still seen."""
    data = zipped(("a.txt", b"one" * 50), ("b.txt", b"two"))
    directory = data.rindex(b"PK\x01\x02", 0, data.rindex(b"PK\x01\x02"))
    lying = data[: directory + 24] + struct.pack("<I", 10) + data[directory + 28 :]
    second = lying.rindex(b"PK\x01\x02") + 10
    odd = lying[:second] + b"\x61\0" + lying[second + 2 :]
    first, last = open_artefact("zip", source(odd)).children
    assert (first.data, [one.kind for one in first.problems]) == (b"one" * 50, ["wrong-size"])
    assert last.name == "b.txt"
    assert {one.kind for one in last.problems} <= {"unsupported", "malformed"}


def test_archives_in_images_in_archives() -> None:
    """A disk image in a cabinet in a RAR is opened down to the file."""
    disk = built.vhd(built.partitioned(built.fat("A       TXT", NOTE)))
    data = built.rar("c.cab", built.cab("d.vhd", disk))
    tree = walk(mixed(part(data, "application/x", name="r.rar")), LIMITS)
    assert [one.kind for one in tree[1:]] == ["rar", "cab", "vhd", "text"]
    assert tree[-1].data == NOTE


def test_room_of_the_mail_is_shared() -> None:
    """7zz gets no more room than the mail has left."""
    opened = open_artefact("7z", replace(source(_encrypted("7z")), room=10))
    assert [len(one.data) for one in opened.children] == [10]
