"""Find crypto-currency addresses whose checksum holds.

Base58Check and Bech32 are a few lines each; a wrong letter or a random identifier fails them.
pycryptodomex for the Keccak of Ethereum and Monero, which the standard library has not (its SHA-3
pads differently) and which takes half a millisecond in Python. It is loaded with this module: where
texts are searched, nothing may be loaded any more.
"""

from __future__ import annotations

import functools
import operator
import re
from hashlib import sha256
from typing import TYPE_CHECKING

from Cryptodome.Hash import keccak

from tqimap_processor.extract.finding import STRING, Raw


if TYPE_CHECKING:
    from tqimap_processor.extract.image import Image


_LONGEST = 106
_BASE58 = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
_DIGITS = {letter: at for at, letter in enumerate(_BASE58)}
_SHORT = re.compile(r"[13LMDTXA9t][1-9A-HJ-NP-Za-km-z]{25,34}")
_VERSIONS = {
    b"\x00": "Bitcoin", b"\x05": "Bitcoin", b"\x30": "Litecoin", b"\x32": "Litecoin",
    b"\x1e": "Dogecoin", b"\x16": "Dogecoin", b"\x41": "Tron", b"\x4c": "Dash", b"\x10": "Dash",
}  # fmt: skip
_ZCASH = {b"\x1c\xb8": "Zcash", b"\x1c\xbd": "Zcash"}
_BECH32 = re.compile(r"(?:bc1|ltc1)[ac-hj-np-z02-9]{11,87}|(?:BC1|LTC1)[AC-HJ-NP-Z02-9]{11,87}")
_CHARSET = {letter: at for at, letter in enumerate("qpzry9x8gf2tvdw0s3jn54khce6mua7l")}
_GENERATORS = (0x3B6A57B2, 0x26508E6D, 0x1EA119FA, 0x3D4233DD, 0x2A1462B3)
# what the five bits that are shifted out leave behind
_SHIFTED = tuple(
    functools.reduce(operator.xor, (g for bit, g in enumerate(_GENERATORS) if top >> bit & 1), 0)
    for top in range(32)
)
_ETHER = re.compile(r"0x[0-9a-fA-F]{40}")
_MONERO = re.compile(r"[48][1-9A-HJ-NP-Za-km-z]{94}(?:[1-9A-HJ-NP-Za-km-z]{11})?")


_MAX_SHORT, _ETHER_SIZE, _MONERO_SIZES = 35, 42, (95, 106)
_SIZES = frozenset({_ETHER_SIZE, *_MONERO_SIZES})
# of Bech32's prefixes
_FIRST = b"bBlL"
_PREFIXES = ("bc1", "ltc")


def find(image: Image, start: int, end: int) -> Raw | None:
    """Return the address that the run of letters and digits [*start*, *end*) is, or None."""
    size = end - start
    fits = size <= _MAX_SHORT or size in _SIZES or image.bytes[start] in _FIRST
    if not fits or size > _LONGEST or not (coin := _coin(word := image.bytes[start:end].decode())):
        return None
    if word[0] in "BL":
        # Bech32 has one case, the lower one by convention
        word = word.lower() if word[:3].lower() in _PREFIXES and size > _MAX_SHORT else word
    return STRING, word, start, end, frozenset({"coin-" + coin.lower()}), (("Coin", coin),)


def _coin(word: str) -> str | None:
    size = len(word)
    if size <= _MAX_SHORT and _SHORT.fullmatch(word):
        return _base58(word)
    if word[:3].lower() in _PREFIXES and _BECH32.fullmatch(word):
        return _bech32(word.lower())
    if size == _ETHER_SIZE and _ETHER.fullmatch(word):
        return "Ethereum" if _is_ethereum(word[2:]) else None
    is_monero = size in _MONERO_SIZES and _MONERO.fullmatch(word) and _is_monero(word)
    return "Monero" if is_monero else None


def _keccak(data: bytes) -> bytes:
    return keccak.new(digest_bits=256, data=data).digest()


def _is_ethereum(digits: str) -> bool:
    """Check the case of *digits*: EIP-55 hides a checksum in it, unless it is the same for all."""
    lower = digits.lower()
    if digits in {lower, digits.upper()}:
        return True
    said = _keccak(lower.encode()).hex()
    return all(c.isupper() == (n > "7") for c, n in zip(digits, said, strict=False) if c > "9")


def _is_monero(word: str) -> bool:
    """Check the checksum of a Monero address, whose Base58 encodes eight bytes in eleven digits."""
    raw = bytearray()
    for at in range(0, len(word), 11):
        block = word[at : at + 11]
        number = 0
        for letter in block:
            number = number * 58 + _DIGITS[letter]
        size = 8 if len(block) == 11 else 5
        if number >> 8 * size:
            return False
        raw += number.to_bytes(size, "big")
    return _keccak(bytes(raw[:-4]))[:4] == raw[-4:]


def _base58(word: str) -> str | None:
    number = 0
    for letter in word:
        number = number * 58 + _DIGITS[letter]
    size = 26 if word[0] == "t" else 25
    if number >> 8 * size:
        return None
    raw = number.to_bytes(size, "big")
    if sha256(sha256(raw[:-4]).digest()).digest()[:4] != raw[-4:]:
        return None
    return _ZCASH.get(raw[:2]) if size == 26 else _VERSIONS.get(raw[:1])


def _bech32(word: str) -> str | None:
    prefix, _, data = word.rpartition("1")
    values = [ord(c) >> 5 for c in prefix] + [0] + [ord(c) & 31 for c in prefix]
    check = 1
    for value in values + [_CHARSET[c] for c in data]:
        check = (check & 0x1FFFFFF) << 5 ^ value ^ _SHIFTED[check >> 25]
    # 1 is Bech32 (BIP 173), the other Bech32m (BIP 350)
    return {"bc": "Bitcoin", "ltc": "Litecoin"}[prefix] if check in {1, 0x2BC830A3} else None
