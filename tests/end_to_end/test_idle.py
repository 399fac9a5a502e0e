"""A run that finds nothing to do is cheap: cron starts one every minute, for years."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING


if TYPE_CHECKING:
    from fixtures.site import Site


def test_an_idle_run_asks_threatq_twice(site: Site) -> None:
    """One login, one look at the connector's page: no token lies on the disk in between."""
    site.ready()
    site.fetch()
    site.threatq.forget_journal()
    site.fetch()
    asked = [(one["method"], one["path"]) for one in site.threatq.journal()]
    assert asked == [("POST", "/api/token"), ("GET", "/api/connectors/1")]


def test_an_idle_run_loads_no_queue_and_no_parsers() -> None:
    """What only mail needs is loaded when there is mail."""
    loaded = "import sys, tqimap_fetcher.cli; print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", loaded], capture_output=True, text=True, check=True
    )
    assert not {"rq", "mailparser", "iocextract", "rich"} & set(done.stdout.split())
