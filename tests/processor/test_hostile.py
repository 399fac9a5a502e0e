"""Hostile files, each in a mail that is read locked in: what they cost, and what they cannot."""

from __future__ import annotations

import resource
from functools import partial
from typing import TYPE_CHECKING

import pytest
from fixtures.bombs import LINK
from fixtures.hostile_cases import BESIDE, Hostile, carried, cases
from fixtures.reading import MIB, Reader
from fixtures.zygote import forked

from tqimap_processor import contain, openers
from tqimap_processor.detect import detect
from tqimap_shared.settings import Limits, Policy


if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.filterwarnings("ignore:.*multi-threaded.*:DeprecationWarning")


@pytest.fixture(autouse=True, scope="module")
def _loaded() -> None:
    openers.preload()


@pytest.mark.parametrize("case", cases(shrink=50), ids=str)
def test_hostile_file_costs_itself(case: Hostile) -> None:
    """It ends within the mail's time, is told of where it is, and all beside it is read."""
    data = case.build()
    assert detect(data, case.declared_type) == case.kind
    limits = Limits(**case.limits)
    start = _seconds()
    with forked(limits) as zygote:
        read = partial(contain.examine, limits=limits, policy=Policy(), zygote=zygote)
        report = read(carried(data, case.declared_type))
    assert _seconds() - start < limits.mail_seconds
    found = {one.value for one in report.decisions}
    assert found >= BESIDE
    assert not case.holds or LINK.decode() in found
    problems = {
        problem.kind: artefact.top for artefact in report.artefacts for problem in artefact.problems
    }
    assert set(problems.values()) <= {"2"}
    assert not case.problem or case.problem in problems


def test_memory_of_all_processes_is_limited(tmp_path: Path) -> None:
    """The bomb that takes most, but for one, leaves a worker with all its processes below 1.3 GiB.

    `tests/bench/run hostile` measures all of them.
    """
    (case,) = [case for case in cases() if str(case) == "zip: overlapping"]
    mail = tmp_path / "mail"
    mail.write_bytes(carried(case.build(), case.declared_type))
    with Reader() as reader:
        read = reader.read(mail, case.limits)
    assert read.found >= BESIDE
    assert ("2", "overlapping") in read.problems
    assert 100 * MIB < read.peak < 1.3 * 1024 * MIB


def _seconds() -> float:
    """Return the processor time that ended processes of this one have used."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime
