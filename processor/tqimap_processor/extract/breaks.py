"""Find where a mailer broke a line inside a link: quoted-printable, and links in angle brackets.

The layers that open mails decode quoted-printable; people paste it raw nevertheless.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING


if TYPE_CHECKING:
    from tqimap_processor.extract.refanging import Edit


# what quoted-printable always escapes, and what mailers escape besides
_ESCAPES = {b"3d": "=", b"2e": ".", b"40": "@", b"5f": "_"}
_SOFT = re.compile(rb"=(?:(?<=[^\s=]=)\r?\n(?=[^\s=])|(3[dD]|2[eE]|40|5[fF]))")
# RFC 3986, appendix C; another link begins no second line
_ANGLE = re.compile(
    rb"<(?:h[tx]{2}ps?|ftp)://[^\s<>\"]{1,998}(?:[ \t]?\r?\n[ \t]{0,8}(?![^\s<>\"]{0,16}://)[^\s<>\"]{1,998}){1,8}>"
)
_LINE_END = re.compile(rb"[ \t]?\r?\n[ \t]{0,8}")
_JOIN = re.compile(r"=?[ \t]?\r?\n[ \t]{0,8}")


def find(image: bytes) -> list[Edit]:
    """Return the edits of the text whose image is *image*, in no particular order."""
    edits: list[Edit] = []
    if b"=3D" in image and (b"=\n" in image or b"=\r\n" in image):
        edits += [
            (soft.start(), soft.end(), _ESCAPES[soft[1].lower()] if soft[1] else "")
            for soft in _SOFT.finditer(image)
        ]
    if b"<http" in image or b"<hxxp" in image or b"<ftp" in image:
        edits += [
            (end.start(), end.end(), "")
            for link in _ANGLE.finditer(image)
            for end in _LINE_END.finditer(image, *link.span())
        ]
    return edits


def only_broken(written: str, meant: str) -> bool:
    """Say whether *written* differs from what is *meant* by broken lines alone."""
    return _JOIN.sub("", written).replace("=3D", "=") == meant
