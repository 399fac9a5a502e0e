"""Measure fetching 5,000 unread mails, 288 MB, one of them 25 MB, beside other ways to do it.

A real Dovecot on loopback, and behind a relay 50 ms away; a real Redis that syncs every write.
"""

from __future__ import annotations

import shutil
import tempfile
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from bench import fetch_crowd, fetch_mails, fetch_peers, plant
from bench.fetch_idle import idle
from bench.fetch_relay import relaying
from bench.fetch_ways import Given, Taken, taken
from bench.table import Line, Table, say
from fixtures import dovecot as server
from redis import Redis

from tqimap_sandbox import redis as redis_server


if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Iterator, Mapping

    from bench.fetch_mails import Mails
    from fixtures.dovecot import Dovecot

MB = 1_000_000
ROUND_TRIP = 0.05
RATE = 25 * MB  # bytes a second: 200 Mbit/s
LOOPBACK, FAR = "loopback", "50 ms"
OURS = {"admitted": "slower than tqimap", "bare": "slower than tqimap without a sink"}


Ours: TypeAlias = "Mapping[str, Taken]"
"""The best of each way of ours."""


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add this benchmark's options."""
    add = parser.add_argument
    add("--mails", type=int, default=5000, help="how many; 5000")
    add("--some", type=int, default=500, help="how many the slow ways get; 500, a fifth of it far")
    add("--rounds", type=int, default=3, help="how often the quick ways take turns; 3")
    add("--crowd", type=int, default=100_000, help="mails of the mailbox searched; 100000")


@dataclass(frozen=True, slots=True)
class _House:
    """The servers, and the mails that each way finds unread in a mailbox of its own."""

    dovecot: Dovecot
    mails: Mails
    redis: str
    directory: Path
    tools: Path | None

    def given(self, port: int = 0, mails: Mails | None = None) -> Given:
        """Make a mailbox with all mails, or these, to be fetched by *port*."""
        user = self.dovecot.user()
        (mails or self.mails).put(self.dovecot, user)
        with Redis.from_url(self.redis) as client:
            client.flushall()
        port = port or self.dovecot.imap
        return Given(port, user, server.PASSWORD, self.redis, str(self.directory))

    def forget(self, given: Given) -> None:
        """Remove a mailbox."""
        shutil.rmtree(self.dovecot.directory / "mail" / given.user)

    @contextmanager
    def far(self, rate: float = 0) -> Iterator[int]:
        """Put a line of 50 ms before the server; yield the port to use."""
        with relaying(self.dovecot.imap, round_trip=ROUND_TRIP, rate=rate) as port:
            yield port


def measure(options: argparse.Namespace) -> Table:
    """Measure everything."""
    with _house(options.mails) as house:
        octets = house.mails.octets / MB
        table = Table(f"fetch: {options.mails} unread mails, {octets:.0f} MB, one of 25 MB")
        ours = _near(house, options.rounds, table)
        some = house.mails.some(options.some)
        _compare(house, ours, some, 0, LOOPBACK, (15, 3.5), table)
        with house.far() as port:
            say("our way, 50 ms ...")
            ours = {way: _best(house, way, options.rounds, port) for way in OURS}
            table.lines.append(Line("50 ms: with durable admit", ours["admitted"].seconds, "s"))
            some = house.mails.some(options.some // 5)
            _compare(house, ours, some, port, FAR, (120, 5), table)
        with house.far(RATE) as port:
            _share(house, port, table)
        fetch_crowd.search(house.dovecot, options.crowd, table)
        table.notes += _missing(house)
        say("idle runs ...")
        table.lines.append(Line("idle run", idle(house.dovecot, house.redis), "CPU s", most=0.3))
    table.notes.append(f"measured on {plant.machine()}")
    return table


@contextmanager
def _house(count: int) -> Iterator[_House]:
    with ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="tqimap-bench-")))
        dovecot = stack.enter_context(server.serving())
        url = stack.enter_context(
            redis_server.serving(directory / "redis", port=None, maxmemory="2gb")
        )
        say(f"making {count} mails ...")
        mails, tools = fetch_mails.make(count, dovecot), fetch_peers.tools(directory)
        yield _House(dovecot, mails, url, directory, tools)


def _best(house: _House, way: str, rounds: int, port: int = 0) -> Taken:
    """Return the quickest of some rounds."""
    return min((_once(house, way, port) for _ in range(rounds)), key=lambda one: one.seconds)


