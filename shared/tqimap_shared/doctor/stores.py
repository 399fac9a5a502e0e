"""Examine Redis: is it there, does it keep what it acknowledges, has it room."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tqimap_shared import store
from tqimap_shared.doctor.link import Said, walk


if TYPE_CHECKING:
    from collections.abc import Iterator

    from tqimap_shared.doctor.link import Link, Patient


def links(patient: Patient) -> Iterator[Link]:
    """Try Redis' links."""
    return walk(
        "Redis",
        [
            ("version", lambda: _version(patient)),
            ("persistence", lambda: _persistence(patient)),
            ("memory", lambda: _memory(patient)),
        ],
    )


def _version(patient: Patient) -> Said:
    with store.answering(patient.client):
        info = patient.client.info("server")
    kind = "Valkey" if "valkey_version" in info else "Redis"
    version = info.get("valkey_version") or info.get("redis_version")
    return Said(f"{kind} {version} at {store.place(patient.client)}.")


def _persistence(patient: Patient) -> Said:
    unchecked = store.check(patient.client)
    if unchecked:
        return Said(" ".join(unchecked), warns=True)
    return Said(", ".join(f"{name} {value}" for name, value in store.WANTED.items()) + ".")


def _memory(patient: Patient) -> Said:
    with store.answering(patient.client):
        memory = patient.client.info("memory")
    used, most = int(memory["used_memory"]), int(memory["maxmemory"])
    if not most:
        return Said(f"{used:,} bytes used; no maxmemory: set one, or it takes all.", warns=True)
    share, high = used / most, patient.settings.redis.high_water
    sentence = f"{share:.0%} of maxmemory used ({used:,} of {most:,} bytes)"
    if share < high:
        return Said(f"{sentence}.")
    return Said(f"{sentence}: fetching stops at {high:.0%}; let workers catch up.", warns=True)
