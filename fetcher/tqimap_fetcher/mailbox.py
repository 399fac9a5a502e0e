"""Hold one IMAP folder open: find unread mails, stream them, mark them.

Commands are pipelined: at 50 ms round-trip time that is two hundred times faster than one mail per
command. Bodies come by `BODY.PEEK[]` alone, which marks nothing, byte for byte as they lie there.
"""

from __future__ import annotations

import logging
from collections import deque
from contextlib import contextmanager
from typing import TYPE_CHECKING

from tqimap_fetcher import criteria
from tqimap_fetcher.answer import read_body, read_size, read_uids, uid_set, windows
from tqimap_fetcher.connection import connected
from tqimap_fetcher.header import LONGEST_TO, read_fields
from tqimap_fetcher.login import NOTHING_KEPT, open_folder
from tqimap_fetcher.mover import Moved, Mover, parts
from tqimap_fetcher.patience import ServerMisbehaved
from tqimap_fetcher.pipeline import Batch, Pipeline
from tqimap_fetcher.refusal import telling, throttled
from tqimap_fetcher.transport import subject_of
from tqimap_shared.errors import TryLater


if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from datetime import date

    from tqimap_fetcher.bounded import BoundedClient
    from tqimap_fetcher.kept_tokens import Keep
    from tqimap_shared.settings import Fetch, Mailbox

logger = logging.getLogger(__name__)

DONE_KEYWORD = "$tqimap-done"
TAKEN_KEYWORD = "$tqimap-taken"  # beside \Seen: says that it is with us, not read by a person
_SIZE_OCTETS = 128  # bytes of an answer with one mail's size
_OTHER_OCTETS = 1_048_576  # room for what a server says unasked


@contextmanager
def open_mailbox(settings: Mailbox, fetch: Fetch, keep: Keep = NOTHING_KEPT) -> Iterator[Session]:
    """Connect as `connected` does and select the mailbox's one folder."""
    with connected(settings, fetch, keep) as client:
        session = Session(client, settings, fetch)
        yield session
        session.settle()


