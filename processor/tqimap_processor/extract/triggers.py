"""Tell of a short text that it holds nothing, or only plain tokens, at a tenth of a search's price.

A mail has two hundred short texts, fields and attributes mostly: dates, numbers, identifiers, a few
words, a link. What is asked here is less than the grammar asks, never more: whatever it would find
begins with one of these signs.
"""

from __future__ import annotations

import re

from tqimap_processor.extract.image import MIN_RUN


# longer ones nearly always hold something
MAX_SHORT = 1024
_HEX = "[0-9A-Fa-f]"
# what makes a token worth reading: a dot that joins something, unless of a number's fraction; a
# scheme, percent-encoded or not
_TOKEN = re.compile(
    r"[.:%@](?:(?<=[^ ]\.)(?=[\w-])(?!(?<=\d\.)\d{1,9}(?:[;,)% ]|\Z))"
    r"|(?:(?<=http:)|(?<=https:))//|(?<=%)3|(?<=@)\[)"
)
_RUN = re.compile(rf"(?<![A-Za-z0-9])[A-Za-z0-9]{{{MIN_RUN}}}")
# a character that may begin what is more than a token, or needs refanging; and what must be around
# it then
_SIGN = re.compile(
    r"[^A-Za-z0-9 \r\n\t;=+!?'\"#*)>`|]"
    r"(?:"
    # a dot that is set off or bracketed
    r"(?<=\.)(?:(?<= \.)|(?=[\])}]))"
    # a scheme that was broken, or is rare; two colons near each other, unless a clock's; a fuzzy
    # hash
    r"|(?<=:)(?:(?=[\\_])|/(?!(?:(?<=http:/)|(?<=https:/))/[A-Za-z0-9])"
    rf"|(?={_HEX}{{0,4}}:)(?!\d\d:\d\d(?::\d\d)?(?!{_HEX}|:))|(?=[\w+/]{{6,148}}:))"
    # a root, a mail's at, octets with commas
    r"|(?<=/)(?=[A-Za-z])(?<![\w.:<)*/-]/)|(?<=~)/|(?<=@)(?:(?<= @)|(?= ))|(?<=,)\d+,"
    # a hardware address, a low line for a colon, an environment, an entity
    rf"|(?<=-)(?={_HEX}{{2}}-{_HEX}{{2}}-)|(?<=_)_|(?<=%)[A-Za-z_()]{{4}}|(?<=&)(?:#|[a-z]{{3,6}};)"
    # what was put in brackets
    r"|(?<=[\[({<])(?=[\s.,@:/\[({<]|[wW]{3}\.|[aAtT][tT]|[dD][oO0]|[pP]un|[cC]ol|[sS]la|[xX][xX])"
    r"|(?<=\.\[)|(?<=:\])|(?<=[^.:/~@,_%&\[\](){}<-]))"
)
_WORD = re.compile(
    r"cve|dot|mutex|serial|user.?agent|mozilla/|hk[a-z]|mac| at |autonomous"
    # what tcpdump writes, lines that a mailer broke
    r"|\d > \d|<h[tx]{2}p|<ftp|=3d"
    r"|(?<![a-z0-9])as(?:[n :=#\"'-]{0,6}\d| num)"
)


def token(text: str) -> bool:
    """Say whether *text* has a token worth reading, or a run as long as a digest."""
    return bool(_TOKEN.search(text) or _RUN.search(text))


def beyond(text: str) -> bool:
    """Say whether more may be found in *text* than its tokens and runs as they are written."""
    return bool(_SIGN.search(text) or _WORD.search(text.lower()))
