"""Run one part of the sandbox, or the demo, until told to stop.

Each part is a module with `arguments(parser)` and `run(options) -> int`. A server prints a line of
JSON, `{"ready": URL, ...}`, on standard output when it answers, and ends on SIGTERM or Ctrl-C.
"""

from __future__ import annotations

import argparse
import importlib
import sys
from typing import TYPE_CHECKING


if TYPE_CHECKING:
    from collections.abc import Sequence

PARTS = {
    "threatq": "a ThreatQ stand-in over TLS, with pages",
    "mailbox": "an IMAP mailbox (mail-devel)",
    "socks": "a SOCKS 4, 4a and 5 proxy",
    "redis": "a Redis or Valkey server with tqimap's configuration",
    "demo": "all parts, sample mails, one fetch, one worker, and what arrived",
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Parse the command line, run the part, return its exit status."""
    parser = argparse.ArgumentParser(prog="tqimap-sandbox", description=__doc__)
    parts = parser.add_subparsers(dest="part", required=True)
    for name, sentence in PARTS.items():
        parts.add_parser(name, help=sentence, description=sentence, add_help=False)
    part, rest = parser.parse_known_args(arguments)
    module = importlib.import_module(f"tqimap_sandbox.{part.part}")
    own = argparse.ArgumentParser(prog=f"tqimap-sandbox {part.part}", description=module.__doc__)
    module.arguments(own)
    return int(module.run(own.parse_args(rest)))


if __name__ == "__main__":
    sys.exit(main())
