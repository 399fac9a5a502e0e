"""Say for a person where in a mail something stands: `a.pdf (attachment 2), page 3`."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING


if TYPE_CHECKING:
    from tqimap_processor.report import Decision, Report

MAIL = "0"
BODY = "body"
LONGEST_NAME = 80  # characters of an artefact's name in a place
_BLANK = re.compile(r"[\s\x00-\x1f\x7f-\x9f]+")


def line(text: str, longest: int) -> str:
    """Return *text* on one line of at most *longest* characters."""
    whole = text
    if not (text.isascii() and text.isprintable()) or "  " in text:
        # lone surrogates come out of broken mails and are no UTF-8
        whole = _BLANK.sub(" ", text.encode(errors="replace").decode())
    whole = whole.strip()
    return whole if len(whole) <= longest else f"{whole[: longest - 1]}…"


class Places:
    """The places of one mail. Built once: a mail may have thousands of indicators."""

    def __init__(self, report: Report) -> None:
        self.message = report.message
        attachments = {one.id: n for n, one in enumerate(report.attachments, start=1)}
        self._names = {MAIL: "mail"}
        # breadth first: whatever an artefact came out of has its name by then
        for artefact in report.artefacts:
            if artefact.id == MAIL:
                continue
            own = line(artefact.name, LONGEST_NAME)
            if artefact.parent != MAIL:
                container = self._names.get(artefact.parent or MAIL, "mail")
                self._names[artefact.id] = f"{own or artefact.how} in {container}"
            elif artefact.how == BODY:
                self._names[artefact.id] = "mail body"
            else:
                number = f"attachment {attachments[artefact.id]}"
                self._names[artefact.id] = f"{own} ({number})" if own else number

    def of(self, decision: Decision, most: int) -> list[str]:
        """Say where an indicator stands, at most *most* places; then how many more there are."""
        found = list(dict.fromkeys(self._place(one.artefact, one.where) for one in decision.found))
        if len(found) <= most:
            return found
        return [*found[:most], f"{len(found) - most} more places"]

    def _place(self, artefact: str, where: str) -> str:
        name = self._names.get(artefact, "mail")
        return f"{name}, {where}" if where else name
