"""Break requests on purpose, as told: how, how often, and which ones.

Faults live in the process only; a restart forgets them. Each may let the request take effect before
it breaks the answer: the hardest case for a client is an effect it never hears of.
"""

from __future__ import annotations

import itertools
import random
import threading
from dataclasses import dataclass, field, fields
from typing import Any

from werkzeug.wrappers import Response

from tqimap_sandbox.threatq.answers import invalid


DROP = {"drop-before", "drop-after"}
_EFFECT = {"drop-after", "slow"}
_STATUSES = {"401": 401, "403": 403, "429": 429, "500": 500, "502": 502}
KINDS = frozenset(_STATUSES) | DROP | {"slow", "html", "errors"}
_HTML = "<!DOCTYPE html><html><head><title>{0}</title></head><body><h1>{0}</h1></body></html>"


@dataclass(slots=True)
class Fault:
    """One way to break requests that begin with *path* and have *method*, where given.

    The first *after* matching ones pass, then *count* are broken (all, where it is None), each
    with *probability*, drawn from *seed*. *effect* says whether the request is carried out first;
    None leaves it to the kind: only `drop-after` and `slow` carry it out.
    """

    kind: str
    count: int | None = None
    after: int = 0
    path: str = "/api/"
    method: str | None = None
    probability: float = 1.0
    seed: int = 0
    effect: bool | None = None
    status: int = 200  # of an HTML page
    retry_after: int = 1  # seconds, said with 429
    delay: float = 1.0  # seconds a slow answer takes
    hits: int = 0
    id: int = 0
    _random: random.Random = field(init=False, repr=False)

    def __post_init__(self) -> None:
        """Start the sequence of draws."""
        self._random = random.Random(self.seed)  # noqa: S311 - it must be repeatable

    @property
    def takes_effect(self) -> bool:
        """Say whether a broken request is carried out all the same."""
        return self.kind in _EFFECT if self.effect is None else self.effect

    def strikes(self, method: str, path: str) -> bool:
        """Say whether this fault breaks this request, and count it."""
        if not path.startswith(self.path) or self.method not in {None, method}:
            return False
        if self.after > 0:
            self.after -= 1
            return False
        if self.count == 0 or self._random.random() >= self.probability:
            return False
        self.count = None if self.count is None else self.count - 1
        self.hits += 1
        return True

    def answer(self) -> Response:
        """Return what a broken request is answered with."""
        if self.kind == "errors":
            return _json(200, '{"errors": ["Something went wrong.", ["part 1", "part 2"]]}')
        if self.kind == "html":
            return Response(_HTML.format("Sign in"), self.status, content_type="text/html")
        if self.kind == "502":
            return Response(_HTML.format("502 Bad Gateway"), 502, content_type="text/html")
        answer = _json(_STATUSES[self.kind], '{"errors": ["Broken on purpose."]}')
        if self.kind == "429":
            answer.headers["Retry-After"] = str(self.retry_after)
        return answer

    def described(self) -> dict[str, Any]:
        """Return the fault as JSON."""
        return {one.name: getattr(self, one.name) for one in fields(self) if one.init}


def _json(status: int, text: str) -> Response:
    return Response(text, status, content_type="application/json")


class Faults:
    """The faults that are set, oldest first; the first that strikes wins."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._faults: list[Fault] = []
        self._ids = itertools.count(1)

    def inject(self, given: dict[str, Any]) -> Fault:
        """Set a fault; refuse unknown kinds and keys."""
        known = {one.name for one in fields(Fault) if one.init} - {"hits", "id"}
        if given.get("kind") not in KINDS or not given.keys() <= known:
            raise invalid("kind", f"Faults have a kind of {sorted(KINDS)}, and {sorted(known)}.")
        fault = Fault(**given)
        with self._lock:
            fault.id = next(self._ids)
            self._faults.append(fault)
        return fault

    def choose(self, method: str, path: str) -> Fault | None:
        """Return the fault that breaks this request, if any."""
        with self._lock:
            return next((one for one in self._faults if one.strikes(method, path)), None)

    def listed(self) -> list[dict[str, Any]]:
        """Return all faults as JSON, used up ones too."""
        with self._lock:
            return [one.described() for one in self._faults]

    def clear(self) -> None:
        """Forget all faults."""
        with self._lock:
            self._faults.clear()
