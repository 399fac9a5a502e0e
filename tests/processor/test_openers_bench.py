"""The benchmark of the openers: what it takes for a link, and readers that die over a file."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from bench.openers_samples import gather
from bench.openers_serving import ask, links
from fixtures.built_archives import tarred
from fixtures.built_documents import DOCUMENTS
from fixtures.built_mail import mail, zipped


if TYPE_CHECKING:
    from pathlib import Path

_PROGRAM = """
import os, signal, sys
from bench.openers_serving import serve
def read(data):
    print("chatter")
    {b"raise": lambda: 1 / 0, b"die": os.abort,
     b"hang": lambda: signal.raise_signal(signal.SIGALRM)}.get(data, int)()
    return [data.decode()]
serve({"one": lambda: read})
"""


def test_a_reader_that_dies_costs_one_file(tmp_path: Path) -> None:
    """Whatever a reader does over a file, the others are read, and how it failed is told."""
    files = [tmp_path / str(number) for number in range(5)]
    for file, word in zip(files, ("a", "raise", "die", "hang", "b"), strict=True):
        file.write_text(word)
    answers = ask([sys.executable, "-c", _PROGRAM, "one"], files, 60)
    assert [answers[one].error for one in files] == [
        "",
        "ZeroDivisionError",
        "dies (-6)",
        "hangs",
        "",
    ]
    assert [answers[one].found for one in files] == [("a",), (), (), (), ("b",)]


def test_links_are_compared_as_all_can_spell_them() -> None:
    """Entities are undone, scheme and host are in lower case, what ends a sentence is no part."""
    text = "see HTTP://A.com/Bc?d&amp;e=1, (https://b.com) and &lt;http://c.com/x&gt;."
    assert links(text) == {"http://a.com/Bc?d&e=1", "https://b.com", "http://c.com/x"}


def test_samples_are_sorted_by_content(tmp_path: Path) -> None:
    """Each file is measured as what it is; in the run for the worker, mails carry the others."""
    given, into = tmp_path / "given", tmp_path / "into"
    given.mkdir()
    into.mkdir()
    for name, data in {
        "a": mail(b"<a href=http://a.com/>", "text/html"),
        "b": DOCUMENTS["pdf"],
        "c": zipped(("a", b"b")),
        "d": tarred(("a", b"b")),
        "e": b"words",
    }.items():
        (given / name).write_bytes(data)
    samples = gather(given, into, 0)
    assert [one.name for one in samples.mails] == ["00000 a"]
    assert [one.read_bytes() for one in samples.pages] == [b"<a href=http://a.com/>"]
    assert [one.name for one in samples.pdfs] == ["00001 b"]
    assert {family: len(some) for family, some in samples.archives.items()} == {
        "zip": 1,
        "tar and compressions": 1,
    }
    assert [b"words" in one.read_bytes() or b"d29yZHM" in one.read_bytes()
            for one in samples.every] == [False, False, False, False, True]  # fmt: skip
