"""Match an indicator against a list of domains, addresses, networks, values and expressions."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

from tqimap_shared import linear
from tqimap_shared.errors import SettingsError


if TYPE_CHECKING:
    from collections.abc import Iterable
    from ipaddress import IPv4Network, IPv6Network


_DOMAIN = re.compile(r"(?:\*?\.|@)?((?:[\w-]+\.)*[\w-]+)\.?")
_ADDRESS = re.compile(r"[\d\]]\Z|:")
_EXPRESSION = re.compile(r"/(.+)/", re.DOTALL)
# no value is longer, unless something went wrong
_LONGEST = 4096


@dataclass(frozen=True, slots=True)
class Entries:
    """A compiled list; each entry maps to the spelling that reasons name.

    *networks* maps version and prefix length to the networks of that length by their numbers, so
    that a list of sixty thousand costs as many look-ups as it has lengths.
    """

    values: dict[str, str]
    domains: dict[str, str]
    networks: dict[tuple[int, int], dict[int, str]]
    expressions: tuple[tuple[re.Pattern[str], str], ...] = ()

    @classmethod
    def of(cls, entries: Iterable[str]) -> Entries:
        """Compile *entries*: `example.com` and below, `192.0.2.0/24`, `/regex/`, or a value.

        A regular expression is matched against the whole value, letter case aside. Raises
        SettingsError for one that could be slow.
        """
        values: dict[str, str] = {}
        domains: dict[str, str] = {}
        networks: dict[tuple[int, int], dict[int, str]] = {}
        expressions: list[tuple[re.Pattern[str], str]] = []
        for entry in filter(None, map(str.strip, entries)):
            values[entry.lower()] = entry
            if expression := _EXPRESSION.fullmatch(entry):
                expressions.append((_compiled(expression[1]), entry))
            elif block := network(entry):
                length = (block.version, block.prefixlen)
                networks.setdefault(length, {})[int(block.network_address)] = entry
            elif domain := _DOMAIN.fullmatch(entry.lower()):
                domains[domain[1]] = entry
        return cls(values, domains, networks, tuple(expressions))

    def match(self, value: str, host: str = "") -> str:
        """Return the entry that has *value*, or that *host* lies below or within, or nothing."""
        if not (self.values or self.domains or self.networks or self.expressions):
            return ""
        return (
            self.values.get(value.lower(), "")
            or (self._host(host) if host else "")
            or (self._expression(value) if self.expressions else "")
        )

    def _host(self, host: str) -> str:
        if block := network(host):
            return self._network(block)
        while host and self.domains:
            if entry := self.domains.get(host):
                return entry
            host = host.partition(".")[2]
        return ""

    def _network(self, block: IPv4Network | IPv6Network) -> str:
        number = int(block.network_address)
        for (version, length), blocks in self.networks.items():
            if version == block.version and length <= block.prefixlen:
                low = block.max_prefixlen - length
                if entry := blocks.get(number >> low << low):
                    return entry
        return ""

    def _expression(self, value: str) -> str:
        if len(value) > _LONGEST:
            return ""
        return next((entry for one, entry in self.expressions if one.fullmatch(value)), "")


def _compiled(pattern: str) -> re.Pattern[str]:
    if fault := linear.fault(pattern):
        raise SettingsError(f"the expression /{pattern}/ of a list", fault)
    return re.compile(pattern, re.IGNORECASE)


@lru_cache(maxsize=1024)
def network(text: str) -> IPv4Network | IPv6Network | None:
    """Return the network or the address that *text* is, perhaps in brackets, or None."""
    # no name ends in a digit
    if not _ADDRESS.search(text):
        return None
    try:
        return ipaddress.ip_network(text.strip("[]"), strict=False)
    except ValueError:
        return None
