"""Load the fixtures that start real servers."""

pytest_plugins = [
    "fixtures.dovecot",
    "fixtures.redis",
    "fixtures.scripted_https",
    "fixtures.threatq",
]
