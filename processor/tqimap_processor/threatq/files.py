"""Files in the threat library: find content by its MD5, send it in pieces, never send it twice.

ThreatQ joins the two calls of an upload by file name alone, so content has a name of its own:
the beginning of its sha256 before the attachment's name.
"""

from __future__ import annotations

import hashlib
import logging
import re
from typing import TYPE_CHECKING

from tqimap_processor.threatq import payload
from tqimap_shared.errors import TryLater


if TYPE_CHECKING:
    from collections.abc import Callable

    from tqimap_processor.artefact import Artefact
    from tqimap_shared.settings import ThreatQ
    from tqimap_shared.threatq import Record, Session

_OURS = re.compile(rf"([0-9a-f]{{{payload.PREFIX}}})-")

logger = logging.getLogger(__name__)


class Files:
    """The library's Files (its API calls them attachments)."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def find(self, artefact: Artefact) -> int | None:
        """Return the id of the File with the artefact's content, the oldest if there are several.

        ThreatQ knows MD5 only. A File of ours that carries another sha256 in its name is a forged
        twin, not this content.
        """
        # ThreatQ's own key, not a matter of security
        md5 = hashlib.md5(artefact.data, usedforsecurity=False).hexdigest()
        found = self._session.get("attachments", {"hash": md5, "limit": 1000})
        return min((one["id"] for one in found if _same(one, md5, artefact)), default=None)

    def upload(self, artefact: Artefact, settings: ThreatQ, *, before: Callable[[], None]) -> int:
        """Send the artefact's content and return the new File's id.

        Look for it first: after an upload whose outcome is unknown it may be there.
        """
        record = payload.file(artefact, settings)
        self._send(artefact, record["name"], before)
        before()
        made = self._session.post("attachments", json=record)
        if made and isinstance(made[0].get("id"), int):
            return int(made[0]["id"])
        found = self.find(artefact)
        if found is None:
            raise TryLater("ThreatQ's files", "the upload was answered without an id.")
        return found

    def delete(self, number: int) -> None:
        """Delete a File that turned out to be a twin of one that was there."""
        self._session.delete(f"attachments/{number}")

    def _send(self, artefact: Artefact, name: str, before: Callable[[], None]) -> None:
        """Send content as Resumable.js does: chunks numbered from 1, all but the last alike."""
        data, size = artefact.data, self._session.settings.chunk
        total = max(1, -(-len(data) // size))
        for number in range(1, total + 1):
            chunk = data[(number - 1) * size : number * size]
            fields = {
                "resumableIdentifier": f"{len(data)}-{artefact.sha256}",
                "resumableFilename": name,
                "resumableRelativePath": name,
                "resumableTotalChunks": str(total),
                "resumableChunkNumber": str(number),
                "resumableChunkSize": str(size),
                "resumableCurrentChunkSize": str(len(chunk)),
                "resumableTotalSize": str(len(data)),
                "resumableType": "application/octet-stream",
            }
            before()
            self._session.upload("attachments/upload", fields, chunk)


def _same(record: Record, md5: str, artefact: Artefact) -> bool:
    if not isinstance(record.get("id"), int) or record.get("deleted_at"):
        return False
    if str(record.get("hash", md5)).casefold() != md5:
        return False
    if str(record.get("file_size", artefact.size)) != str(len(artefact.data)):
        return False
    ours = _OURS.match(str(record.get("name", "")))
    if ours is None or artefact.sha256.startswith(ours[1]):
        return True
    logger.warning("File %d in ThreatQ has the same MD5 and other content.", record["id"])
    return False
