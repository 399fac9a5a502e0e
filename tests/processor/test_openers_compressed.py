"""Compressed files and TAR: members, names, bombs, quines, damage, links."""

from __future__ import annotations

import gzip
import io
import lzma
import tarfile
from dataclasses import replace

import pytest
import zstandard
from fixtures.bombs import PACK, misleading, turning_back, zeros
from fixtures.built_archives import tarred
from fixtures.built_mail import mixed, part, source

from tqimap_processor.openers import open_artefact
from tqimap_processor.walk import walk
from tqimap_shared.settings import Limits


MIB = 2**20
NOTE = b"http://some-place.com/"


@pytest.mark.opens(*PACK)
@pytest.mark.parametrize("kind", PACK)
def test_members_in_a_row_are_one_file(kind: str) -> None:
    """Several streams behind one another are read to the end, padding included."""
    data = PACK[kind](b"one ") + PACK[kind](b"two " * 50_000)
    (child,) = open_artefact(kind, source(data)).children
    assert (child.data, child.problems) == (b"one " + b"two " * 50_000, ())


@pytest.mark.parametrize("kind", ["gzip", "bzip2", "xz"])
def test_what_follows_is_told(kind: str) -> None:
    """Zeros behind the stream are padding; anything else is a problem, and the content stays."""
    padded = open_artefact(kind, source(PACK[kind](NOTE) + bytes(512)))
    assert (padded.children[0].data, padded.children[0].problems) == (NOTE, ())
    followed = open_artefact(kind, source(PACK[kind](NOTE) + b"PK\3\4"))
    assert followed.children[0].data == NOTE
    assert [one.kind for one in followed.children[0].problems] == ["malformed"]


@pytest.mark.parametrize("kind", PACK)
def test_cut_stream_keeps_its_beginning(kind: str) -> None:
    """A stream without its end yields what it has, and says so."""
    content = bytes(range(256)) * 2_000
    data = PACK[kind](content)
    opened = open_artefact(kind, source(data[: len(data) - 9]))
    problems = [*opened.problems, *(one for each in opened.children for one in each.problems)]
    assert [one.kind for one in problems] == ["malformed"]
    assert all(content.startswith(one.data) for one in opened.children)


def test_gzip_names_its_content() -> None:
    """The name in the header is evidence, with all fields that may stand before it."""
    out = io.BytesIO()
    with gzip.GzipFile("../a.txt", "wb", fileobj=out) as file:
        file.write(NOTE)
    data = out.getvalue()
    assert open_artefact("gzip", source(data)).children[0].name == "a.txt"
    extra = data[:3] + bytes([data[3] | 4]) + data[4:10] + b"\3\0abc" + data[10:]
    assert open_artefact("gzip", source(extra)).children[0].name == "a.txt"


@pytest.mark.parametrize("kind", PACK)
def test_bomb_of_ten_gibibytes_stops_at_the_budget(kind: str) -> None:
    """No more is unpacked than an artefact may have, and that is told."""
    limits = Limits(artefact=20 * MIB)
    (child,) = open_artefact(kind, replace(source(zeros(kind, 10_240)), limits=limits)).children
    assert len(child.data) == limits.artefact
    assert [one.kind for one in child.problems] == ["truncated"]


@pytest.mark.parametrize("kind", ["gzip", "bzip2", "xz"])
def test_members_without_content_end(kind: str) -> None:
    """A file of nothing but empty members is given up, not read for ever."""
    opened = open_artefact(
        kind, replace(source(PACK[kind](b"") * 300), limits=Limits(archive_entries=200))
    )
    assert [one.kind for one in opened.problems] == ["malformed"]


def test_memory_of_a_decompressor_is_limited() -> None:
    """A stream that wants a larger dictionary than allowed is not read."""
    data = lzma.compress(NOTE, filters=[{"id": lzma.FILTER_LZMA2, "dict_size": 64 * MIB}])
    limited = replace(source(data), limits=Limits(dictionary=8 * MIB))
    assert [one.kind for one in open_artefact("xz", limited).problems] == ["malformed"]
    wide = zstandard.ZstdCompressor(
        compression_params=zstandard.ZstdCompressionParameters(window_log=25)
    ).compressobj()
    frame = wide.compress(NOTE) + wide.flush()
    limited = replace(source(frame), limits=Limits(dictionary=MIB))
    assert [one.kind for one in open_artefact("zstd", limited).problems] == ["malformed"]


def test_file_that_unpacks_to_itself_ends() -> None:
    """Content that was seen before is not opened again, however deep."""
    data = gzip.compress(NOTE, mtime=0)
    tree = walk(
        mixed(part(data, "application/gzip"), part(gzip.compress(data), "application/gzip")),
        Limits(),
    )
    assert [one.kind for each in tree for one in each.problems] == ["duplicate"]


@pytest.mark.opens("tar")
@pytest.mark.parametrize("mode", ["w", "w:gz", "w:bz2", "w:xz"])
def test_tar_in_a_mail(mode: str) -> None:
    """Files of an archive are children, compressed or not; directories are none."""
    data = tarred(("d/a.txt", NOTE), ("b.txt", b"two"), mode=mode)
    tree = walk(mixed(part(data, "application/x-tar", name="a")), Limits())
    assert [(one.name, one.data) for one in tree[-2:]] == [("d/a.txt", NOTE), ("b.txt", b"two")]


def test_tar_follows_no_links_and_trusts_no_names() -> None:
    """Links and devices are counted; names that lead elsewhere are names."""
    opened = open_artefact("tar", source(misleading()))
    assert [(one.name, one.data) for one in opened.children] == [
        ("out/passwd", b""),
        ("../../etc/cron.d/x", b""),
        ("C:\\Windows\\x.dll", b""),
        ("aux.txt", b""),
    ]
    assert [(one.kind, one.detail[:1]) for one in opened.problems] == [("links", "3")]


def test_tar_within_its_budgets() -> None:
    """Sizes, counts and the room of the mail are limits."""
    data = tarred(*((f"{number}", b"x" * 100) for number in range(12)))
    limited = open_artefact("tar", replace(source(data), limits=Limits(children=10)))
    assert (len(limited.children), limited.problems[0].kind) == (10, "too-many")
    narrow = open_artefact("tar", replace(source(data), room=150))
    assert [len(one.data) for one in narrow.children] == [100, 50]
    assert [one.kind for one in narrow.problems] == ["too-large"]


def test_tar_that_leads_back_ends() -> None:
    """A member of negative size, which would turn the reading back, ends it."""
    opened = open_artefact("tar", source(turning_back(tarred(("a", b"x"), ("b", b"y")))))
    assert [one.kind for one in opened.problems] == ["malformed"]


def test_sparse_tar_is_cut() -> None:
    """A sparse file of a gibibyte that holds nothing stops at the budget."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as archive:
        member = tarfile.TarInfo("sparse")
        member.pax_headers = {
            "GNU.sparse.major": "0",
            "GNU.sparse.minor": "1",
            "GNU.sparse.size": str(2**30),
            "GNU.sparse.map": "0,0",
        }
        archive.addfile(member)
    limits = Limits(artefact=MIB)
    opened = open_artefact("tar", replace(source(out.getvalue()), limits=limits))
    assert all(len(one.data) <= MIB for one in opened.children)
