"""A run of one mailbox: everything arrives once, and nothing is marked before it is safe."""

from __future__ import annotations

import hashlib
import random
import time
from typing import TYPE_CHECKING

import pytest

from tqimap_fetcher.fetch import Tally, fetch, plan
from tqimap_fetcher.mailbox import open_mailbox
from tqimap_fetcher.pipeline import Batch
from tqimap_shared.errors import TryLater
from tqimap_shared.settings import Fetch, Limits


if TYPE_CHECKING:
    import imaplib
    from collections.abc import Callable, Sequence

    from fixtures.dovecot import Dovecot

    from tqimap_shared.envelope import Envelope

pytestmark = pytest.mark.dovecot

SEEN = r"\Seen"


def mail(number: int, size: int = 40) -> bytes:
    """Write a small mail that differs from the others."""
    return b"Subject: %d\r\n\r\n" % number + b"x" * size + b"\r\n"


class Store:
    """Where admitted mails go: groups in the order of their coming."""

    def __init__(self) -> None:
        self.groups: list[Sequence[Envelope]] = []

    def admit(self, group: Sequence[Envelope]) -> None:
        """Take *group*."""
        self.groups.append(group)

    @property
    def envelopes(self) -> list[Envelope]:
        """All mails so far."""
        return [envelope for group in self.groups for envelope in group]

    @property
    def uids(self) -> list[int]:
        """Their UIDs."""
        return [envelope.location.uid for envelope in self.envelopes]


def run(
    dovecot: Dovecot,
    user: str,
    admit: Callable[[Sequence[Envelope]], None],
    *,
    settings: Fetch | None = None,
    limits: Limits | None = None,
    held: Callable[[], str | None] = lambda: None,
) -> Tally:
    """Fetch once from *user*'s INBOX."""
    settings = settings or Fetch()
    with open_mailbox(dovecot.mailbox(user), settings) as session:
        return fetch(
            session,
            admit,
            settings=settings,
            limits=limits or Limits(),
            held=held,
        )


def test_each_unread_mail_is_handed_over_and_then_marked(dovecot: Dovecot) -> None:
    """Unread mails come oldest first with their location, and are Seen afterwards."""
    user, store = dovecot.user(), Store()
    dovecot.append(user, *[mail(number) for number in range(150)])
    dovecot.append(user, mail(999), flags=SEEN)
    tally = run(dovecot, user, store.admit)
    assert tally == Tally(150, 150, sum(len(mail(n)) for n in range(150)), 0, 0, 0)
    assert store.uids == list(range(1, 151))
    assert {one.location.mailbox for one in store.envelopes} == {"test"}
    assert {one.location.folder for one in store.envelopes} == {"INBOX"}
    assert len({one.location.uidvalidity for one in store.envelopes}) == 1
    flags = dovecot.flags(user)
    assert flags.pop(151) == {SEEN}
    assert all(one == {SEEN, "$tqimap-taken"} for one in flags.values())
    assert run(dovecot, user, store.admit) == Tally(0, 0, 0, 0, 0, 0)


def odd_mails() -> list[bytes]:
    """Write mails that a tidy program would change on the way."""
    dice = random.Random(7)
    mails = [
        b"Subject: bare\n\nlines\nend\n",
        b"Subject: mixed\r\n\nlines\r\nend",
        b"Subject: nul\r\n\r\na\0b\0\0c\r\n",
        b"Subject: \xe4\xf6\xfc\xff\r\n\r\n\x80\x81\xfe\r\n",
        b"\r\n\r\n",
        b"no header at all",
        b"Subject: long\r\n\r\n" + b"y" * 70_000 + b"\r\n",
        b"Subject: paren) {5}\r\n\r\n)\r\nA1 OK done\r\n* 1 FETCH (UID 1 BODY[] NIL)\r\n",
    ]
    for number in range(300):
        body = dice.randbytes(dice.randrange(1, 6000)).replace(b"\r", b"")
        mails.append(b"Subject: %d\r\n\r\n" % number + body)
    return mails


