"""Open one artefact: a module a format, and the registry that says which opens what.

An opener knows nothing of trees, files or the network: bytes in, `Opened` out.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tqimap_processor.openers.source import Source


if TYPE_CHECKING:
    from tqimap_processor.openers.registry import (
        OPENERS,
        Opener,
        open_artefact,
        open_inside,
        preload,
    )

__all__ = ["OPENERS", "Opener", "Source", "open_artefact", "open_inside", "preload"]


def __getattr__(name: str) -> Any:  # noqa: ANN401 - whatever is asked for
    """Load the openers when one is asked for: a worker only knows what they are given."""
    if name not in __all__:
        raise AttributeError(name)
    from tqimap_processor.openers import registry

    return getattr(registry, name)
