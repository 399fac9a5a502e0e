"""What a benchmark found: figures, with ratios and with marks to reach where they have any."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict, dataclass, field


@dataclass(frozen=True, slots=True)
class Line:
    """One figure. *ratio* compares it with the same figure of *against*.

    *most* or *least* is the mark that the figure, or the ratio where there is one, has to keep.
    """

    what: str
    figure: float
    unit: str
    ratio: float | None = None
    against: str = ""
    most: float | None = None
    least: float | None = None

    @property
    def reached(self) -> bool:
        """Whether the mark is kept; true where there is none."""
        value = self.figure if self.ratio is None else self.ratio
        above = self.most is not None and value > self.most
        below = self.least is not None and value < self.least
        return not above and not below

    def cells(self) -> tuple[str, str, str, str]:
        """Return the columns for people."""
        ratio = "" if self.ratio is None else f"{self.ratio:.2f} x {self.against}"
        mark = f"<= {self.most:g}" if self.most is not None else ""
        mark = f">= {self.least:g}" if self.least is not None else mark
        verdict = f"{mark}: {'reached' if self.reached else 'MISSED'}" if mark else ""
        return self.what, f"{self.figure:.4g} {self.unit}", ratio, verdict


@dataclass(slots=True)
class Table:
    """All lines of a benchmark, and notes on how they came about."""

    title: str
    lines: list[Line] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @property
    def reached(self) -> bool:
        """Whether every mark is kept."""
        return all(line.reached for line in self.lines)

    def text(self) -> str:
        """Return the table for people."""
        rows = [("", "figure", "ratio", "to reach"), *(line.cells() for line in self.lines)]
        widths = [max(len(row[column]) for row in rows) for column in range(4)]
        body = [
            "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
            for row in rows
        ]
        return "\n".join([self.title, "", *body, "", *self.notes, ""])

    def json(self) -> str:
        """Return the table as one line of JSON."""
        lines = [{**asdict(line), "reached": line.reached} for line in self.lines]
        return json.dumps({"title": self.title, "lines": lines, "notes": self.notes}) + "\n"


def say(sentence: str) -> None:
    """Tell a waiting person what is going on."""
    sys.stderr.write(f"{sentence}\n")
    sys.stderr.flush()
