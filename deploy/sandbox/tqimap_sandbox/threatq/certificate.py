"""Issue a certificate for this machine, once, and keep it with its authority.

trustme: makes a throw-away authority and a correct certificate in two calls.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import trustme


if TYPE_CHECKING:
    from pathlib import Path

NAMES = ("localhost", "127.0.0.1", "::1")


@dataclass(frozen=True, slots=True)
class Certificate:
    """Where the authority to trust and the server's own key and chain lie."""

    ca_file: Path
    server_file: Path


def certificate(directory: Path) -> Certificate:
    """Return the certificate kept in *directory*, issued when there is none."""
    found = Certificate(directory / "ca.pem", directory / "server.pem")
    if not (found.ca_file.exists() and found.server_file.exists()):
        directory.mkdir(parents=True, exist_ok=True)
        authority = trustme.CA(organization_name="tqimap sandbox")
        issued = authority.issue_cert(*NAMES)
        _write(found.ca_file, authority.cert_pem.bytes())
        # last, and with a rename: a process killed in between starts over
        _write(found.server_file, issued.private_key_and_cert_chain_pem.bytes())
    return found


def _write(path: Path, content: bytes) -> None:
    half = path.with_suffix(".part")
    half.touch(mode=0o600)
    half.write_bytes(content)
    half.replace(path)
