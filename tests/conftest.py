"""Load the fixtures that start real servers."""

pytest_plugins: list[str] = []
