"""Compare what was delivered with what the mail server, the ledger and the stand-in hold.

Lost are mails that are not marked, not done, or lack an effect; doubled are effects too many. The
stand-in's own tables are read, because its API would only answer what it was asked for.
"""

from __future__ import annotations

import sqlite3
from collections import Counter
from contextlib import closing
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from chaos.mails import MAILBOXES
from tqimap_processor.pipeline import examine
from tqimap_processor.report import Action
from tqimap_shared.ledger import Ledger


if TYPE_CHECKING:
    from collections.abc import Sequence

    from chaos.house import House
    from chaos.mails import Delivery, Indicator, Mail
    from tqimap_shared.settings import Settings

Relation = tuple[str, "Indicator"]
INDICATORS = """SELECT t.name, i.value FROM indicator i JOIN indicator_type t ON t.id = i.type_id"""
FILES = "SELECT hash, '' FROM attachment"
RELATIONS = """
SELECT a.hash, t.name, i.value FROM link l
    JOIN attachment a ON l.src_type = 'attachment' AND a.id = l.src_object_id
    JOIN indicator i ON l.dest_type = 'indicator' AND i.id = l.dest_object_id
    JOIN indicator_type t ON t.id = i.type_id"""
BROKEN = "SELECT fault, COUNT(*) FROM journal WHERE fault IS NOT NULL GROUP BY fault ORDER BY fault"
MARKS = {r"\Seen", "$tqimap-done"}


@dataclass(slots=True)
class Findings:
    """What is wrong, a sentence for each mail lost and each effect too many."""

    lost: dict[str, str] = field(default_factory=dict)
    doubled: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Held:
    """What the stand-in holds, each with how often."""

    files: Counter[str]
    indicators: Counter[Indicator]
    relations: Counter[Relation]


@dataclass(frozen=True, slots=True)
class _Wanted:
    """What one mail must bring."""

    files: frozenset[str]
    indicators: frozenset[Indicator]

    @property
    def relations(self) -> set[Relation]:
        return {(file, one) for file in self.files for one in self.indicators}


def audit(house: House, delivered: Sequence[Delivery]) -> Findings:
    """Look at every mail and every effect."""
    findings = Findings()
    mails = {one.mail.sha256: one.mail for one in delivered}
    held = _held(house)
    wanted = {sha: _wanted(mail, house.settings) for sha, mail in mails.items()}
    for sha, mail in mails.items():
        if lack := _lack(mail, wanted[sha], held):
            findings.lost[sha] = lack
    _look_into_ledger(house, mails, findings)
    _look_into_mailboxes(house, delivered, findings)
    findings.doubled += _surplus(held, list(wanted.values()))
    return findings


def broken(house: House) -> dict[str, int]:
    """Count the requests that the stand-in broke on purpose, by kind."""
    with closing(_database(house)) as database:
        return dict(database.execute(BROKEN).fetchall())


def _database(house: House) -> sqlite3.Connection:
    return sqlite3.connect(f"file:{house.directory / 'threatq.db'}?mode=ro", uri=True)


def _wanted(mail: Mail, settings: Settings) -> _Wanted:
    """Return what the mail holds, by the pure half of the processor."""
    report = examine(mail.raw, limits=settings.limits, policy=settings.policy)
    kept = (one for one in report.decisions if one.action is not Action.SKIP)
    return _Wanted(mail.files, frozenset((one.type, one.value) for one in kept))


def _lack(mail: Mail, wanted: _Wanted, held: _Held) -> str:
    """Say what of a mail's effects is not there; what was planted is held against us too."""
    indicators = (wanted.indicators | mail.planted) - held.indicators.keys()
    if indicators:
        return f"{len(indicators)} indicators are missing, as {min(indicators)}"
    if files := wanted.files - held.files.keys():
        return f"{len(files)} files are missing"
    if relations := wanted.relations - held.relations.keys():
        return f"{len(relations)} relations are missing"
    return ""


def _look_into_ledger(house: House, mails: dict[str, Mail], findings: Findings) -> None:
    with house.client() as client:
        ledger = Ledger(client, settings=house.settings.worker)
        for sha in mails:
            record = ledger.mail(sha)
            if record is None:
                findings.lost[sha] = "the ledger does not know it"
            elif record.state != "done":
                attempts = f"after {record.attempts} attempts"
                findings.lost[sha] = f"it is {record.state} {attempts}: {record.error}"


def _look_into_mailboxes(house: House, delivered: Sequence[Delivery], findings: Findings) -> None:
    """Count marked mails: a mailbox does not say which file has become which UID."""
    for user in MAILBOXES:
        there = sum(one.mailbox == user for one in delivered)
        flags = house.dovecot.flags(user)
        marked = sum(flags_of_one >= MARKS for flags_of_one in flags.values())
        if marked != there or len(flags) != there:
            sentence = f"of {there} mails {len(flags)} are there and {marked} marked"
            findings.lost[f"mailbox {user}"] = sentence


def _surplus(held: _Held, wanted: Sequence[_Wanted]) -> list[str]:
    """Name everything that is there more than once, or that no mail asked for."""
    sentences = []
    for name, counts, allowed in (
        ("file", held.files, {one for want in wanted for one in want.files}),
        ("indicator", held.indicators, {one for want in wanted for one in want.indicators}),
        ("relation", held.relations, {one for want in wanted for one in want.relations}),
    ):
        for one, count in counts.items():
            surplus = count - (one in allowed)
            sentences += [f"{name} {one} is there {count} times"] * surplus
    return sentences


def _held(house: House) -> _Held:
    with closing(_database(house)) as database:
        files = database.execute(FILES).fetchall()
        indicators = database.execute(INDICATORS).fetchall()
        relations = database.execute(RELATIONS).fetchall()
    return _Held(
        Counter(md5 for md5, _ in files),
        Counter((kind, value) for kind, value in indicators),
        # a twin's relations are the twin's doubling, counted once: with its file
        Counter({(md5, (kind, value)): 1 for md5, kind, value in relations}),
    )
