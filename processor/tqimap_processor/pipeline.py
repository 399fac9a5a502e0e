"""Examine a mail: bytes in, report out, nothing touched on the way."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from tqimap_processor.find import find
from tqimap_processor.policy import Rules, decide
from tqimap_processor.reading import HERE
from tqimap_processor.report import Report
from tqimap_processor.walk import walk


if TYPE_CHECKING:
    from tqimap_processor.reading import Reader
    from tqimap_shared.settings import Limits, Policy


def examine(raw: bytes, *, limits: Limits, policy: Policy, reader: Reader = HERE) -> Report:
    """Return everything that *raw* holds, each finding with its places, its fate and the reason.

    *reader* does what touches hostile bytes; by default in this very process, without protection.
    """
    message = reader.envelope(raw, limits)
    artefacts = walk(raw, limits, reader)
    indicators, problems = find(artefacts, limits, reader)
    rules = Rules.of(policy)
    decisions = tuple(decide(indicator, rules, message) for indicator in indicators)
    mail = replace(artefacts[0], problems=(*artefacts[0].problems, *problems))
    return Report(message, (mail, *artefacts[1:]), decisions)
