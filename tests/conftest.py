"""Load the fixtures that start real servers."""

pytest_plugins = [
    "fixtures.redis",
    "fixtures.scripted_https",
]
