"""Make the four kinds of text that indicators are looked for in, the same every time.

Prose of a mail, a dense report of what was seen, a mail in HTML, an access log.
"""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

from bench.letters import WORDS


if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_ENDINGS = ("com", "net", "org", "info", "ru", "top", "xyz", "io", "de", "co.uk")
_FILES = ("exe", "dll", "docm", "js", "zip", "pdf", "lnk", "ps1")


def texts(size: int) -> dict[str, str]:
    """Return a text of each kind, *size* characters long."""
    kinds: dict[str, Callable[[random.Random], str]] = {
        "prose": _prose,
        "dense": _dense,
        "html": _html,
        "log": _log,
    }
    return {kind: _filled(kind, make, size) for kind, make in kinds.items()}


def _filled(kind: str, make: Callable[[random.Random], str], size: int) -> str:
    dice = random.Random(kind)

    def lines() -> Iterator[str]:
        room = size
        while room > 0:
            line = make(dice)
            room -= len(line) + 1
            yield line

    return "\n".join(lines())[:size]


def _host(dice: random.Random) -> str:
    name = dice.choice(("-", "")).join(dice.sample(WORDS, 2))
    return f"{dice.choice(('', 'www.', 'cdn.', 'mail.'))}{name}.{dice.choice(_ENDINGS)}"


def _address(dice: random.Random) -> str:
    return ".".join(str(dice.randint(1, 223)) for _ in range(4))


def _url(dice: random.Random) -> str:
    path = "/".join(dice.sample(WORDS, dice.randint(1, 3)))
    return f"{dice.choice(('http', 'https'))}://{_host(dice)}/{path}?id={dice.randint(1, 99999)}"


def _sentence(dice: random.Random) -> str:
    words = dice.choices(WORDS, k=dice.randint(8, 24))
    words[dice.randrange(len(words))] += dice.choice(
        (",", "", " (as before)", " \u2013 again \u2013")
    )
    return " ".join(words).capitalize() + dice.choice((".", ".", "?", "!", ": \u201cyes\u201d."))


def _prose(dice: random.Random) -> str:
    said = " ".join(_sentence(dice) for _ in range(dice.randint(2, 6)))
    return f"{said} {_url(dice)}\n" if dice.random() < 0.15 else f"{said}\n"


def _dense(dice: random.Random) -> str:
    return dice.choice(_SEEN)(dice)


def _html(dice: random.Random) -> str:
    style = "font-family:Arial,sans-serif;font-size:14px;line-height:1.5;color:#333333"
    cell = f'<td class="{dice.choice(WORDS)}-cell" style="{style}">{_sentence(dice)}</td>'
    if dice.random() < 0.2:
        cell += f'<td><a href="{_url(dice)}" target="_blank"><img src="{_url(dice)}.png"></a></td>'
    return f'<table width="100%" border="0" cellpadding="0"><tr>{cell}</tr></table>'


def _log(dice: random.Random) -> str:
    path = f"/{dice.choice(WORDS)}/{dice.choice(WORDS)}.php?v={dice.random():.6f}"
    version = dice.randint(100, 130)
    return (
        f"{_address(dice)} - - [12/Mar/2026:10:{dice.randint(10, 59)}:07 +0000] "
        f'"GET {path} HTTP/1.1" 200 {dice.randint(100, 99999)} "{_url(dice)}" '
        f'"Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) '
        f'Chrome/{version}.0.0.0 Safari/537.36"'
    )


_SEEN: tuple[Callable[[random.Random], str], ...] = (
    lambda dice: f"hxxps://{_host(dice).replace('.', '[.]')}/{dice.choice(WORDS)}.php",
    lambda dice: f"{_address(dice)}:{dice.randint(1, 65535)}",
    lambda dice: f"{_host(dice)},{_address(dice)},{dice.choice(WORDS)}",
    lambda dice: f"{dice.choice(WORDS)}@{_host(dice)}",
    lambda dice: f"{dice.randbytes(32).hex()}  {dice.choice(WORDS)}.{dice.choice(_FILES)}",
    lambda dice: dice.randbytes(dice.choice((16, 20))).hex(),
    _url,
    _host,
)
