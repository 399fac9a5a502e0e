"""A link of the chain, and how a row of them is tried."""

from __future__ import annotations

import ssl
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Literal, TypeAlias

from tqimap_shared import log
from tqimap_shared.errors import TqimapError


if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

    import redis

    from tqimap_shared.settings import Settings
    from tqimap_shared.threatq import Session

SOON = 21  # days before its end from which a certificate is warned of
State: TypeAlias = Literal["ok", "warning", "failed"]


@dataclass(frozen=True, slots=True)
class Said:
    """What a link that holds has to say; with *warns* somebody should look at it."""

    sentence: str
    warns: bool = False


@dataclass(frozen=True, slots=True)
class Link:
    """A link that was tried: in which *part* of the system, for how many *seconds*, with what.

    *status* is the exit status that the program ends with if this is the first that failed.
    """

    part: str
    name: str
    state: State
    sentence: str
    seconds: float
    status: int = 0


Step: TypeAlias = "tuple[str, Callable[[], Said]]"


@dataclass(slots=True)
class Patient:
    """What is examined. *session* is logged in to ThreatQ, or None if that failed."""

    settings: Settings
    directory: Path
    client: redis.Redis
    session: Session | None = field(default=None)


def walk(part: str, steps: Iterable[Step]) -> Iterator[Link]:
    """Try *steps* one after the other; the first that fails ends the row."""
    for name, act in steps:
        began = time.monotonic()
        try:
            said = act()
        except TqimapError as error:
            sentence = log.scrub(str(error))
            spent = time.monotonic() - began
            yield Link(part, name, "failed", sentence, spent, error.status)
            return
        spent = time.monotonic() - began
        state: State = "warning" if said.warns else "ok"
        yield Link(part, name, state, log.scrub(said.sentence), spent)


def certificate(tls: ssl.SSLSocket) -> Said:
    """Say whom the server's certificate is for, and for how many days it is still good."""
    found = tls.getpeercert()
    if not found:
        return Said(
            f"{tls.version()}; the certificate is NOT checked (verify = false).", warns=True
        )
    names = [str(one[1]) for one in found.get("subjectAltName", ()) if one[0] == "DNS"]
    ends = datetime.fromtimestamp(ssl.cert_time_to_seconds(str(found["notAfter"])), UTC)
    days = (ends - datetime.now(UTC)).days
    sentence = f"{tls.version()}; certificate of {names[0] if names else 'an address'}, "
    return Said(f"{sentence}{days} days left (until {ends.date()}).", warns=days < SOON)