class Session:
    """A selected folder, writable: `settings.folder` of the mailbox that *client* is logged in to.

    A connection has one at a time; the next one ends the last, which must have been settled.
    """

    def __init__(self, client: BoundedClient, settings: Mailbox, fetch: Fetch) -> None:
        selected = open_folder(client, settings, fetch)
        self.mailbox = settings.name
        self.folder = settings.folder
        self.uidvalidity = int(str(selected[b"UIDVALIDITY"]))
        self._imap = client.imap
        self._imap.uidvalidity = b"%d" % self.uidvalidity
        self._mover = Mover(client, settings)
        self._settings = settings
        self._fetch = fetch
        self._subject = subject_of(settings)
        self._keywords = _keywords(selected)
        self._marks: deque[bytes] = deque()
        self._exists = int(str(selected.get(b"EXISTS", 0)))
        self._must_hold(self._exists)

    @property
    def place(self) -> tuple[str, str, int]:
        """The mailbox's name, the folder and its UIDVALIDITY: where the ledger finds its mails."""
        return self.mailbox, self.folder, self.uidvalidity

    @property
    def takes_new(self) -> bool:
        """Whether mails are taken by UID here, not by being unread."""
        return self._settings.take == "new"

    @property
    def keeps_keywords(self) -> bool:
        """Whether done mails are marked by a keyword here: wanted, and kept by the server."""
        return self._settings.done == "keyword" and self._has_keywords

    @property
    def _has_keywords(self) -> bool:
        return bool(self._keywords & {"\\*", DONE_KEYWORD})

    def unseen(self) -> list[int]:
        """Return the UIDs of mails neither Seen nor Deleted, the oldest first."""
        return self._search("UNSEEN", "UNDELETED")

    def read_since(self, day: date, *without: str) -> list[int]:
        r"""Return the UIDs of \Seen mails that came on *day* or later, *without* these keywords."""
        return self._search(
            "SEEN", "UNDELETED", "SINCE", criteria.on(day), *criteria.without(without)
        )

    def unread_again(self) -> list[int]:
        """Return the UIDs of unread mails that carry a keyword of ours, and so had been read."""
        if not self._has_keywords:
            return []
        ours = ("OR", "KEYWORD", TAKEN_KEYWORD, "KEYWORD", DONE_KEYWORD)
        return self._search("UNSEEN", "UNDELETED", *ours)

    def above(self, uid: int) -> list[int]:
        """Return the UIDs above *uid*, read or not, the oldest first."""
        found = self._search("UID", f"{uid + 1}:*", "UNDELETED")
        return [one for one in found if one > uid]  # `*` is the last mail, whatever its UID

    def read(self) -> list[int]:
        r"""Return the UIDs of all \Seen mails."""
        return self._search("SEEN")

    def came_before(self, day: date) -> list[int]:
        """Return the UIDs of mails that came before *day*."""
        return self._search("BEFORE", criteria.on(day))

    def since(self, day: date, *without: str) -> list[int]:
        """Return the UIDs of mails that came on *day* or later, *without* these keywords."""
        return self._search("UNDELETED", "SINCE", criteria.on(day), *criteria.without(without))

    def done_before(self, day: date) -> list[int]:
        """Return the UIDs of mails with the keyword $tqimap-done that came before *day*."""
        if not self._has_keywords:
            return []
        return self._search("KEYWORD", DONE_KEYWORD, "UNDELETED", "BEFORE", criteria.on(day))

    def _search(self, *criteria: str) -> list[int]:
        """Search window by window, so that no line of an answer grows with the folder."""
        found: set[int] = set()
        for window in windows(self._exists, self._fetch.search_window):
            found.update(self._search_in(*window, *criteria))
            self._must_hold(len(found))
        return sorted(found)

    def _search_in(self, *criteria: str) -> list[int]:
        self._imap.allow(
            self._fetch.max_search_line,
            line=self._fetch.max_search_line,
            quiet=self._fetch.command_timeout,
        )
        with telling(self._subject):
            self._imap.untagged_responses.pop("SEARCH", None)
            self._finish(self._imap.ask("SEARCH", *criteria))
            return read_uids(self._imap.untagged_responses.pop("SEARCH", []))

    def _must_hold(self, mails: int) -> None:
        if mails > self._fetch.max_folder:
            raise ServerMisbehaved(
                self._subject, f"holds {mails} mails, beyond the limit (fetch.max_folder)."
            )

    def sizes(self, uids: Sequence[int]) -> dict[int, int]:
        """Return the sizes in bytes of those mails of *uids* that still exist, in that order."""
        batches = (Batch(part, _SIZE_OCTETS * len(part)) for part in parts(uids))
        pipeline = self._pipeline(self._fetch.max_other_literal)
        found: dict[int, int] = {}
        for _, size in pipeline.run(batches, lambda _: "(UID RFC822.SIZE)", read_size):
            if size is not None:
                found.setdefault(*size)
        return {uid: found[uid] for uid in uids if uid in found}

    def headers(self, uids: Sequence[int], items: str) -> Iterator[tuple[int, bytes]]:
        """Fetch header fields of *uids* by *items*; yield each mail's, as they stand in it."""
        literal = max(self._fetch.max_other_literal, LONGEST_TO)
        batches = (Batch(part, literal * len(part)) for part in parts(uids))
        for _, fields in self._pipeline(literal).run(batches, lambda _: items, read_fields):
            if fields is not None:
                yield fields

    def stream(self, batches: Iterable[Batch]) -> Iterator[tuple[int, bytes | None]]:
        """Fetch *batches*, `window` of them at once; yield each UID with its raw bytes.

        None instead of bytes: the server gave nothing (the mail vanished, or the server hides it).
        A batch is taken only when its command is sent, so an iterable may still change its mind.
        Exhaust this before asking for anything else but `mark_seen`.
        """
        wanted: set[int] = set()

        def wanting() -> Iterator[Batch]:
            for batch in batches:
                wanted.update(batch.uids)
                yield batch

        pipeline = self._pipeline(self._fetch.max_literal)
        for batch, mail in pipeline.run(wanting(), _body_items, read_body):
            if mail is None:
                yield from ((uid, None) for uid in batch.uids if uid in wanted)
                wanted.difference_update(batch.uids)
            elif mail[0] in wanted:
                wanted.remove(mail[0])
                yield mail

    def mark_seen(self, uids: Iterable[int]) -> None:
        r"""Have *uids* marked \Seen; does not wait for the answer, `settle` does.

        Where done mails will be marked by a keyword, one says already that they are with us.
        """
        ours = self.keeps_keywords and self._keywords & {"\\*", TAKEN_KEYWORD}
        self._store(uids, rf"\Seen {TAKEN_KEYWORD}" if ours else r"\Seen")

    def mark_done(self, uids: Iterable[int]) -> int:
        """Give *uids* the keyword $tqimap-done, and move them if `mailbox.done` says so.

        Returns how many; 0 where nothing is to be done or the server keeps no keywords.
        """
        chosen, done = sorted(set(uids)), self._settings.done
        if not chosen or done == "nothing":
            return 0
        if self._has_keywords:
            self._store(chosen, DONE_KEYWORD)
            self.settle()
        elif done == "keyword":
            logger.warning(
                "%s keeps no keywords: done mails stay unmarked; set mailbox.done to move or "
                "nothing.",
                self._subject,
            )
            return 0
        if done == "move":
            self._mover.move(chosen, "done")
        return len(chosen)

    def move_failed(self, uids: Iterable[int]) -> Moved:
        """Move *uids* to `mailbox.failed_folder`; return where they are now."""
        return self._mover.move(sorted(set(uids)), "failed")

    def delete(self, uids: Iterable[int]) -> int:
        """Delete *uids*; return how many."""
        chosen = sorted(set(uids))
        self._mover.delete(chosen)
        return len(chosen)

    def settle(self) -> None:
        """Wait until all marks are answered; raises TryLater if one was refused."""
        while self._marks:
            self._imap.allow(_OTHER_OCTETS)
            with telling(self._subject):
                self._finish(self._marks.popleft())

    def _pipeline(self, literal: int) -> Pipeline:
        return Pipeline(self._imap, self._subject, self._fetch.window, literal)

    def _store(self, uids: Iterable[int], flag: str) -> None:
        with telling(self._subject):
            for part in parts(sorted(set(uids))):
                arguments = (uid_set(part), "+FLAGS.SILENT", f"({flag})")
                self._marks.append(self._imap.ask("STORE", *arguments))

    def _finish(self, tag: bytes) -> None:
        """Wait for the command of *tag*; raise if it failed."""
        while not self._imap.answered(tag):
            self._imap.receive()
        status, text = self._imap.outcome(tag)
        if status != "OK":
            raise throttled(self._subject, text) or TryLater(
                self._subject,
                "the server refused to search or to mark mails; what was fetched is safe and "
                "will be recognised next time.",
            )


def _body_items(batch: Batch) -> str:
    return f"(UID BODY.PEEK[]<0.{batch.part}>)" if batch.part else "(UID BODY.PEEK[])"


def _keywords(selected: Mapping[bytes, object]) -> frozenset[str]:
    flags = selected.get(b"PERMANENTFLAGS")
    if not isinstance(flags, tuple):
        return frozenset()
    return frozenset(flag.decode("ascii", "replace").lower() for flag in flags)
