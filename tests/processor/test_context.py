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
HEADINGS = """
IOC list: | Hashes (SHA256) | SHA256 hashes: | Command & Control | C2 domains: | Domains | IPs:
Malicious IP addresses | Payload URLs: | Appendix B - Indicators of Compromise | Sender addresses:
VI. Indicators of Compromise | IOCs (defanged): | List of IOCs: | Additional IOCs | [IOCs]
Samples: | Indicadores de compromiso (IoC) | Indicatori di compromissione
Wska\u017aniki kompromitacji
\u5931\u9677\u6307\u6807\uff1a | IOC\u60c5\u5831
"""
CLOSINGS = """
Many thanks, | Thank you, | Best, | BR, | Thanks Bob, | With kind regards, | Sent from my phone
LG | Beste Gr\u00fc\u00dfe, | Mit freundlichem Gru\u00df | Bien cordialement, | Un saludo,
Atenciosamente, | Cordiali saluti | Met vriendelijke groet, | Pozdrawiam | Newsletter abbestellen
\u6b64\u81f4 | \u9000\u8ba2 | If you no longer wish to receive these mails
Manage your preferences | Diese Nachricht ist vertraulich | Ce message est confidentiel
Please consider the environment before printing | Se d\u00e9sinscrire
"""
PROSE = """
Command line | Domain admins were created. | C2 was reached | Samples of the text | Files | Network
Thanks for the report, see: | Thanks Bob, the IOCs: | Regards to the team | Best practice
Yours is the one at | This message was sent to users | View this email in your browser
"""


def lines(text: str) -> list[str]:
    """Return what stands between the strokes of *text*."""
    return [line.strip() for row in text.strip().splitlines() for line in row.split("|")]


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
    ("line", "flags"),
    [
        *((line, {"listed"}) for line in lines(HEADINGS)),
        (
            (
                "\u0418\u043d\u0434\u0438\u043a\u0430\u0442\u043e\u0440\u044b "
                "\u043a\u043e\u043c\u043f\u0440\u043e\u043c\u0435\u0442\u0430\u0446\u0438\u0438"
            ),
            {"listed"},
        ),
        *((line, {"aside"}) for line in lines(CLOSINGS)),
        *((line, set()) for line in lines(PROSE)),
    ],
)
def test_lines_say_what_follows(line: str, flags: set[str]) -> None:
    """Headings and closings of many kinds and languages count; prose that begins alike does not."""
    text = f"Some text about it.\n\n{line}\nX\n"
    assert Context(text).at(text.rindex("X")) == flags


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
