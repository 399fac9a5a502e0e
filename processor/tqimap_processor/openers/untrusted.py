"""Run what works on hostile bytes, and turn whatever it raises into a problem.

This is the only place with a broad `except`: parsers of other people raise anything, and native
code panics beside `Exception`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

from tqimap_processor.artefact import Problem


if TYPE_CHECKING:
    from collections.abc import Callable


_T = TypeVar("_T")
# an object of a library that ships no types
Foreign: TypeAlias = Any


def attempt(work: Callable[[], _T], kind: str = "malformed") -> _T | Problem:
    """Return what *work* returns, or a problem of *kind* that names the error and quotes nothing.

    An interrupt goes on. No deadline strikes in here: a locked-in process is killed from outside.
    """
    try:
        return work()
    except (KeyboardInterrupt, SystemExit):
        raise
    except BaseException as error:  # noqa: BLE001 - untrusted work; native code panics beside Exception
        # the exception's text may hold mail content: only its kind goes on
        return Problem(kind, type(error).__name__)
