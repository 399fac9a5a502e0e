"""The acts that touch hostile bytes, as one seam: here, or locked into a process of their own.

Walk, findings and policy are the same whoever reads. What reads here is loaded when it is needed:
a worker, whose memory holds credentials, never loads a parser.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol


if TYPE_CHECKING:
    from collections.abc import Iterable

    from tqimap_processor.artefact import Artefact, Opened
    from tqimap_processor.extract import Finding
    from tqimap_processor.openers import Source
    from tqimap_processor.report import Message
    from tqimap_shared.settings import Limits


class Reader(Protocol):
    """Reads what a mail holds; problems are values, never exceptions."""

    def envelope(self, raw: bytes, limits: Limits, /) -> Message:
        """Read the envelope of a mail."""

    def open(self, kind: str, source: Source, /) -> Opened:
        """Open an artefact of *kind*."""

    def findings(self, artefact: Artefact, /) -> Iterable[Iterable[Finding]]:
        """Search the texts of an opened artefact; yield the findings of each of its spans.

        Where the search had to be given up, fewer spans are answered for.
        """


class _Here:
    """Reads in this process."""

    def envelope(self, raw: bytes, limits: Limits) -> Message:
        from tqimap_processor import message

        return message.envelope(raw, limits)

    def open(self, kind: str, source: Source) -> Opened:
        from tqimap_processor.openers import open_artefact

        return open_artefact(kind, source)

    def findings(self, artefact: Artefact) -> Iterable[Iterable[Finding]]:
        from tqimap_processor.extract import extract

        return (extract(span.text) for span in artefact.spans)


HERE: Reader = _Here()
