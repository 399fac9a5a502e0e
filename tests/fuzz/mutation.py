"""Change inputs by chance: the engine where there is no atheris, and of the short run in CI."""

from __future__ import annotations

import random
import struct
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from fuzz.targets import LONGEST, TARGETS, Found, corpus, timed


if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_NUMBERS = (0, 1, 0x7F, 0x80, 0xFF, 0x7FFF, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFE, 0xFFFFFFFF)
_MOST_CHANGES = 6


@dataclass(slots=True)
class Outcome:
    """What fuzzing a target came to: inputs tried, and those that did what none may do."""

    target: str
    tried: int = 0
    found: dict[str, bytes] = field(default_factory=dict)


def by_rounds(name: str, seed: int, rounds: int) -> Outcome:
    """Try so many inputs: the same ones for the same *seed*."""
    return _campaign(name, seed, lambda tried: tried < rounds)


def by_seconds(name: str, seed: int, seconds: float) -> Outcome:
    """Try inputs for so long."""
    end = time.monotonic() + seconds
    return _campaign(name, seed, lambda _: time.monotonic() < end)


def _campaign(name: str, seed: int, wanted: Callable[[int], bool]) -> Outcome:
    outcome = Outcome(name)
    for data in _inputs(corpus(name), random.Random(f"{name} {seed}")):
        if not wanted(outcome.tried):
            return outcome
        outcome.tried += 1
        try:
            timed(TARGETS[name], data)
        except Found as found:
            outcome.found.setdefault(str(found), data)
        except Exception as error:  # noqa: BLE001 - what is looked for
            outcome.found.setdefault(type(error).__name__, data)
    return outcome


def _inputs(seeds: list[bytes], chance: random.Random) -> Iterator[bytes]:
    yield from seeds
    while True:
        data = bytearray(chance.choice(seeds))
        for _ in range(chance.randint(1, _MOST_CHANGES)):
            chance.choice(_CHANGES)(data, chance, seeds)
        yield bytes(data[:LONGEST])


def _flip(data: bytearray, chance: random.Random, _: list[bytes]) -> None:
    if data:
        data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)


def _overwrite(data: bytearray, chance: random.Random, _: list[bytes]) -> None:
    form = chance.choice(("<B", "<H", ">H", "<I", ">I"))
    size = struct.calcsize(form)
    place = chance.randrange(len(data) + 1)
    number = chance.choice(_NUMBERS) & ((1 << 8 * size) - 1)
    data[place : place + size] = struct.pack(form, number)


def _cut(data: bytearray, chance: random.Random, _: list[bytes]) -> None:
    start = chance.randrange(len(data) + 1)
    del data[start : start + chance.choice((1, 4, 64, len(data)))]


def _repeat(data: bytearray, chance: random.Random, _: list[bytes]) -> None:
    start = chance.randrange(len(data) + 1)
    piece = data[start : start + chance.choice((1, 2, 8, 100))]
    data[start:start] = piece * chance.choice((1, 2, 50, 1000))


def _insert(data: bytearray, chance: random.Random, _: list[bytes]) -> None:
    place = chance.randrange(len(data) + 1)
    data[place:place] = chance.randbytes(chance.choice((1, 3, 16)))


def _splice(data: bytearray, chance: random.Random, seeds: list[bytes]) -> None:
    other = chance.choice(seeds)
    start = chance.randrange(len(other) + 1)
    place = chance.randrange(len(data) + 1)
    data[place:] = other[start:]


_CHANGES = (_flip, _flip, _overwrite, _cut, _repeat, _insert, _splice)
