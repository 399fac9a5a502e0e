"""The ZIP opener: entries, passwords, bombs, lies."""

from __future__ import annotations

import base64
import io
import struct
import zipfile
from dataclasses import replace
from time import process_time

import pytest
from fixtures.bombs import flat, understated
from fixtures.built_mail import mixed, part, report, source, zipped
from fixtures.clock import untraced

from tqimap_processor.detect import detect
from tqimap_processor.openers import open_artefact
from tqimap_processor.openers.archive import open_zip
from tqimap_processor.walk import walk
from tqimap_shared.settings import Limits


MIB = 2**20
# made by Info-ZIP: a.txt holds "http://locked-room.com/", password "infected"
LOCKED = base64.b64decode(
    "UEsDBAoACQAAAEJVeF3CAeE2IwAAABcAAAAFAAAAYS50eHSC9gglIUgUMZD4ReyTOJUQqBG5QfCmSHBf"
    "v1W7EOvw8Ygs1lBLBwjCAeE2IwAAABcAAABQSwECHgMKAAkAAABCVXhdwgHhNiMAAAAXAAAABQAAAAAA"
    "AAABAAAApIEAAAAAYS50eHRQSwUGAAAAAAEAAQAzAAAAVgAAAAAA"
)
# likewise, password "sesame-4711"
SESAME = base64.b64decode(
    "UEsDBAoACQAAAEJVeF3CAeE2IwAAABcAAAAFAAAAYS50eHQfk+CS3t1DrJYHxSm24VUiCQE1X6umE4lN"
    "l2P4XaADHXB+8lBLBwjCAeE2IwAAABcAAABQSwECHgMKAAkAAABCVXhdwgHhNiMAAAAXAAAABQAAAAAA"
    "AAABAAAApIEAAAAAYS50eHRQSwUGAAAAAAEAAQAzAAAAVgAAAAAA"
)


def _problems(data: bytes) -> list[str]:
    opened = open_zip(source(data))
    return [one.kind for child in opened.children for one in child.problems] + [
        one.kind for one in opened.problems
    ]


@pytest.mark.opens("zip")
def test_entries_are_children() -> None:
    """Files are children in the archive's order; directories are none."""
    opened = open_zip(source(zipped(("d/", b""), ("d/a.txt", b"one"), ("b.txt", b"two"))))
    assert [(one.name, one.data, one.how) for one in opened.children] == [
        ("d/a.txt", b"one", "archive-entry"),
        ("b.txt", b"two", "archive-entry"),
    ]
    assert not opened.problems


@pytest.mark.opens("jar", "apk", "epub")
@pytest.mark.parametrize(
    ("kind", "entries"),
    [
        ("jar", [("META-INF/MANIFEST.MF", b"Main-Class: a"), ("a.class", b"b")]),
        ("apk", [("AndroidManifest.xml", b"x"), ("classes.dex", b"b")]),
        ("epub", [("mimetype", b"application/epub+zip"), ("a.xhtml", b"<p>")]),
    ],
)
def test_package_is_opened_like_an_archive(kind: str, entries: list[tuple[str, bytes]]) -> None:
    """Programs and books that are archives keep their kind, and their parts are children."""
    data = zipped(*entries, method=zipfile.ZIP_STORED)
    assert detect(data) == kind
    opened = open_artefact(kind, source(data))
    assert [(one.name, one.data) for one in opened.children] == entries


def test_zip_in_zip_in_mail() -> None:
    """Archives inside archives are opened, and a finding names its place."""
    inner = zipped(("note.txt", b"http://inner-room.com/x"))
    raw = mixed(part(zipped(("in.zip", inner)), "application/zip", name="out.zip"))
    (found,) = [one for one in report(raw).decisions if one.type == "URL"]
    assert (found.found[0].artefact, found.found[0].where) == ("1.1.1", "text")


def test_customary_password_opens_an_archive() -> None:
    """The password that analysts use is tried."""
    assert open_zip(source(LOCKED)).children[0].data == b"http://locked-room.com/"


def test_password_told_in_the_mail_opens_an_archive_before_it() -> None:
    """A password in the body is used, even if the body comes after the archive."""
    body = b"Content-Type: text/plain\r\n\r\nThe password is: sesame-4711.\r\n"
    tree = walk(mixed(part(SESAME, "application/zip", name="s.zip"), body), Limits())
    assert [one.data for one in tree if one.how == "archive-entry"] == [b"http://locked-room.com/"]


def test_unknown_password_is_a_problem_and_the_name_stays() -> None:
    """An entry that cannot be read is an artefact with its name and no hash among the findings."""
    (child,) = open_zip(source(SESAME)).children
    assert (child.name, child.data) == ("a.txt", b"")
    assert [one.kind for one in child.problems] == ["encrypted"]


def test_entry_too_short_to_be_encrypted_costs_itself() -> None:
    """An entry that claims to be encrypted and has not even the head of it hides no other."""
    data = bytearray(zipped(("a.txt", b"one"), ("b.txt", b"two"), method=zipfile.ZIP_STORED))
    for mark, place in ((b"PK\3\4", 6), (b"PK\1\2", 8)):
        data[data.rindex(mark) + place] |= 1
    opened = open_zip(source(bytes(data)))
    assert [(one.name, one.data) for one in opened.children] == [("a.txt", b"one"), ("b.txt", b"")]
    assert [one.kind for one in opened.children[1].problems] == ["encrypted"]


