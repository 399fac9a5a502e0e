"""Processor time of a run of `tqIMAP` that finds no mail, from start to end of its process."""

from __future__ import annotations

import compileall
import resource
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from fixtures import threatq
from fixtures.site import Site

import tqimap_fetcher
import tqimap_shared


if TYPE_CHECKING:
    from fixtures.dovecot import Dovecot

RUNS = 7


def idle(dovecot: Dovecot, redis_url: str) -> float:
    """Enrol at a stand-in, and make some idle runs; return the processor seconds of the least."""
    with tempfile.TemporaryDirectory(prefix="tqimap-bench-") as name:
        directory = Path(name)
        with threatq.running(directory / "threatq.db") as stand_in:
            site = Site(directory, redis_url, dovecot, stand_in, dovecot.user())
            for one in (site.config, site.logs):
                one.mkdir()
            site.configure()
            site.ready()
            for package in (tqimap_fetcher, tqimap_shared):
                # as pip does with what it installs
                compileall.compile_dir(package.__path__[0], quiet=1)
            site.fetch()
            return min(_run(site) for _ in range(RUNS))


def _run(site: Site) -> float:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    site.fetch()
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    user = after.ru_utime - before.ru_utime
    return user + after.ru_stime - before.ru_stime
