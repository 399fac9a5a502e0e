"""Take links out of the wrappers that mail gateways and redirectors put around them.

Vendors' own descriptions and samples are the source of each form; a wrapper that holds only a
token (Mimecast, short links) is opaque and stays as it is.
"""

from __future__ import annotations

import base64
import binascii
import re
from html import unescape
from urllib.parse import unquote

from tqimap_processor.extract.tlds import words


MAX_DEPTH = 3
_TARGET = re.compile(r"(?:https?|ftp)://[^\s/?#]+\.", re.IGNORECASE)
_PARAMETERS = words("""
    url u a q target dest destination redirect redirect_url redirecturl redirect_uri r goto go to
    link next continue returnurl return uri href out l rd adurl murl ru
""")
_V3 = re.compile(r"urldefense\.(?:us|com)/v3/__(.+?)__;([^!]*)!", re.IGNORECASE)
_V2 = re.compile(r"urldefense\.(?:proofpoint\.)?(?:us|com)/v2/url\?", re.IGNORECASE)
_IN_PATH = re.compile(r"/(https?(?:%3a%2f%2f|:/{1,2})[^\s]+)$", re.IGNORECASE)
_RUN = re.compile(r"\*(?:\*(.))?")
_RUN_LENGTHS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"


def unwrap(url: str) -> tuple[str, str] | None:
    """Return the absolute URL inside the wrapper *url* and how it is written there, or None."""
    lowered = url.lower()
    if "urldefense" in lowered[:72]:
        if wrapped := _V3.search(url):
            return _pair(_proofpoint_v3(wrapped[1], wrapped[2]), wrapped[1])
        if _V2.search(url):
            return _pair(_proofpoint_v2(url), "")
    # no target without http or ftp
    if "tp" not in lowered[8:]:
        return None
    _, mark, query = url.partition("?")
    if mark and (found := _parameter(query)):
        return found
    path = _IN_PATH.search(url, 8)
    return _pair(_absolute(unquote(path[1])), path[1]) if path else None


def _pair(target: str | None, written: str) -> tuple[str, str] | None:
    return None if target is None else (target, written)


def _parameter(query: str) -> tuple[str, str] | None:
    for pair in re.split("[&;]", query.partition("#")[0], maxsplit=64):
        name, _, value = pair.partition("=")
        if name.lower() in _PARAMETERS and (target := _absolute(unquote(value))):
            return target, value
    return None


def _absolute(target: str) -> str | None:
    return target if _TARGET.match(target) and not re.search(r"\s", target) else None


def _proofpoint_v2(url: str) -> str | None:
    found = re.search(r"[?&;]u=([^&\s]+)", unescape(url))
    if not found:
        return None
    return _absolute(unquote(found[1].replace("-", "%").replace("_", "/")))


def _proofpoint_v3(url: str, encoded: str) -> str | None:
    """Put the characters of *encoded* (base64url) back where *url* has `*`; `**X` is a run."""
    try:
        lost = iter(
            base64.urlsafe_b64decode(encoded + "=" * (-len(encoded) % 4)).decode("utf-8", "replace")
        )
    except (binascii.Error, ValueError):
        return _absolute(url)

    def put_back(star: re.Match[str]) -> str:
        count = _RUN_LENGTHS.find(star[1]) + 2 if star[1] else 1
        return "".join(next(lost, "*") for _ in range(count))

    return _absolute(_RUN.sub(put_back, url))
