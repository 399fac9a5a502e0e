"""Make mails as a mailbox of reported phishing and threat reports holds them, the same every time.

Sizes follow what was published of such mailboxes: most mails are HTML of 5 to 60 KB without an
attachment, three in ten have one to three attachments, and the mean is about 75 KB. Content
compresses as theirs does (zstd level 3: a factor of about 2). A quarter of the attachments was in
an earlier mail already, as in a campaign.
"""

from __future__ import annotations

import base64
import io
import random
import struct
import zipfile
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING


if TYPE_CHECKING:
    from collections.abc import Iterator

_SYLLABLES = [first + last for first in "bcdfghklmnprstvwz" for last in "aeiou"]
_ENDINGS = ("com", "net", "org", "info", "biz", "ru", "top", "xyz", "io", "de")
_STYLE = "font-family:Arial,Helvetica,sans-serif;font-size:14px;line-height:20px;color:#333333"
_SHARED = 40  # attachments that go round


def _words() -> list[str]:
    dice = random.Random("words")
    return ["".join(dice.choices(_SYLLABLES, k=dice.randint(1, 4))) for _ in range(4000)]


WORDS = _words()


@dataclass(frozen=True, slots=True)
class Attachment:
    """A file as it lies in a mail."""

    name: str
    media: str
    data: bytes


def letters(count: int, *, size: float = 1.0) -> Iterator[bytes]:
    """Yield *count* mails; *size* scales what people wrote and what they attached."""
    for number in range(count):
        yield letter(number, size=size)


def letter(number: int, *, size: float = 1.0) -> bytes:
    """Return mail *number*."""
    dice = random.Random(f"letter {number}")
    host = _host(dice)
    plain = _plain(dice, int(dice.lognormvariate(7.2, 0.8) * size))
    html = _html(dice, int(dice.lognormvariate(9.9, 0.75) * size)) if dice.random() < 0.8 else ""
    body = _part("text/plain; charset=utf-8", plain)
    if html:
        body = _multipart("alternative", [body, _part("text/html; charset=utf-8", html)], dice)
    files = _attachments(dice, size) if dice.random() < 0.3 else []
    if files:
        body = _multipart("mixed", [body, *(_attached(one) for one in files)], dice)
    return _head(dice, number, host) + body


def _host(dice: random.Random) -> str:
    return f"{dice.choice(WORDS)}-{dice.choice(WORDS)}.{dice.choice(_ENDINGS)}"


def _address(dice: random.Random) -> str:
    return ".".join(str(dice.randint(1, 223)) for _ in range(4))


def _token(dice: random.Random, length: int) -> str:
    return base64.urlsafe_b64encode(dice.randbytes(length)).decode().rstrip("=")


def _link(dice: random.Random) -> str:
    path = "/".join(dice.choices(WORDS, k=dice.randint(1, 3)))
    query = f"?id={_token(dice, dice.randint(6, 60))}" if dice.random() < 0.5 else ""
    return f"https://{_host(dice)}/{path}{query}"


def _sentence(dice: random.Random) -> str:
    return " ".join(dice.choices(WORDS, k=dice.randint(6, 18))).capitalize() + "."


def _indicator(dice: random.Random) -> str:
    kind = dice.randrange(5)
    if kind == 0:
        return _address(dice).replace(".", "[.]")
    if kind == 1:
        return _link(dice).replace("https", "hxxps").replace(".", "[.]", 1)
    if kind == 2:
        return dice.randbytes(32).hex()
    if kind == 3:
        return f"{dice.choice(WORDS)}@{_host(dice)}"
    return _host(dice).replace(".", "[.]")


def _plain(dice: random.Random, size: int) -> str:
    lines: list[str] = []
    while size > 0:
        line = _sentence(dice) if dice.random() < 0.9 else f"- {_indicator(dice)}"
        size -= len(line)
        lines.append(line)
    return "\r\n".join(lines)


def _html(dice: random.Random, size: int) -> str:
    links = [_link(dice) for _ in range(dice.randint(3, 20))]
    rows: list[str] = []
    while size > 0:
        row = (
            f'<tr><td class="c{dice.randint(1, 60)}" style="{_STYLE};padding:{dice.randint(0, 40)}'
            f'px"><p>{_sentence(dice)} {_sentence(dice)}</p></td></tr>'
        )
        if dice.random() < 0.15:
            target = dice.choice(links)
            row += f'<tr><td><a href="{target}">{_sentence(dice)}</a>'
            row += f'<img src="{target}/{_token(dice, 12)}.png" width="1"></td></tr>'
        size -= len(row)
        rows.append(row)
    head = '<html><head><meta charset="utf-8"><style>td{margin:0}</style></head><body><table>'
    return "\r\n".join([head, *rows, "</table></body></html>"])


def _attachments(dice: random.Random, size: float) -> list[Attachment]:
    count = dice.choices((1, 2, 3), weights=(7, 2, 1))[0]
    return [
        _attachment(random.Random(f"shared {dice.randrange(_SHARED)}"), size)
        if dice.random() < 0.25
        else _attachment(dice, size)
        for _ in range(count)
    ]


