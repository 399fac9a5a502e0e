"""Open plain text: charset, format=flowed, links wrapped in angle brackets."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from tqimap_processor import charset, inlined
from tqimap_processor.artefact import Opened, Span


if TYPE_CHECKING:
    from tqimap_processor.openers.source import Source


# <URL:http://...> and <http://...> may be broken over lines (RFC 3986, appendix C)
_BRACKETED = re.compile(
    r"<(?:URL:)?\s{0,4}[A-Za-z]{3,6}://[^<>\r\n]{1,2000}(?:\r?\n[^<>\r\n]{1,2000}){1,20}>"
)
_BREAK = re.compile(r"[ \t]*\r?\n[> \t]*")


def open_text(source: Source) -> Opened:
    """Return the text of *source* as one span, `text`."""
    text = charset.decode(inlined.without(source.data), source.charset).replace("\0", "")
    if source.parameters.get("format", "").lower() == "flowed":
        text = unflow(text, delsp=source.parameters.get("delsp", "").lower() == "yes")
    return Opened(spans=(Span("text", _BRACKETED.sub(_unwrap, text)),))


def unflow(text: str, *, delsp: bool) -> str:
    """Join the soft-broken lines of format=flowed text (RFC 3676)."""
    joined: list[str] = []
    soft, depth = False, 0
    for line in text.splitlines():
        content = line.lstrip(">")
        quotes = len(line) - len(content)
        content = content.removeprefix(" ")
        if soft and quotes == depth:
            joined.append(content)
        else:
            joined += ["\n" if joined else "", "> " if quotes else "", content]
        # "-- " is the signature's line, never a soft break
        soft, depth = content.endswith(" ") and content != "-- ", quotes
        if soft and delsp:
            joined[-1] = content[:-1]
    return "".join(joined)


def _unwrap(found: re.Match[str]) -> str:
    joined = _BREAK.sub("", found[0])
    # a blank inside means prose between brackets, not one link
    return joined if not re.search(r"\s", joined[5:]) else found[0]
