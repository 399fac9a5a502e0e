"""What a mail offers as passwords."""

from __future__ import annotations

import pytest

from tqimap_processor.artefact import Span
from tqimap_processor.passwords import offered


@pytest.mark.parametrize(
    ("where", "words"),
    [
        ("text", ("s3sam.", "s3sam")),
        ("header subject", ("s3sam.", "s3sam")),
        ("header x-token", ()),
        ("part 2 header content-description", ()),
        ("a@href", ()),
    ],
)
def test_passwords_are_read_where_people_write(where: str, words: tuple[str, ...]) -> None:
    """Text and subject tell passwords; machines' fields and links do not."""
    assert offered([Span(where, "The password: s3sam.")], 9) == words
    assert offered([Span(where, "The password: s3sam.")], 1) == words[:1]
