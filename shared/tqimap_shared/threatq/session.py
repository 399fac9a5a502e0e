"""Speak to ThreatQ's REST API: token, envelope, errors, deadlines.

Shapes and codes are those of ThreatQ's REST reference and of its published clients.
"""

from __future__ import annotations

import functools
import logging
import warnings
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Self
from urllib.parse import urlsplit

import requests
from requests.utils import get_environ_proxies
from urllib3.exceptions import HTTPError, InsecureRequestWarning, ProtocolError

from tqimap_shared import __version__, log
from tqimap_shared.errors import Denied, Never, SettingsError, TryLater
from tqimap_shared.threatq.address import address
from tqimap_shared.threatq.answers import (
    Answer,
    Invalid,
    Record,
    Unauthorised,
    broken,
    decoded,
    indispensable,
    records,
)
from tqimap_shared.threatq.token import Token
from tqimap_shared.threatq.transport import Adapter, Context


if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from tqimap_shared.settings import ThreatQ

logger = logging.getLogger(__name__)

_PAGE = 500  # rows asked for at once; the server's own maximum is 1000
_CHUNK = 65_536
_BYTES = "application/octet-stream"
_LOCAL = frozenset({"localhost", "127.0.0.1", "::1"})


@dataclass(frozen=True, slots=True)
class _Call:
    method: str
    path: str
    params: Mapping[str, str | int] = field(default_factory=dict)
    json: object = None
    fields: Mapping[str, str] = field(default_factory=dict)
    file: bytes | None = field(default=None, repr=False)

    @property
    def repeatable(self) -> bool:
        """Whether doing it twice is the same as once; some of ThreatQ's GETs write."""
        return self.method == "GET" and not self.path.endswith("/commit")