def test_bytes_are_what_the_server_gives_one_by_one(dovecot: Dovecot) -> None:
    """300 mails with 8-bit bytes, NUL and bare line feeds have the SHA-256 of a plain fetch."""
    user, store = dovecot.user(), Store()
    dovecot.drop(user, *odd_mails())
    run(dovecot, user, store.admit)
    expected = {uid: hashlib.sha256(body).hexdigest() for uid, body in dovecot.bodies(user).items()}
    assert len(expected) == 309
    assert {one.location.uid: one.sha256 for one in store.envelopes} == expected
    assert all(hashlib.sha256(one.raw).hexdigest() == one.sha256 for one in store.envelopes)


def test_a_failing_store_leaves_its_mails_unread(dovecot: Dovecot) -> None:
    """Mails are marked group by group: those of the failed group and later ones stay unread."""
    user, store = dovecot.user(), Store()
    dovecot.append(user, *[mail(number) for number in range(50)])

    def admit(group: Sequence[Envelope]) -> None:
        if len(store.groups) == 2:
            raise TryLater("Redis", "is away.")
        store.admit(group)

    with pytest.raises(TryLater, match="Redis"):
        run(dovecot, user, admit, settings=Fetch(admit_messages=10))

    unread = {uid for uid, one in dovecot.flags(user).items() if SEEN not in one}
    # the run hung up without waiting for the marks of what is safe: the server may have lost them
    assert unread >= set(range(21, 51))


def test_mails_are_unread_while_they_are_being_admitted(dovecot: Dovecot) -> None:
    """When admit is called, no mail of its group is marked yet."""
    user = dovecot.user()
    seen: list[set[str]] = []
    dovecot.append(user, *[mail(number) for number in range(30)])

    def admit(group: Sequence[Envelope]) -> None:
        flags = dovecot.flags(user)
        seen.extend(flags[one.location.uid] for one in group)

    run(dovecot, user, admit, settings=Fetch(admit_messages=10, batch_messages=10))
    assert seen == [set()] * 30


def test_groups_keep_to_their_limits(dovecot: Dovecot) -> None:
    """No group exceeds the messages or bytes allowed, but for one mail that alone is larger."""
    user, store = dovecot.user(), Store()
    sizes = [100, 100, 100, 5000, 100, 900, 900, 100]
    dovecot.append(user, *[mail(number, size) for number, size in enumerate(sizes)])
    run(dovecot, user, store.admit, settings=Fetch(admit_messages=3, admit_bytes=1500))
    assert [len(group) for group in store.groups] == [3, 1, 2, 2]
    assert store.uids == list(range(1, 9))


def test_a_run_ends_at_its_message_limit(dovecot: Dovecot) -> None:
    """The rest is left unread, and the next run goes on with it."""
    user, store = dovecot.user(), Store()
    dovecot.append(user, *[mail(number) for number in range(25)])
    settings = Fetch(max_messages=10)
    left = [run(dovecot, user, store.admit, settings=settings).left for _ in range(3)]
    assert left == [15, 5, 0]
    assert store.uids == list(range(1, 26))


def test_a_run_ends_at_its_byte_limit(dovecot: Dovecot) -> None:
    """Mails beyond the bytes of one run wait, and even a larger mail comes in some run."""
    user, store = dovecot.user(), Store()
    dovecot.append(user, *[mail(number, 400) for number in range(4)], mail(9, 5000))
    settings = Fetch(max_bytes=1000)
    left = [run(dovecot, user, store.admit, settings=settings).left for _ in range(3)]
    assert left == [3, 1, 0]


