"""The fetcher's part of the doctor: the connector's page in ThreatQ, and each mailbox's chain."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from tqimap_fetcher import connector, state, throttle
from tqimap_fetcher.checkup import Checkup
from tqimap_fetcher.kept_tokens import Keep
from tqimap_shared.doctor.link import Said, walk
from tqimap_shared.errors import NotReady, TqimapError
from tqimap_shared.folders import Folders
from tqimap_shared.threatq import Forbidden, NotAllowed, NotFound


if TYPE_CHECKING:
    from collections.abc import Iterator

    from tqimap_shared.doctor.link import Link, Patient
    from tqimap_shared.settings import Mailbox
    from tqimap_shared.threatq import Session


def links(patient: Patient) -> Iterator[Link]:
    """Try the page, then every mailbox; without ThreatQ those of tqimap.toml that are complete."""
    found: list[Mailbox] = []
    if patient.session is not None:
        session = patient.session
        yield from walk("ThreatQ", [("page", lambda: _page(patient, session, found))])
    if not found:
        tables = patient.settings.mailbox
        found = [one for one in tables if one.enabled and not one.lacking()]
    keep = Keep(patient.directory, sparing=True)
    for mailbox in found:
        if seconds := _left_alone(patient, mailbox):
            yield from walk(f"mailbox {mailbox.name}", [("throttle", partial(_say_left, seconds))])
            continue
        with Checkup(mailbox, patient.settings.fetch, keep) as checkup:
            yield from walk(f"mailbox {mailbox.name}", checkup.steps())


def _left_alone(patient: Patient, mailbox: Mailbox) -> float:
    """Return for how many seconds the server wants no visit, and that of a doctor is one."""
    memory = state.load(patient.directory)
    most = patient.settings.fetch.max_backoff
    try:
        return throttle.seconds_left(Folders(patient.client), memory, mailbox.name, most=most)
    except TqimapError:
        # Redis has its own links
        return 0.0


def _say_left(seconds: float) -> Said:
    return Said(
        f"the server asked to be left alone for {seconds:.0f} more seconds; not tried.", warns=True
    )


def _page(patient: Patient, session: Session, found: list[Mailbox]) -> Said:
    """Read the connector's page, and put the mailboxes to fetch into *found*."""
    try:
        page = connector.find(session, state.load(patient.directory).connector_id)
        if page is None and not patient.settings.mailbox:
            raise NotReady("connector", "is not registered in ThreatQ yet; run tqIMAP once.")
    except (Forbidden, NotFound, NotAllowed):
        found += connector.mailboxes(patient.settings, None)
        return Said("not to be had here; tqimap.toml's mailboxes serve alone.", warns=True)
    found += connector.mailboxes(patient.settings, page)
    return Said(f"{len(found)} mailboxes to fetch: {', '.join(one.name for one in found)}.")
