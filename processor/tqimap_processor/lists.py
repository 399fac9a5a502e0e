"""Match an indicator against a list of domains, addresses, networks and values."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING


if TYPE_CHECKING:
    from collections.abc import Iterable
    from ipaddress import IPv4Network, IPv6Network


_DOMAIN = re.compile(r"(?:\*?\.|@)?((?:[\w-]+\.)*[\w-]+)\.?")


@dataclass(frozen=True, slots=True)
class Entries:
    """A compiled list; each entry maps to the spelling that reasons name."""

    values: dict[str, str]
    domains: dict[str, str]
    networks: tuple[tuple[IPv4Network | IPv6Network, str], ...]

    @classmethod
    def of(cls, entries: Iterable[str]) -> Entries:
        """Compile *entries*: `example.com` and below, `192.0.2.0/24`, or a value as it is."""
        values: dict[str, str] = {}
        domains: dict[str, str] = {}
        networks: list[tuple[IPv4Network | IPv6Network, str]] = []
        for entry in filter(None, map(str.strip, entries)):
            values[entry.lower()] = entry
            if network := _network(entry):
                networks.append((network, entry))
            elif domain := _DOMAIN.fullmatch(entry.lower()):
                domains[domain[1]] = entry
        return cls(values, domains, tuple(networks))

    def match(self, value: str, host: str = "") -> str:
        """Return the entry that has *value*, or that *host* lies below or within, or nothing."""
        if not (self.values or self.domains or self.networks):
            return ""
        return self.values.get(value.lower(), "") or (self._host(host) if host else "")

    def _host(self, host: str) -> str:
        network = _network(host)
        if network is None:
            labels = host.split(".")
            suffixes = (".".join(labels[start:]) for start in range(len(labels)))
            return next((self.domains[one] for one in suffixes if one in self.domains), "")
        return next((entry for block, entry in self.networks if _holds(block, network)), "")


def _network(text: str) -> IPv4Network | IPv6Network | None:
    try:
        return ipaddress.ip_network(text.strip("[]"), strict=False)
    except ValueError:
        return None


def _holds(block: IPv4Network | IPv6Network, network: IPv4Network | IPv6Network) -> bool:
    if isinstance(block, ipaddress.IPv4Network):
        return isinstance(network, ipaddress.IPv4Network) and network.subnet_of(block)
    return isinstance(network, ipaddress.IPv6Network) and network.subnet_of(block)
