"""Write sets of numbers short: `1:40,43`, as IMAP does.

Both sides remember such sets in Redis: UIDs here, ids of ThreatQ there, mostly neighbours.
"""

from __future__ import annotations

from typing import TYPE_CHECKING


if TYPE_CHECKING:
    from collections.abc import Iterable


def join(numbers: Iterable[int]) -> str:
    """Return *numbers* as ranges, ascending; nothing is the empty string."""
    found: list[tuple[int, int]] = []
    for number in sorted(set(numbers)):
        if found and number == found[-1][1] + 1:
            found[-1] = (found[-1][0], number)
        else:
            found.append((number, number))
    return ",".join(str(first) if first == last else f"{first}:{last}" for first, last in found)


def split(text: str) -> set[int]:
    """Return the numbers that `join` wrote. Raises ValueError for anything else."""
    numbers: set[int] = set()
    for one in filter(None, text.split(",")):
        first, _, last = one.partition(":")
        numbers.update(range(int(first), int(last or first) + 1))
    return numbers


def size(text: str) -> int:
    """Return how many numbers `split` would, 0 for what it would refuse, without making them."""
    try:
        ends = [one.split(":") for one in text.split(",")]
        return sum(int(end[-1]) - int(end[0]) + 1 for end in ends)
    except ValueError:
        return 0
