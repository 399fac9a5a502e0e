"""Processor time of a mail, stage by stage, in one process: ours, and Redis' beside it."""

from __future__ import annotations

import os
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tqimap_processor import contain, upload
from tqimap_processor.find import find
from tqimap_processor.message import envelope
from tqimap_processor.policy import Rules, decide
from tqimap_processor.report import Report
from tqimap_processor.threatq import Client
from tqimap_processor.walk import walk
from tqimap_processor.zygote import Zygote
from tqimap_shared.lease import Lease


if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from bench.plant import Plant

WALK, FIND, LOCKED = "parse and walk", "find and decide", "lock both in"
STAGES = ("admit", "ledger", WALK, FIND, LOCKED, "upload")


@dataclass(slots=True)
class Costs:
    """Seconds of our processor time by stage, and what Redis had to do for admission and ledger."""

    mails: int
    seconds: dict[str, float] = field(default_factory=lambda: dict.fromkeys(STAGES, 0.0))
    redis: dict[str, float] = field(default_factory=dict)
    commands: dict[str, int] = field(default_factory=dict)

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Count the processor time of the block."""
        started = time.process_time()
        yield
        self.seconds[name] += time.process_time() - started

    def milliseconds(self, name: str) -> float:
        """Return a stage's milliseconds a mail."""
        return self.seconds[name] * 1000 / self.mails


def costs(plant: Plant, mails: Sequence[bytes]) -> Costs:
    """Do all that is done for *mails* once, one after the other."""
    plant.empty()
    costs = Costs(len(mails))
    with _redis(plant, costs, "admit"), costs.stage("admit"):
        names = plant.admit(mails)
    with Client.open(plant.settings.threatq) as client:
        reports = [_examined(plant, raw, costs) for raw in mails]
        delivered = [_delivered(plant, one, client, costs) for one in reports]
    costs.seconds[LOCKED] = _contained(plant, mails) - costs.seconds[WALK] - costs.seconds[FIND]
    with _redis(plant, costs, "ledger"), costs.stage("ledger"):
        for name, effects in zip(names, delivered, strict=True):
            _booked(plant, name, effects)
    return costs


def _contained(plant: Plant, mails: Sequence[bytes]) -> float:
    """Return what it takes to do so in processes that are locked in, as workers do."""
    return _zygotes(plant, mails) - _zygotes(plant, ())


def _zygotes(plant: Plant, mails: Sequence[bytes]) -> float:
    """Return what a zygote, its forks and we take from its start over *mails* to its end."""
    limits, policy = plant.settings.limits, plant.settings.policy
    before = os.times()
    with Zygote.spawned(limits) as zygote:
        contain.missing(limits, zygote)
        for raw in mails:
            contain.examine(raw, limits=limits, policy=policy, zygote=zygote)
    return sum(os.times()[:4]) - sum(before[:4])


@contextmanager
def _redis(plant: Plant, costs: Costs, name: str) -> Iterator[None]:
    seconds, commands = plant.processor(), plant.commands()
    yield
    costs.redis[name] = plant.processor() - seconds
    costs.commands[name] = plant.commands() - commands


def _examined(plant: Plant, raw: bytes, costs: Costs) -> Report:
    limits, policy = plant.settings.limits, plant.settings.policy
    with costs.stage(WALK):
        message, artefacts = envelope(raw, limits), walk(raw, limits)
    with costs.stage(FIND):
        indicators, _ = find(artefacts, limits)
        rules = Rules.of(policy)
        decisions = tuple(decide(one, rules, message) for one in indicators)
    return Report(message, artefacts, decisions)


def _delivered(plant: Plant, report: Report, client: Client, costs: Costs) -> list[tuple[Any, ...]]:
    """Deliver without a ledger; return what it would have been asked."""
    asked: list[tuple[Any, ...]] = []

    def run(name: str, *arguments: str | bytes | float) -> object:
        asked.append((name, *arguments))
        return {"intend": [b"ok"], "record": str(arguments[-1]).encode()}.get(name, b"ok")

    lease = _lease("0" * 64, run)
    with costs.stage("upload"):
        upload.deliver(report, client=client, lease=lease, settings=plant.settings)
    return asked


def _lease(sha256: str, run: Callable[..., object]) -> Lease:
    return Lease(
        sha256=sha256, token="t", attempts=1, mailbox="", milliseconds=90_000, keep=True, run=run
    )


def _booked(plant: Plant, name: str, asked: list[tuple[Any, ...]]) -> None:
    """Ask the ledger what the delivery of a mail asks it, between lease and done."""
    lease = plant.ledger.lease(name, owner="bench")
    assert lease is not None
    plant.ledger.raw(name)
    lease.renew()
    for act, *arguments in asked:
        if act == "intend":
            lease.intend(arguments[-1])
        elif act == "record":
            lease.record(*arguments[1:])
        else:
            lease.renew()
    lease.done({"files": "0", "indicators": "0", "relations": "0", "seconds": "0"})
