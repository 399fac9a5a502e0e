"""Write the mails of a run: each knows what must be in ThreatQ in the end, because it is planted.

Copies are the point: the same bytes again in the mailbox and in a second one, the same mail to
somebody else, the same attachment twice in a mail and in several mails at once.
"""

from __future__ import annotations

import hashlib
import io
import zipfile
from dataclasses import dataclass
from email.message import EmailMessage
from email.policy import SMTP
from typing import TYPE_CHECKING


if TYPE_CHECKING:
    import random
    from collections.abc import Iterator

MAILBOXES = ("first", "second")
Indicator = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Mail:
    """A mail to deliver, what is planted in it, and the MD5s of its attachments."""

    raw: bytes
    planted: frozenset[Indicator]
    files: frozenset[str]

    @property
    def sha256(self) -> str:
        """Its name in the ledger."""
        return hashlib.sha256(self.raw).hexdigest()


@dataclass(frozen=True, slots=True)
class Delivery:
    """A mail and the mailbox that it comes to."""

    mailbox: str
    mail: Mail


@dataclass(frozen=True, slots=True)
class _File:
    name: str
    data: bytes
    planted: frozenset[Indicator]


class Writer:
    """Writes mails as *random* decides; the same seed writes the same."""

    def __init__(self, random: random.Random) -> None:
        self._random = random
        self._number = 0

    def post(self) -> Iterator[Delivery]:
        """Yield deliveries for ever; copies follow their original closely."""
        while True:
            files = [self._file() for _ in range(self._random.choice((0, 1, 1, 2)))]
            if files and self._random.random() < 0.1:
                files.append(_File("again-" + files[0].name, files[0].data, files[0].planted))
            body = self._indicators()
            mail = self._mail(files, body)
            first = self._random.choice((MAILBOXES[0], MAILBOXES[0], MAILBOXES[1]))
            yield Delivery(first, mail)
            chance = self._random.random()
            if chance < 0.1:
                yield Delivery(first, mail)
            elif chance < 0.2:
                yield Delivery(MAILBOXES[first == MAILBOXES[0]], mail)
            elif chance < 0.35:
                for _ in range(self._random.randint(1, 3)):
                    yield Delivery(first, self._mail(files, body))

    def _mail(self, files: list[_File], body: frozenset[Indicator]) -> Mail:
        self._number += 1
        message = EmailMessage(SMTP)
        message["From"] = "reports@partner-cert.org"
        message["To"] = f"analyst{self._number}@soc-house.net"
        message["Subject"] = f"Report {self._number}"
        message["Message-ID"] = f"<{self._number}@partner-cert.org>"
        message["Date"] = "Mon, 02 Mar 2026 09:00:00 +0100"
        lines = [f"{kind}: {value}" for kind, value in sorted(body)]
        message.set_content("\n".join(["Seen today:", *lines, self._prose()]))
        for file in files:
            message.add_attachment(
                file.data, maintype="application", subtype="octet-stream", filename=file.name
            )
        planted = body.union(*(file.planted for file in files))
        md5s = frozenset(hashlib.md5(file.data).hexdigest() for file in files)
        return Mail(message.as_bytes(), planted, md5s)

    def _file(self) -> _File:
        kind = self._random.choice(("text", "zip", "binary"))
        number = self._random.randrange(16**6)
        if kind == "binary":
            data = self._random.randbytes(self._random.randint(200, 40_000))
            return _File(f"sample-{number:06x}.bin", data, frozenset())
        planted = self._indicators()
        text = "\r\n".join([*(value for _, value in sorted(planted)), self._prose()]).encode()
        if kind == "text":
            return _File(f"list-{number:06x}.txt", text, planted)
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr(zipfile.ZipInfo("list.txt"), text)
        return _File(f"case-{number:06x}.zip", buffer.getvalue(), planted)

    def _indicators(self) -> frozenset[Indicator]:
        random = self._random
        address = ".".join(str(random.randint(1, 250)) for _ in range(2))
        host = f"{random.randbytes(4).hex()}.evil-{random.randrange(40)}.com"
        return frozenset(
            {
                ("IP Address", f"45.{random.randint(1, 250)}.{address}"),
                ("FQDN", f"cdn.{host}"),
                ("URL", f"http://www.{host}/{random.randrange(10**6)}/index.php"),
                ("MD5", random.randbytes(16).hex()),
                ("SHA-256", random.randbytes(32).hex()),
            }
        )

    def _prose(self) -> str:
        words = ("please", "look", "at", "this", "case", "we", "saw", "it", "twice", "today")
        count = self._random.randint(20, 600)
        return "\r\n".join(
            " ".join(self._random.choices(words, k=10)) for _ in range(1 + count // 10)
        )
