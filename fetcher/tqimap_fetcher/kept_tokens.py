"""Keep a mailbox's tokens between runs: cron comes every minute, and a token lives for an hour.

In a file of their own in the configuration directory, mode 0600, encrypted with a key made from the
secrets in the settings: alone it opens nothing, and when the operator changes a secret it counts
for nothing. Not in Redis, which many hosts read; not in the state file, which people show around;
never in the operator's tqimap.toml. Fernet of cryptography, because it authenticates what it
encrypts, and msal brings it anyway.

A *refresh* token is here only if the server gave a new one for that in the settings (Microsoft does
so each time, and lets the old one end after 90 days). It is used before that in the settings.
"""

from __future__ import annotations

import base64
import hashlib
import json
import time
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING

from tqimap_fetcher.replace import replace
from tqimap_shared import log


if TYPE_CHECKING:
    from pathlib import Path

    from tqimap_shared.settings import Mailbox

MARGIN = 300  # seconds before its end at which an access token is used no more


@dataclass(frozen=True, slots=True)
class Tokens:
    """An access token, good until *expires* (seconds since 1970), and a newer refresh token."""

    access: str = field(default="", repr=False)
    expires: float = 0
    refresh: str = field(default="", repr=False)

    def __post_init__(self) -> None:
        log.hide(self.access, self.refresh)

    @property
    def fresh(self) -> bool:
        """Whether the access token can still be used."""
        return bool(self.access) and time.time() < self.expires - MARGIN


@dataclass(frozen=True, slots=True)
class Keep:
    """The directory that keeps tokens, or None: then nothing is kept.

    A *sparing* one keeps a newer refresh token alone.
    """

    directory: Path | None = None
    sparing: bool = False

    def load(self, mailbox: Mailbox) -> Tokens:
        """Return what is kept for *mailbox*; what is missing or not ours counts as nothing."""
        from cryptography.fernet import Fernet, InvalidToken  # noqa: PLC0415 - only where needed

        if self.directory is None:
            return Tokens()
        try:
            content = self._path(self.directory, mailbox).read_bytes()
            return Tokens(**json.loads(Fernet(_key(mailbox)).decrypt(content)))
        except (OSError, InvalidToken, ValueError, TypeError):
            return Tokens()

    def save(self, mailbox: Mailbox, tokens: Tokens) -> None:
        """Keep *tokens* for *mailbox* in the place of what was. Raises NotWritable."""
        from cryptography.fernet import Fernet  # noqa: PLC0415 - only where needed

        if self.sparing and tokens.refresh == self.load(mailbox).refresh:
            return
        if self.directory is not None:
            content = Fernet(_key(mailbox)).encrypt(json.dumps(asdict(tokens)).encode())
            replace(self._path(self.directory, mailbox), content)

    @staticmethod
    def _path(directory: Path, mailbox: Mailbox) -> Path:
        digest = hashlib.sha256(mailbox.name.encode()).hexdigest()[:12]
        return directory / f".tqimap-{digest}.tokens"


def _key(mailbox: Mailbox) -> bytes:
    files = (mailbox.service_account_file, mailbox.client_certificate_file)
    parts = [
        mailbox.username,
        mailbox.tenant,
        mailbox.client_id,
        mailbox.token_url,
        mailbox.scope,
        mailbox.client_secret.get_secret_value(),
        mailbox.refresh_token.get_secret_value(),
        *(path.read_text("utf-8") for path in files if path),
    ]
    return base64.urlsafe_b64encode(hashlib.sha256(json.dumps(parts).encode()).digest())
