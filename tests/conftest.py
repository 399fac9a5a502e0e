"""Load the fixtures that start real servers."""

pytest_plugins = [
    "fixtures.browser",
    "fixtures.dante",
    "fixtures.dovecot",
    "fixtures.imap_script",
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
