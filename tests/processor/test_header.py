"""A header over its limits is cut, and hides neither the rest of the mail nor who it is from."""

from __future__ import annotations

from itertools import repeat

import pytest
from fixtures.built_mail import mixed, part, report

from tqimap_processor import header
from tqimap_processor.report import Action
from tqimap_shared.settings import Limits


LIMITS = Limits()
BODY = mixed(
    b"Content-Type: text/plain\r\n\r\nsee hxxp://drop-zone[.]com/a",
    part(b"http://in-the-file.com/x", "text/plain", name="list.txt"),
)
MANY = b",\r\n ".join(b"user%d@many-house.com" % number for number in range(5_500))
PADS = {
    "one long line": b"X-Pad: " + b"a" * 70_000,
    "one folded field": b"X-Pad: a" + b"\r\n ".join(repeat(b"a" * 900, 80)),
    "more bytes than a header may have": b"\r\n".join(repeat(b"X-Pad: " + b"a" * 900, 1_300)),
    "more lines than a header may have": b"\r\n".join(b"X-%d: a" % one for one in range(6_000)),
    "old line ends": b"X-Pad: " + b"a\r" * 40_000 + b"\nX-End: a",
    "empty fields of a wanted name": b"\r\n".join(repeat(b"To:", 5_100)),
    "thousands of recipients": b"To: " + MANY,
}


@pytest.mark.parametrize("pad", PADS.values(), ids=PADS)
def test_padding_hides_nothing(pad: bytes) -> None:
    """Sender, body and attachment are read whatever fills the header, which is said."""
    outcome = report(pad + b"\r\n" + BODY)
    assert outcome.artefacts[0].problems[0].kind == "over-limit"
    assert [one.name for one in outcome.artefacts if one.name] == ["list.txt"]
    wanted = {"http://drop-zone.com/a", "http://in-the-file.com/x"}
    assert wanted <= {one.value for one in outcome.decisions if one.action is Action.UPLOAD}
    assert outcome.message.subject == report(BODY).message.subject != ""
    assert outcome.message.sender == report(BODY).message.sender != ""


def test_no_recipient_becomes_an_indicator() -> None:
    """Of a list of thousands those that are left out are not uploaded as if somebody named them."""
    outcome = report(b"To: " + MANY + b"\r\n" + BODY)
    assert len(outcome.message.recipients) > 1_000
    addresses = [one for one in outcome.decisions if "many-house.com" in one.value]
    assert {one.action for one in addresses} <= {Action.SKIP, Action.REVIEW}
    assert not [one for one in addresses if one.type == "URL" or one.action is Action.UPLOAD]


def test_what_is_cut_is_within_the_limits_and_in_order() -> None:
    """What tells how to read a mail comes first, then recipients; a field ends at its limit."""
    head = b"X-A: 1\r\n" + PADS["one long line"] + b"\r\nTo: a@b.com\r\nContent-Type: text/html"
    lines = header.cut(head, LIMITS).split(b"\n")
    assert lines[:3] == [b"Content-Type: text/html", b"To: a@b.com", b"X-A: 1"]
    assert len(lines[3]) == LIMITS.field_bytes - 1
    assert header.over(b"\n".join(lines), LIMITS) is None


def test_a_header_within_the_limits_is_left_alone() -> None:
    """Cutting is for headers over a limit only."""
    head = b"X-A: 1\r\nTo: a@b.com\r\n b"
    assert header.cut(head, LIMITS) is head
