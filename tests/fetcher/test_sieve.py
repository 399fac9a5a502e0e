"""Filters: what they let in, what they leave alone, and that this costs next to nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from fixtures.post import SEEN
from pydantic import ValidationError

from tqimap_fetcher import header
from tqimap_fetcher.sieve import fits
from tqimap_shared.folders import Folders
from tqimap_shared.settings import Mailbox


if TYPE_CHECKING:
    from collections.abc import Callable

    from fixtures.dovecot import Dovecot
    from fixtures.imap_script import ScriptedImap
    from fixtures.post import Post

FIELDS = (
    b"From: =?utf-8?q?B=C3=B6se?= <Eve@Mail.Partner.example>\r\n"
    b"To: SOC <soc@corp.example>,\r\n\tother@corp.example\r\n"
    b"Delivered-To: abuse@corp.example\r\n"
    b"Subject: =?utf-8?b?V2FybnVuZyDDvGJlcg==?= IOCs\r\n of today\r\n"
)


def mailbox(**filters: object) -> Mailbox:
    """Make a mailbox with these filters."""
    return Mailbox.model_validate(filters)


@pytest.mark.parametrize(
    ("filters", "wanted"),
    [
        ({}, True),
        ({"senders": ["eve@mail.partner.example"]}, True),
        ({"senders": ["eve@partner.example"]}, False),
        ({"senders": ["partner.example"]}, True),
        ({"senders": ["@partner.example"]}, False),
        ({"senders": ["@MAIL.partner.example", "x.example"]}, True),
        ({"senders": ["!partner.example"]}, False),
        ({"senders": ["partner.example", "!eve@mail.partner.example"]}, False),
        ({"senders": ["artner.example"]}, False),
        ({"recipients": ["other@corp.example"]}, True),
        ({"recipients": ["abuse@corp.example"]}, True),
        ({"recipients": ["ceo@corp.example"]}, False),
        ({"subjects": ["warnung ÜBER iocs of"]}, True),
        ({"subjects": ["nothing", "IOC"]}, True),
        ({"subjects": ["!warnung"]}, False),
        ({"subjects": ["/warnung .* today/"]}, True),
        ({"subjects": ["/warnung/"]}, False),
        ({"senders": ["partner.example"], "subjects": ["nothing"]}, False),
    ],
)
def test_who_and_what_is_let_in(filters: dict[str, object], wanted: bool) -> None:  # noqa: FBT001
    """Addresses are whole, domains stand for what is below them, ! refuses, all filters count."""
    assert fits(mailbox(**filters), header.words(FIELDS)) is wanted


def test_a_name_beside_an_address_is_no_address() -> None:
    """Only what stands in angle brackets is, where there are any."""
    words = header.words(b'From: "boss@corp.example" <eve@evil.example>\r\n')
    assert words.senders == {"eve@evil.example"}


@pytest.mark.parametrize("subject", ["/(a+)+b/", "/a.*b.*c/", "/(/"])
def test_a_slow_expression_is_no_filter(subject: str) -> None:
    """Attackers write subjects: what could be slow is refused with the settings."""
    with pytest.raises(ValidationError, match="subjects"):
        mailbox(subjects=[subject])


@pytest.mark.parametrize(
    "piece", [b"<", b"=?utf-8?q?", b"=?x?b?a?= ", b"a@", b"(", b"\t", b"\r\n ", b'"', b"\xff,"]
)
def test_hostile_headers_are_read_in_linear_time(piece: bytes) -> None:
    """Whatever stands there, it is read without an error and without much work."""
    for name in (b"From: ", b"To: ", b"Subject: "):
        most = header.LONGEST_TO if name == b"To: " else header.LONGEST_FROM
        assert header.words(name + piece * (most // len(piece)) + b"\r\n") is not None


@pytest.mark.dovecot
@pytest.mark.redis
def test_filtered_mails_are_left_untouched_and_counted(
    dovecot: Dovecot, user: str, post: Post
) -> None:
    """They stay unread and unmarked, are told in the state file, and need no second look."""
    big = b"From: a@good.example\r\nSubject: big\r\n\r\n" + b"x" * 3000
    dovecot.append(user, b"From: a@good.example\r\nSubject: yes\r\n\r\nx\r\n", big)
    dovecot.append(user, b"From: b@bad.example\r\nSubject: no\r\n\r\nx\r\n")
    with dovecot.client(user) as client:
        old = b"From: a@good.example\r\nSubject: old\r\n\r\nx\r\n"
        assert client.append("INBOX", "", '"01-Jan-2020 00:00:00 +0000"', old)[0] == "OK"
    filters = {"senders": ["good.example"], "max_size": 2000, "max_age": 30}
    post.mailbox = dovecot.mailbox(user, **filters)
    for _ in range(2):
        post.fetch()
        assert (post.noted("filtered"), post.noted("left")) == (3, 0)
    assert [bool(flags) for flags in dovecot.flags(user).values()] == [True, False, False, False]
    assert post.open() == 1
    post.mailbox = dovecot.mailbox(user)
    post.fetch()
    assert post.open() == 4


@pytest.mark.dovecot
@pytest.mark.redis
def test_a_filtered_mail_that_a_person_reads_is_not_taken_in(
    dovecot: Dovecot, user: str, post: Post
) -> None:
    """The daily look for read mails that are nowhere obeys the filters."""
    post.mailbox = dovecot.mailbox(user, subjects=["wanted"])
    post.fetch()
    dovecot.append(user, b"Subject: other\r\n\r\nx\r\n", b"Subject: wanted\r\n\r\nx\r\n")
    post.fetch()
    with dovecot.client(user) as client:
        client.uid("STORE", "1", "+FLAGS", f"({SEEN})")
    for _ in range(2):
        Folders(post.redis).want_audit()
        post.fetch()
    assert post.open() == 1
    assert post.noted("filtered") == 1


@pytest.mark.redis
def test_bodies_of_filtered_mails_are_never_asked_for(
    imap_script: Callable[..., ScriptedImap], post: Post
) -> None:
    """A header is asked for once; a server's odd way to write it does not matter."""
    answer = (
        b'* 1 FETCH (BODY[HEADER.FIELDS ("FROM" "SENDER" "SUBJECT")]<0> {16}\r\n'
        b"Subject: one\r\n\r\n UID 1)\r\n"
        b'* 2 FETCH (UID 2 BODY[HEADER.FIELDS (FROM SENDER SUBJECT)]<0> "Subject: two")\r\n'
        b"@ OK done\r\n"
    )
    server = imap_script({"HEADER": answer})
    post.mailbox = server.mailbox(subjects=["two"])
    post.fetch()
    post.fetch()
    asked = b"".join(server.lines)
    assert asked.count(b"FETCH 1:2 (UID BODY.PEEK[HEADER.FIELDS") == 1
    assert asked.count(b"FETCH 2 (UID BODY.PEEK[HEADER.FIELDS") == 1
    assert asked.count(b"FETCH 2 (UID BODY.PEEK[])") == 2
    assert b"1:2 (UID BODY.PEEK[])" not in asked


@pytest.mark.dovecot
@pytest.mark.redis
def test_filters_do_not_keep_a_run_from_its_limit(dovecot: Dovecot, user: str, post: Post) -> None:
    """Many filtered mails in front cost nothing of it, and what follows is counted as left."""
    dovecot.append(user, *[b"Subject: no %d\r\n\r\nx\r\n" % number for number in range(5)])
    dovecot.append(user, *[b"Subject: yes %d\r\n\r\nx\r\n" % number for number in range(3)])
    post.mailbox = dovecot.mailbox(user, subjects=["yes"], max_messages=2)
    post.fetch()
    facts = [post.noted(name) for name in ("fetched", "filtered", "left", "unseen")]
    assert facts == [2, 5, 1, 3]
