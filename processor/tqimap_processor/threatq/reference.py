"""What this appliance calls things: its indicator types and statuses, by name.

Ids differ from release to release, so none is ever assumed.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

from tqimap_shared.errors import SettingsError, TryLater


if TYPE_CHECKING:
    from collections.abc import Mapping

    from tqimap_shared.threatq import Session


@dataclass(frozen=True, slots=True)
class Reference:
    """Ids by name; *statuses* holds the appliance's spelling by the folded name.

    *read_at* is a time of the monotonic clock.
    """

    types: Mapping[str, int]
    statuses: Mapping[str, str]
    read_at: float

    @classmethod
    def read(cls, session: Session) -> Self:
        """Read the appliance's tables now. Raises TryLater."""
        now = time.monotonic()
        types = {
            str(one["name"]): int(one["id"])
            for one in session.every("indicator/types")
            if "name" in one and "id" in one
        }
        if not types:
            raise TryLater(session.base, "ThreatQ names no indicator types.")
        statuses = [str(one.get("name")) for one in session.every("indicator/statuses")]
        return cls(types, {name.casefold(): name for name in statuses}, now)

    def older(self, seconds: float) -> bool:
        """Say whether the tables were read more than *seconds* ago."""
        return time.monotonic() - self.read_at > seconds

    def status(self, setting: str, wanted: str) -> str:
        """Return the appliance's spelling of a status. Raises SettingsError if it has none."""
        try:
            return self.statuses[wanted.casefold()]
        except KeyError:
            known = ", ".join(self.statuses.values())
            raise SettingsError(
                setting, f"ThreatQ knows no such indicator status; it has {known}."
            ) from None