def test_decryption_is_limited() -> None:
    """Decryption in Python is slow, so its bytes are counted apart, and 7zz asked for the rest."""
    limited = replace(source(LOCKED), limits=Limits(encrypted=4))
    (child,) = open_zip(limited).children
    assert (child.data, [one.kind for one in child.problems]) == (
        b"http",
        ["truncated", "unsupported"],
    )
    assert open_artefact("zip", limited).children[0].data == b"http://locked-room.com/"


def test_flat_bomb_stops_at_the_budget() -> None:
    """A gibibyte of zeros is read to the limit for one artefact, quickly, and flagged."""
    with_bomb = flat(1024)
    start = process_time()
    with untraced():
        (child,) = open_zip(source(with_bomb)).children
    assert process_time() - start < 3
    assert len(child.data) == Limits().artefact
    assert [one.kind for one in child.problems] == ["truncated"]


def test_room_left_for_the_tree_is_respected() -> None:
    """An archive gets no more bytes than the mail has left."""
    data = zipped(("a", b"x" * 100), ("b", b"y" * 100), ("c", b"z"))
    opened = open_zip(replace(source(data), room=150))
    assert [len(child.data) for child in opened.children] == [100, 50]
    assert [one.kind for one in opened.problems] == ["too-large"]


def test_entries_beyond_the_count_are_left_out() -> None:
    """The number of children is limited, and what was left out is said."""
    data = zipped(*((f"{n}", b"") for n in range(12)))
    opened = open_zip(replace(source(data), limits=Limits(children=10)))
    assert len(opened.children) == 10
    assert opened.problems[0].detail == "2 entries left out"


def test_huge_directory_is_not_read() -> None:
    """An archive of more entries than allowed is not opened at all."""
    limited = replace(source(zipped(("a", b""), ("b", b""))), limits=Limits(archive_entries=1))
    assert [one.kind for one in open_zip(limited).problems] == ["too-many"]


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_LZMA])
def test_understated_size_is_read_to_the_end_and_named(method: int) -> None:
    """A directory that claims ten bytes hides nothing."""
    content = b"http://understated.com/ " * 9
    (child,) = open_zip(source(understated(content, method))).children
    assert child.data == content
    assert [one.kind for one in child.problems] == ["wrong-size"]


def test_overlapping_entries_are_named() -> None:
    """Two entries over the same bytes, as in dense bombs, are a problem of both."""
    data = zipped(("a.txt", b"x" * 1000), ("b.txt", b"y"))
    second = data.rindex(b"PK\x01\x02") + 42
    lying = data[:second] + struct.pack("<I", 0) + data[second + 4 :]
    assert _problems(lying).count("overlapping") == 2


def test_broken_archives_are_problems() -> None:
    """Cut, garbled and empty archives raise nothing."""
    good = zipped(("a.txt", b"some text that is long enough to be worth it" * 9))
    garbled = good[:45] + bytes(20) + good[65:]
    # each is asked of 7zz too
    assert _problems(good[:-30]) == ["malformed", "unsupported"]
    assert _problems(garbled) == ["malformed", "unsupported"]
    assert _problems(b"PK\x03\x04") == ["malformed", "unsupported"]
    assert _problems(zipped()) == []


def test_damaged_archive_is_read_as_far_as_it_goes() -> None:
    """Without its directory an archive is still opened, and said to be malformed."""
    opened = open_artefact("zip", source(zipped(("a.txt", b"some text" * 9))[:-30]))
    assert [(one.name, one.data) for one in opened.children] == [("a.txt", b"some text" * 9)]
    assert [one.kind for one in opened.problems] == ["malformed"]


def test_comments_and_names_that_do_not_say_their_charset() -> None:
    """Comments of the archive and its entries are text; UTF-8 names are read without their flag."""
    data = zipped(("x\u00fc.txt", b"x")).replace(b"\x00\x08", b"\0\0")
    buffer = io.BytesIO(data)
    with zipfile.ZipFile(buffer, "a") as archive:
        archive.comment = b"see http://in-comment.com/"
        info = zipfile.ZipInfo("b.txt")
        info.comment = b"and http://in-entry.com/"
        archive.writestr(info, b"y")
    opened = open_zip(source(buffer.getvalue()))
    assert [(one.where, one.text) for one in opened.spans] == [
        ("comment", "see http://in-comment.com/"),
        ("comment of entry 2", "and http://in-entry.com/"),
    ]
    assert [one.name for one in open_zip(source(data)).children] == ["x\u00fc.txt"]


def test_unknown_method_is_a_problem() -> None:
    """A compression that Python does not know leaves the name and says so."""
    data = zipped(("a.txt", b"x"))
    directory = data.rindex(b"PK\x01\x02") + 10
    odd = data[:8] + b"\x61\0" + data[10:directory] + b"\x61\0" + data[directory + 2 :]
    assert _problems(odd) == ["unsupported"]


def test_names_are_evidence_never_paths() -> None:
    """Names that would write elsewhere come through as they are, each trick flagged."""
    names = ["../../etc/passwd", "C:\\x.txt", "a\u202etxt.exe", "invoice.pdf.exe", "CON.txt"]
    tree = walk(
        mixed(part(zipped(*((n, n.encode()) for n in names)), "application/zip", name="z.zip")),
        Limits(),
    )
    tricks = {one.name: [each.kind for each in one.problems] for one in tree[2:]}
    assert tricks == {
        "../../etc/passwd": ["name-traversal"],
        "C:\\x.txt": ["name-traversal"],
        "a\u202etxt.exe": ["name-bidi"],
        "invoice.pdf.exe": ["name-double-extension"],
        "CON.txt": ["name-device"],
    }