def _once(house: _House, way: str, port: int = 0, mails: Mails | None = None) -> Taken:
    given = house.given(port, mails)
    found = taken(way, given)
    house.forget(given)
    return found


def _near(house: _House, rounds: int, table: Table) -> Ours:
    """Compare with draining the socket; return our ways."""
    ways = ("drained", "bare", "admitted", "whole")
    found: dict[str, list[Taken]] = {way: [] for way in ways}
    for number in range(rounds):
        say(f"round {number + 1} of {rounds}, {LOOPBACK}: {', '.join(ways)} ...")
        for way in ways:
            found[way].append(_once(house, way))
    seconds = {way: min(one.seconds for one in found[way]) for way in ways}
    cpu = {way: min(one.processor for one in found[way]) for way in ways}
    drain, against = seconds["drained"], "draining"

    def line(what: str, way: str, most: float | None = None) -> Line:
        return Line(what, seconds[way], "s", seconds[way] / drain, against, most=most)

    peak = max(one.peak for one in found["admitted"]) / MB
    spent = cpu["bare"] / cpu["drained"]
    table.lines += [
        Line("draining the raw socket", drain, "s"),
        line("fetching, no sink", "bare", 1.2),
        Line("draining: processor time", cpu["drained"], "CPU s"),
        Line("fetching: processor time", cpu["bare"], "CPU s", spent, against, most=2.5),
        line("with durable admit and marks", "admitted", 4),
        Line("the same: processor time", cpu["admitted"], "CPU s"),
        Line("the same: peak memory", peak, "MB", most=50 + 3 * fetch_mails.HUGE / MB),
        line("a whole run, jobs enqueued, too", "whole"),
        Line("the same: processor time", cpu["whole"], "CPU s"),
    ]
    table.notes.append(f"{LOOPBACK}: the best of {rounds} rounds in which the ways took turns.")
    return {way: min(found[way], key=lambda one: one.seconds) for way in OURS}


def _compare(
    house: _House,
    ours: Ours,
    some: Mails,
    port: int,
    where: str,
    goals: tuple[float, float],
    table: Table,
) -> None:
    """Compare our ways with how others fetch; times are a mail's.

    Others are compared with our admission and marks, and again with our fetching alone where they
    wait for no disk: they keep nothing safe either.
    """
    each = {way: one.seconds / one.mails for way, one in ours.items()}

    def compare(
        what: str,
        act: Callable[[Given], Taken],
        mails: Mails,
        least: float | None,
        *against: str,
    ) -> None:
        say(f"{where}: {what}, {len(mails.files)} mails ...")
        given = house.given(port, mails)
        found = act(given)
        house.forget(given)
        other = found.seconds / found.mails
        name = f"{where}: {what}"
        for way in against or ("admitted",):
            with_what, mark = OURS[way], least if way == "admitted" else None
            line = Line(name, 1 / other, "mails/s", other / each[way], with_what, least=mark)
            table.lines.append(line)

    compare("one mail a command, admitted", lambda at: taken("singly", at), some, goals[0])
    single = "bare_singly"
    compare("one mail a command, no sink", lambda at: taken(single, at), some, None, "bare")
    if house.tools:
        tools = partial(taken, "tools", libraries=house.tools)
        compare(fetch_peers.TOOLS, tools, some, None, *OURS)
    with tempfile.TemporaryDirectory(prefix="tqimap-bench-") as name:
        directory = Path(name)
        have = fetch_peers.missing()
        if fetch_peers.MBSYNC not in have:
            synchronise = fetch_peers.synchronised
            mails, way = house.mails, lambda at: synchronise(at, directory)
            compare("mbsync without fsync", way, mails, goals[1], *OURS)
        if fetch_peers.FETCHMAIL not in have:
            count = len(some.files)
            compare("fetchmail", lambda at: fetch_peers.delivered(at, directory, count), some, None)


def _share(house: _House, port: int, table: Table) -> None:
    say("50 ms and 200 Mbit/s ...")
    best = house.mails.octets / RATE
    for what, way, least in (
        ("fetching, no sink", "bare", 90.0),
        ("with durable admit", "admitted", None),
    ):
        seconds = _once(house, way, port).seconds
        share = best / seconds * 100
        table.lines.append(Line(f"50 ms, 200 Mbit/s: {what}", share, "% of the line", least=least))


def _missing(house: _House) -> list[str]:
    names = fetch_peers.missing() + ([] if house.tools else [fetch_peers.TOOLS])
    return [f"not compared with {name}: it is not installed" for name in names]
