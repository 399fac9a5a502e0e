"""Judge the name of an artefact: names are evidence, and some of them are tricks."""

from __future__ import annotations

import re
import unicodedata
from typing import TYPE_CHECKING

from tqimap_processor.artefact import Problem


if TYPE_CHECKING:
    from collections.abc import Iterator


LONGEST = 1024
_SAFE_LENGTH = 255
_BIDI = re.compile(r"[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")
_CONTROL = re.compile(r"[\x01-\x1f\x7f]")
_TRAVERSAL = re.compile(r"(?:^|[/\\])\.\.(?:[/\\]|$)|^[/\\]|^[A-Za-z]:")
_DEVICE = re.compile(r"(?i)(?:con|prn|aux|nul|com[1-9]|lpt[1-9])(?:\.|$)")
_RUNS = (
    "exe|scr|com|pif|bat|cmd|ps1|psm1|vbs|vbe|js|jse|wsf|wsh|hta|lnk|msi|msix|jar|cpl|dll|reg|iso"
    "|img|vhd|one|html?|shtml|svg|xll|url|appx|chm"
)
_SHOWS = "pdf|docx?|xlsx?|pptx?|rtf|txt|csv|jpe?g|png|gif|zip|mp[34]|wav|eml|msg"
_RUNNABLE = re.compile(rf"(?i)\.(?:{_RUNS})[\s.]{{0,20}}$")
_DOUBLE = re.compile(rf"(?i)\.(?:{_SHOWS})[\s_.]{{0,200}}\.(?:{_RUNS})$")
_PADDED = re.compile(rf"(?i)\s{{5}}\.?(?:{_RUNS})$")


def kept(name: str) -> str:
    """Return *name* as it is kept: normalised and not longer than 1,024 characters."""
    return unicodedata.normalize("NFC", name[:LONGEST])


def can_run(name: str) -> bool:
    """Say whether a double click on a file of this *name* runs or mounts it, or opens a page."""
    return _RUNNABLE.search(name[-LONGEST:]) is not None


def problems(name: str) -> tuple[Problem, ...]:
    """Return the tricks that *name* plays, at most one of a kind."""
    return tuple(_judge(name))


def _judge(name: str) -> Iterator[Problem]:
    if "\0" in name:
        yield Problem("name-nul", "a NUL byte")
    if _BIDI.search(name):
        yield Problem("name-bidi", "characters that turn the direction of reading")
    if _CONTROL.search(name):
        yield Problem("name-control", "control characters")
    if _TRAVERSAL.search(name):
        yield Problem("name-traversal", "a path that leads out of its directory")
    last = re.split(r"[/\\]", name[-LONGEST:])[-1].strip()
    if _DEVICE.match(last):
        yield Problem("name-device", "a device of Windows")
    if _DOUBLE.search(last) or _PADDED.search(last):
        yield Problem("name-double-extension", "a second extension behind a harmless one")
    if len(name) > _SAFE_LENGTH:
        yield Problem("name-long", f"{len(name)} characters")