def test_a_run_ends_when_its_time_is_over(dovecot: Dovecot) -> None:
    """No new batch is asked for after max_seconds; what was asked for still arrives."""
    user, store = dovecot.user(), Store()
    dovecot.append(user, *[mail(number) for number in range(20)])

    def slowly(group: Sequence[Envelope]) -> None:
        store.admit(group)
        time.sleep(0.3)

    settings = Fetch(max_seconds=0.2, batch_messages=2, admit_messages=2, window=1)
    tally = run(dovecot, user, slowly, settings=settings)
    assert 0 < tally.fetched < 20
    assert tally.left == 20 - tally.fetched
    assert sum(SEEN in one for one in dovecot.flags(user).values()) == tally.fetched


def test_back_pressure_ends_the_run_and_says_why(dovecot: Dovecot) -> None:
    """When downstream is full, fetching stops before the next batch with its reason."""
    user, store = dovecot.user(), Store()
    dovecot.append(user, *[mail(number) for number in range(20)])
    answers = iter([None, None])
    settings = Fetch(batch_messages=5)
    tally = run(
        dovecot, user, store.admit, settings=settings, held=lambda: next(answers, "Redis is full")
    )
    assert (tally.held, tally.fetched, tally.left) == ("Redis is full", 10, 10)
    assert sum(SEEN in one for one in dovecot.flags(user).values()) == 10


def test_an_oversize_mail_is_cut_and_reported(
    dovecot: Dovecot, caplog: pytest.LogCaptureFixture
) -> None:
    """Of a mail over limits.raw just that much arrives, with a warning that names its UID."""
    user, store = dovecot.user(), Store()
    dovecot.append(user, mail(1), mail(2, 9000), mail(3))
    tally = run(dovecot, user, store.admit, limits=Limits(raw=1000))
    assert (tally.fetched, tally.oversize, tally.left) == (3, 1, 0)
    assert store.envelopes[1].raw == mail(2, 9000)[:1000]
    assert [one.raw for one in store.envelopes[::2]] == [mail(1), mail(3)]
    assert f"UID 2 has {len(mail(2, 9000))} bytes" in caplog.text


def test_a_mail_that_vanishes_is_skipped_and_counted(dovecot: Dovecot) -> None:
    """Mails that another client expunges during the run are counted as missing, not marked."""
    user, store = dovecot.user(), Store()
    dovecot.append(user, *[mail(number) for number in range(10)])

    def expunge(client: imaplib.IMAP4) -> None:
        client.uid("STORE", "7:10", "+FLAGS", r"(\Deleted)")
        client.expunge()

    def admit(group: Sequence[Envelope]) -> None:
        if not store.groups:
            with dovecot.client(user) as client:
                expunge(client)
        store.admit(group)

    settings = Fetch(batch_messages=2, admit_messages=2, window=1)
    tally = run(dovecot, user, admit, settings=settings)
    assert tally.unseen == 10
    assert tally.missing == 10 - tally.fetched
    assert tally.missing == 4  # up to one group beyond the one being admitted was fetched
    assert tally.left == 0


@pytest.mark.parametrize(
    ("sizes", "batches"),
    [
        ([], []),
        ([10], [Batch((1,), 10)]),
        ([10, 10, 10], [Batch((1, 2), 20), Batch((3,), 10)]),
        ([90, 20, 5], [Batch((1,), 90), Batch((2, 3), 25)]),
        ([5, 900, 5], [Batch((1,), 5), Batch((2,), 500, part=500), Batch((3,), 5)]),
        ([300, 5], [Batch((1,), 300), Batch((2,), 5)]),
        ([0, 0, 0], [Batch((1, 2), 0), Batch((3,), 0)]),
        ([400, 400, 400, 1], [Batch((1,), 400), Batch((2,), 400)]),
    ],
)
def test_batches_are_cut_by_bytes_and_count(sizes: list[int], batches: list[Batch]) -> None:
    """A batch takes what fits; a large mail stands alone; the run's bytes end the plan."""
    settings = Fetch(batch_bytes=100, batch_messages=2, max_bytes=1000)
    found = plan(dict(enumerate(sizes, 1)), settings=settings, whole=500)
    assert list(found) == batches
