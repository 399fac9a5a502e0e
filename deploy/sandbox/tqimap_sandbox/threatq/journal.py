"""Write down every request: method, path, query, status, milliseconds; never a secret."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, urlencode

from tqimap_sandbox.threatq.store import now


if TYPE_CHECKING:
    from tqimap_sandbox.threatq.store import Row, Store

_SECRET = {"password", "client_secret", "refresh_token", "access_token", "email", "client_id"}
_KEPT = 200_000  # lines
_SWEEP = 1000  # lines between two looks at what is too old
DROPPED = 0  # the status of a request that got no answer


def clean(query: str) -> str:
    """Return a query string without the values of secrets."""
    pairs = parse_qsl(query, keep_blank_values=True)
    return urlencode([(key, "***" if key.lower() in _SECRET else value) for key, value in pairs])


def write(
    store: Store,
    method: str,
    target: tuple[str, str],
    status: int,
    *,
    millis: float,
    fault: str | None,
) -> None:
    """Add a line; *target* is path and query."""
    line = store.insert(
        "journal",
        at=now(),
        method=method,
        path=target[0],
        query=clean(target[1]),
        status=status,
        millis=round(millis, 2),
        fault=fault,
    )
    if line % _SWEEP == 0:
        store.run("DELETE FROM journal WHERE id <= ?", line - _KEPT)


def read(store: Store, since: int = 0) -> list[Row]:
    """Return the lines with an id above *since*, oldest first."""
    return store.rows("SELECT * FROM journal WHERE id > ? ORDER BY id", since)