class Session:
    """A logged-in session; logs in by itself on first use. Use it as a context manager.

    Paths are relative to `/api/`. Answers come as lists of records whatever the envelope: an
    object is a list of one. Writes are never repeated, save after a 401, which did nothing.
    *token* may be set to one that another process got.
    All calls raise TryLater, Never (Invalid, NotFound, NotAllowed) or Denied (Forbidden).
    """

    def __init__(self, settings: ThreatQ) -> None:
        self.settings = settings
        self.base = address(settings.host)
        self.token: Token | None = None
        self._http = requests.Session()
        # .netrc would replace our Authorization header; so would a proxy for this very machine
        self._http.trust_env = False
        self._http.proxies.update(proxied(self.base))
        self._http.headers["User-Agent"] = f"tqimap/{__version__}"
        self._http.headers["Accept"] = "application/json"
        context = Context.trusting(
            settings.ca_file, verify=settings.verify, patience=settings.read_timeout
        )
        self._http.mount("https://", Adapter(context))
        log.hide(settings.password.get_secret_value())
        warn_unverified(settings)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close all connections; a call afterwards opens a new one."""
        self._http.close()

    def login(self) -> None:
        """Get a token by the password grant. Raises Denied if the credentials are wrong."""
        if missing := self.settings.missing():
            raise SettingsError("ThreatQ", f"a login needs {', '.join(missing)}.")
        query = {"grant_type": "password", "client_id": self.settings.client_id}
        secret = self.settings.password.get_secret_value()
        body = {"email": self.settings.email, "password": secret}
        self.token = None
        try:
            answer = self._ask(_Call("POST", "token", query, body))
        except (Invalid, Unauthorised):
            raise Denied(
                self.base, "ThreatQ refused the login; check client id, e-mail and password."
            ) from None
        except Never as error:
            # not the mail's fault: a wrong host must never end a mail
            raise Denied(
                self.base, f"there is no ThreatQ API at this host. {error.sentence}"
            ) from None
        self.token = Token.read(self.base, answer)

    def get(self, path: str, params: Mapping[str, str | int] | None = None) -> list[Record]:
        """Read objects."""
        return records(self._call(_Call("GET", path, params or {})))

    def post(
        self, path: str, params: Mapping[str, str | int] | None = None, json: object = None
    ) -> list[Record]:
        """Write objects and return what the server made of them."""
        return records(self._call(_Call("POST", path, params or {}, json)))

    def put(
        self, path: str, params: Mapping[str, str | int] | None = None, json: object = None
    ) -> list[Record]:
        """Change an object."""
        return records(self._call(_Call("PUT", path, params or {}, json)))

    def delete(
        self, path: str, params: Mapping[str, str | int] | None = None, json: object = None
    ) -> list[Record]:
        """Delete an object, or the links whose ids are in *json*."""
        return records(self._call(_Call("DELETE", path, params or {}, json)))

    def upload(self, path: str, fields: Mapping[str, str], file: bytes) -> list[Record]:
        """Send *fields* and the bytes of *file* as a multipart form."""
        return records(self._call(_Call("POST", path, fields=fields, file=file)))

    def every(self, path: str, params: Mapping[str, str | int] | None = None) -> Iterator[Record]:
        """Read a whole collection, page by page."""
        offset, seen = 0, set[object]()
        while True:
            page = {**(params or {}), "limit": _PAGE, "offset": offset}
            body = self._call(_Call("GET", path, page))
            found = [one for one in records(body) if one.get("id") not in seen]
            yield from found
            seen.update(one.get("id") for one in found)
            offset += len(records(body))
            total = body.get("total")
            # a server that knows no offset repeats itself: nothing new is the end as well
            if not found or (isinstance(total, int) and offset >= total):
                return

    def _call(self, call: _Call) -> Record:
        """Make a call with a token that is good; once more if the server thinks otherwise."""
        if self.token is None:
            self.login()
        elif not self.token.fresh:
            self._renew(self.token)
        answer = self._send(call)
        if answer.status == 401:
            self.login()
            answer = self._send(call)
        return decoded(self._subject(call), answer, call.json)

    def _renew(self, token: Token) -> None:
        """Use the refresh token, which is good once; without a good one log in again."""
        query = {"grant_type": "refresh_token", "refresh_token": token.refresh}
        try:
            answer = self._ask(_Call("POST", "token", query)) if token.refresh else {}
            self.token = Token.read(self.base, answer)
        except (Denied, Never):
            self.login()

    def _ask(self, call: _Call) -> Record:
        with indispensable():
            return decoded(self.base, self._send(call), call.json)

    def _subject(self, call: _Call) -> str:
        return f"{call.method} {self.base}/api/{call.path}"

    def _send(self, call: _Call) -> Answer:
        """Send a call, a read once more if the server had dropped the kept connection."""
        try:
            try:
                return self._exchange(call)
            except requests.ConnectionError as error:
                if not (
                    call.repeatable and error.args and isinstance(error.args[0], ProtocolError)
                ):
                    raise
            return self._exchange(call)
        except (requests.RequestException, HTTPError) as error:
            raise broken(self._subject(call), error) from None

    def _exchange(self, call: _Call) -> Answer:
        headers = {"Content-Type": "application/json"} if call.file is None else {}
        if self.token is not None:
            headers["Authorization"] = f"Bearer {self.token.access}"
        response = self._http.request(
            call.method,
            f"{self.base}/api/{call.path}",
            params=dict(call.params),
            json=call.json,
            data=dict(call.fields) or None,
            files=None if call.file is None else {"file": ("blob", call.file, _BYTES)},
            headers=headers,
            timeout=(self.settings.connect_timeout, self.settings.read_timeout),
            allow_redirects=False,
            stream=True,
        )
        return self._bounded(response)

    def _bounded(self, response: requests.Response) -> Answer:
        """Read the answer, up to as much as one may hold."""
        taken = bytearray()
        with response:
            for chunk in response.iter_content(_CHUNK):
                taken += chunk
                if len(taken) > self.settings.max_answer:
                    raise TryLater(self.base, "an answer was larger than threatq.max_answer.")
        return Answer(response.status_code, response.headers, bytes(taken))


def proxied(base: str) -> dict[str, str]:
    """Return the environment's proxies for the appliance at *base*, none for this machine."""
    if urlsplit(base).hostname in _LOCAL:
        return {}
    return dict(get_environ_proxies(base))


def warn_unverified(settings: ThreatQ) -> None:
    """Say, once a process, that the appliance's certificate is not checked."""
    if settings.verify:
        return
    warnings.simplefilter("ignore", InsecureRequestWarning)
    _say_unverified(settings.host)


@functools.cache
def _say_unverified(host: str) -> None:
    logger.warning(
        "The certificate of ThreatQ at %s is not checked (threatq.verify is false): "
        "whoever can redirect the connection reads and changes everything.",
        host,
    )
