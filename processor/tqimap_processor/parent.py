"""Bind the life of every child process to its parent's.

Linux' parent death signal, because nothing else works when the parent is killed with SIGKILL.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys


PR_SET_PDEATHSIG = 1  # prctl(2)
ENDING = (signal.SIGTERM, signal.SIGINT)


def die_with_parent() -> None:
    """Let every process forked from now on be killed when the one that forked it is, however.

    rq's horse would otherwise go on beside the one that takes its mail up again, and the scheduler
    would keep its lock. No-op outside Linux.
    """
    if sys.platform != "linux":
        return
    prctl = ctypes.CDLL(None).prctl
    parents: list[int] = []

    def before() -> None:
        parents[:] = [os.getpid()]
        # a signal between fork and the lines below would meet a handler that means nothing here
        signal.pthread_sigmask(signal.SIG_BLOCK, ENDING)

    def after_in_child() -> None:
        prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parents[0]:
            os._exit(1)  # the parent was killed before the line above
        for number in ENDING:
            signal.signal(number, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, ENDING)

    os.register_at_fork(
        before=before,
        after_in_child=after_in_child,
        after_in_parent=lambda: signal.pthread_sigmask(signal.SIG_UNBLOCK, ENDING),
    )
