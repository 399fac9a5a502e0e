"""Where in a text a finding stands: listed as an indicator, or in what closes a mail."""

from __future__ import annotations

import pytest
from fixtures.built_mail import decision, mail, report

from tqimap_processor.context import Context
from tqimap_processor.report import Action


LISTED = [
    "Intro.\n\nIndicators of Compromise\n\nX\n",
    "## IOCs\n* X\n",
    "Appendix A: Network indicators (IOCs):\nX\n",
    "Malicious domains\n-----------------\nX",
    "Kompromittierungsindikatoren:\nX",
    "Indicateurs de compromission :\nX",
    "text\n```\nX\n```\n",
    "| Type | Value |\n|---|---|\n| domain | X |\n",
    "> IOCs:\n> X\n",
]
ASIDE = [
    "Hello,\nread this.\n-- \nAnn, X\n",
    "Hello.\n\nBest regards,\nAnn\nX\n",
    "Hallo.\n\nMit freundlichen Gr\u00fc\u00dfen\nAnn\nX",
    "Hi\nThis e-mail is confidential and intended for its recipient, see X\n",
    "News\nUnsubscribe: X\n",
    "> Hello\n> -- \n> Ann, X\n",
]
NEITHER = [
    "The attackers used X for control.\n",
    "IOCs:\none\nThe rest of this report is about what the group has done in the last years.\nX",
    "# IOCs\none\n# Background\nX\n",
    "We found indicators of compromise on the host that is called X today.\n",
    "```\ncode\n```\nX\n",
    "Best regards,\nAnn\n" + "line\n" * 20 + "X",
    "a | b\nX\n",
]


@pytest.mark.parametrize(
    ("text", "flags"),
    [
        *((text, {"listed"}) for text in LISTED),
        *((text, {"aside"}) for text in ASIDE),
        *((text, set()) for text in NEITHER),
    ],
)
def test_context_is_told_by_lines(text: str, flags: set[str]) -> None:
    """Headings, tables and code list; signatures, closings and disclaimers set aside."""
    assert Context(text).at(text.index("X")) == flags


def test_a_heading_after_a_signature_counts() -> None:
    """Somebody who signs first and lists then has listed."""
    text = "Regards\nAnn\n\nIOCs\nX\n"
    assert Context(text).at(text.index("X")) == {"listed"}


def test_context_decides() -> None:
    """The list is uploaded for being one, the signature reviewed, and both say why."""
    body = b"See below.\n\nIOCs\nreadme.md\n\n-- \nAnn, www.our-firm.net\n"
    outcome = report(mail(body))
    listed, aside = decision(outcome, "readme.md"), decision(outcome, "www.our-firm.net")
    assert (aside.action, "aside" in aside.flags) == (Action.REVIEW, True)
    assert "signature" in aside.reason
    assert "listed" in listed.flags


def test_a_value_that_stands_elsewhere_too_is_not_aside() -> None:
    """A place in the text itself clears what the signature's place throws on it."""
    body = b"Open http://www.our-firm.net/ now.\n\n-- \nAnn, http://www.our-firm.net/\n"
    found = decision(report(mail(body)), "http://www.our-firm.net/")
    assert "aside" not in found.flags


def test_a_long_text_costs_in_proportion() -> None:
    """A text of nothing but headings has one region, however long it is."""
    text = "IOCs\n" * 20_000
    assert Context(text).at(len(text) - 1) == {"listed"}
