"""What comes over the line from a locked-in process: read whole, or refused, and never run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from fixtures.built_mail import source
from hypothesis import given, settings
from hypothesis import strategies as st

from tqimap_processor import child, child_wire, contain_answers
from tqimap_processor.artefact import Child, Opened, Problem, Span
from tqimap_processor.child_wire import WireError
from tqimap_processor.extract import Finding, extract
from tqimap_processor.openers.allowance import within


if TYPE_CHECKING:
    from collections.abc import Iterator

    from tqimap_processor.child_wire import Frame

TEXTS = ["see hxxp://one[.]com/a", "", "nothing", "two.com and 8.8.8.8"]
SPAN = {"spans": [1], "where": ["text"], "hidden": [False], "typed": [""]}
CHILD = {"child": ["a.txt", "archive-entry", ""], "problems": [], "parameters": []}
END: tuple[dict[str, Any], bytes] = ({"problems": []}, b"")
HIT = [0, "FQDN", "one.com", 4, 8, [], []]
small = st.text(max_size=9)
problems = st.lists(st.builds(Problem, small, small), max_size=3).map(tuple)
things = st.builds(
    Opened,
    st.lists(st.builds(Span, small, st.text(max_size=30), st.booleans(), small)).map(tuple),
    st.lists(
        st.builds(
            Child,
            small,
            st.binary(max_size=30),
            small,
            small,
            problems,
            st.lists(st.tuples(small, small), max_size=3).map(tuple),
        )
    ).map(tuple),
    problems,
)
nonsense = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | small,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(small, inner, max_size=4),
    max_leaves=12,
)


def over_the_line(answers: Iterator[child.Answer]) -> Iterator[Frame]:
    """Pack and unpack frames, as the line does."""
    for fields, data in answers:
        whole = memoryview(child_wire.pack(fields, data) + data)
        position = 0

        def read(size: int) -> bytes:
            nonlocal position
            position += size
            return bytes(whole[position - size : position])  # noqa: B023 - called in this turn only

        yield child_wire.unpack(read, len(data))


@settings(max_examples=100, deadline=None, derandomize=True, database=None)
@given(things)
def test_what_was_opened_arrives_as_it_was(opened: Opened) -> None:
    """Texts, children and problems come over the line unchanged."""
    asked = source(b"")
    opened = within(opened, asked)
    assert contain_answers.opened(over_the_line(child._opened(opened)), asked) == opened


def test_findings_arrive_as_they_were() -> None:
    """The findings of each text come over the line unchanged, for the empty ones too."""
    found = [extract(text) for text in TEXTS]
    answers = over_the_line(child._findings(iter(found)))
    assert list(contain_answers.findings(answers, TEXTS)) == [list(one) for one in found]


@pytest.mark.parametrize(
    "frames",
    [
        [],
        [(SPAN, b"a")],
        [(SPAN, b"ab"), END],
        [(SPAN, b"\xff"), END],
        [(SPAN | {"spans": [-1]}, b""), END],
        [(SPAN | {"spans": [True]}, b"a"), END],
        [(SPAN | {"spans": [10**30]}, b"a"), END],
        [(SPAN | {"where": [7]}, b"a"), END],
        [(SPAN | {"where": ["a" * 100_000]}, b"a"), END],
        [(SPAN | {"where": []}, b"a"), END],
        [(SPAN | {"hidden": [0]}, b"a"), END],
        [(SPAN | {"spans": [11]}, b"a" * 11), END],
        [(SPAN, b"a")] * 11 + [END],
        [(CHILD, b"a" * 11), END],
        [(CHILD, b"a" * 6)] * 2 + [END],
        [(CHILD, b"")] * 3 + [END],
        [(CHILD | {"child": ["a"]}, b""), END],
        [(CHILD | {"child": ["a", "b", None]}, b""), END],
        [(CHILD | {"problems": [["kind"]]}, b""), END],
        [(CHILD | {"parameters": [["a", "b"]] * 1000}, b""), END],
        [({"problems": [["kind", "detail"]] * 1000}, b"")],
        [({"problems": None}, b"")],
        [({}, b"")],
    ],
)
def test_answer_that_is_not_what_was_agreed(frames: list[Frame]) -> None:
    """More than was allowed, lengths that lie, wrong types and missing ends are refused."""
    asked = source(b"")
    limited = type(asked)(b"", asked.limits, 10, text=10, children=2)
    with pytest.raises(WireError):
        contain_answers.opened(iter(frames), limited)


@pytest.mark.parametrize(
    "hits",
    [
        None,
        [HIT[:6]],
        [[4, *HIT[1:]]],
        [[-1, *HIT[1:]]],
        [[3, *HIT[1:]], HIT],
        [[0, 7, *HIT[2:]]],
        [[0, "FQDN", "one.com", 8, 4, [], []]],
        [[0, "FQDN", "one.com", 4, 400, [], []]],
        [[0, "FQDN", "one.com", 4, 8, "flags", []]],
        [[0, "FQDN", "one.com", 4, 8, [], [["a"]]]],
        [[0, "FQDN", "one.com", 4, 8, ["f"] * 1000, []]],
    ],
)
def test_findings_that_are_none(hits: object) -> None:
    """A finding outside of its text, of no text, or of the wrong shape is refused."""
    with pytest.raises(WireError):
        list(contain_answers.findings(iter([({"findings": hits}, b"")]), TEXTS))


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"date": "yesterday"},
        {"date": "2026-01-01"},
        {"recipients": "a@b.c"},
        {"subject": 7},
        {"subject": "a" * (2**20 + 1)},
    ],
)
def test_envelope_that_is_none(fields: dict[str, Any]) -> None:
    """An envelope with a field of the wrong kind is refused."""
    whole: dict[str, Any] = {
        "message_id": "",
        "subject": "",
        "sender": "",
        "recipients": [],
        "date": None,
    }
    assert contain_answers.envelope(iter([(whole, b"")]))
    with pytest.raises(WireError):
        contain_answers.envelope(iter([(whole | fields if fields else fields, b"")]))


@settings(max_examples=200, deadline=None, derandomize=True, database=None)
@given(
    st.dictionaries(
        st.sampled_from([*SPAN, *CHILD, "findings", "date", "subject"]), nonsense, max_size=6
    ),
    st.binary(max_size=9),
)
def test_nonsense_raises_nothing_else(fields: dict[str, Any], data: bytes) -> None:
    """Whatever JSON comes, it is read or refused."""
    asked = source(b"")
    for read in (
        lambda frames: contain_answers.opened(frames, asked),
        lambda frames: list(contain_answers.findings(frames, TEXTS)),
        contain_answers.envelope,
    ):
        try:
            read(iter([(fields, data)]))
        except WireError:
            continue


@pytest.mark.parametrize(
    "sent",
    [
        b"\xff" * 8,
        b"\0\0\0\1\0\0\0\0" + b"[",
        b"\0\0\0\2\0\0\0\0" + b"[]",
        b"\0\0\0\4\0\0\0\0" + b"\xff\xfe\xfd\xfc",
        b"\0\1\x86\xa0\0\0\0\0" + b"[" * 100_000,
        b"\0\0\x27\x10\0\0\0\0" + b"9" * 10_000,
        b"\0\0\0\2\0\0\1\0" + b"{}" + bytes(256),
    ],
)
def test_frame_that_is_none(sent: bytes) -> None:
    """Lengths beyond what was asked for, and what is no JSON object, are refused."""
    position = 0

    def read(size: int) -> bytes:
        nonlocal position
        position += size
        assert size <= len(sent), "refused before it is waited for"
        return sent[position - size : position]

    with pytest.raises(WireError):
        child_wire.unpack(read, 255)


def test_texts_of_all_kinds_survive() -> None:
    """Lone surrogates and astral characters come over the line as they were."""
    texts = ["a", "", "\udcff", "\U0001f600"]
    assert child_wire.split(*child_wire.join(texts)) == texts


def test_finding_is_rebuilt_as_such() -> None:
    """What the search yields is a Finding again, with a set of flags."""
    (hits,) = contain_answers.findings(iter([({"findings": [HIT]}, b"")]), TEXTS[:1])
    assert hits == [Finding("FQDN", "one.com", 4, 8, frozenset(), ())]
