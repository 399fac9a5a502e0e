"""Load the fixtures that start real servers."""

from __future__ import annotations

import signal


# a shell that runs the tests in the background has them, and all that they start, ignore Ctrl-C
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

pytest_plugins = [
    "fixtures.browser",
    "fixtures.dante",
    "fixtures.dovecot",
    "fixtures.imap_script",
    "fixtures.leaks",
    "fixtures.office",
    "fixtures.post",
    "fixtures.redis",
    "fixtures.workers",
    "fixtures.scripted_https",
    "fixtures.socks",
    "fixtures.site",
    "fixtures.threatq",
    "fixtures.threatq_client",
    "fixtures.token_endpoint",
    "fixtures.crash_site",
]
