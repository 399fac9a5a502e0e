"""Defanging: each style by itself, and what must hold for all of them."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tqimap_processor.extract import extract, refang


STYLES = [
    ("hxxp://bad-place.net/x", "http://bad-place.net/x"),
    ("hXXps://bad-place.net/x", "https://bad-place.net/x"),
    ("h**p://bad-place.net/x", "http://bad-place.net/x"),
    ("htxp://bad-place.net/x", "http://bad-place.net/x"),
    ("meow://bad-place.net/x", "http://bad-place.net/x"),
    ("h[tt]p://bad-place.net/x", "http://bad-place.net/x"),
    ("http[:]//bad-place.net/x", "http://bad-place.net/x"),
    ("http[://]bad-place.net/x", "http://bad-place.net/x"),
    ("http:// bad-place.net/x", "http://bad-place.net/x"),
    (r"http:\\bad-place.net/x", "http://bad-place.net/x"),
    (r"https:\/\/bad-place.net\/x", "https://bad-place.net/x"),
    ("hxxp:/bad-place.net/x", "http://bad-place.net/x"),
    ("hxxp__bad-place.net/x", "http://bad-place.net/x"),
    ("fxp://bad-place.net/x", "ftp://bad-place.net/x"),
    ("hxxps[:]//bad-place[.]net/x[.]php", "https://bad-place.net/x.php"),
    ("hxxp://bad-place [.] net/x", "http://bad-place.net/x"),
    ("hxxp://bad-place.net[/]x", "http://bad-place.net/x"),
    ("http&#58;&#47;&#47;bad-place&#46;net&#x2f;x", "http://bad-place.net/x"),
    ("bad-place[.]net", "bad-place.net"),
    ("bad-place[.net", "bad-place.net"),
    ("bad-place.]net", "bad-place.net"),
    ("bad-place(.)net", "bad-place.net"),
    ("bad-place{.}net", "bad-place.net"),
    ("bad-place<.>net", "bad-place.net"),
    ("bad-place[dot]net", "bad-place.net"),
    ("bad-place(DOT)net", "bad-place.net"),
    ("bad-place[d0t]net", "bad-place.net"),
    ("place_dot_net", "place.net"),
    ("place-dot-net", "place.net"),
    ("place dot net", "place.net"),
    ("bad-place [.] net", "bad-place.net"),
    ("bad-place\u00a0[.]\u00a0net", "bad-place.net"),
    (r"bad-place\.net", "bad-place.net"),
    ("bad-place[,]net", "bad-place.net"),
    ("bad-place^.net", "bad-place.net"),
    ("bad-place\u3002net", "bad-place.net"),
    ("bad-place\uff0enet", "bad-place.net"),
    ("bad-place\u2024net", "bad-place.net"),
    ("bad-\u200bplace.net", "bad-place.net"),
    ("bad-place.\u00adnet", "bad-place.net"),
    ("bad-place[[.]]net", "bad-place.net"),
    ("www[.]bad-place[.]net", "www.bad-place.net"),
    ("45[.]77[.]12[.]9", "45.77.12.9"),
    ("45.77.12[.]9", "45.77.12.9"),
    ("45(dot)77(dot)12(dot)9", "45.77.12.9"),
    ("45 . 77 . 12 . 9", "45.77.12.9"),
    ("145,177,12,9", "145.177.12.9"),
    ("2a03[:]b0c0[:][:]51:9", "2a03:b0c0::51:9"),
    ("ann[@]bad-place.net", "ann@bad-place.net"),
    ("ann[at]bad-place[.]net", "ann@bad-place.net"),
    ("ann(at)bad-place(dot)net", "ann@bad-place.net"),
    ("ann at bad-place dot net", "ann@bad-place.net"),
    ("ann [at] bad-place [dot] net", "ann@bad-place.net"),
    ("ann{at}bad-place{dot}net", "ann@bad-place.net"),
    ("ann\uff20bad-place.net", "ann@bad-place.net"),
]


@pytest.mark.parametrize(("written", "value"), STYLES)
def test_every_style_is_understood(written: str, value: str) -> None:
    """A defanged value is found whole, flagged, in its place, and refang gives it."""
    text = f"first\n{written}\nlast"
    finding = next(f for f in extract(text) if not f.flags & {"in-url", "in-address"})
    assert finding.value == value
    assert "defanged" in finding.flags
    assert text[finding.start : finding.end] == written
    assert refang(written) == value


@pytest.mark.parametrize(
    "text",
    [
        "see [.htaccess] and (.5) or a[0].b",
        "connect the dot to me, or look at this",
        r"C:\Users\x\.ssh\id and regular\text",
        "values 1,2,3,4 and 10,20,30,40",
        "[b]bold[/b] text",
        "http://bad-place.net/x",
    ],
)
def test_ordinary_text_stays(text: str) -> None:
    """Brackets, words and numbers that defang nothing are left alone."""
    assert refang(text) == text


# the same examples every time, on a busy machine too
STEADY = settings(deadline=None, derandomize=True)
IMPLIED = {"in-url", "in-address"}
LABEL = st.from_regex(r"[a-z]{2,8}[0-9]{0,2}", fullmatch=True)
HOST = st.builds(
    lambda a, b, t: f"{a}.{b}q.{t}", LABEL, LABEL, st.sampled_from(["com", "ru", "net"])
)
QUAD = st.builds(
    lambda parts: ".".join(map(str, parts)), st.lists(st.integers(1, 250), min_size=4, max_size=4)
)
VALUE = st.one_of(
    HOST,
    QUAD,
    st.builds(lambda h, p: f"https://{h}/{p}", HOST, LABEL),
    st.builds(lambda n, h: f"{n}@{h}", LABEL, HOST),
)
DOTS = st.sampled_from(["[.]", "(.)", "{.}", "[dot]", "(dot)", " [.] ", "[.", ".]", "\uff0e"])


@STEADY
@given(VALUE, DOTS)
def test_refang_undoes_defang(value: str, dot: str) -> None:
    """Whatever stands for the dots, refang gives the value, and extract gives it a place."""
    written = value.replace("https", "hxxps").replace(".", dot)
    assert refang(written) == value
    text = f"<< {written} >>"
    found = [f for f in extract(text) if f.value == value]
    assert [text[f.start : f.end] for f in found] == [written]


@STEADY
@given(st.lists(st.tuples(VALUE, DOTS), min_size=2, max_size=6))
def test_places_hold_behind_other_defanging(pairs: list[tuple[str, str]]) -> None:
    """However much was rewritten before it, a value's place is where it was written."""
    lines = [value.replace("https", "hxxps").replace(".", dot) for value, dot in pairs]
    text = "\n".join(lines)
    written = [text[f.start : f.end] for f in extract(text) if not f.flags & IMPLIED]
    assert written == lines


@STEADY
@given(VALUE, VALUE, st.sampled_from([" ", "\n", "\t", ' "', " <", " | "]))
def test_neighbours_are_both_found(left: str, right: str, between: str) -> None:
    """Two values beside each other are both found."""
    values = {finding.value for finding in extract(left + between + right)}
    assert {left, right} <= values


@STEADY
@given(st.text(max_size=300))
def test_any_text_gives_places_inside_it(text: str) -> None:
    """Whatever the text, findings are sorted and lie inside it."""
    found = extract(text)
    assert all(0 <= f.start < f.end <= len(text) for f in found)
    assert [f.start for f in found] == sorted(f.start for f in found)


FRAGMENTS = st.sampled_from(
    [*(written for written, _ in STYLES), "[.]", " dot ", "://", "@", "\\", "1.2.", ":", "(", "]"]
)


@STEADY
@given(st.lists(FRAGMENTS, max_size=12).map("".join))
def test_broken_fragments_do_no_harm(text: str) -> None:
    """Pieces of defanged values in any order neither raise nor leave the text."""
    assert all(0 <= f.start < f.end <= len(text) for f in extract(text))
