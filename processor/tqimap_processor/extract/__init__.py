"""Indicators in text: `extract` finds them with their places, `refang` undoes defanging.

Nothing is dropped for being harmless: a flag says what is known, and the policy decides.

Flags: `defanged` (written so that nobody clicks it), `reserved` and `private` (RFC 1918, 2606, 5737
and their like), `file-like` (the top-level domain is a file extension too, or a file's name that
could be a domain), `in-url`, `in-address` and `in-path` (the host of a URL, the domain of an e-mail
address, the server of a share), `no-scheme` (a URL written without), `wrapper` (a gateway's or
redirector's link; with `opaque` one that does not show where it leads) and `unwrapped` (what such a
link leads to; attribute `Reached Through`), `userinfo` (something stands before an `@` in the
authority), `number-host` (an address in decimal, octal or hexadecimal), `idn` and `mixed-script`
(attribute `U-label`), `unknown-tld` (the last label is no known top-level domain), `labelled` (the
word before it says what it is), `not-a-file` (a digest of something else than a file's content),
`coin-<name>` (attribute `Coin`), `censored` (parts of a URL's host are starred out or stand for
any), `second-opinion` (iocextract found it where this grammar did not), `percent-encoded` (decoded
from %3A%2F%2F), `truncated` (the token was longer than tokens.MAX_AHEAD).
Other attributes: `Port`, `Algorithm`, `Colon Notation` (of a MAC address written in three groups).

`refang(text[start:end])` gives a finding's value, because it gives the canonical spelling where the
text is one indicator as a whole. It cannot where the value is not written there: the address that a
`number-host` means, and a target that its gateway has encoded (URL Defense).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tqimap_processor.extract.finding import Finding


if TYPE_CHECKING:
    from tqimap_processor.extract.scan import extract, refang

__all__ = ["Finding", "extract", "refang"]


def __getattr__(name: str) -> Any:  # noqa: ANN401 - whatever is asked for
    """Load the grammar when it is asked for: a worker only knows what a finding is."""
    if name not in __all__:
        raise AttributeError(name)
    from tqimap_processor.extract import scan

    return getattr(scan, name)
