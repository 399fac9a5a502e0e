"""Attachments kept as files below the directory of -f and --files."""

from __future__ import annotations

import os
import resource
import signal
import stat
from typing import TYPE_CHECKING

import pytest
from fixtures.reports import artefact, report

from tqimap_processor.attachments import keep
from tqimap_shared.errors import NotWritable
from tqimap_shared.settings import Files


if TYPE_CHECKING:
    from pathlib import Path


def kept(root: Path) -> dict[str, bytes]:
    """Read all files below *root*."""
    return {
        str(path.relative_to(root)): path.read_bytes() for path in root.rglob("*") if path.is_file()
    }


def test_each_attachment_is_a_file_under_its_content(tmp_path: Path) -> None:
    """The path holds the content's sha256, only the owner may read, bodies are not kept."""
    pdf = artefact("2", "invoice.pdf", b"%PDF")
    nested = artefact("2.1", "inner.bin", b"inner")
    keep(report(pdf, nested), Files(root=tmp_path, name="files/"))
    sha = pdf.sha256
    assert kept(tmp_path) == {f"files/{sha[:2]}/{sha}/invoice.pdf": b"%PDF"}
    path = tmp_path / "files" / sha[:2] / sha / "invoice.pdf"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


def test_without_a_root_nothing_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Attachments are kept only where -f says."""
    monkeypatch.chdir(tmp_path)
    keep(report(artefact("2", "a", b"x")), Files())
    assert not kept(tmp_path)


def test_a_file_that_is_there_stays_as_it_is(tmp_path: Path) -> None:
    """A second delivery of the same attachment changes nothing."""
    one = report(artefact("2", "a.bin", b"x"))
    keep(one, Files(root=tmp_path))
    (path,) = (tmp_path / name for name in kept(tmp_path))
    os.utime(path, (1, 1))
    keep(one, Files(root=tmp_path))
    assert path.stat().st_mtime == 1


@pytest.mark.parametrize(
    "name", ["../../../../../../tmp/x", "/etc/cron.d/x", "..", "", "a\0b", "..\\..\\x", "x" * 4000]
)
def test_no_name_leads_out_of_the_root(tmp_path: Path, name: str) -> None:
    """Whatever a mail calls its attachment, the file is below its own content's directory."""
    root = tmp_path / "root"
    root.mkdir()
    one = artefact("2", name, b"x")
    keep(report(one), Files(root=root))
    (path,) = kept(tmp_path)
    assert path.startswith(f"root/files/{one.sha256[:2]}/{one.sha256}/")


def test_a_link_in_the_way_is_not_followed(tmp_path: Path) -> None:
    """A symbolic link where the file should be is left alone, and so is what it points to."""
    one = artefact("2", "a", b"x")
    directory = tmp_path / "files" / one.sha256[:2] / one.sha256
    directory.mkdir(parents=True)
    (directory / "a").symlink_to(tmp_path / "elsewhere")
    keep(report(one), Files(root=tmp_path))
    assert not (tmp_path / "elsewhere").exists()


def test_a_missing_root_is_told(tmp_path: Path) -> None:
    """The root is the operator's to make; a wrong path must not be created."""
    with pytest.raises(NotWritable, match=r"nowhere.*create it first"):
        keep(report(artefact("2", "a", b"x")), Files(root=tmp_path / "nowhere"))


def test_an_unusable_directory_is_told(tmp_path: Path) -> None:
    """A file where the directory should be stops the process with a sentence."""
    (tmp_path / "files").write_text("in the way")
    with pytest.raises(NotWritable, match="cannot be written"):
        keep(report(artefact("2", "a", b"x")), Files(root=tmp_path))


def test_a_write_that_fails_leaves_nothing_behind(tmp_path: Path) -> None:
    """A limit on the file's size stands in for a disk's end."""
    one = artefact("2", "a", b"x" * 10_000)
    directory = tmp_path / "files" / one.sha256[:2] / one.sha256
    old = resource.getrlimit(resource.RLIMIT_FSIZE)
    before = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, old[1]))
    try:
        with pytest.raises(NotWritable, match="File too large"):
            keep(report(one), Files(root=tmp_path))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, old)
        signal.signal(signal.SIGXFSZ, before)
    assert list(directory.iterdir()) == []
