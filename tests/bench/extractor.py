"""Run one extractor over one text: print the CPU seconds that it took, or with `values` these.

Peers run in an environment that the project's never sees, so nothing of the project is imported
unless it is what is measured.
"""

from __future__ import annotations

import importlib
import json
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


# what both tqimap and ioc-finder look for, as the one and the other call it
KINDS = {
    "IP Address": "ipv4s", "IPv6 Address": "ipv6s", "FQDN": "domains", "URL": "urls",
    "Email Address": "email_addresses", "MD5": "md5s", "SHA-1": "sha1s", "SHA-256": "sha256s",
    "CVE": "cves",
}  # fmt: skip


def values(name: str, found: Any) -> dict[str, list[str]]:  # noqa: ANN401 - each has its own
    """Return the distinct values of each kind in what *name* has *found*."""
    if name == "ioc-finder":
        return {kind: sorted(map(str, found.get(theirs, ()))) for kind, theirs in KINDS.items()}
    return {kind: sorted({one.value for one in found if one.type == kind}) for kind in KINDS}


def main() -> None:
    """Measure, or with `values` print what was found: extractor and file are on the line."""
    extract = EXTRACTORS[sys.argv[1]]()
    text = Path(sys.argv[2]).read_text("utf-8")
    if sys.argv[3:] == ["values"]:
        sys.stdout.write(json.dumps(values(sys.argv[1], extract(text))))
        return
    # imports and compiled expressions are paid before the clock runs
    extract("see http://first-place.net/a, 45.77.12.9 and ann@first-place.net")
    begun = time.process_time()
    extract(text)
    sys.stdout.write(f"{time.process_time() - begun}\n")


if __name__ == "__main__":
    main()
