"""Run one extractor over one text and print the CPU seconds that it took: a program of its own.

Peers run in an environment that the project's never sees, so nothing of the project is imported
unless it is what is measured.
"""

from __future__ import annotations

import importlib
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any


if TYPE_CHECKING:
    from collections.abc import Callable


def _tqimap() -> Callable[[str], Any]:
    return importlib.import_module("tqimap_processor.extract").extract  # type: ignore[no-any-return]


def _ioc_finder() -> Callable[[str], Any]:
    return importlib.import_module("ioc_finder").find_iocs  # type: ignore[no-any-return]


def _iocextract() -> Callable[[str], Any]:
    module = importlib.import_module("iocextract")
    return lambda text: list(module.extract_iocs(text, refang=True))


def _iocsearcher() -> Callable[[str], Any]:
    return importlib.import_module("iocsearcher.searcher").Searcher().search_data  # type: ignore[no-any-return]


def _msticpy() -> Callable[[str], Any]:
    return importlib.import_module("msticpy.transform.iocextract").IoCExtract().extract  # type: ignore[no-any-return]


EXTRACTORS = {
    "tqimap": _tqimap,
    "ioc-finder": _ioc_finder,
    "iocextract": _iocextract,
    "iocsearcher": _iocsearcher,
    "msticpy": _msticpy,
}


def main() -> None:
    """Measure the extractor and the file that the command line names."""
    extract = EXTRACTORS[sys.argv[1]]()
    text = Path(sys.argv[2]).read_text("utf-8")
    # imports and compiled expressions are paid before the clock runs
    extract("see http://first-place.net/a, 45.77.12.9 and ann@first-place.net")
    begun = time.process_time()
    extract(text)
    sys.stdout.write(f"{time.process_time() - begun}\n")


if __name__ == "__main__":
    main()
