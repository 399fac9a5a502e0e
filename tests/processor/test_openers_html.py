"""The HTML opener: visible text, links, hidden text, scripts, styles, data: URLs."""

from __future__ import annotations

from time import process_time

import pytest
from fixtures.built_mail import mail, report, source
from fixtures.clock import untraced

from tqimap_processor.openers import open_artefact
from tqimap_processor.openers.html import open_html


def _open(markup: str, charset: str = "utf-8") -> list[tuple[str, str]]:
    opened = open_html(source(markup.encode(charset), "text/html", charset=charset))
    return [(span.where, span.text) for span in opened.spans]


def _text(markup: str) -> str:
    return dict(_open(markup)).get("text", "")


def test_visible_text_has_the_breaks_that_a_reader_sees() -> None:
    """Blocks and br break lines, cells are parted, inline tags part nothing."""
    assert _text("<p>a  b\n c</p><p>ev<b>il</b>.com<br>next</p><table><tr><td>1<td>2</table>") == (
        "a b c\nevil.com\nnext\n1\t2"
    )


def test_preformatted_text_keeps_its_lines() -> None:
    """Line breaks inside pre are shown."""
    assert _text("<pre>1.2.3.4\n5.6.7.8</pre>") == "1.2.3.4\n5.6.7.8"


@pytest.mark.opens("html")
@pytest.mark.parametrize(
    ("markup", "where", "text"),
    [
        ("<a href=' http://a.com/\n b '>", "a@href", "http://a.com/ b"),
        ("<img src=http://a.com/i>", "img@src", "http://a.com/i"),
        ("<img srcset='http://a.com/1 1x, http://a.com/2 2x'>", "img@srcset", None),
        ("<form action=http://a.com/f>", "form@action", "http://a.com/f"),
        ("<button formaction=http://a.com/f>", "button@formaction", "http://a.com/f"),
        ("<object data=http://a.com/o>", "object@data", "http://a.com/o"),
        ("<video poster=http://a.com/p>", "video@poster", "http://a.com/p"),
        ("<body background=http://a.com/b>", "body@background", "http://a.com/b"),
        ("<a ping=http://a.com/p>", "a@ping", "http://a.com/p"),
        ("<svg><a xlink:href=http://a.com/s></svg>", "a@xlink:href", "http://a.com/s"),
        ("<meta http-equiv=refresh content='0; URL=http://a.com/r'>", "meta@content", None),
        ("<p style='background:url(http://a.com/u)'>", "p@style", "http://a.com/u"),
        (r"<p style='background:url(\68ttp://a.com/u)'>", "p@style", "http://a.com/u"),
        ("<style>@import 'http://a.com/c'; b{}</style>", "style", "http://a.com/c"),
        ("<a data-odd=http://a.com/d>", "a@data-odd", "http://a.com/d"),
        ("<a title='see hxxp://a[.]com'>", "a@title", "see hxxp://a[.]com"),
        ("<a href=mailto:x@a.com>", "a@href", "mailto:x@a.com"),
        ("<iframe srcdoc='<a href=http://a.com/n>'></iframe>", "srcdoc a@href", "http://a.com/n"),
        ("<a href='//a.com/x'>", "a@href resolved", "https://a.com/x"),
        ("<base href=http://a.com/d/><a href=x>", "a@href resolved", "http://a.com/d/x"),
        ("<p>x</p></body></html><a href=http://a.com/late>", "a@href", "http://a.com/late"),
        ("<a href='javascript:location=\"http://a.com/j\"'>", "a@href", "http://a.com/j"),
        ("<a onclick=\"open('http://a.com/k')\">", "a@onclick", "http://a.com/k"),
    ],
)
def test_links(markup: str, where: str, text: str | None) -> None:
    """Every attribute that leads somewhere is a span, as written and where it stands."""
    found = dict(_open(markup))
    assert where in found
    assert found[where] == text if text else "http://a.com/" in found[where]


