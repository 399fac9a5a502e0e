"""Searching: no answer grows with the folder, and no mail falls between two windows."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tqimap_fetcher.answer import windows
from tqimap_fetcher.mailbox import open_mailbox
from tqimap_fetcher.patience import ServerMisbehaved
from tqimap_shared.settings import Fetch


if TYPE_CHECKING:
    from collections.abc import Callable

    from fixtures.dovecot import Dovecot
    from fixtures.imap_script import ScriptedImap

SELECT = (
    b"* %d EXISTS\r\n* OK [PERMANENTFLAGS (\\Seen \\*)] ok\r\n* OK [UIDVALIDITY 7] ok\r\n"
    b"@ OK [READ-WRITE] done\r\n"
)


def search_keys(server: ScriptedImap) -> list[bytes]:
    """Return what came after SEARCH."""
    return [line.split(b"SEARCH ")[1].strip() for line in server.lines if b"SEARCH" in line]


@pytest.mark.dovecot
@pytest.mark.parametrize("size", [1, 3, 4, 12, 100])
def test_windows_of_any_size_find_the_same(dovecot: Dovecot, size: int) -> None:
    """Unread mails are found once each and in order, also across gaps between UIDs."""
    user = dovecot.user()
    dovecot.append(user, *[b"Subject: %d\r\n\r\n." % number for number in range(16)])
    with dovecot.client(user) as client:
        client.uid("STORE", "2,5:7", "+FLAGS", r"(\Deleted)")
        client.expunge()
        client.uid("STORE", "1,9", "+FLAGS", r"(\Seen)")
    with open_mailbox(dovecot.mailbox(user), Fetch(search_window=size)) as session:
        assert session.unseen() == [3, 4, 8, *range(10, 17)]


@pytest.mark.parametrize("exists", [0, 1])
def test_mails_beyond_what_the_server_claims_to_hold_are_found(
    imap_script: Callable[..., ScriptedImap], exists: int
) -> None:
    """What came since it was opened is in no count; the last window has no end."""
    server = imap_script({"SELECT": SELECT % exists})
    with open_mailbox(server.mailbox(), Fetch()) as session:
        assert session.unseen() == [1, 2]


def test_a_million_mails_are_searched_in_windows(
    imap_script: Callable[..., ScriptedImap],
) -> None:
    """Each command looks through so many mails, the last first and open to what has just come."""
    server = imap_script({"SELECT": SELECT % 1_000_000})
    with open_mailbox(server.mailbox(), Fetch(search_window=300_000)) as session:
        assert session.unseen() == [1, 2]
    assert search_keys(server) == [
        b"900001:* UNSEEN UNDELETED",
        b"600001:900000 UNSEEN UNDELETED",
        b"300001:600000 UNSEEN UNDELETED",
        b"1:300000 UNSEEN UNDELETED",
    ]


def test_a_folder_that_fits_is_searched_at_once(
    imap_script: Callable[..., ScriptedImap],
) -> None:
    """Up to a window's size the command is the one that every server has seen."""
    server = imap_script({"SELECT": SELECT % 100_000})
    with open_mailbox(server.mailbox(), Fetch()) as session:
        session.unseen()
    assert search_keys(server) == [b"UNSEEN UNDELETED"]


@pytest.mark.parametrize("exists", [0, 1, 9, 10, 11, 20, 21, 99, 100])
def test_windows_leave_nothing_out(exists: int) -> None:
    """Every sequence number is in one window, and none holds more than its size."""
    numbers: list[int] = []
    for window in windows(exists, 10):
        first, last = window[0].split(":") if window else ("1", "*")
        part = range(int(first), exists + 1 if last == "*" else int(last) + 1)
        assert len(part) <= 10
        numbers += part
    assert sorted(numbers) == list(range(1, exists + 1))


@pytest.mark.parametrize(
    "script",
    [{"SELECT": SELECT % 4_000_000_000}, {"SEARCH": b"* SEARCH 1 2 3 4 5 6\r\n@ OK done\r\n"}],
)
def test_a_folder_beyond_all_measure_is_refused(
    imap_script: Callable[..., ScriptedImap], script: dict[str, bytes]
) -> None:
    """Neither what a server claims to hold nor what it claims to find can take all memory."""
    with (
        pytest.raises(ServerMisbehaved, match=r"fetch\.max_folder"),
        open_mailbox(imap_script(script).mailbox(), Fetch(max_folder=5)) as session,
    ):
        session.unseen()
