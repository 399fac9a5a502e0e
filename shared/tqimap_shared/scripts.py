"""Run the ledger's acts: each a Lua script, atomic, one round trip, one fsync.

Each may be repeated: a client that lost the answer simply asks again.
"""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from tqimap_shared.store import answering


if TYPE_CHECKING:
    from collections.abc import Mapping

    import redis
    from redis.commands.core import Script


class Scripts:
    """The scripts on the keys that begin with *base*, in the Redis of *redis*."""

    def __init__(self, redis: redis.Redis, base: str) -> None:
        self._redis = redis
        self._base = base
        self._known: dict[str, Script] = {}

    def run(self, name: str, *arguments: str | bytes | float) -> Any:  # noqa: ANN401 - Lua's answer
        """Run the script *name*. Raises TryLater when Redis is away."""
        if name not in self._known:
            self._known[name] = self._redis.register_script(_text(name))
        with answering(self._redis):
            return self._known[name](keys=[self._base], args=list(arguments))

    def run_upon(
        self, values: Mapping[str, bytes], name: str, *arguments: str | bytes | float
    ) -> Any:  # noqa: ANN401 - Lua's answer
        """Set each of *values* that is not there yet, by key, and `run`: all of it or nothing.

        Large values pass Lua by so; the script's whole text is sent, which cannot be unknown.
        """
        with answering(self._redis), self._redis.pipeline() as pipeline:
            for key, value in values.items():
                pipeline.set(self._base + key, value, nx=True)
            pipeline.eval(_text(name), 1, self._base, *arguments)
            return pipeline.execute()[-1]


@cache
def _text(name: str) -> str:
    """Return the text of a script, our flags and the shared part before it."""
    # all but admit free memory or are needed to: they must run when Redis is full
    flags = "" if name == "admit" else " flags=allow-oom"
    directory = files("tqimap_shared") / "lua"
    shared, own = ((directory / f"{one}.lua").read_text("utf-8") for one in ("ledger", name))
    return f"#!lua{flags}\n{shared}\n{own}"
