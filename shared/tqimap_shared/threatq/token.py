"""The bearer token: how it is asked for, how long it is good, how it is renewed."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Self

from tqimap_shared import log
from tqimap_shared.errors import Denied


if TYPE_CHECKING:
    from tqimap_shared.threatq.answers import Record

DEFAULT_LIFE = 1800.0  # seconds; where the server does not say
MARGIN = 60.0  # seconds before the end at which a token is renewed; a tenth of a short life


@dataclass(frozen=True, slots=True)
class Token:
    """A token; *expires* is a time of the monotonic clock, margin taken off.

    That clock is the machine's on Linux, so that processes may hand a token to one another.
    """

    access: str = field(repr=False)
    refresh: str = field(repr=False)
    expires: float

    @classmethod
    def of(cls, access: str, refresh: str, expires: float) -> Self:
        """Make a token, whose secrets no log line will show."""
        log.hide(access, refresh)
        return cls(access, refresh, expires)

    @classmethod
    def read(cls, subject: str, body: Record) -> Self:
        """Read the answer to a token call. Raises Denied if there is no token in it."""
        access, refresh = body.get("access_token"), body.get("refresh_token")
        if not isinstance(access, str) or not access:
            raise Denied(subject, "ThreatQ gave no token; check client id, e-mail and password.")
        refresh = refresh if isinstance(refresh, str) else ""
        life = _life(body.get("expires_in"))
        return cls.of(access, refresh, time.monotonic() + life - min(MARGIN, life / 10))

    @property
    def fresh(self) -> bool:
        """Whether the token can still be used."""
        return time.monotonic() < self.expires


def _life(said: object) -> float:
    try:
        life = float(str(said))
    except ValueError:
        return DEFAULT_LIFE
    return life if 0 < life < float("inf") else DEFAULT_LIFE
