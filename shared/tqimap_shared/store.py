"""Connect to Redis, and refuse one that could lose or evict an acknowledged mail.

redis-py, because rq is built on it. `appendfsync always` is what an acknowledgement rests on: Redis
then answers a write only after it is on disk. WAITAOF cannot replace it, because under `everysec`
some servers answer it without having synced.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import urlsplit

import redis
from redis import exceptions
from redis.backoff import ExponentialBackoff
from redis.maint_notifications import MaintNotificationsConfig
from redis.retry import Retry

from tqimap_shared.errors import Denied, SettingsError, StopProcess, TryLater


if TYPE_CHECKING:
    from collections.abc import Iterator

    from tqimap_shared.settings import Redis as RedisSettings

SUBJECT = "Redis"
LEAST_VERSION = (7, 0)  # the ledger's scripts declare flags, which Redis 6 does not know
WANTED = {"appendonly": "yes", "appendfsync": "always", "maxmemory-policy": "noeviction"}
PASSING_CLASSES = {
    exceptions.ClusterDownError: "CLUSTERDOWN",
    exceptions.MasterDownError: "MASTERDOWN",
    exceptions.TryAgainError: "TRYAGAIN",
}
PASSING = {"BUSY", "MISCONF", "NOREPLICAS", *PASSING_CLASSES.values()}  # states, not faults of ours
RETRIES = 3  # of one command, before it is an error: a restart of Redis takes longer than one try
HEALTH_CHECK = 30  # seconds of silence after which a connection is tried before it is used


def connect(settings: RedisSettings) -> redis.Redis:
    """Return a client for the configured server; nothing is sent yet.

    Raises SettingsError when the URL is none.
    """
    url = settings.url.get_secret_value()
    options: dict[str, Any] = {}
    if settings.password.get_secret_value():
        options["password"] = settings.password.get_secret_value()
    if url.startswith("rediss://") and settings.ca_file is not None:
        options["ssl_ca_certs"] = str(settings.ca_file)
    if not url.startswith("unix://"):
        options["socket_keepalive"] = True
    try:
        return redis.Redis.from_url(
            url,
            socket_timeout=settings.timeout,
            socket_connect_timeout=settings.timeout,
            health_check_interval=HEALTH_CHECK,
            retry=Retry(ExponentialBackoff(cap=1, base=0.05), RETRIES),
            decode_responses=False,
            # a managed service's: any other server is asked in vain at each connection
            maint_notifications_config=MaintNotificationsConfig(enabled=False),
            **options,
        )
    except ValueError:
        # redis-py's own sentence may show the URL and the password in it
        raise SettingsError(
            "redis.url", "is no URL that begins with redis://, rediss:// or unix://."
        ) from None


def place(client: redis.Redis) -> str:
    """Name the server that *client* talks to, without any secret."""
    known = client.connection_pool.connection_kwargs
    return str(known.get("path") or f"{known.get('host')}:{known.get('port')}")


def address(settings: RedisSettings) -> str:
    """Return the configured URL without user name and password, for people."""
    url = urlsplit(settings.url.get_secret_value())
    return url._replace(netloc=url.netloc.rpartition("@")[2], query="").geturl()


@contextmanager
def answering(client: redis.Redis) -> Iterator[None]:
    """Turn redis-py's errors inside the block into TryLater, Denied or SettingsError."""
    try:
        yield
    except (exceptions.AuthenticationError, exceptions.AuthorizationError):
        raise Denied(SUBJECT, f"{place(client)} refused user name or password.") from None
    except exceptions.NoPermissionError as error:
        raise Denied(
            SUBJECT, f"{place(client)} forbids this user what is needed: {_said(error)}"
        ) from None
    except exceptions.BusyLoadingError:
        raise TryLater(SUBJECT, f"{place(client)} is still reading its data.") from None
    except exceptions.OutOfMemoryError:
        raise TryLater(SUBJECT, f"{place(client)} has reached its maxmemory.") from None
    except (exceptions.ConnectionError, exceptions.TimeoutError) as error:
        kind = "does not answer" if isinstance(error, exceptions.TimeoutError) else "is not there"
        raise TryLater(SUBJECT, f"{place(client)} {kind}; is the server running?") from None
    except exceptions.ReadOnlyError:
        raise TryLater(SUBJECT, f"{place(client)} is a replica and takes no writes.") from None
    except exceptions.ResponseError as error:
        # redis-py takes the code off an error that it knows by a class of its own
        code = PASSING_CLASSES.get(type(error)) or _said(error).partition(" ")[0]
        if _said(error).startswith("DB index"):
            raise SettingsError("redis.url", f"{place(client)} has no such database.") from None
        if code not in PASSING:
            raise exceptions.ResponseError(_said(error)) from None
        raise TryLater(SUBJECT, f"{place(client)} takes no writes now ({code}).") from None


def _said(error: exceptions.ResponseError) -> str:
    """Return the server's words; redis-py puts the command before them, and so what is in mails."""
    return str(error).rpartition(" caused error: ")[2]


def check(client: redis.Redis) -> list[str]:
    """Refuse a server that may lose or evict mails; return a sentence for each unchecked thing.

    Raises StopProcess when persistence or eviction is not as needed, TryLater when Redis is away.
    """
    with answering(client):
        _refuse_old(client)
        try:
            found = {name: _config(client, name) for name in WANTED}
        except (exceptions.NoPermissionError, exceptions.ResponseError):
            return _check_without_config(client)
    wrong = [f"{name} {found[name]}" for name, value in WANTED.items() if found[name] != value]
    if wrong:
        wanted = ", ".join(f"{name} {value}" for name, value in WANTED.items())
        raise StopProcess(
            SUBJECT, f"{place(client)} could lose mails: it has {', '.join(wrong)}; set {wanted}."
        )
    return []


def _refuse_old(client: redis.Redis) -> None:
    info = _info(client, "server")
    version = str(info.get("valkey_version") or info.get("redis_version") or "0.0")
    if tuple(int(part) for part in version.split(".")[:2]) < LEAST_VERSION:
        raise StopProcess(
            SUBJECT,
            f"{place(client)} runs version {version}; Redis 7.0, Valkey 7.2 or later needed.",
        )


def _config(client: redis.Redis, name: str) -> str:
    return str(cast("dict[str, str]", client.config_get(name)).get(name, "(unknown)"))


def _info(client: redis.Redis, section: str) -> dict[str, Any]:
    return client.info(section)


def _check_without_config(client: redis.Redis) -> list[str]:
    """Check what INFO says, where an ACL or a hosted service forbids CONFIG."""
    if int(_info(client, "persistence").get("aof_enabled", 0)) != 1:
        raise StopProcess(
            SUBJECT, f"{place(client)} could lose mails: it has appendonly no; set it to yes."
        )
    policy = str(_info(client, "memory").get("maxmemory_policy", "noeviction"))
    if policy != "noeviction":
        raise StopProcess(
            SUBJECT,
            f"{place(client)} could evict mails: it has maxmemory-policy {policy}; "
            "set it to noeviction.",
        )
    unchecked = "forbids CONFIG GET, so appendfsync could not be checked; it must be always."
    return [f"{SUBJECT}: {place(client)} {unchecked}"]