@pytest.mark.opens("svg")
def test_links_in_a_drawing() -> None:
    """A picture that is markup is read as a page: its links, its scripts, its text."""
    drawing = (
        b'<svg xmlns="http://www.w3.org/2000/svg"><a xlink:href="http://a.com/"><text>see</text>'
        b"</a><script>location='http://b.com/'</script></svg>"
    )
    found = {(one.where, one.text) for one in open_artefact("svg", source(drawing)).spans}
    assert {("a@xlink:href", "http://a.com/"), ("text", "see")} <= found
    assert any(where.startswith("script") and "http://b.com/" in text for where, text in found)


def test_link_that_leads_nowhere_is_no_span() -> None:
    """Fragments and cid: references are not followed, and a broken base breaks nothing."""
    assert _open("<a href='#top'></a><img src='cid:1@a.com'>") == []
    found = _open("<base href='http://[x'><a href=y>")
    assert found == [("base@href", "http://[x"), ("a@href", "y")]


@pytest.mark.parametrize(
    ("markup", "left"),
    [
        ('<a hre"http://a.com/Bc">x</a>', "http://a.com/Bc"),
        ("<p>x</p><a href='http://a.com/cut", "http://a.com/cut"),
        ('<!DOCTYPE html PUBLIC "x" "http://www.a.com/d.dtd"><p>x', "http://www.a.com/d.dtd"),
        ("<p>x</p></div a=1 href=http://a.com/end>", "http://a.com/end"),
        ('<a hre"www.a.com/Bc">x</a>', "www.a.com/Bc"),
    ],
)
def test_markup_that_a_parser_drops_is_swept(markup: str, left: str) -> None:
    """Addresses in broken tags and document types are found as the hidden span `markup`."""
    assert [one for one in _open(markup) if one[0] == "markup"] == [("markup", left)]


@pytest.mark.parametrize(
    "markup",
    [
        "<a href='http://a.com/\nb?c&amp;d=1'>x</a>",
        "<p>see HTTP://a.com/b</p>",
        "<style>p{background:url(http://a.com/x.png);color:red}</style>",
        "<!-- http://a.com/b -->",
        "<base href=http://a.com/>",
        "<script>open('http://a.com/\\x70')</script>",
    ],
)
def test_what_a_parser_found_is_not_swept_again(markup: str) -> None:
    """An address that stands in a span, maybe longer, is not repeated."""
    found = _open(markup)
    assert found
    assert "markup" not in dict(found)


def test_a_page_of_addresses_is_swept_for_so_many() -> None:
    """Addresses without number neither fill the memory nor are taken for left out ones."""
    lines = "".join(f"<br>a://{number}" for number in range(60_000))
    found = _open(f"<p>{lines}</p><a hre'http://a.com/'>")
    assert [where for where, _ in found] == ["text"]


def test_scripts_yield_strings_not_names() -> None:
    """Literals are put together and their escapes undone; names of variables stay out."""
    found = dict(
        _open(
            r"""<script>var e = event.target; e.data = "ht" + 'tp://' + "a.com/\x70ath";
            // http://in-comment.com/
            </script>"""
        )
    )
    assert found["script"].split("\n") == ["http://a.com/path", "http://in-comment.com/"]


def test_comments_are_read() -> None:
    """Conditional comments, which Outlook shows, and plain ones yield links and text."""
    found = dict(_open("<!--[if mso]><a href=http://a.com/m>see</a><![endif]--><!-- b.com/x -->"))
    assert found["comment a@href"] == "http://a.com/m"
    assert "b.com/x" in found["comment"]


@pytest.mark.parametrize(
    "style",
    [
        "display:none",
        "DISPLAY : none !important",
        "visibility:hidden",
        "font-size:0px",
        "font-size:1px;color:red",
        "opacity:0",
        "mso-hide:all",
        "position:absolute;left:-9999px",
        "text-indent:-5000px",
        "color:#ffffff;background-color:white",
        "max-height:0;overflow:hidden",
    ],
)
def test_hidden_text_is_marked(style: str) -> None:
    """What a style hides is a span of its own, and no part of the visible text."""
    opened = open_html(source(f"<p>ev<span style='{style}'>xx</span>il.com".encode()))
    assert [(one.where, one.text, one.hidden) for one in opened.spans] == [
        ("text", "evil.com", False),
        ("hidden text", "xx", True),
    ]


