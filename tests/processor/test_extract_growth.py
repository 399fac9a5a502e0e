"""Cost: extraction takes time in proportion to the text, whatever the text."""

from __future__ import annotations

import math
import time

import pytest

from tqimap_processor.extract import extract


HOSTILE = [
    "a.",
    "http://",
    "a@",
    "abcdef0123",
    "1.",
    "[.]",
    "[",
    "\\",
    "HKLM\\",
    "C:\\a\\",
    "http://a[.",
    " dot ",
    "a at b dot ",
    "a:",
    "/tmp/a ",
    "%2e",
    "a-",
    "\u0430\u3002",
    "1.2.3.4 ",
    "a@b.com,",
    "((((http://a.com/))))",
    "https://x.com/?url=",
    "hxxp://",
    "a\\.",
    "a\u200b",
    "100,100,100,100\n",
    "mutex: ",
    "user-agent: ",
    "Mozilla/5.0 ",
    "serial 0a:",
    "3:abcdefg:",
    "a[.]b,",
    "a,b.",
    "&#46;",
    "urldefense.com/v3/__",
    "\ud800.com ",
    "\0a.com",
    " ",
    "a.b|",
    "<at>",
    "\\/",
    "[:]//",
    "meow://a.b ",
    "HKLM\\a b\\",
    "\\\\a\\b ",
    "00:11:",
    "::1 ",
    "1 . 1 . ",
    "aa-bb-",
    "0x" + "aB" * 20 + " ",
    "4" + "a" * 94 + " ",
    "bc1q" + "q" * 38 + " ",
    "imphash " + "a" * 32,
    "http://a.b/?u=http%3A%2F%2F",
    "a" * 3000 + ".",
    "a." * 1500 + " ",
    "SRS0=a=b=",
    "ex\u0430mple.com ",
    "HKLM/SOFTWARE/",
    "HKEY_USERS/a b/",
    "a . com . ",
    "mutex a_bc ",
    "mac: 0123456789ab ",
    "autonomous system (as) 1 ",
    "http://a.b/c;sh",
    "http://a.b/http://",
    "version 1.2.3.4, ",
    "1.2.3.4 and ",
    "\\Device\\Mup\\a ",
    "a.com\\n",
    "http://a.b/xhttp://",
    "<http://a.b/c\nd\n",
    "=\na=3D",
    "https://a.b/v2/___http:/x",
    "https://a.b/?aHR0cDovL",
    "IPv6:1:2:",
    "1.2.3.4/",
    "AS2 ",
]
SMALL, LARGE = 10_000, 40_000
# a quadratic passage shows as 2; the slack is for a busy machine
EXPONENT = 1.5
# an input this cheap is below what can be measured
FLOOR = 0.003


def cost(text: str) -> float:
    """Return the least CPU time in seconds that *text* took in two attempts."""
    times = []
    for _ in range(2):
        begun = time.process_time()
        extract(text)
        times.append(time.process_time() - begun)
    return min(times)


@pytest.mark.parametrize("piece", HOSTILE)
def test_cost_grows_with_the_text(piece: str) -> None:
    """Four times as much of a hostile text costs about four times as much."""
    small, large = (cost(piece * (size // len(piece))) for size in (SMALL, LARGE))
    assert math.log(max(large, FLOOR) / max(small, FLOOR), LARGE / SMALL) < EXPONENT
