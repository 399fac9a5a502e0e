"""Read secrets from the files that a mailbox's settings name.

When the mailbox is signed in to, not when settings are loaded: a worker loads them too, on hosts
and as users that have no business with these files.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from pydantic import SecretStr

from tqimap_shared import log
from tqimap_shared.account import FILED_SECRETS
from tqimap_shared.errors import SettingsError


if TYPE_CHECKING:
    from pathlib import Path

    from tqimap_shared.settings import Mailbox

_MOST = 65_536  # bytes; a Google key file has some 2,400


def with_secrets(mailbox: Mailbox) -> Mailbox:
    """Return *mailbox* with the secrets that its files hold, and hide them all from the log.

    Raises SettingsError for a file that is missing, empty, open to other users, or not one line.
    """
    found = {}
    for name in FILED_SECRETS:
        if path := getattr(mailbox, f"{name}_file"):
            setting = f"mailbox.{name}_file {path}"
            text = read(path, setting).removesuffix("\n").removesuffix("\r")
            if not text or any(c in text for c in "\r\n\0"):
                raise SettingsError(setting, "must hold one line, the secret.")
            found[name] = SecretStr(text)
    mailbox = mailbox.model_copy(update=found)
    log.hide(*(getattr(mailbox, name).get_secret_value() for name in FILED_SECRETS))
    log.hide(mailbox.proxy_password.get_secret_value())
    return mailbox


def read(path: Path, setting: str) -> str:
    """Read a file that only its owner, and a group, may read. Raises SettingsError."""
    try:
        with path.open("rb") as file:
            if os.fstat(file.fileno()).st_mode & 0o007:
                raise SettingsError(
                    setting, f"is open to every user of this machine; run: chmod 600 {path}"
                )
            return file.read(_MOST).decode()
    except OSError as error:
        raise SettingsError(setting, f"cannot be read ({error.strerror}).") from None
    except UnicodeDecodeError:
        raise SettingsError(setting, "is not UTF-8 text.") from None
