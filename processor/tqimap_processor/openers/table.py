"""Open CSV: each cell with its row and column, by the standard library's reader."""

from __future__ import annotations

import csv
import io
import re
from typing import TYPE_CHECKING

from tqimap_processor import charset
from tqimap_processor.openers.gathered import Gathered
from tqimap_processor.openers.text import open_text


if TYPE_CHECKING:
    from tqimap_processor.artefact import Opened
    from tqimap_processor.openers.source import Source


_DELIMITERS = ",;\t|"
_HEAD = 8192
# numbers, dates without a time and single words are no place of anything
_TELLING = re.compile(r"[./:@\[\]\\-].*[^\d.,/: -]|[^\d.,/: -].*[./:@\[\]\\-]|.{16}", re.DOTALL)


def open_csv(source: Source) -> Opened:
    """Return the cells of *source* that may tell something, or its text where it is no table."""
    text = charset.decode(source.data, source.charset)
    gathered = Gathered(source.limits)
    head = text[:_HEAD]
    delimiter = max(_DELIMITERS, key=head.count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    try:
        for number, row in enumerate(reader, 1):
            for column, cell in enumerate(row, 1):
                if _TELLING.search(cell[:4096]):
                    gathered.add(f"row {number}, column {column}", cell)
            if gathered.is_full:
                break
    except csv.Error:
        # a field without end, or a NUL
        return open_text(source)
    return gathered.opened()
