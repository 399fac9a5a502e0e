"""What tqimap is compared with: the seed's job done the plain way, in one process.

One mail after the other: the standard library's parser, iocextract over the bodies, a POST for each
indicator, two calls for each attachment and one that relates it. It is spared what would slow it
down further: fetching, a queue, a ledger, opened attachments, look-ups, retries; it keeps one
connection and one token, and iocextract is stopped after a time where it does not come back.
"""

from __future__ import annotations

import email
import email.policy
import ipaddress
import re
import signal
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import iocextract
import requests


if TYPE_CHECKING:
    from collections.abc import Iterator
    from email.message import EmailMessage

    from fixtures.threatq import StandIn

_HASHES = {32: "MD5", 40: "SHA-1", 64: "SHA-256", 128: "SHA-512"}


class _TooLong(Exception):  # noqa: N818 - it is no error of anybody's
    """iocextract has had its time."""


@dataclass(slots=True)
class Plain:
    """A run of the plain way against a stand-in; *patience* is iocextract's seconds for a mail."""

    stand_in: StandIn
    patience: float
    stopped: int = 0
    indicators: int = 0
    files: int = 0
    _http: requests.Session = field(default_factory=requests.Session)

    def __post_init__(self) -> None:
        """Log in."""
        document = {"email": self.stand_in.email, "password": self.stand_in.password}
        query = f"grant_type=password&client_id={self.stand_in.client_id}"
        token = self._post(f"token?{query}", json=document)["access_token"]
        self._http.headers["Authorization"] = f"Bearer {token}"

    def process(self, raw: bytes) -> None:
        """Do all that is done for one mail."""
        message = email.message_from_bytes(raw, policy=email.policy.default)
        ids = [self._indicator(kind, value) for kind, value in self._found(message)]
        for part in message.iter_attachments():
            self._file(part.get_filename() or "unnamed", part.get_payload(decode=True), ids)

    def _found(self, message: EmailMessage) -> list[tuple[str, str]]:
        parts = [one for one in message.walk() if one.get_content_maintype() == "text"]
        bodies = [one.get_content() for one in parts if not one.is_attachment()]
        found: dict[tuple[str, str], None] = {}
        try:
            with _within(self.patience):
                for value in iocextract.extract_iocs("\n".join(bodies), refang=True):
                    found[_kind(value), value] = None
        except _TooLong:
            self.stopped += 1
        return list(found)

    def _indicator(self, kind: str, value: str) -> int:
        self.indicators += 1
        document = {"type": kind, "value": value, "status": "Active"}
        return int(self._post("indicators", json=document)["data"][0]["id"])

    def _file(self, name: str, data: object, ids: list[int]) -> None:
        self.files += 1
        content = data if isinstance(data, bytes) else b""
        fields = {"resumableIdentifier": f"{self.files}-{name}", "resumableFilename": name}
        self._post("attachments/upload", data=fields, files={"file": ("blob", content)})
        document = {"name": name, "title": name, "type": "Spearphish Attachment"}
        number = self._post("attachments", json=document)["data"]["id"]
        related = [{"id": one} for one in dict.fromkeys(ids)]
        self._post(f"attachments/{number}/indicators", json=related)

    def _post(self, path: str, **more: Any) -> Any:  # noqa: ANN401 - JSON, and as requests
        where = f"{self.stand_in.url}/api/{path}"
        # here and not for the session: a bundle named in the environment would win
        answer = self._http.post(where, verify=self.stand_in.ca_file, timeout=60, **more)
        answer.raise_for_status()
        return answer.json()


def _kind(value: str) -> str:
    if "://" in value:
        return "URL"
    if "@" in value:
        return "Email Address"
    if re.fullmatch(r"[0-9a-fA-F]+", value) and len(value) in _HASHES:
        return _HASHES[len(value)]
    try:
        return "IPv6 Address" if ipaddress.ip_address(value).version == 6 else "IP Address"
    except ValueError:
        return "String"


@contextmanager
def _within(seconds: float) -> Iterator[None]:
    def stop(*_: object) -> None:
        raise _TooLong

    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
