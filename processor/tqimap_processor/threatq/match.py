"""Find which of ThreatQ's answers belongs to which indicator that was sent.

The server may normalise values (scheme and query of a URL go, a URL without a path becomes an FQDN
or an address), answer in any order, and answer less than was sent. So answers are matched by id and
by our own normal forms, never by string equality alone.
"""

from __future__ import annotations

import hashlib
import re
from typing import TYPE_CHECKING

from tqimap_processor.extract.finding import URL


if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from tqimap_shared.threatq import Record

Key = tuple[str, str]
"""A type's name and a value, as we spell them."""

MARK = 16  # hexadecimal digits
_SCHEME = re.compile(r"^[a-z][a-z0-9+.-]*://", re.IGNORECASE)


def key(payload: Record) -> Key:
    """Return the key of an indicator as it is sent."""
    return payload["type"]["name"], payload["value"]


def mark(of: Key) -> str:
    """Return a short name of a key that tells nothing of it."""
    return hashlib.sha256(" ".join(of).encode(errors="replace")).hexdigest()[:MARK]


def forms(kind: str, value: str) -> Iterator[str]:
    """Yield how a server may spell *value*, the likeliest first."""
    folded = re.sub(r"\s+", " ", value.strip(" \"'")).casefold()
    yield folded
    if kind != URL:
        return
    bare = _SCHEME.sub("", folded)
    yield bare
    path = re.split(r"[?#]", bare, maxsplit=1)[0]
    yield path
    yield path.rstrip("/")
    authority, _, rest = path.partition("/")
    if not rest:
        host = authority.rpartition("@")[2]
        yield host
        yield re.sub(r":\d+$", "", host)


def match(
    payloads: Iterable[Record], answers: Sequence[Record], types: Mapping[str, int]
) -> dict[Key, int]:
    """Return the ids of *payloads* as far as *answers* tell them."""
    exact: dict[tuple[object, str], int] = {}
    loose: dict[str, int] = {}
    for answer in answers:
        number, value = answer.get("id"), answer.get("value")
        if isinstance(number, int) and isinstance(value, str):
            folded = next(forms("", value))
            exact.setdefault((_type(answer), value), number)
            exact.setdefault((_type(answer), folded), number)
            loose.setdefault(folded, number)
    found: dict[Key, int] = {}
    for payload in payloads:
        kind, value = key(payload)
        candidates = [value, *forms(kind, value)]
        ids = [exact.get((types.get(kind), one)) for one in candidates]
        # a URL may have become another type; anything else keeps its own
        ids += [loose.get(one) for one in candidates] if kind == URL else []
        ids += [exact.get((None, one)) for one in candidates]
        number = next((one for one in ids if one is not None), None)
        if number is not None:
            found[kind, value] = number
    return found


def _type(answer: Record) -> object:
    """Return the id of an answer's type, None if the answer does not tell."""
    inner = answer.get("type")
    return answer.get("type_id") or (inner.get("id") if isinstance(inner, dict) else None)
