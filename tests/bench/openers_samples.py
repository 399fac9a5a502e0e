"""The files that the benchmark of the openers reads: a given folder's, or generated ones."""

from __future__ import annotations

import base64
import binascii
import email
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from bench.letters import letters
from fixtures.archive_cases import ARCHIVES
from fixtures.built_documents import DOCUMENTS
from fixtures.built_mail import mixed, part, zipped
from fixtures.small_cases import SMALL

from tqimap_processor import charset, inlined
from tqimap_processor.detect import detect
from tqimap_processor.openers import sevenzip


if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

ARCHIVE_FAMILIES = {
    "zip": ("zip", "jar", "apk", "epub"),
    "7z": ("7z",),
    "rar": ("rar",),
    "tar and compressions": ("tar", "gzip", "bzip2", "xz", "zstd", "compress"),
}
_OTHERS = "other archives"
_FAMILY = {kind: family for family, kinds in ARCHIVE_FAMILIES.items() for kind in kinds}
_BASE64 = re.compile(rb"[A-Za-z0-9+/=\s]{64,}")


@dataclass(slots=True)
class Samples:
    """Files by what is measured on them. *every* is a mail of each, itself or around it."""

    mails: list[Path] = field(default_factory=list)
    pdfs: list[Path] = field(default_factory=list)
    pages: list[Path] = field(default_factory=list)
    archives: dict[str, list[Path]] = field(default_factory=dict)
    every: list[Path] = field(default_factory=list)


def gather(folder: Path | None, into: Path, generated: int) -> Samples:
    """Sort the files below *folder*, or else *generated* mails and a file of each format.

    Copies go *into* that directory, with numbers before their names.
    """
    samples = Samples()
    files = _below(folder) if folder else _made(generated)
    for number, (name, data) in enumerate(files):
        _add(samples, data, into, f"{number:05} {name}")
    return samples


def _below(folder: Path) -> Iterator[tuple[str, bytes]]:
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        yield "_".join(path.relative_to(folder).parts), _plain(path.read_bytes())


def _made(count: int) -> Iterator[tuple[str, bytes]]:
    for number, raw in enumerate(letters(count)):
        yield f"letter-{number}.eml", raw
    for kind, data in {**DOCUMENTS, **ARCHIVES, **SMALL, "zip": zipped(("a", b"b"))}.items():
        yield f"case.{kind}", data


def _plain(data: bytes) -> bytes:
    """Undo the letters in which hostile files are kept from scanners: base64, uuencode."""
    if data.startswith(b"begin "):
        return next((content for _, content in inlined.files(data)), data)
    if _BASE64.fullmatch(data):
        try:
            return base64.b64decode(data, validate=False)
        except binascii.Error:
            return data
    return data


def _add(samples: Samples, data: bytes, into: Path, name: str) -> None:
    kind = detect(data)
    is_mail = kind == "mail" or (
        name.endswith((".eml", ".txt")) and detect(data, "message/rfc822") == "mail"
    )
    path = _written(into / "files", name, data)
    if is_mail:
        samples.mails.append(path)
        samples.every.append(path)
        for number, page in enumerate(_bodies(data)):
            samples.pages.append(_written(into / "pages", f"{name}.{number}", page))
        return
    carried = mixed(part(data, "application/octet-stream", name=name.partition(" ")[2]))
    samples.every.append(_written(into / "mails", name, carried))
    if kind == "pdf":
        samples.pdfs.append(path)
    elif kind == "html":
        page = charset.decode(data).encode("utf-8", "replace")
        samples.pages.append(_written(into / "pages", name, page))
    elif kind in sevenzip.KINDS or kind in _FAMILY:
        samples.archives.setdefault(_FAMILY.get(kind, _OTHERS), []).append(path)


def _bodies(raw: bytes) -> Iterator[bytes]:
    for one in email.message_from_bytes(raw).walk():
        if one.get_content_type() == "text/html" and not one.is_multipart():
            data = one.get_payload(decode=True)
            if isinstance(data, bytes):
                text = charset.decode(data, one.get_content_charset() or "")
                yield text.encode("utf-8", "replace")


def _written(folder: Path, name: str, data: bytes) -> Path:
    folder.mkdir(exist_ok=True)
    path = folder / name[:200].replace("\n", " ")
    path.write_bytes(data)
    return path
