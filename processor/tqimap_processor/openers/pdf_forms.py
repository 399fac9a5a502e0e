"""Follow how the streams of a PDF draw one another, to tell beforehand what a page costs.

A form that draws two forms that draw two forms, or itself twice, makes PDFium use up all memory,
which ends its process. Here the same growth is a sum.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING


if TYPE_CHECKING:
    from collections.abc import Iterator


# a search for letters takes a twentieth of one for digits, so what stands before is looked at then
_OBJECT = re.compile(rb"obj\b(?<!endobj)")
_NUMBERS = re.compile(rb"(?<!\d)(\d{1,10})\s{1,20}\d{1,5}\s{1,20}\Z")
_NUMBERED = 55  # bytes that the numbers take at most
_BODY = 65_536  # bytes of an object that are looked at
_DRAW = re.compile(rb"/([^\s/<>\[\](){}%]{1,127})\s+Do\b")
_NAMED = re.compile(rb"/([^\s/<>\[\](){}%]{1,127})\s{1,20}(\d{1,10})\s{1,20}\d{1,5}\s{1,20}R\b")
_COUNT = re.compile(rb"/(N|First)\s{1,20}(\d{1,7})\b")
_REFERENCE = re.compile(rb"(\d{1,10})\s{1,20}\d{1,5}\s{1,20}R\b")
_CONTENTS = re.compile(
    rb"/Contents\s{0,20}(\[[^\[\]]{0,4000000}\]|\d{1,10}\s{1,20}\d{1,5}\s{1,20}R\b)"
)
_LIST = 4_000_000  # bytes of a list of references
_NESTING = 40  # forms in forms that PDFium follows
_LEVELS = 3  # references from a form to the dictionary that names what it draws
_REFERENCES = 2_000


@dataclass(frozen=True, slots=True)
class Form:
    """A stream: its object's number, its dictionary, the start of its content, its whole size."""

    number: int
    head: bytes = field(repr=False)
    content: bytes = field(repr=False)
    size: int


def objects(data: bytes, start: int, end: int) -> Iterator[tuple[int, int]]:
    """Yield the number of each object in that part of *data*, and where its content begins."""
    for hit in _OBJECT.finditer(data, start, end):
        first = max(start, hit.start() - _NUMBERED)
        if numbers := _NUMBERS.search(data, first, hit.start()):
            yield int(numbers[1]), hit.end()


class Objects:
    """The objects of one PDF, by number, wherever they stand."""

    def __init__(self, data: bytes) -> None:
        self.forms: dict[int, Form] = {}
        self._data = data
        self._places = dict(objects(data, 0, len(data)))
        self._anywhere: dict[bytes, frozenset[int]] = {}
        self._packed: dict[int, tuple[bytes, int, int]] = {}

    def add(self, form: Form) -> None:
        """Take *form* in, and, where it holds objects, these too."""
        self.forms[form.number] = form
        if b"/ObjStm" in form.head:
            self._unpack(form)

    def body(self, number: int, most: int = _BODY) -> bytes:
        """Return the start of the object *number*, or nothing if it is nowhere."""
        if number in self._places:
            start = self._places[number]
            return self._data[start : start + most].partition(b"endobj")[0]
        content, start, end = self._packed.get(number, (b"", 0, 0))
        return content[start : min(end, start + most)]

    def drawn(self, texts: list[bytes], most: int) -> int:
        """Return the bytes that the costliest page or stream of *texts* draws, forms in forms.

        Above *most* it is a number above *most*.
        """
        self._anywhere = self._all_named(texts)
        costs = self._costs(most)
        pages = (sum(costs.get(one, 0) for one in page) for page in self._pages(texts))
        return max((*costs.values(), *pages), default=0)

    def _pages(self, texts: list[bytes]) -> Iterator[list[int]]:
        """Yield the streams that each page's content is put together of."""
        seen: set[int] = set()
        for hit in (hit for text in texts for hit in _CONTENTS.finditer(text)):
            listed = [int(one) for one in _REFERENCE.findall(hit[1])]
            if len(listed) == 1 and listed[0] not in self.forms and listed[0] not in seen:
                seen.add(listed[0])
                listed = [int(one) for one in _REFERENCE.findall(self.body(listed[0], _LIST))]
            yield listed

    def _costs(self, most: int) -> dict[int, int]:
        draws = {number: self._draws(form) for number, form in self.forms.items()}
        sizes = {number: self.forms[number].size for number in self.forms}
        costs = dict(sizes)
        for _ in range(_NESTING if any(draws.values()) else 0):
            before = costs
            costs = {
                number: min(most + 1, size + self._sum(draws[number], before))
                for number, size in sizes.items()
            }
            if costs == before or max(costs.values()) > most:
                break
        return costs

    @staticmethod
    def _sum(draws: list[tuple[frozenset[int], int]], costs: dict[int, int]) -> int:
        return sum(
            times * max(costs.get(number, 0) for number in numbers) for numbers, times in draws
        )

    def _draws(self, form: Form) -> list[tuple[frozenset[int], int]]:
        """Return how often *form* draws which other streams; one of several, if that is unclear."""
        times = Counter(hit[1] for hit in _DRAW.finditer(form.content))
        if not times:
            return []
        # what has no resources of its own is a page's content, or uses its page's
        own = b"/Resources" in form.head
        named = self._named(form.head) if own else self._anywhere
        return [(named[name], count) for name, count in times.items() if name in named]

    def _all_named(self, texts: list[bytes]) -> dict[bytes, frozenset[int]]:
        found: defaultdict[bytes, set[int]] = defaultdict(set)
        for hit in (hit for text in texts for hit in _NAMED.finditer(text)):
            if int(hit[2]) in self.forms:
                found[hit[1]].add(int(hit[2]))
        return {name: frozenset(numbers) for name, numbers in found.items()}

    def _named(self, head: bytes) -> dict[bytes, frozenset[int]]:
        """Return what the dictionary *head* calls by a name, looking through references."""
        found: dict[bytes, frozenset[int]] = {}
        level = [head]
        for _ in range(_LEVELS):
            hits = [hit for text in level for hit in _NAMED.finditer(text)][:_REFERENCES]
            found = {hit[1]: frozenset({int(hit[2])}) for hit in hits} | found
            level = [self.body(int(hit[2])) for hit in hits if hit[1] in {b"Resources", b"XObject"}]
        return found

    def _unpack(self, form: Form) -> None:
        counts = {hit[1]: int(hit[2]) for hit in _COUNT.finditer(form.head)}
        first = counts.get(b"First", 0)
        numbers = [int(one) for one in form.content[:first].split() if one.isdigit()]
        pairs = list(zip(numbers[::2], numbers[1::2], strict=False))[: counts.get(b"N", 0)]
        ends = [offset for _, offset in pairs[1:]] + [len(form.content)]
        for (number, offset), end in zip(pairs, ends, strict=False):
            self._packed.setdefault(number, (form.content, first + offset, first + end))
