"""Deliver what is known about a mail to ThreatQ: indicators, then files, then relations.

Each effect happens once, whatever is killed when: indicators are upserted; a file is intended in
the ledger, looked up, sent only if absent, recorded; relations may be repeated.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tqimap_processor.report import Action
from tqimap_processor.threatq import payload
from tqimap_processor.threatq.match import mark
from tqimap_processor.threatq.places import Places


if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tqimap_processor.artefact import Artefact
    from tqimap_processor.report import Decision, Report
    from tqimap_processor.threatq import Client
    from tqimap_processor.threatq.match import Key
    from tqimap_shared.lease import Lease
    from tqimap_shared.settings import Settings, ThreatQ

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Receipt:
    """How many Files, indicators and relations of a mail ThreatQ holds now.

    *ids* are those of the indicators, *refused* the marks of those that ThreatQ did not take.
    """

    files: int
    indicators: int
    relations: int
    ids: frozenset[int] = field(default=frozenset(), compare=False)
    refused: frozenset[str] = field(default=frozenset(), compare=False)


def deliver(report: Report, *, client: Client, lease: Lease, settings: Settings) -> Receipt:
    """Bring *report* to ThreatQ and say what is there now.

    Raises TryLater, also when the lease is lost, Never, or StopProcess; all may be tried again.
    """
    kept = [one for one in report.decisions if one.action is not Action.SKIP]
    groups = contents(report.attachments)
    if not kept and not groups:
        return Receipt(0, 0, 0)
    threatq = client.spelled(settings.threatq)
    ids = _indicators(kept, report, client, lease, threatq)
    relations = 0
    for copies in groups:
        number = _file(copies[0], client, lease, threatq)
        about = payload.file_attributes(copies, report, threatq)
        client.describe(number, about, before=lease.renew)
        linked = [ids[key] for key in related(kept, copies, threatq) if key in ids]
        relations += client.relate(number, linked, before=lease.renew)
    known = frozenset(ids.values())
    keys = {(one.type, one.value) for one in kept if one.type in client.reference.types}
    refused = frozenset(map(mark, keys - ids.keys()))
    return Receipt(len(groups), len(known), relations, known, refused)


def contents(attachments: Sequence[Artefact]) -> list[list[Artefact]]:
    """Group attachments by content; the same bytes twice in a mail are one File."""
    groups: dict[str, list[Artefact]] = {}
    for one in attachments:
        if one.data:
            groups.setdefault(one.sha256, []).append(one)
        else:
            logger.info("Attachment %s is empty and not uploaded.", one.id)
    return list(groups.values())


def _indicators(
    kept: Sequence[Decision], report: Report, client: Client, lease: Lease, settings: ThreatQ
) -> Mapping[Key, int]:
    places = Places(report)
    payloads = [payload.indicator(one, places, settings) for one in kept]
    return client.upsert(payloads, before=lease.renew)


def _file(artefact: Artefact, client: Client, lease: Lease, settings: ThreatQ) -> int:
    """Return the id of the File with this content, which is sent only if it is not there."""
    effect = f"file:{artefact.sha256}"
    done = lease.intend(effect)
    if done is not None:
        return int(done)
    if found := client.files.find(artefact):
        return int(lease.record(effect, str(found)))
    sent = client.files.upload(artefact, settings, before=lambda: lease.renew(effect))
    first = sent if lease.holds(effect) else client.files.find(artefact) or sent
    if first != sent:
        _drop_twin(sent, first, client)
    counted = int(lease.record(effect, str(first)))
    if counted != first == sent:  # never one that somebody else has sent
        _drop_twin(sent, counted, client)
    return counted


def _drop_twin(number: int, first: int, client: Client) -> None:
    logger.warning("File %d is a twin of %d and deleted.", number, first)
    client.files.delete(number)


def related(kept: Sequence[Decision], copies: Sequence[Artefact], settings: ThreatQ) -> list[Key]:
    """Return the indicators that belong to an attachment: all of its mail, or those found in it."""
    tops = {one.id for one in copies}
    return [
        (one.type, one.value)
        for one in kept
        if settings.relate == "all"
        or any(place.artefact.partition(".")[0] in tops for place in one.found)
    ]
