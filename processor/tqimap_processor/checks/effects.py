"""Compare what a done mail holds with what ThreatQ holds of it.

The ledger remembers which Files and indicators a mail brought (`library` compares those), but not
its relations, nor what has come to be seen in it since. So the mail itself is read again, as far as
its raw bytes are kept, under the policy of today.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from tqimap_processor.checks import Fault
from tqimap_processor.checks.library import FILE, files_of, indicators_of, whole
from tqimap_processor.contain import examiner
from tqimap_processor.difference import look_up
from tqimap_processor.report import Action
from tqimap_processor.threatq.match import key, mark, match
from tqimap_processor.threatq.places import line
from tqimap_processor.upload import contents, related
from tqimap_shared.errors import Never
from tqimap_shared.threatq import NotFound


if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from tqimap_processor.artefact import Artefact
    from tqimap_processor.checks import Desk
    from tqimap_processor.checks.library import Library
    from tqimap_processor.report import Decision, Report
    from tqimap_processor.threatq import Client
    from tqimap_processor.threatq.match import Key
    from tqimap_shared.ledger import Mail

SHOWN = 3  # things that are named in one sentence
LONGEST = 80  # characters of each


@dataclass(frozen=True, slots=True)
class _Read:
    """A mail read again: indicators it brings, as far as they are there by id, and attachments.

    *files* are groups of attachments with one content, *sent* the ids of Files by effect,
    *refused* the marks of indicators that ThreatQ did not take.
    """

    wanted: Sequence[Decision]
    ids: Mapping[Key, int]
    files: Sequence[Sequence[Artefact]]
    sent: Mapping[str, str]
    refused: Sequence[str]


def faults(desk: Desk, client: Client, held: Library) -> Iterator[Fault]:
    """Yield done mails that hold what ThreatQ does not; not those that lack what they brought."""
    shas = [mail.sha256 for mail in held.mails]
    kept = desk.records.with_raw(shas)
    with examiner(desk.settings.limits, desk.settings.policy) as examine:
        # read anew, because healing may have changed them
        for mail in desk.records.read(sha for sha in shas if sha in kept):
            if mail.state == "done" and whole(mail, held):
                try:
                    raw = desk.ledger.raw(mail.sha256)
                except Never:
                    continue  # trimmed meanwhile
                yield from _mail(desk, mail, _read(examine(raw), client, mail, held), client)


def _mail(desk: Desk, mail: Mail, read: _Read, client: Client) -> Iterator[Fault]:
    heal = partial(desk.process_again, mail.sha256, {})
    for what, lacking in (
        ("indicators", _indicators(read)),
        ("files", _files(read)),
        ("relations", _relations(read, client)),
    ):
        if names := list(lacking):
            sentence = f"is done, and ThreatQ lacks {len(names)} of its {what}: {_few(names)}"
            yield Fault(f"{what}-missing", mail.sha256, sentence, heal)


def _read(report: Report, client: Client, mail: Mail, held: Library) -> _Read:
    types = client.reference.types
    wanted = [
        one for one in report.decisions if one.action is not Action.SKIP and one.type in types
    ]
    payloads = [{"type": {"name": one.type}, "value": one.value} for one in wanted]
    ids = match(payloads, [held.indicators[one] for one in indicators_of(mail)], types)
    for one in payloads:
        # something else may have brought it
        if key(one) not in ids and (there := look_up(client, one)) is not None:
            ids[key(one)] = there["id"]
    refused = mail.attributes.get("refused", "").split()
    return _Read(wanted, ids, contents(report.attachments), files_of(mail), refused)


def _indicators(read: _Read) -> Iterator[str]:
    for one in read.wanted:
        wanted = (one.type, one.value)
        if wanted not in read.ids and mark(wanted) not in read.refused:
            yield f"{one.type} {one.value}"


def _files(read: _Read) -> Iterator[str]:
    for first, *_ in read.files:
        if FILE + first.sha256 not in read.sent:
            yield first.name or first.sha256


def _relations(read: _Read, client: Client) -> Iterator[str]:
    for copies in read.files:
        number = read.sent.get(FILE + copies[0].sha256)
        linked = related(read.wanted, copies, client.session.settings) if number else []
        wanted = {read.ids[one]: one for one in linked if one in read.ids}
        if wanted:
            for one in wanted.keys() - _related(client, number):
                yield f"File {number} - {' '.join(wanted[one])}"


def _related(client: Client, number: str | None) -> set[int | None]:
    try:
        return {one.get("id") for one in client.session.every(f"attachments/{number}/indicators")}
    except NotFound:
        return set()  # deleted meanwhile


def _few(names: Sequence[str]) -> str:
    """Name the first few, each on one line and cut."""
    shown = [line(name, LONGEST) for name in names[:SHOWN]]
    return ", ".join(shown + ["..."] * (len(names) > SHOWN))
