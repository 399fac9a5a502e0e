"""Decrypt Office documents with the passwords that people use and that the mail tells.

msoffcrypto-tool, which oletools brings along anyway and which knows every scheme since Office 97.
"""

from __future__ import annotations

import io
import re
import sys
from functools import partial
from typing import TYPE_CHECKING

from tqimap_processor.artefact import Child, Opened, Problem
from tqimap_processor.openers import compound
from tqimap_processor.openers.untrusted import Foreign, attempt
from tqimap_processor.passwords import CUSTOMARY


if TYPE_CHECKING:
    from tqimap_processor.openers.source import Source


# Excel's own password for sheets that are locked but shown
_DEFAULT = "VelvetSweatshop"
_ROUNDS = re.compile(rb"spinCount\s*=\s*[\"']([^\"']{0,40})")


def open_encrypted(source: Source) -> Opened:
    """Return the document inside *source* as its child, or the problem `encrypted`."""
    words = list(dict.fromkeys((_DEFAULT, *CUSTOMARY, *source.passwords)))
    affordable = source.limits.key_rounds // _rounds(source)
    failed: dict[Problem, None] = {}
    for word in words[: min(affordable, source.limits.passwords)]:
        data = attempt(partial(_decrypted, source.data, word))
        if isinstance(data, bytes):
            room = min(source.room, source.limits.artefact)
            cut = (Problem("truncated", f"after {room} bytes"),) if len(data) > room else ()
            return Opened(children=(Child("", data[:room], "decrypted", problems=cut),))
        if data is not None:
            failed.setdefault(data)
    return Opened(problems=(Problem("encrypted", "no known password opens it"), *failed))


def _rounds(source: Source) -> int:
    """Return how many hash rounds a key costs; more than any limit where it is not told plainly."""
    info = compound.read(source).streams.get(("EncryptionInfo",), b"").replace(b"\0", b"")
    told = [hit[1].decode("latin-1") for hit in _ROUNDS.finditer(info)]
    return max((int(one) if one.isdecimal() else sys.maxsize for one in told), default=1) or 1


def _decrypted(data: bytes, password: str) -> bytes | None:
    """Return the plain document, or None if *password* is not the one."""
    import msoffcrypto
    from msoffcrypto.exceptions import DecryptionError, InvalidKeyError

    file: Foreign = msoffcrypto.OfficeFile(io.BytesIO(data))
    plain = io.BytesIO()
    try:
        # only OOXML's loader knows the switch; the others always check
        if "verify_password" in file.load_key.__code__.co_varnames:
            file.load_key(password=password, verify_password=True)
        else:
            file.load_key(password=password)
        file.decrypt(plain)
    except (InvalidKeyError, DecryptionError):
        return None
    return plain.getvalue()
