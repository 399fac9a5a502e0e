"""What an appliance's answers mean: records, or one of the three kinds of error.

Errors carry a sentence for a person and never what we sent: servers like to repeat it.
"""

from __future__ import annotations

import json
import re
import ssl
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeAlias
from urllib.parse import urlsplit

import requests
from urllib3.exceptions import NewConnectionError

from tqimap_shared import log
from tqimap_shared.errors import Denied, Never, Outage, TqimapError, TryLater


if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

Record: TypeAlias = dict[str, Any]

_TEXT = 300  # characters of a server's own words that are passed on
_LEAST_ECHO = 4  # characters; shorter values would garble the server's words
_OURS = frozenset({"value", "name", "title", "description", "text", "email", "password"})
_WAITING = frozenset({408, 425, 429})


@dataclass(frozen=True, slots=True)
class Answer:
    """An HTTP answer, read to its end."""

    status: int
    headers: Mapping[str, str]
    content: bytes = field(repr=False)


class Unauthorised(Denied):
    """The token was refused (401)."""


class Forbidden(Denied):
    """The account may not do this (403)."""


class NotFound(Never):
    """There is no such object or address (404)."""


class NotAllowed(Never):
    """The address does not take this method (405)."""


class Invalid(Never):
    """The server refused what was sent (400, 422, or `errors` beside a 2xx)."""


class Busy(TryLater):
    """The server asks to come back later; *after* is in how many seconds, 0 if it does not say."""

    after: float = 0


_KINDS: dict[int, type[Never]] = {400: Invalid, 404: NotFound, 405: NotAllowed, 422: Invalid}


def decoded(subject: str, answer: Answer, sent: object = None) -> Record:
    """Return the JSON object in *answer*, `{}` for 204.

    *sent* is the request's body: what the server repeats of it is blotted out. Raises TryLater,
    Never (Invalid, NotFound, NotAllowed) or Denied (Forbidden).
    """
    status = answer.status
    if 300 <= status < 400:
        raise TryLater(subject, _redirect(answer))
    body = _json(answer)
    if status >= 400:
        raise _refusal(subject, answer, _words(body, sent))
    if status == 204:
        return {}
    if body is None:
        raise TryLater(subject, _not_json(answer))
    if "errors" in body:
        raise Invalid(subject, f"ThreatQ refused this: {_words(body, sent)}.")
    return body


@contextmanager
def indispensable() -> Iterator[None]:
    """Turn TryLater into Outage: what is asked for in the block is not about any one mail."""
    try:
        yield
    except TryLater as error:
        raise Outage(error.subject, error.sentence) from None


def records(body: Record) -> list[Record]:
    """Return what stands under `data`: an object is a list of one, nothing is an empty list."""
    data = body.get("data")
    if isinstance(data, dict):
        return [data]
    if isinstance(data, list):
        return [one for one in data if isinstance(one, dict)]
    return []


def _json(answer: Answer) -> Record | None:
    try:
        body = json.loads(answer.content)
    except (ValueError, RecursionError):
        return None
    if isinstance(body, list):
        return {"data": body}
    return body if isinstance(body, dict) else None


def _refusal(subject: str, answer: Answer, words: str) -> TqimapError:
    status = answer.status
    said = f": {words}" if words else ""
    if status >= 500 or status in _WAITING:
        return _later(subject, answer, said)
    if status == 401:
        return Unauthorised(subject, "ThreatQ does not accept its own new token (401).")
    if status == 403:
        return Forbidden(
            subject,
            f"the account may not do this (403{said}); give the API user the Maintenance role.",
        )
    kind = _KINDS.get(status, Never)
    return kind(subject, f"ThreatQ refused this ({status}{said}).")


def _later(subject: str, answer: Answer, said: str) -> Busy:
    error = Busy(subject, f"ThreatQ cannot answer now ({answer.status}{said}).")
    try:
        # the other form, a date, is rare and no better than our own spacing
        error.after = max(0.0, float(answer.headers.get("Retry-After", "")))
    except ValueError:
        return error
    error.sentence = f"ThreatQ asks to wait {error.after:.0f} s ({answer.status}{said})."
    error.args = (subject, error.sentence)
    return error


