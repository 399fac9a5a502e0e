"""Decrypt OpenDocument packages with the passwords that people use and that the mail tells.

cryptography, which msoffcrypto-tool brings along: that tool itself reads Microsoft's files only.
Both of LibreOffice's ways are known: each part by itself (AES-CBC, keys by PBKDF2), and, since
24.8, one part that is the whole package (AES-GCM, keys by Argon2id). OASIS OpenDocument 1.3,
part 2, section 3.8; what 24.8 does is in LibreOffice's package/source.
"""

from __future__ import annotations

import base64
import hashlib
import zlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from xml.parsers import expat

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CBC

from tqimap_processor.passwords import CUSTOMARY


if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from tqimap_processor.openers.source import Source
    from tqimap_shared.settings import Limits


WHOLE = "encrypted-package"
_BLOCK, _NONCE, _TAG = 16, 12, 16
_KEY = 32
_CHECKED = 1024  # bytes that the checksum is of
_MOST = 2_000  # parts


@dataclass(slots=True)
class _Lock:
    """How one part is encrypted, as the manifest says: its elements' attributes by local name."""

    path: str
    told: dict[str, str] = field(default_factory=dict)

    def number(self, name: str, default: int = 0) -> int:
        text = self.told.get(name, "")
        return int(text) if text.isdecimal() and len(text) < 10 else default

    def octets(self, name: str) -> bytes:
        return base64.b64decode(self.told.get(name, ""))

    @property
    def cost(self) -> int:
        """Return what a key costs, in rounds of a hash; 0 if it is derived in no way known."""
        if "argon2" in self.told.get("key-derivation-name", ""):
            return self.number("argon2-iterations") * self.number("argon2-memory")
        return self.number("iteration-count")

    @property
    def memory(self) -> int:
        return self.number("argon2-memory") * 1024


def decrypted(manifest: bytes, parts: Mapping[str, bytes], source: Source) -> dict[str, bytes]:
    """Return the plain *parts* of those that are encrypted; none if no password fits.

    Raises ValueError, or what the standard library raises, for a manifest that lies.
    """
    locks = [one for one in _locks(manifest) if one.path in parts][:_MOST]
    first = min(locks, key=lambda one: len(parts[one.path]), default=None)
    if first is None or not _is_affordable(first, source.limits):
        return {}
    words = dict.fromkeys((*CUSTOMARY, *source.passwords))
    most = min(source.limits.passwords, source.limits.key_rounds // first.cost)
    for word in list(words)[:most]:
        if _plain(first, parts[first.path], word) is not None:
            return _all(locks, parts, word, source)
    return {}


def _all(
    locks: list[_Lock], parts: Mapping[str, bytes], word: str, source: Source
) -> dict[str, bytes]:
    out: dict[str, bytes] = {}
    room, rounds = source.room, source.limits.key_rounds
    for one in locks:
        rounds -= one.cost
        if rounds < 0 or room <= 0 or not _is_affordable(one, source.limits):
            break
        packed = _plain(one, parts[one.path], word)
        if packed is not None:
            out[one.path] = zlib.decompressobj(-zlib.MAX_WBITS).decompress(packed, room)
            room -= len(out[one.path])
    return out


def _is_affordable(lock: _Lock, limits: Limits) -> bool:
    return 0 < lock.cost <= limits.key_rounds and lock.memory <= limits.dictionary


def _plain(lock: _Lock, data: bytes, word: str) -> bytes | None:
    """Return the part *data* as it was before it was encrypted, or None if *word* is wrong."""
    key, vector = _key(lock, word), lock.octets("initialisation-vector")
    if "gcm" in lock.told.get("algorithm-name", ""):
        try:
            # the nonce stands before the content, too
            return AESGCM(key).decrypt(vector, data.removeprefix(vector), None)
        except InvalidTag:
            return None
    if "cbc" not in lock.told.get("algorithm-name", "") or len(data) % _BLOCK or not data:
        return None
    reader = Cipher(AES(key), CBC(vector)).decryptor()
    padded = reader.update(data) + reader.finalize()
    plain = padded[: -padded[-1]] if 0 < padded[-1] <= _BLOCK else padded
    wanted = lock.octets("checksum")
    known = (hashlib.sha256, hashlib.sha1)
    return plain if any(of(plain[:_CHECKED]).digest() == wanted for of in known) else None


def _key(lock: _Lock, word: str) -> bytes:
    start = "sha256" if "sha256" in lock.told.get("start-key-generation-name", "") else "sha1"
    secret = hashlib.new(start, word.encode()).digest()
    salt, size = lock.octets("salt"), lock.number("key-size", _KEY)
    if size not in {16, 24, _KEY}:
        raise ValueError
    if "argon2" not in lock.told.get("key-derivation-name", ""):
        return hashlib.pbkdf2_hmac("sha1", secret, salt, lock.number("iteration-count"), size)
    from cryptography.hazmat.primitives.kdf.argon2 import Argon2id

    return Argon2id(
        salt=salt,
        length=size,
        iterations=lock.number("argon2-iterations"),
        lanes=lock.number("argon2-lanes"),
        memory_cost=lock.number("argon2-memory"),
    ).derive(secret)


def _locks(manifest: bytes) -> Iterator[_Lock]:
    found: list[_Lock] = []

    def start(name: str, attributes: dict[str, str]) -> None:
        local = {key.rpartition(":")[2]: value for key, value in attributes.items()}
        element = name.rpartition(":")[2]
        if element == "file-entry":
            found.append(_Lock(local.get("full-path", "").lstrip("/")))
        elif found and element == "start-key-generation":
            # its key-size is that of the first hash
            found[-1].told.update({**local, "key-size": found[-1].told.get("key-size", "")})
        elif found:
            found[-1].told.update(local)

    def refuse(*_: object) -> None:
        raise ValueError

    parser = expat.ParserCreate()
    parser.StartElementHandler = start
    parser.EntityDeclHandler = refuse
    parser.Parse(manifest, True)  # noqa: FBT003 - expat takes no keyword
    return (one for one in found if one.told)
