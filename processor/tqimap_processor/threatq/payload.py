"""Phrase decisions and attachments as ThreatQ's objects: pure functions, nothing is sent here.

An indicator says where it was found and why it was kept; a file says what came with it and what
could not be read of it. Attributes that are empty are left out, long ones are cut.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from tqimap_processor import names
from tqimap_processor.report import Action
from tqimap_processor.threatq.places import LONGEST_NAME, line


if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from tqimap_processor.artefact import Artefact, Problem
    from tqimap_processor.report import Decision, Message, Report
    from tqimap_processor.threatq.places import Places
    from tqimap_shared.settings import ThreatQ
    from tqimap_shared.threatq import Record

TLP = {"RED": 1, "AMBER": 2, "GREEN": 3, "WHITE": 4}
DEFANGED = "defanged"
PREFIX = 16  # hexadecimal digits of the content's sha256 before a file's name

Pair = tuple[str, str]


def source(settings: ThreatQ) -> Record:
    """Name our source, with its TLP if one is set."""
    return {"name": settings.source} | ({"tlp_id": TLP[settings.tlp]} if settings.tlp else {})


def indicator(decision: Decision, places: Places, settings: ThreatQ) -> Record:
    """Phrase a decision, which must not be to skip, for `POST /api/indicators/consume`."""
    review = decision.action is Action.REVIEW
    pairs = [
        *(("Found In", place) for place in places.of(decision, settings.max_places)),
        ("Reason", decision.reason),
        *decision.attributes,
        ("Defanged", _defanged(decision)),
        *mail(places.message),
    ]
    return {
        "type": {"name": decision.type},
        "value": decision.value,
        "status": {"name": settings.review_status if review else settings.status},
        "sources": [source(settings)],
        "attributes": attributes(pairs, settings),
    }


def attributes(pairs: Iterable[Pair], settings: ThreatQ) -> list[Record]:
    """Phrase attributes: one line each, none empty, none twice, none longer than allowed."""
    longest = settings.max_attribute
    cut = dict.fromkeys((line(name, longest), line(value, longest)) for name, value in pairs)
    ours = [source(settings)]
    return [{"name": n, "value": v, "sources": ours} for n, v in cut if n and v]


def mail(message: Message) -> list[Pair]:
    """Say which mail it was; the sha256 is its name in the ledger and in `explain`."""
    return [
        ("Mail Subject", message.subject),
        ("Mail From", message.sender),
        ("Message-ID", message.message_id),
        ("Mail SHA-256", message.sha256),
    ]


def _defanged(decision: Decision) -> str:
    """Return how a defanged indicator was written in the mail."""
    if DEFANGED not in decision.flags:
        return ""
    known = decision.value.casefold()
    return next((one.text for one in decision.found if one.text.casefold() != known), "Yes")


def file_name(artefact: Artefact) -> str:
    """Return the name under which content is uploaded: unique to it, as ThreatQ joins by name."""
    plain = re.sub(r"[^A-Za-z0-9._-]+", "_", names.safe(artefact.name))
    return f"{artefact.sha256[:PREFIX]}-{plain}"


def file(artefact: Artefact, settings: ThreatQ) -> Record:
    """Phrase an attachment for `POST /api/attachments`; the mail's own name for it is the title."""
    return {
        "name": file_name(artefact),
        "title": line(artefact.name, settings.max_attribute) or names.UNNAMED,
        "type": settings.file_type,
        "malware_locked": settings.malware_locked,
        "sources": [source(settings)],
    }


def file_attributes(copies: Sequence[Artefact], report: Report, settings: ThreatQ) -> list[Record]:
    """Say about a file which mail brought it, what it is, and what could not be read of it.

    *copies* are the attachments of the mail with this content.
    """
    first = copies[0]
    date = report.message.date
    pairs = [
        *mail(report.message),
        ("Mail Date", date.isoformat() if date else ""),
        *(("File Name", one.name) for one in copies),
        ("SHA-256", first.sha256),
        ("Detected Type", first.kind),
        ("Declared Type", first.declared_type if first.declared_type != first.kind else ""),
        *(("Problem", one) for one in _problems(copies, report)),
        *(("Mail Problem", one) for one in _mail_problems(report)),
    ]
    return attributes(pairs, settings)


def _problems(copies: Sequence[Artefact], report: Report) -> Iterator[str]:
    tops = {one.id for one in copies}
    for artefact in report.artefacts:
        if artefact.top in tops:
            inner = line(artefact.name, LONGEST_NAME) if artefact.id not in tops else ""
            yield from (_problem(one, inner) for one in artefact.problems)


def _mail_problems(report: Report) -> Iterator[str]:
    """Yield what went wrong outside the attachments: no other object could carry it."""
    tops = {one.id for one in report.attachments}
    for artefact in report.artefacts:
        if artefact.top not in tops:
            yield from (_problem(one, "") for one in artefact.problems)


def _problem(problem: Problem, where: str) -> str:
    text = f"{problem.kind}: {problem.detail}" if problem.detail else problem.kind
    return f"{where}: {text}" if where else text
