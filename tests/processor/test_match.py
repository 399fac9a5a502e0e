"""Which of ThreatQ's answers belongs to which indicator."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tqimap_processor.threatq.match import match


if TYPE_CHECKING:
    from tqimap_shared.threatq import Record


TYPES = {"FQDN": 11, "URL": 30, "IP Address": 15, "Email Subject": 7, "MD5": 18}


def sent(kind: str, value: str) -> Record:
    """Phrase an indicator as far as matching looks at it."""
    return {"type": {"name": kind}, "value": value}


def answered(number: int, kind: str, value: str) -> Record:
    """Answer as ThreatQ does."""
    return {"id": number, "type_id": TYPES[kind], "value": value}


@pytest.mark.parametrize(
    ("kind", "value", "answer"),
    [
        ("FQDN", "evil.example", answered(1, "FQDN", "evil.example")),
        ("FQDN", "Evil.example", answered(1, "FQDN", "evil.example")),
        ("URL", "http://evil.example/a?b=1", answered(1, "URL", "evil.example/a")),
        ("URL", "http://evil.example/a?b=1", answered(1, "URL", "evil.example/a?b=1")),
        ("URL", "http://evil.example/a/?b=1", answered(1, "URL", "evil.example/a/")),
        ("URL", "https://evil.example/a#top", answered(1, "URL", "https://evil.example/a#top")),
        ("URL", "https://evil.example/", answered(1, "FQDN", "evil.example")),
        ("URL", "ftp://u:p@192.0.2.7:21/", answered(1, "IP Address", "192.0.2.7")),
        (
            "MD5",
            "D41D8CD98F00B204E9800998ECF8427E",
            answered(1, "MD5", "d41d8cd98f00b204e9800998ecf8427e"),
        ),
        ("Email Subject", 'Your "new"  salary', answered(1, "Email Subject", 'YOUR "NEW" SALARY')),
        ("FQDN", "evil.example", {"id": 1, "value": "evil.example"}),
        ("FQDN", "evil.example", {"id": 1, "value": "evil.example", "type": {"id": 11}}),
    ],
)
def test_an_answer_is_recognised(kind: str, value: str, answer: Record) -> None:
    """Case, scheme, query, and a URL's turning into a host or address do not confuse it."""
    other = answered(2, "FQDN", "other.example")
    assert match([sent(kind, value)], [other, answer], TYPES) == {(kind, value): 1}


@pytest.mark.parametrize(
    ("kind", "value", "answer"),
    [
        ("URL", "http://evil.example/a", answered(1, "FQDN", "evil.example")),
        ("FQDN", "evil.example", answered(1, "URL", "evil.example")),
        ("FQDN", "evil.example", {"value": "evil.example", "error": "no"}),
        ("FQDN", "evil.example", {"id": 1}),
        ("URL", "http://evil.example/a", answered(1, "URL", "evil.example/b")),
    ],
)
def test_another_indicator_is_not_taken_for_it(kind: str, value: str, answer: Record) -> None:
    """Nothing is better than a relation to the wrong indicator."""
    assert match([sent(kind, value)], [answer], TYPES) == {}


def test_order_and_number_of_answers_do_not_matter() -> None:
    """Two URLs that the server makes one share its id; exact answers win over similar ones."""
    payloads = [sent("URL", f"http://evil.example/a?{n}") for n in range(3)]
    answers = [answered(9, "URL", "evil.example/a"), answered(7, "URL", "http://evil.example/a?1")]
    assert list(match(payloads, answers, TYPES).values()) == [9, 7, 9]
