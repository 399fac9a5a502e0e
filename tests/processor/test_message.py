"""The envelope of a mail, and the limits that decide whether it is parsed."""

from __future__ import annotations

from datetime import UTC, datetime
from time import process_time

import pytest
from fixtures.built_mail import HEAD, artefacts, mail, report
from fixtures.clock import untraced

from tqimap_processor.message import clean, envelope, over_limit
from tqimap_shared.settings import Limits


LIMITS = Limits()


def test_envelope_reads_addresses_subject_and_date() -> None:
    """The envelope holds bare addresses, decoded texts and the date in UTC."""
    raw = (
        b"From: =?utf-8?Q?J=C3=BCrgen?= <j@evil-house.com>\r\n"
        b"To: Ann <ann@our-place.net>, bob@our-place.net\r\nCc: eve@else-where.org\r\n"
        b"Delivered-To: ann@our-place.net\r\nMessage-ID: <7@evil-house.com>\r\n"
        b"Subject: =?utf-8?Q?J=C3=BCrgen?= hello\r\nDate: Mon, 1 Jan 2024 10:00:00 +0200\r\n\r\nx"
    )
    message = envelope(raw, LIMITS)
    assert message.sender == "j@evil-house.com"
    assert message.recipients == ("ann@our-place.net", "bob@our-place.net", "eve@else-where.org")
    assert message.message_id == "<7@evil-house.com>"
    assert message.subject == "Jürgen hello"
    assert message.date == datetime(2024, 1, 1, 8, tzinfo=UTC)
    assert message.size == len(raw)


def test_envelope_reads_every_field_of_a_name() -> None:
    """Recipients are taken from all fields To and Cc: a mail that was sent again has several."""
    raw = b"To: Ann <ann@our-place.net>\r\nCc: (\r\nTo: bob@our-place.net\r\nCc: e@f.org\r\n\r\nx"
    message = envelope(raw, LIMITS)
    assert message.recipients == ("ann@our-place.net", "bob@our-place.net", "e@f.org")


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"\0\0\0",
        b"no header at all",
        b"From: \0<a@b\0.com>\r\nDate: \0\r\n\r\n",
        b"Subject: =?\0?Q?x?=\r\nTo: =?\0?b?x?= <\xff@\xfe>\r\n\r\n",
        b"Content-Type: message/rfc822\r\n\r\nContent-Type: multipart/mixed; boundary=no\r\n\r\n",
        b"Date: Mon, 99 Foo 99999 99:99:99 +9999\r\nFrom: (((((\r\nTo: <<<<>,;:\r\n\r\n",
        b"From: a@b.com\r\nFrom: c@d.com\r\nSubject: a\r\nSubject: b\r\nDate: x\r\nDate: y\r\n\r\n",
    ],
)
def test_envelope_survives_hostile_headers(raw: bytes) -> None:
    """No header makes the envelope raise, also where mail-parser does."""
    assert envelope(raw, LIMITS).size == len(raw)


def test_clean_takes_nul_out_of_the_header_only() -> None:
    """NUL bytes leave the header block and stay in the body."""
    assert clean(b"Su\0bject: x\r\n\r\na\0b") == b"Subject: x\r\n\r\na\0b"


@pytest.mark.parametrize(
    ("raw", "detail"),
    [
        (HEAD + b"X: " + b"y" * LIMITS.field_bytes + b"\r\n\r\n", "a header field"),
        (HEAD + b"X: y\r\n z\r\n" + b" z\r\n" * 20_000 + b"\r\n", "header lines"),
        (HEAD + b"X: y\r\n" * 5_000 + b"\r\n", "header lines"),
        (b"X: y\r\n" * 200_000, "bytes of header"),
        (mail(b"--b\n" * 10_001), "delimiter lines"),
        (mail(b"\nContent-Type: multipart/mixed; boundary=b" * 101), "boundary declarations"),
        (mail(b"\n" * 6_000_001), "lines and"),
        (mail(b"\n" * 10_002, "message/delivery-status"), "delivery status"),
    ],
)
def test_over_limit_names_the_broken_limit(raw: bytes, detail: str) -> None:
    """Each limit of the pre-scan is noticed and named."""
    problem = over_limit(raw, LIMITS)
    assert problem is not None
    assert problem.kind == "over-limit"
    assert detail in problem.detail


