"""A short run of the fuzzer, the same every time; `tests/fuzz/run` goes on as long as wanted."""

from __future__ import annotations

import pytest
from fuzz.mutation import by_rounds
from fuzz.targets import TARGETS, Found, timed


ROUNDS = 30


@pytest.mark.parametrize("name", TARGETS)
def test_nothing_is_found(name: str) -> None:
    """No input changed by chance makes our own code raise, leave its budgets or take long."""
    outcome = by_rounds(name, 1, ROUNDS)
    assert outcome.tried == ROUNDS
    assert not outcome.found


def test_same_seed_tries_the_same_and_tells_what_it_finds(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is found can be found again, and stands there with the input that did it."""
    tried: list[bytes] = []

    def target(data: bytes) -> None:
        tried.append(data)
        if len(tried) % ROUNDS == 0:
            raise Found("it")
        if len(tried) % ROUNDS == 1:
            raise ValueError

    monkeypatch.setitem(TARGETS, "tnef", target)
    first, again = by_rounds("tnef", 7, ROUNDS), by_rounds("tnef", 7, ROUNDS)
    assert tried[:ROUNDS] == tried[ROUNDS:]
    assert first.found == again.found == {"it": tried[-1], "ValueError": tried[0]}
    assert by_rounds("tnef", 8, ROUNDS).found["it"] != tried[ROUNDS - 1]


def test_slow_input_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """Time is a budget too."""
    monkeypatch.setattr("fuzz.targets.SLOW", -1.0)
    with pytest.raises(Found, match="took"):
        timed(TARGETS["text"], b"x")
