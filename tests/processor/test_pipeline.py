"""The pure pipeline as a whole."""

from __future__ import annotations

from fixtures.built_mail import mail, mixed, part, report, zipped
from hypothesis import given, settings
from hypothesis import strategies as st

from tqimap_processor.pipeline import examine
from tqimap_processor.report import Action
from tqimap_shared.settings import Limits, Policy


RAW = mixed(
    b"Content-Type: text/plain\r\n\r\nhxxp://drop-zone[.]com/a",
    part(zipped(("h.txt", b"8.8.4.4")), "application/zip", name="h.zip"),
)


def test_report_holds_everything_about_a_mail() -> None:
    """Envelope, artefacts, attachments and decisions are all there."""
    outcome = report(RAW)
    assert outcome.message.subject == "Look at this"
    assert [one.name for one in outcome.attachments] == ["h.zip"]
    uploaded = {one.value for one in outcome.decisions if one.action is Action.UPLOAD}
    assert {"http://drop-zone.com/a", "drop-zone.com", "8.8.4.4"} <= uploaded


def test_report_depends_on_nothing_but_the_bytes() -> None:
    """Twice the same mail is twice the same report."""
    assert report(RAW) == report(RAW)


def test_findings_beyond_the_limit_are_a_problem_of_the_mail() -> None:
    """The mail says how much was left out."""
    limits = Limits(findings=2)
    outcome = examine(mail(b"1.1.1.1 8.8.8.8 9.9.9.9"), limits=limits, policy=Policy())
    assert len(outcome.decisions) == 2
    assert outcome.artefacts[0].problems[-1].kind == "too-many"


@settings(max_examples=150, deadline=None, derandomize=True, database=None)
@given(st.binary(max_size=400), st.integers(0, len(RAW)), st.integers(0, 60))
def test_no_bytes_raise(noise: bytes, start: int, cut: int) -> None:
    """Arbitrary bytes, alone and inside a real mail, are examined without an exception."""
    report(noise)
    outcome = report(RAW[:start] + noise + RAW[start + cut :])
    assert not [p for one in outcome.artefacts for p in one.problems if p.kind == "opener-failed"]
