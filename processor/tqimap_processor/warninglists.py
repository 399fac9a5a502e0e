"""Read MISP's warning lists: what is often reported, but seldom bad.

The lists are data (github.com/MISP/misp-warninglists): read from a directory that the operator
keeps, or from the package pymispwarninglists where it is installed. Its code is not used: it loads
all 119 lists, 317 MB of them, and searches line by line. Here the lists chosen by name are read
once and matched by look-ups.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tqimap_processor.lists import Entries
from tqimap_shared import linear
from tqimap_shared.errors import SettingsError


if TYPE_CHECKING:
    from collections.abc import Sequence


_PACKAGE = "pymispwarninglists"
_IN_PACKAGE = Path("data", "misp-warninglists")
# MISP's names for what a list is about
_ABOUT = {
    "URL": {"url", "uri"},
    "FQDN": {"domain", "hostname"},
    "IP Address": {"ip-src", "ip-dst"},
    "IPv6 Address": {"ip-src", "ip-dst"},
    "CIDR Block": {"ip-src", "ip-dst"},
    "Email Address": {"email", "email-src", "email-dst", "domain"},
    "MD5": {"md5"},
    "SHA-1": {"sha1"},
    "SHA-256": {"sha256"},
    "SHA-384": {"sha384"},
    "SHA-512": {"sha512"},
    "Filename": {"filename"},
}


@dataclass(frozen=True, slots=True)
class WarningList:
    """A list of MISP's: *name* is its directory's, *about* the kinds of attributes it is for."""

    name: str
    version: int
    about: frozenset[str]
    entries: Entries
    substrings: tuple[str, ...] = ()

    def match(self, kind: str, value: str, host: str) -> str:
        """Return the entry that concerns an indicator of ThreatQ's type *kind*, or nothing."""
        if self.about and self.about.isdisjoint(_ABOUT.get(kind, ())):
            return ""
        found = self.entries.match(value, host) or (
            self.entries.values.get(host, "") if host else ""
        )
        return found or next((one for one in self.substrings if one in value.lower()), "")


@lru_cache(maxsize=4)
def load(names: Sequence[str], directory: str = "") -> tuple[WarningList, ...]:
    """Return the lists *names* from *directory*, or from the package if it is empty.

    Raises SettingsError if one is not there or no such list.
    """
    if not names:
        return ()
    root = _root(directory) / "lists"
    return tuple(_read(root / name / "list.json", name) for name in names)


def _root(directory: str) -> Path:
    if directory:
        return Path(directory)
    spec = find_spec(_PACKAGE)
    if spec is None or spec.origin is None:
        raise SettingsError(
            "warning lists", f"name a directory of them, or install the package {_PACKAGE}."
        )
    return Path(spec.origin).parent / _IN_PACKAGE


def _read(file: Path, name: str) -> WarningList:
    try:
        content: dict[str, Any] = json.loads(file.read_bytes())
        return _compiled(name, content)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise SettingsError(
            f"warning list {name}", f"cannot be read from {file} ({type(error).__name__})."
        ) from error


def _compiled(name: str, content: dict[str, Any]) -> WarningList:
    entries = [str(entry) for entry in content["list"]]
    kind = content["type"]
    about = frozenset(map(str, content.get("matching_attributes", ())))
    compiled = Entries.of(())
    substrings: tuple[str, ...] = ()
    if kind in {"hostname", "cidr"}:
        compiled = Entries.of(entries)
    elif kind == "string":
        exact = {entry.lower(): entry for entry in entries}
        below = {entry[1:].lower(): entry for entry in entries if entry.startswith(".")}
        compiled = Entries(exact, below, {})
    elif kind == "substring":
        substrings = tuple(entry.lower() for entry in entries)
    elif kind == "regex":
        compiled = Entries.of(f"/{one}/" for one in entries if not linear.fault(one))
    return WarningList(name, int(content["version"]), about, compiled, substrings)
