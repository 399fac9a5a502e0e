"""Pack one file into a ZIP with a password, as a download of a locked file does.

Traditional PKWARE encryption, which Python's zipfile reads but does not write (APPNOTE 6.1). It is
weak, and meant to be: it keeps a scanner or a hasty click off the bytes, nothing more.
"""

from __future__ import annotations

import secrets
import struct
import zlib


PASSWORD = b"infected"
_LOCAL = struct.Struct("<4sHHHHHIIIHH")
_CENTRAL = struct.Struct("<4sHHHHHHIIIHHHHHII")
_END = struct.Struct("<4sHHHHIIH")
_VERSION, _FLAGS, _STORED = 20, 0x0801, 0  # encrypted, names in UTF-8
_TIME, _DATE = 0, 0x0021  # 1980-01-01: the same file always packs alike, its salt aside


def _crc_table() -> list[int]:
    table = []
    for byte in range(256):
        value = byte
        for _ in range(8):
            value = (value >> 1) ^ (0xEDB88320 if value & 1 else 0)
        table.append(value)
    return table


_TABLE = _crc_table()


def _encrypted(plain: bytes) -> bytes:
    """Run the traditional cipher over *plain*; one loop over plain integers, for its speed."""
    first, second, third = 0x12345678, 0x23456789, 0x34567890
    table, result, opening = _TABLE, bytearray(), len(PASSWORD)
    for place, byte in enumerate(PASSWORD + plain):
        if place >= opening:
            mask = (third | 2) & 0xFFFF
            result.append(byte ^ ((mask * (mask ^ 1) >> 8) & 0xFF))
        first = (first >> 8) ^ table[(first ^ byte) & 0xFF]
        second = ((second + (first & 0xFF)) * 134775813 + 1) & 0xFFFFFFFF
        third = (third >> 8) ^ table[(third ^ (second >> 24)) & 0xFF]
    return bytes(result)


def locked(name: str, content: bytes) -> bytes:
    """Return a ZIP archive with *content* as the file *name*, under the password `infected`."""
    checksum = zlib.crc32(content)
    head = secrets.token_bytes(11) + bytes([checksum >> 24])  # the last byte proves the password
    body = _encrypted(head + content)
    label = name.encode()
    common = (_FLAGS, _STORED, _TIME, _DATE, checksum, len(body), len(content), len(label), 0)
    local = _LOCAL.pack(b"PK\3\4", _VERSION, *common) + label + body
    central = _CENTRAL.pack(b"PK\1\2", _VERSION, _VERSION, *common, 0, 0, 0, 0, 0) + label
    end = _END.pack(b"PK\5\6", 0, 0, 1, 1, len(central), len(local), 0)
    return local + central + end
