"""Archives: every mail of a file, a directory, a Maildir or an mbox is taken in, once."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

import pytest
from fixtures.workers import until

from tqimap_processor import admin, archive
from tqimap_shared.envelope import Envelope, Location
from tqimap_shared.errors import Never
from tqimap_shared.ledger import Ledger
from tqimap_shared.queue import open_queue
from tqimap_shared.settings import FILE_NAME, Worker


if TYPE_CHECKING:
    from pathlib import Path

    from fixtures.dovecot import Dovecot
    from redis import Redis

MOST = 1000


def mail(number: int, end: str = "\r\n") -> bytes:
    """Write a mail that differs from the others, with these line ends."""
    return end.join([f"Subject: {number}", "", "From here", f"number {number}", ""]).encode()


def found(path: Path) -> list[archive.Piece]:
    """Read all mails of *path*."""
    return [piece for file in archive.files(path) for piece in archive.pieces(file, most=MOST)]


def raws(path: Path) -> list[bytes]:
    """Read all mails of *path*, without faults."""
    pieces = found(path)
    assert not any(piece.fault for piece in pieces)
    return [piece.raw for piece in pieces]


def mbox(*mails: bytes) -> bytes:
    """Write an mbox as a mail system does."""
    lines = (one.replace(b"\r\n", b"\n").replace(b"\nFrom ", b"\n>From ") for one in mails)
    return b"".join(b"From a@b.example Thu Jan  1 00:00:00 2026\n%s\n" % one for one in lines)


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_a_file_is_a_mail_with_the_line_ends_of_a_server(tmp_path: Path, end: str) -> None:
    """So it is the same mail that was or will be fetched."""
    path = tmp_path / "one.eml"
    path.write_bytes(mail(1, end))
    assert raws(path) == [mail(1)]


def test_a_mail_with_odd_line_ends_stays_as_it_is(tmp_path: Path) -> None:
    """Its first line has a server's: the rest is its own."""
    path = tmp_path / "one.eml"
    path.write_bytes(odd := b"Subject: 1\r\n\r\nbare\nand more\r\n")
    assert raws(path) == [odd]


def test_an_mbox_is_cut_at_its_separators_only(tmp_path: Path) -> None:
    """Quoted and unquoted lines that begin with From belong to the mail; the last needs no end."""
    path = tmp_path / "archive"
    deep = b"Subject: deep\r\n\r\n\r\nFrom the beginning\r\n>From quoted\r\n"
    data = mbox(mail(1), deep.replace(b"\r\n>From", b"\r\n>>From"), mail(3))
    path.write_bytes(data.removesuffix(b"\n"))
    assert raws(path) == [mail(1), deep, mail(3)]


def test_a_large_mail_of_an_mbox_costs_no_more_than_the_limit(tmp_path: Path) -> None:
    """It is named by its number, and the mails around it come."""
    path = tmp_path / "archive"
    path.write_bytes(mbox(mail(1), b"Subject: large\r\n\r\n" + b"x" * 200_000 + b"\r\n", mail(3)))
    assert [(piece.number, piece.fault) for piece in found(path)] == [
        (1, ""),
        (2, archive.TOO_LARGE),
        (3, ""),
    ]


def test_a_maildir_gives_its_mails_and_nothing_else(tmp_path: Path) -> None:
    """Subfolders too; neither what is being delivered nor a server's indexes, nor links."""
    for number, place in enumerate(("cur", "new", "tmp", ".Spam/cur", ".Spam/new")):
        (tmp_path / place).mkdir(parents=True)
        (tmp_path / place / f"{number}.host:2,S").write_bytes(mail(number, "\n"))
    (tmp_path / "dovecot-uidlist").write_bytes(b"Subject: no mail\n")
    (tmp_path / "cur" / "link").symlink_to(tmp_path / "tmp" / "2.host:2,S")
    assert sorted(raws(tmp_path)) == [mail(0), mail(1), mail(3), mail(4)]


def test_what_is_no_mail_is_named(tmp_path: Path) -> None:
    """By what its first line is; an empty file is none either."""
    for name, data in (("a.eml", mail(1)), ("b.pdf", b"%PDF-1.7\n"), ("c", b""), ("d", b"\0" * 50)):
        (tmp_path / name).write_bytes(data)
    assert [piece.fault for piece in found(tmp_path)] == ["", *[archive.NO_MAIL] * 3]


