"""A mailbox as people have them, on a real Dovecot: sizes lognormal, and one mail that is huge."""

from __future__ import annotations

import base64
import os
import random
import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bench.letters import WORDS
from fixtures.dovecot import mail_owner


if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from fixtures.dovecot import Dovecot

LEAST, MOST, HUGE = 4_000, 2_000_000, 25_000_000
MEDIAN, SPREAD = 9.8, 1.44  # of the logarithm: 18 KB, nine in ten under 114 KB
WRITTEN = 20_000  # bytes of a mail that somebody wrote; what is more was attached


@dataclass(frozen=True, slots=True)
class Mails:
    """Mails as files, with the sizes they have on the line."""

    files: Sequence[Path]
    sizes: Sequence[int]

    @property
    def octets(self) -> int:
        """What all have on the line."""
        return sum(self.sizes)

    def some(self, count: int) -> Mails:
        """Return *count* of them, from everywhere among them; the huge one is not among these."""
        numbers = range(0, len(self.files) - 1, max(1, len(self.files) // count))[:count]
        return Mails([self.files[one] for one in numbers], [self.sizes[one] for one in numbers])

    def put(self, dovecot: Dovecot, user: str) -> None:
        """Give *user* these mails, unread, as an INBOX of its own; they are linked, not copied."""
        new = dovecot.directory / "mail" / user / "new"
        for directory in (new.parent, new, new.parent / "cur", new.parent / "tmp"):
            directory.mkdir(exist_ok=True)
            shutil.chown(directory, *mail_owner())
        for file in self.files:
            os.link(file, new / file.name)
        with dovecot.client(user) as client:  # Dovecot makes its index now, as for any old mailbox
            client.uid("FETCH", "1:*", "(UID RFC822.SIZE)")


def make(count: int, dovecot: Dovecot) -> Mails:
    """Write *count* mails, the same every time, the last of them huge; lines end as on Unix."""
    directory = dovecot.directory / "mails"
    directory.mkdir()
    dice = random.Random("mailbox")
    text = _text(dice)
    files, sizes = [], []
    for number in range(count):
        size = HUGE if number == count - 1 else _size(dice)
        raw = b"".join(_mail(number, size, text, dice))
        octets = len(raw) + raw.count(b"\n")
        # Dovecot writes sizes into names, too
        path = directory / f"{1_700_000_000 + number}.M1P1.bench,S={len(raw)},W={octets}"
        path.write_bytes(raw)
        shutil.chown(path, *mail_owner())
        files.append(path)
        sizes.append(octets)
    return Mails(files, sizes)


def _size(dice: random.Random) -> int:
    return int(min(max(dice.lognormvariate(MEDIAN, SPREAD), LEAST), MOST))


def _text(dice: random.Random) -> bytes:
    return " ".join(dice.choices(WORDS, k=200_000)).encode()


def _mail(number: int, size: int, text: bytes, dice: random.Random) -> Iterator[bytes]:
    yield b"From: a@example.com\nSubject: %d\nMIME-Version: 1.0\n" % number
    yield b'Content-Type: multipart/mixed; boundary="b"\n\n--b\nContent-Type: text/plain\n\n'
    written = min(size, WRITTEN)
    start = dice.randrange(len(text) - written)
    for at in range(start, start + written, 72):
        yield text[at : at + 72] + b"\n"
    if size > written:
        yield b"\n--b\nContent-Type: application/octet-stream\n"
        yield b"Content-Transfer-Encoding: base64\n\n"
        yield base64.encodebytes(dice.randbytes(int((size - written) / 1.37)))
    yield b"\n--b--\n"
