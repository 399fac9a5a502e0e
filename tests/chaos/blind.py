"""Run `tqimap-worker` without the effect ledger: the control run that must show doubles.

What a mail did is neither written down nor looked up, here or on the other side. Only this program
can do that; no setting of the product can.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from tqimap_processor.cli import main
from tqimap_processor.threatq.files import Files
from tqimap_shared.lease import Lease


if TYPE_CHECKING:
    from tqimap_processor.artefact import Artefact


def _intend(self: Lease, effect: str) -> None:
    del effect
    self.renew()


def _record(self: Lease, effect: str, remote_id: str) -> str:
    del self, effect
    return remote_id


def _find(self: Files, artefact: Artefact) -> None:
    del self, artefact


def _renew(self: Lease, effect: str = "") -> None:
    del effect
    self._hold(self.run("renew", self.sha256, self.token, self.milliseconds, "") == b"ok")


def _holds(self: Lease, effect: str) -> bool:
    del self, effect
    return True


Lease.intend = _intend  # type: ignore[method-assign]  # blinding it is the purpose
Lease.record = _record  # type: ignore[method-assign]  # likewise
Lease.renew = _renew  # type: ignore[method-assign]  # likewise
Lease.holds = _holds  # type: ignore[method-assign]  # likewise
Files.find = _find  # type: ignore[method-assign]  # likewise

if __name__ == "__main__":
    sys.exit(main())