def test_hostile_archives_are_read_in_linear_time(tmp_path: Path) -> None:
    """Twice as much of the worst takes about twice as long."""
    path = tmp_path / "archive"
    for worst in (b"\nFrom ", b"\n", b"\n\n>>>>>From ", b"From x " + b"1 " * 9, b"\r"):
        seconds = []
        for size in (100_000, 400_000):
            path.write_bytes(b"From a 2026\n" + worst * (size // len(worst)))
            began = time.process_time()
            assert found(path)
            seconds.append(time.process_time() - began)
        assert seconds[1] < 10 * seconds[0] + 0.2


def prepare(directory: Path, redis_url: str, more: str = "") -> None:
    """Write a tqimap.toml."""
    path = directory / FILE_NAME
    path.touch(0o600)
    path.write_text(f'[redis]\nurl = "{redis_url}"\n{more}')


@pytest.mark.redis
def test_what_is_submitted_is_admitted_enqueued_and_counted(
    tmp_path: Path, redis: Redis, redis_url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """A second time all of it is known."""
    prepare(tmp_path, redis_url, "[limits]\nraw = 1000\n")
    (tmp_path / "box").write_bytes(
        mbox(mail(1), mail(2), b"Subject: x\r\n\r\n" + b"x" * 2000 + b"\r\n")
    )
    (tmp_path / "one.eml").write_bytes(mail(2))
    command = ["submit", "-c", str(tmp_path), str(tmp_path / "box"), str(tmp_path / "one.eml")]
    assert admin.main(command) == 0
    said = capsys.readouterr()
    assert said.out == (
        "3 mails submitted: 2 new, 1 known, 0 done, 1 too large, 0 no mail, 0 unreadable\n"
    )
    assert f"{tmp_path / 'box'}, mail 3: too large" in said.err
    assert admin.main(command) == 0
    assert "0 new, 3 known" in capsys.readouterr().out
    worker = Worker()
    assert Ledger(redis, settings=worker).counts().open == 2
    assert open_queue(redis, worker).count == 2


@pytest.mark.redis
@pytest.mark.dovecot
def test_a_fetched_mail_is_known_in_an_archive(
    tmp_path: Path,
    redis: Redis,
    redis_url: str,
    dovecot: Dovecot,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The mail server's own Maildir holds the mail with other line ends than it gives it."""
    prepare(tmp_path, redis_url)
    user = dovecot.user()
    dovecot.append(user, mail(1))
    envelope = Envelope.seal(Location("m", "INBOX", 1, 1), dovecot.bodies(user)[1])
    Ledger(redis, settings=Worker()).admit([envelope])
    home = dovecot.directory / "mail" / user
    assert admin.main(["submit", "-c", str(tmp_path), str(home)]) == 0
    assert "0 new, 1 known" in capsys.readouterr().out


@pytest.mark.redis
def test_a_full_store_is_waited_for(
    tmp_path: Path, redis: Redis, redis_url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """No mail is admitted while the workers have enough; it goes on when they have done some."""
    prepare(tmp_path, redis_url, "open_mails = 2\n[fetch]\nadmit_messages = 2\n")
    (tmp_path / "box").write_bytes(mbox(*map(mail, range(4))))
    ledger = Ledger(redis, settings=Worker())
    command = ["submit", "-c", str(tmp_path), str(tmp_path / "box")]
    thread = threading.Thread(target=admin.main, args=(command,))
    thread.start()
    until(lambda: redis.exists("{tqimap}:fetch-held"), seconds=60)
    assert ledger.counts().open == 2
    for sha in list(ledger.unfinished(older=-1)):
        lease = ledger.lease(sha, owner="test")
        assert lease is not None
        lease.done({})
    thread.join(60)
    assert ledger.counts().open == 2
    said = capsys.readouterr()
    assert "waiting: 2 mails wait for the workers" in said.err
    assert "4 new" in said.out


def test_a_path_that_is_not_there_is_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """In one sentence, before anything is submitted, with the status of a final no."""
    (tmp_path / "one.eml").write_bytes(mail(1))
    paths = [str(tmp_path / name) for name in ("one.eml", "gone")]
    assert admin.main(["submit", "-c", str(tmp_path), *paths]) == Never.status
    assert "gone: is not there" in capsys.readouterr().err