def _attachment(dice: random.Random, size: float) -> Attachment:
    length = min(int(dice.lognormvariate(11.32, 1.0) * size), 4_000_000)
    name = f"{dice.choice(WORDS)}_{dice.randint(1, 9999)}"
    kind = dice.choices(("html", "csv", "pdf", "zip", "png"), weights=(25, 15, 27, 15, 18))[0]
    if kind == "html":
        return Attachment(f"{name}.html", "text/html", _html(dice, length).encode())
    if kind == "csv":
        rows = [f"{_address(dice)},{_sentence(dice)},{_token(dice, 12)}" for _ in range(60)]
        noise = [f"{n},{_sentence(dice)}" for n in range(length // 90)]
        return Attachment(f"{name}.csv", "text/csv", "\r\n".join([*rows, *noise]).encode())
    if kind == "zip":
        return Attachment(f"{name}.zip", "application/zip", _zip(dice, length // 2))
    if kind == "pdf":
        return Attachment(f"{name}.pdf", "application/pdf", _pdf(dice, length // 2))
    return Attachment(f"{name}.png", "image/png", _png(dice, length // 2))


def _zip(dice: random.Random, length: int) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in ("run.js", "readme.txt"):
            entry = zipfile.ZipInfo(name)  # of a fixed date: the bytes must be the same each time
            text = _plain(dice, length) if name == "readme.txt" else f"var u='{_link(dice)}';"
            archive.writestr(entry, text, zipfile.ZIP_DEFLATED)
    return buffer.getvalue()


def _pdf(dice: random.Random, length: int) -> bytes:
    """Return a document of one page: some text, one link, and a picture of *length* bytes."""
    text = b"\n".join(f"({_sentence(dice)}) Tj T*".encode() for _ in range(40))
    drawn = zlib.compress(b"BT /F1 12 Tf " + text + b" ET")
    link = f"/A << /S /URI /URI ({_link(dice)}) >>".encode()
    picture = dice.randbytes(length)
    bodies = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        (
            b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Contents 4 0 R /Annots [6 0 R]"
            b" /Resources << /Font << /F1 7 0 R >> /XObject << /I 5 0 R >> >> >>"
        ),
        b"<< /Length %d /Filter /FlateDecode >>\nstream\n%b\nendstream" % (len(drawn), drawn),
        b"<< /Type /XObject /Subtype /Image /Width 100 /Height 100 /ColorSpace /DeviceGray"
        b" /BitsPerComponent 8 /Filter /DCTDecode /Length %d >>\nstream\n%b\nendstream"
        % (len(picture), picture),
        b"<< /Type /Annot /Subtype /Link /Rect [0 0 9 9] %b >>" % link,
        b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
    ]
    whole, offsets = b"%PDF-1.7\n", []
    for number, body in enumerate(bodies, 1):
        offsets.append(len(whole))
        whole += b"%d 0 obj\n%b\nendobj\n" % (number, body)
    table = b"".join(b"%010d 00000 n \n" % offset for offset in offsets)
    size = len(bodies) + 1
    end = b"trailer\n<< /Size %d /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n" % (size, len(whole))
    return whole + b"xref\n0 %d\n0000000000 65535 f \n%b" % (size, table) + end


def _png(dice: random.Random, length: int) -> bytes:
    """Return a grey picture of noise, *length* pixels at most."""
    side = max(1, int(length**0.5))
    rows = b"".join(b"\0" + dice.randbytes(side) for _ in range(side))
    shape = struct.pack(">IIBBBBB", side, side, 8, 0, 0, 0, 0)
    parts = ((b"IHDR", shape), (b"IDAT", zlib.compress(rows)), (b"IEND", b""))
    chunks = (
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in parts
    )
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


def _part(media: str, text: str) -> bytes:
    return f"Content-Type: {media}\r\nContent-Transfer-Encoding: 8bit\r\n\r\n{text}".encode()


def _attached(one: Attachment) -> bytes:
    head = (
        f"Content-Type: {one.media}\r\nContent-Transfer-Encoding: base64\r\n"
        f'Content-Disposition: attachment; filename="{one.name}"\r\n\r\n'
    )
    return head.encode() + base64.encodebytes(one.data).replace(b"\n", b"\r\n")


def _multipart(kind: str, parts: list[bytes], dice: random.Random) -> bytes:
    cut = f"=_{dice.randbytes(12).hex()}"
    lines = b"".join(f"--{cut}\r\n".encode() + part + b"\r\n" for part in parts)
    head = f'Content-Type: multipart/{kind}; boundary="{cut}"\r\n\r\n'
    return head.encode() + lines + f"--{cut}--\r\n".encode()


def _head(dice: random.Random, number: int, host: str) -> bytes:
    hops = "".join(
        f"Received: from {_host(dice)} ({_address(dice)}) by mx{hop}.our-place.net with ESMTPS id "
        f"{_token(dice, 9)}; Mon, 2 Mar 2026 09:00:0{hop} +0100\r\n"
        for hop in range(4)
    )
    signature = "\r\n ".join(_token(dice, 48) for _ in range(4))
    return (
        f"{hops}DKIM-Signature: v=1; a=rsa-sha256; d={host}; s=k1; b={signature}\r\n"
        f"From: {dice.choice(WORDS).title()} <{dice.choice(WORDS)}@{host}>\r\n"
        f"To: soc@our-place.net\r\nSubject: {_sentence(dice)}\r\n"
        f"Message-ID: <{number}.{_token(dice, 9)}@{host}>\r\n"
        "Date: Mon, 2 Mar 2026 09:00:00 +0100\r\nMIME-Version: 1.0\r\n"
    ).encode()
