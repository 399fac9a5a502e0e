"""Give up in time on what knows no deadline of its own."""

from __future__ import annotations

import threading
from concurrent.futures import Future
from typing import TYPE_CHECKING, TypeVar


if TYPE_CHECKING:
    from collections.abc import Callable

Result = TypeVar("Result")


def within(
    seconds: float,
    act: Callable[[], Result],
    *,
    late: Exception,
    discard: Callable[[Result], None] = lambda _: None,
) -> Result:
    """Return what *act* returns, or raise *late* if that takes more than *seconds*.

    In a thread: neither name resolution nor PySocks knows a deadline for the whole, and who drips
    his answer would hold a run for hours. What comes late is given to *discard* by its thread.
    """
    future: Future[Result] = Future()

    def attempt() -> None:
        try:
            found = act()
        except Exception as error:  # noqa: BLE001 - raised again by the waiting thread
            if future.set_running_or_notify_cancel():
                future.set_exception(error)
            return
        if future.set_running_or_notify_cancel():
            future.set_result(found)
        else:
            discard(found)

    threading.Thread(target=attempt, name="connect", daemon=True).start()
    try:
        return future.result(seconds)
    except TimeoutError:
        if future.cancel():
            raise late from None
        return future.result()
