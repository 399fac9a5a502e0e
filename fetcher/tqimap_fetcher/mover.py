"""Move mails to other folders of the same mailbox, or delete them, and never a mail more.

A bare EXPUNGE would take what people have marked as deleted; so without UIDPLUS (and MOVE) our own
marks stay until somebody expunges.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from imaplib import IMAP4
from typing import TYPE_CHECKING, Literal

from tqimap_fetcher.refusal import telling, throttled
from tqimap_fetcher.transport import subject_of
from tqimap_shared import ranges
from tqimap_shared.errors import StopProcess


if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from tqimap_fetcher.bounded import BoundedClient
    from tqimap_shared.errors import TqimapError
    from tqimap_shared.settings import Mailbox

logger = logging.getLogger(__name__)

SET = 200  # UIDs in one command: some servers take no line over 8 KiB
_OCTETS = 1_048_576  # room for the answers to one command


def parts(uids: Sequence[int]) -> Iterator[tuple[int, ...]]:
    """Cut *uids* into sets for one command each."""
    return (tuple(uids[start : start + SET]) for start in range(0, len(uids), SET))


@dataclass(frozen=True, slots=True)
class Moved:
    """The new UIDs of moved mails, by the old ones, under the target's *uidvalidity*."""

    uidvalidity: int = 0
    uids: Mapping[int, int] = field(default_factory=dict)

    def joined(self, said: Sequence[object], asked: Sequence[int]) -> Moved:
        """Add what a server *said* of the mails *asked* for: `UIDVALIDITY old-set new-set`."""
        match [word for one in said if isinstance(one, bytes) for word in one.decode().split()]:
            case [validity, old, new] if validity.isdigit():
                pairs = _pairs(old, new, most=len(asked))
                return Moved(int(validity), {**self.uids, **pairs})
        return self


def _pairs(old: str, new: str, *, most: int) -> dict[int, int]:
    """Pair two sets of UIDs; none, unless both are as large and not larger than *most*."""
    if not 0 < ranges.size(old) == ranges.size(new) <= most:
        return {}
    return dict(zip(sorted(ranges.split(old)), sorted(ranges.split(new)), strict=True))


class Mover:
    """Moves and deletes in the selected folder of *client*, as the mailbox's *settings* say."""

    def __init__(self, client: BoundedClient, settings: Mailbox) -> None:
        self._client = client
        self._settings = settings
        self._subject = subject_of(settings)

    def move(self, uids: Sequence[int], kind: Literal["done", "failed"]) -> Moved:
        """Move *uids* to `mailbox.done_folder` or `mailbox.failed_folder`; create it if needed.

        Returns where they are now, as far as the server tells (UIDPLUS). Raises StopProcess if the
        folder is not set, cannot be written or cannot be created.
        """
        setting = f"mailbox.{kind}_folder"
        folder = self._settings.done_folder if kind == "done" else self._settings.failed_folder
        if not folder:
            raise StopProcess(self._subject, f"set {setting}, or mailbox.done to keyword.")
        moved = Moved()
        for part in parts(uids):
            self._client.imap.allow(_OCTETS)
            with telling(self._subject):
                self._client.imap.untagged_responses.pop("COPYUID", None)
                self._move(part, folder, setting)
                moved = moved.joined(self._client.imap.untagged_responses.pop("COPYUID", []), part)
        return moved

    def delete(self, uids: Sequence[int]) -> None:
        r"""Mark *uids* \Deleted, and expunge just these where the server can."""
        for part in parts(uids):
            self._client.imap.allow(_OCTETS)
            with telling(self._subject):
                self._delete(part)

    def _move(self, uids: tuple[int, ...], folder: str, setting: str) -> None:
        try:
            self._transfer(uids, folder)
        except IMAP4.abort:
            raise
        except IMAP4.error as error:
            if not self._client.imap.untagged_responses.pop("TRYCREATE", None):
                raise self._refused(setting, error) from None
            logger.info("%s: creating the folder that %s names.", self._subject, setting)
            self._create(folder, setting)
            self._transfer(uids, folder)

    def _create(self, folder: str, setting: str) -> None:
        try:
            self._client.create_folder(folder)
        except IMAP4.abort:
            raise
        except IMAP4.error as error:
            raise self._refused(setting, error) from None

    def _refused(self, setting: str, error: Exception) -> TqimapError:
        return throttled(self._subject, str(error)) or StopProcess(
            self._subject, f"mails cannot be moved; check {setting}."
        )

    def _transfer(self, uids: tuple[int, ...], folder: str) -> None:
        if self._client.has_capability("MOVE"):
            self._client.move(uids, folder)
            return
        self._client.copy(uids, folder)
        self._delete(uids)

    def _delete(self, uids: tuple[int, ...]) -> None:
        self._client.add_flags(uids, [b"\\Deleted"], silent=True)
        if self._client.has_capability("UIDPLUS"):
            self._client.uid_expunge(uids)
