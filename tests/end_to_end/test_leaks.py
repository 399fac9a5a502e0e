"""The search for secrets bites; and a run by token leaves none of its own behind."""

from __future__ import annotations

import base64
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
import redis
from fixtures import leaks
from fixtures.site import sample
from fixtures.token_endpoint import REFRESH, SECRET, TENANT
from fixtures.workers import until


if TYPE_CHECKING:
    from fixtures.site import Site
    from fixtures.token_endpoint import TokenEndpoint

PLANTED = "plänted secret/7"


@pytest.mark.parametrize("before", ["", "u", "us"])
def test_a_secret_is_found_wherever_it_is_planted(site: Site, before: str) -> None:
    """In a log, a state file, output, a key, any kind of value, the process list, and in base64."""
    encoded = base64.b64encode(f"{before}\0{PLANTED}\0".encode())
    (site.logs / "tqIMAP.log").write_bytes(b"sent " + encoded)
    (site.config / "state.json").write_text(f'"{PLANTED}"')
    site.said.append("password=pl%C3%A4nted+secret%2F7")
    with redis.Redis.from_url(site.redis_url) as client:
        client.set(f"key {PLANTED}", "1")
        client.hset("hash", "field", PLANTED)
        client.lpush("list", PLANTED)
        client.sadd("set", PLANTED)
        client.zadd("zset", {PLANTED: 1})
        client.xadd("stream", {"field": "pl\\u00e4nted secret/7"})
        site.secrets.append(PLANTED)
        with leaks.watching() as seen:
            command = [sys.executable, "-c", "import time; time.sleep(60)", PLANTED]
            with subprocess.Popen(command) as process:
                until(lambda: any(PLANTED.encode() in line for line in seen))
                process.kill()
        found = site.leaks(seen)
        client.flushall()
    assert found == [
        "Redis' hash",
        "Redis' list",
        "Redis' set",
        "Redis' stream",
        "Redis' zset",
        "a key of Redis",
        "a program's output",
        "file state.json",
        "file tqIMAP.log",
        "the process list",
    ]
    site.secrets.remove(PLANTED)


def test_a_run_by_token_leaves_none_of_it(site: Site, token_endpoint: TokenEndpoint) -> None:
    """Client secret, refresh tokens and access tokens stand nowhere, also where it fails."""
    site.dovecot.append(site.user, sample("01"))
    files = {"client_secret": SECRET, "refresh_token": REFRESH}
    for name, secret in files.items():
        path = site.config / name
        path.touch(mode=0o600)
        path.write_text(secret)
        site.mailbox[f"{name}_file"] = str(path)
        site.secret_files.append(name)
    mailbox = token_endpoint.mailbox(site.dovecot)
    token_endpoint.user, token_endpoint.rotates = site.user, True
    site.mailbox.update(tenant=TENANT, client_id=mailbox.client_id, auth="xoauth2")
    site.mailbox.update(token_url=token_endpoint.url, ca_file=str(mailbox.ca_file))
    site.configure()
    site.ready(imap_password="")
    assert site.tqimap("-v", "3").returncode == 0
    assert len(token_endpoint.forms) == 1
    assert site.dovecot.flags(site.user)[1] >= {r"\Seen"}
    (kept,) = site.config.glob(".tqimap-*.tokens")
    kept.unlink()
    token_endpoint.bad = 2
    done = site.tqimap("-v", "3")
    assert done.returncode == 77
    assert "the server refuses the token" in done.stderr
    site.secrets.extend((SECRET, REFRESH, *token_endpoint.given))