def test_over_limit_lets_an_ordinary_mail_pass() -> None:
    """An ordinary mail breaks no limit, nor does one that speaks of boundaries."""
    assert over_limit(mail(b"the boundary between " * 300), LIMITS) is None


def test_raw_limit_counts_the_whole_mail() -> None:
    """A mail above the raw limit is not parsed."""
    assert over_limit(mail(b"x"), Limits(raw=10)) is not None


def test_over_limit_mail_is_swept_raw() -> None:
    """A mail that is not parsed still yields its indicators and its envelope, and says why."""
    outcome = report(mail(b"--b\n" * 10_001 + b"http://left-behind.com/x\n"))
    assert outcome.artefacts[0].problems[0].kind == "over-limit"
    assert outcome.artefacts[0].spans[0].where == "raw"
    assert "http://left-behind.com/x" in [one.value for one in outcome.decisions]
    assert outcome.message.subject == "Look at this"


def _nested(depth: int) -> bytes:
    one = b"Content-Type: multipart/mixed; boundary=b%d\n\n--b%d\n"
    return HEAD + b"".join(one % (number, number) for number in range(depth))


HOSTILE = {
    "multiparts, 300 deep": _nested(300),
    "multiparts, 90 deep, 9,000 parts": _nested(90) + b"\n--b89\n\nx" * 9_000,
    "rfc822, 10,000 deep": HEAD + b"Content-Type: message/rfc822\n\n" * 10_000 + b"x",
    "100,000 tiny parts": mail(b"--b\n\nx\n" * 100_000, "multipart/mixed; boundary=b"),
    "9,000 tiny parts": mail(b"--b\n\nx\n" * 9_000, "multipart/mixed; boundary=b"),
    "delivery status, 512,000 blank lines": mail(b"\n" * 512_000, "message/delivery-status"),
    "100,000 fields": b"".join(b"X-%d: a\n" % number for number in range(100_000)) + b"\nx",
    "4,900 fields": b"".join(b"X-%d: a\n" % number for number in range(4_900)) + b"\nx",
    "4,900 Received": b"Received: from a (b [1.2.3.4]) by c; x\n" * 4_900 + b"\nx",
    "20,000 parameters": mail(b"x", "text/plain" + ";a=" * 20_000),
    "20 parts of 100,000 parameters": mail(
        (b"--b\nContent-Type: text/plain" + b";a=" * 100_000 + b"\n\nx\n") * 20,
        "multipart/mixed; boundary=b",
    ),
    "4,000 continuations": mail(b"x", "text/plain" + "".join(f";\n n*{n}=a" for n in range(4_000))),
    "encoded words": b"Subject: " + b"=?utf-8?q?a?= " * 4_000 + b"\n\nx",
    "address group": b"To: g: " + b"a," * 30_000 + b";\nCc: " + b"<" * 65_000 + b"\n\nx",
    "quotes in addresses": b"From: " + b'"\\' * 30_000 + b"\nTo: " + b"(" * 65_000 + b"\n\nx",
    "lost boundary": mail((b"--" + b" " * 200 + b"\n") * 9_000, "multipart/mixed; boundary=no"),
    "half words": mail(b"=?" * 200_000),
    "uuencode without end": mail(b"begin 644 x\n" * 30_000 + b"M\n" * 30_000),
    "open brackets": mail(b"<http://a\n" * 50_000),
    "punycode": mail(b"a-" * 200_000, "text/plain; charset=punycode"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_mail_is_examined_quickly(name: str) -> None:
    """A mail made to exhaust a parser takes less than 3 CPU seconds (0.01 to 0.7 measured)."""
    start = process_time()
    with untraced():
        outcome = report(HOSTILE[name])
    assert process_time() - start < 3
    assert outcome.artefacts[0].id == "0"
    assert not [one for one in outcome.artefacts[0].problems if one.kind == "opener-failed"]


def test_long_mime_field_is_cut_not_refused() -> None:
    """A MIME field beyond its limit is cut there, and the part is read all the same."""
    raw = mail(b"--b\nContent-Type: text/html" + b";a=" * 9_000 + b"\n\n<p>x\n--b--\n", "x/y")
    raw = raw.replace(b"x/y", b"multipart/mixed; boundary=b")
    assert artefacts(raw)["1"] == "body html"