def _redirect(answer: Answer) -> str:
    target = urlsplit(answer.headers.get("Location", ""))
    where = f"{target.scheme}://{target.hostname}" if target.hostname else "another page"
    return (
        f"answered with a redirect to {where}, which is not followed; "
        "is threatq.host the appliance itself?"
    )


def _not_json(answer: Answer) -> str:
    if not answer.content:
        return "the answer was empty."
    return "the answer was no JSON; is threatq.host a ThreatQ appliance?"


def _words(body: Record | None, sent: object) -> str:
    """Return the server's own words in either form of its error bodies, on one short line."""
    if body is None:
        return ""
    data = body.get("data")
    errors = body.get("errors") or (data.get("errors") if isinstance(data, dict) else None)
    text = "; ".join(_flat(errors or body.get("message") or body.get("error") or ""))
    for ours in sorted(_sent(sent), key=len, reverse=True):
        text = text.replace(ours, "…")
    text = re.sub(r"[\s\x00-\x1f\x7f-\x9f]+", " ", log.scrub(text)).strip().rstrip(".")
    return text if len(text) <= _TEXT else f"{text[:_TEXT]}…"


def _flat(errors: object) -> Iterator[str]:
    if isinstance(errors, dict):
        for field, inner in errors.items():
            yield f"{field}: {' '.join(_flat(inner))}"
    elif isinstance(errors, list):
        for inner in errors:
            yield " ".join(_flat(inner))
    elif errors:
        yield str(errors)


def _sent(body: object, *, ours: bool = False) -> Iterator[str]:
    if isinstance(body, dict):
        for key, inner in body.items():
            yield from _sent(inner, ours=key in _OURS)
    elif isinstance(body, list):
        for inner in body:
            yield from _sent(inner, ours=ours)
    elif ours and isinstance(body, str) and len(body) >= _LEAST_ECHO:
        yield body


def broken(subject: str, error: Exception) -> TqimapError:
    """Return what a failure of requests means. No word of it is passed on: it holds addresses."""
    found = _cause(error, ssl.SSLCertVerificationError)
    if isinstance(found, ssl.SSLCertVerificationError):
        return Denied(subject, untrusted(found))
    if isinstance(error, requests.exceptions.ProxyError):
        return Outage(subject, "the HTTPS proxy of the environment does not connect to it.")
    if isinstance(error, requests.exceptions.SSLError):
        return TryLater(subject, "the TLS connection failed; does the port speak TLS?")
    if isinstance(error, requests.ConnectTimeout):
        return Outage(subject, "did not accept a connection in time.")
    if isinstance(error, requests.Timeout) or _cause(error, TimeoutError) is not None:
        return TryLater(subject, "did not answer in time.")
    reason = _cause(error, OSError)
    detail = f" ({reason.strerror})" if isinstance(reason, OSError) and reason.strerror else ""
    # one that was made and then broken off may have been so for what this mail sent
    kind = TryLater if _cause(error, NewConnectionError) is None else Outage
    return kind(subject, f"the connection failed{detail}.")


def untrusted(error: ssl.SSLCertVerificationError) -> str:
    """Say why the appliance's certificate is refused, and what to do."""
    if error.verify_code in {62, 64}:  # X509_V_ERR_HOSTNAME_MISMATCH, ..._IP_ADDRESS_MISMATCH
        return "the certificate is for another name; set threatq.host to the name it is for."
    return (
        f"the certificate is not trusted ({error.verify_message}); "
        "set threatq.ca_file to a file with the issuer's certificate."
    )


def _cause(error: BaseException | None, kind: type[BaseException]) -> BaseException | None:
    """Find an exception of *kind* among all that *error* wraps, the innermost first."""
    found: BaseException | None = None
    seen: set[int] = set()
    waiting = [error]
    while waiting:
        one = waiting.pop()
        if not isinstance(one, BaseException) or id(one) in seen:
            continue
        seen.add(id(one))
        # requests' own errors are OSErrors too, without a reason of the system's
        if isinstance(one, kind) and not isinstance(one, requests.RequestException):
            found = one
        waiting += [*one.args, getattr(one, "reason", None), one.__cause__, one.__context__]
    return found