@pytest.mark.parametrize(
    "style", ["opacity:0.9", "font-size:10px", "color:red", "height:0", "margin-left:-5px"]
)
def test_shown_text_is_not_marked(style: str) -> None:
    """Ordinary styles hide nothing."""
    assert _text(f"<p style='{style}'>shown") == "shown"


def test_links_in_hidden_elements_are_marked() -> None:
    """A link that nobody sees says so."""
    opened = open_html(
        source(b"<div hidden><a href=http://a.com/>x</a></div><a href=http://b.com/>")
    )
    assert {one.text: one.hidden for one in opened.spans if one.where == "a@href"} == {
        "http://a.com/": True,
        "http://b.com/": False,
    }


def test_data_urls_are_children() -> None:
    """What a data: URL carries is content, in base64 or percent encoding, and no link."""
    opened = open_html(
        source(
            b"<img src='data:image/gif;base64,R0lG\nODlh'>"
            b"<iframe src='data:text/html;charset=koi8-r,%3Ca%20href=http://a.com/%3E'></iframe>"
            b"<p style='background:url(data:;base64,eA==)'><a href='data:x'>"
        )
    )
    assert [(one.name, one.data, one.how, one.declared_type) for one in opened.children] == [
        ("data-1", b"GIF89a", "data-url", "image/gif"),
        ("data-2", b"<a href=http://a.com/>", "data-url", "text/html"),
        ("data-3", b"x", "data-url", "text/plain"),
    ]
    assert opened.children[1].parameters == (("charset", "koi8-r"),)
    assert not [one for one in opened.spans if "data:" in one.text]


def test_page_in_a_data_url_is_opened() -> None:
    """A page inside a page is read, and its finding says where it was."""
    outcome = report(
        mail(b"<p>x<iframe src='data:text/html,<a href=http://inner-page.com/a>'>", "text/html")
    )
    (found,) = [one for one in outcome.decisions if one.value == "http://inner-page.com/a"]
    assert (found.found[0].artefact, found.found[0].where) == ("1.1", "a@href")


def test_charset_of_the_page_is_used_where_the_mail_names_none() -> None:
    """A meta element decides, unless the mail did."""
    page = "<meta charset=koi8-r><p>вход"
    assert open_html(source(page.encode("koi8-r"))).spans[0].text == "вход"
    assert open_html(source(page.encode(), charset="utf-8")).spans[0].text == "вход"


HOSTILE = {
    "nested div": b"<div>" * 200_000 + b"<a href=http://a.com/>",
    "attributes": b"<a "
    + b" ".join(b"a%d=1" % n for n in range(200_000))
    + b" href=http://a.com/>",
    "tables": b"<table><tr><td>" * 20_000 + b"<b><i>" * 20_000 + b"<a href=http://a.com/>",
    "brackets": b"<a href=http://a.com/>" + b"<" * 1_000_000,
    "blanks": b"<a href=http://a.com/>" + b" \xc2\xa0\t" * 200_000 + b"<br>\t" * 50_000,
    "styles": b"<a href=http://a.com/><p style='" + b"url(" * 100_000 + b"'>",
    "quotes": b"<a href=http://a.com/><script>" + b"'\"`" * 200_000 + b"</script>",
    "data URL": b"<a href=http://a.com/><img src=data:x;base64," + b"A" * 8_000_000 + b">",
    "comments": b"<a href=http://a.com/>" + b"<!--<a href=http://b.com/>-->" * 10_000,
    "srcdoc": b"<a href=http://a.com/>" + b"<iframe srcdoc='<iframe srcdoc=&quot;&quot;>'>" * 5_000,
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_page_is_read_quickly(name: str) -> None:
    """A page made to exhaust a parser takes less than 3 CPU seconds and keeps its link."""
    start = process_time()
    with untraced():
        spans = open_html(source(HOSTILE[name])).spans
    assert process_time() - start < 3
    assert ("a@href", "http://a.com/") in [(one.where, one.text) for one in spans]
