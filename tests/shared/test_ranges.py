"""Sets of numbers, written short."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tqimap_shared import ranges


@given(st.sets(st.integers(min_value=0, max_value=2**32)))
def test_what_is_joined_is_split_again(numbers: set[int]) -> None:
    """Any set comes back as it was."""
    assert ranges.split(ranges.join(numbers)) == numbers


@pytest.mark.parametrize(
    ("numbers", "text"),
    [([], ""), ([3], "3"), ([2, 1, 2], "1:2"), ([9, 1, 2, 3, 7], "1:3,7,9")],
)
def test_neighbours_are_joined(numbers: list[int], text: str) -> None:
    """The text is ascending and has no number twice."""
    assert ranges.join(numbers) == text


@pytest.mark.parametrize("text", ["x", "1:x", "1-2", "1:2:3"])
def test_anything_else_is_refused(text: str) -> None:
    """A damaged text is not taken for a smaller set."""
    with pytest.raises(ValueError, match="invalid literal"):
        ranges.split(text)
