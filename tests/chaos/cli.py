"""Kill everything at random while mails arrive, let it rest, and audit every mail.

The last line is JSON; the exit status is 0 only if nothing is lost and nothing doubled.
"""

from __future__ import annotations

import argparse
import json
import signal
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from chaos.audit import audit, broken
from chaos.house import running
from chaos.storm import Storm


if TYPE_CHECKING:
    from collections.abc import Mapping

    from chaos.audit import Findings

SHOWN = 40  # sentences about what is wrong


def main() -> int:
    """Run the proof and return its exit status."""
    options = _parser().parse_args()
    # SIGTERM must unwind as Ctrl-C does, so that nothing is left running
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    began = time.monotonic()
    directory = options.directory or Path(tempfile.mkdtemp(prefix="tqimap-chaos-"))
    directory.mkdir(parents=True, exist_ok=True)
    print(f"seed {options.seed}, everything in {directory}", flush=True)
    with running(directory.absolute(), ledger=not options.no_ledger) as house:
        storm = Storm(house, options.seconds, options.seed)
        killer = storm.rage()
        print("quiet: no more kills and faults", flush=True)
        if not storm.rest(killer):
            print("it did not come to rest", flush=True)
        findings = audit(house, storm.delivered)
        faults = broken(house)
    _tell(findings, killed=killer.kills, frozen=killer.freezes, broken=faults)
    print(
        json.dumps(
            {
                "mails": len(storm.delivered),
                "kills": killer.kills.total(),
                "lost": len(findings.lost),
                "doubled": len(findings.doubled),
                "seconds": round(time.monotonic() - began, 1),
            }
        )
    )
    return int(bool(findings.lost or findings.doubled))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="tests/chaos/run", description=__doc__)
    parser.add_argument("--seconds", type=float, default=60, help="of killing (default: 60)")
    parser.add_argument("--seed", type=int, default=1, help="of all chances (default: 1)")
    parser.add_argument(
        "--no-ledger",
        action="store_true",
        help="control run: effects are neither written down nor looked up, and must double",
    )
    parser.add_argument(
        "--directory", type=Path, help="an empty one for logs and data (default: a temporary one)"
    )
    return parser


def _tell(findings: Findings, **blows: Mapping[str, int]) -> None:
    for what, counts in blows.items():
        print(f"{what}:", ", ".join(f"{kind} {n}" for kind, n in sorted(counts.items())))
    sentences = [f"lost: {name[:12]}: {sentence}" for name, sentence in findings.lost.items()]
    sentences += [f"doubled: {sentence}" for sentence in findings.doubled]
    for sentence in sentences[:SHOWN]:
        print(sentence)
    if len(sentences) > SHOWN:
        print(f"... and {len(sentences) - SHOWN} more")


if __name__ == "__main__":
    sys.exit(main())
