"""The tree of artefacts: ids, order, budgets, duplicates."""

from __future__ import annotations

import hashlib

import pytest
from fixtures.built_archives import sevenzipped
from fixtures.built_mail import artefacts, mail, mixed, part, zipped

from tqimap_processor import tricks
from tqimap_processor.walk import walk
from tqimap_shared.settings import Limits


def _problems(raw: bytes, **limits: int) -> dict[str, list[str]]:
    return {
        one.id: [problem.kind for problem in one.problems]
        for one in walk(raw, Limits(**limits))
        if one.problems
    }


def _archives(depth: int) -> bytes:
    data = b"http://core.com/"
    for level in range(depth):
        data = zipped((f"{level}", data))
    return data


def test_ids_are_paths_and_the_order_is_breadth_first() -> None:
    """The mail is 0, its parts 1 and 2, theirs 2.1; shallow artefacts come before deep ones."""
    deep = zipped(("in.zip", zipped(("a", b"a"), ("b", b"b"))), ("c", b"c"))
    raw = mixed(part(deep, "application/zip", name="z.zip"), b"Content-Type: text/plain\r\n\r\nx")
    tree = walk(raw, Limits())
    assert [one.id for one in tree] == ["0", "1", "2", "1.1", "1.2", "1.1.1", "1.1.2"]
    assert [one.parent for one in tree] == [None, "0", "0", "1", "1", "1.1", "1.1"]
    assert [one.top for one in tree] == ["0", "1", "2", "1", "1", "1", "1"]


def test_artefact_knows_its_bytes() -> None:
    """Size, hash, kinds and name are the content's and the container's."""
    (_, one) = walk(mixed(part(b"GIF89a", "image/png", name="é.gif")), Limits())
    assert (one.size, one.sha256) == (6, hashlib.sha256(b"GIF89a").hexdigest())
    assert (one.kind, one.declared_type, one.name) == ("gif", "image/png", "é.gif")


def test_depth_is_limited() -> None:
    """What lies too deep is there, closed, and says so."""
    raw = mixed(part(_archives(9), "application/zip", name="z.zip"))
    problems = _problems(raw)
    assert problems == {"1" + ".1" * 8: ["too-deep"]}
    assert len(walk(raw, Limits(depth=3))) == 5


def test_children_are_limited() -> None:
    """What is beyond the children of one artefact is left out, and that is said."""
    raw = mixed(*(b"Content-Type: text/plain\r\n\r\n%d" % n for n in range(5)))
    tree = walk(raw, Limits(children=3))
    assert len(tree) == 4
    assert [one.detail for one in tree[0].problems] == ["2 of 5 children left out"]


def test_artefacts_are_limited() -> None:
    """The number of artefacts of a mail counts all levels, shallow ones first."""
    inner = zipped(*((f"{n}", b"%d" % n) for n in range(5)))
    raw = mixed(part(inner, "application/zip", name="z.zip"), b"Content-Type: text/plain\r\n\r\nx")
    assert list(artefacts(raw, artefacts=5)) == ["0", "1", "2", "1.1", "1.2"]
    assert _problems(raw, artefacts=5) == {"1": ["too-many"]}


def test_size_of_an_artefact_is_limited() -> None:
    """A part that is too large is listed with its hash and stays closed."""
    raw = mixed(b"Content-Type: text/plain\r\n\r\n" + b"x" * 200)
    tree = walk(raw, Limits(artefact=100))
    assert [one.kind for one in tree[1].problems] == ["too-large"]
    assert (tree[1].size, tree[1].spans) == (200, ())


def test_unpacked_bytes_are_limited() -> None:
    """All that comes out of a mail counts."""
    raw = mixed(*(b"Content-Type: text/plain\r\n\r\n" + b"%d" % n * 90 for n in range(3)))
    assert list(artefacts(raw, unpacked=200)) == ["0", "1", "2"]
    assert _problems(raw, unpacked=200) == {"0": ["too-large"]}


def test_text_of_an_artefact_is_limited() -> None:
    """Text is cut at its budget, and that is said."""
    tree = walk(mail(b"x" * 5_000), Limits(artefact_text=1_000))
    assert [len(one.text) for one in tree[1].spans] == [1_000]
    assert [one.kind for one in tree[1].problems] == ["truncated-text"]


def test_text_of_a_mail_is_limited() -> None:
    """The texts of all artefacts share a budget."""
    raw = mixed(*(b"Content-Type: text/plain\r\n\r\n" + b"%d" % n * 900 for n in range(3)))
    tree = walk(raw, Limits(text=2_000))
    assert sum(len(span.text) for one in tree for span in one.spans) == 2_000


def test_duplicate_is_opened_once() -> None:
    """The same bytes are opened where they stand first; each place is an artefact."""
    archive = part(zipped(("a.txt", b"http://once.com/")), "application/zip", name="z.zip")
    raw = mixed(archive, archive)
    assert list(artefacts(raw)) == ["0", "1", "2", "1.1"]
    assert _problems(raw) == {"2": ["duplicate"]}


def test_same_bytes_in_another_charset_are_another_text() -> None:
    """A second reading of the same bytes is not taken for a duplicate."""
    body = "вход".encode("koi8-r")
    raw = mixed(
        b"Content-Type: text/plain; charset=cp1251\r\n\r\n" + body,
        b"Content-Type: text/plain; charset=koi8-r\r\n\r\n" + body,
    )
    assert [one.spans[0].text for one in walk(raw, Limits())[1:]] == ["ЧИПД", "вход"]


@pytest.mark.parametrize(
    ("name", "kinds"),
    [
        ("invoice.pdf", []),
        ("archive.tar.gz", []),
        ("report.final.docx", []),
        ("a/b/c.txt", []),
        ("invoice.pdf.exe", ["name-double-extension"]),
        ("invoice.pdf        .scr", ["name-double-extension"]),
        ("photo" + " " * 40 + ".exe", ["name-double-extension"]),
        ("..\\up.txt", ["name-traversal"]),
        ("/etc/passwd", ["name-traversal"]),
        ("c:x", ["name-traversal"]),
        ("cod\u202egpj.exe", ["name-bidi"]),
        ("aux", ["name-device"]),
        ("dir/NUL.txt", ["name-device"]),
        ("console.txt", []),
        ("a\0.txt", ["name-nul"]),
        ("a\x1b[31m.txt", ["name-control"]),
        ("x" * 256, ["name-long"]),
    ],
)
def test_tricks_of_names(name: str, kinds: list[str]) -> None:
    """Names that deceive a reader or a program are flagged; ordinary ones are not."""
    assert [one.kind for one in tricks.problems(name)] == kinds


def test_long_name_is_judged_quickly_and_kept_short() -> None:
    """A name of a megabyte is cut, and takes no time."""
    name = (".pdf " * 50_000) + "." * 50_000
    assert "name-long" in [one.kind for one in tricks.problems(name)]
    assert len(tricks.kept(name)) == tricks.LONGEST


def test_password_is_told_by_what_stands_behind_the_archive() -> None:
    """Of parts beside each other, those that may tell a password are read before archives."""
    inside = ("a.txt", b"http://some-place.com/")
    locked = sevenzipped("zip", inside, options=("-psesame-4711",))
    raw = mixed(
        part(locked, "application/zip", name="a.zip"),
        part(b"password: sesame-4711", "text/plain", name="readme.txt"),
    )
    (child,) = [one for one in walk(raw, Limits()) if one.parent == "1"]
    assert (child.name, child.data) == inside
