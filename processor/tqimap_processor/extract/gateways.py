"""Take links out of the wrappers that mail gateways and redirectors put around them.

Vendors' own descriptions and samples are the source of each form. A wrapper that holds only a token
is opaque and stays as it is; some of these at least name the domain that they lead to.
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
    url u a q o to z target dest destination redirect redirect_url redirecturl redirect_uri r goto
    go link next continue returnurl returnto return_to return uri href out l rd ru adurl murl gourl
    pfurl uddg st.link wreply location jump forward redir imgrefurl originalurl clickurl
    targeturl desturl redirect_to redirectto continueurl exturl
""")
_V3 = re.compile(
    r"urldefense\.(?:us|com)/v3/__(.+?)(?:__;([^!]*)(?:!|$)|(?:__;?)?$)", re.IGNORECASE
)
_V2 = re.compile(r"urldefense\.(?:proofpoint\.)?(?:us|com)/v2/url\?", re.IGNORECASE)
_RUN = re.compile(r"\*(?:\*(.))?")
_RUN_LENGTHS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
# what Check Point writes between three low lines
_UNDERLINED = re.compile(r"https?://[^/]{4,255}/v2/(?:r\d\d/)?___(https?:/.+?)___\.", re.IGNORECASE)
_AMP = re.compile(
    r"https?://(?:(?:www\.)?google\.[a-z.]{2,6}/amp/|(?:[\w-]{1,63}\.)?cdn\.ampproject\.org/[a-z]/)"
    r"(s/)?([\w-]{1,63}\.[^\s]+)",
    re.IGNORECASE,
)
# behind a path, as the whole query or fragment; with encoded slashes it ends at the next plain one
_IN_PATH = re.compile(
    r"(?:[/?#]|/ru=)(https?(?:%3a|:)(?:/{1,2}[^\s]+$|%2f[^\s/?#&]+))", re.IGNORECASE
)
_ONE_SLASH = re.compile(r"(https?):/(?!/)", re.IGNORECASE)
# Base64 of http:// and https://; Bing writes a1 before it
_BASE64 = re.compile(r"(?:=(?:a1)?(?=aHR0c)([\w+/%-]+)|[/?#](?=aHR0c)([\w+%-]+))")
_BASE64_SIGNS = ("aHR0cDovL", "aHR0cHM6L")
_DOMAIN = re.compile(r"[?&]domain=((?:[\w-]{1,63}\.)+[\w-]{2,63})(?=&|$)")
# domains whose links hold a token, not a target
OPAQUE = words("""
    mimecast.com mimecastprotect.com emailprotection.link inky.com sendgrid.net list-manage.com
    mandrillapp.com hubspotlinks.com
""")
_TOKEN = re.compile(r"/(?:s|link|ls/click|wf/click|track/click|Ctc/[^/]+)[/?]|\.link/\?")
# a wrapper has one of these behind its host, or such a host
_SIGNS = ("tp", "TP", "aHR0c", "/amp/")
_HOSTS = OPAQUE | {"ampproject.org"}


def may_wrap(host: str, tail: str) -> bool:
    """Say whether a URL with *host* and *tail* can be a wrapper: cheap, and nearly always not."""
    for sign in _SIGNS:
        if sign in tail:
            return True
    return host[host.rfind(".", 0, host.rfind(".")) + 1 :] in _HOSTS


def unwrap(url: str) -> tuple[str, str] | None:
    """Return the absolute URL inside the wrapper *url* and how it is written there, or None."""
    if "urldefense" in url[:72].lower():
        if wrapped := _V3.search(url):
            return _pair(_proofpoint_v3(wrapped[1], wrapped[2] or ""), wrapped[1])
        if _V2.search(url):
            return _pair(_proofpoint_v2(url), "")
    if found := _UNDERLINED.match(url):
        return _pair(_absolute(found[1]), found[1])
    if found := _AMP.match(url):
        return _pair(_absolute(f"http{'s' if found[1] else ''}://{found[2]}"), found[2])
    # no other target without http or ftp
    if "tp" in url[8:].lower() and (target := _readable(url)):
        return target
    return _pair(_base64(url), "") if "aHR0c" in url else None


def opaque(host: str, url: str) -> tuple[str, str] | None:
    """Return the domain that the opaque wrapper *url* names, if any, or None if it is no such."""
    if ".".join(host.split(".")[-2:]) not in OPAQUE or not _TOKEN.search(url):
        return None
    named = _DOMAIN.search(url)
    return (named[1].lower(), named[1]) if named else ("", "")


def _pair(target: str | None, written: str) -> tuple[str, str] | None:
    return None if target is None else (target, written)


def _readable(url: str) -> tuple[str, str] | None:
    """Return the target that *url* shows: in its path, in a parameter or as its query."""
    _, mark, query = url.partition("?")
    behind = _IN_PATH.search(url, 8)
    inside = len(url) - len(query) if mark else len(url)
    if behind and behind.start(1) <= inside:
        return _pair(_absolute(unquote(behind[1])), behind[1])
    if mark and (found := _parameter(query)):
        return found
    return _pair(_absolute(unquote(behind[1])), behind[1]) if behind else None


def _parameter(query: str) -> tuple[str, str] | None:
    for pair in re.split("[&;]", query.partition("#")[0], maxsplit=64):
        name, _, value = pair.partition("=")
        if name.lower() in _PARAMETERS and (target := _absolute(unquote(value))):
            return target, value
    return None


def _absolute(target: str) -> str | None:
    """Return *target* if it is an absolute URL, its encoding and lost slashes made good."""
    if target[:11].lower().startswith(("http%3a%2f", "https%3a%2f")):
        target = unquote(target)
    target = _ONE_SLASH.sub(r"\1://", target, count=1) if target[:1] in {"h", "H"} else target
    return target if _TARGET.match(target) and not re.search(r"\s", target) else None


def _base64(url: str) -> str | None:
    for found in _BASE64.finditer(url, 8):
        word = unquote(found[1] or found[2]).replace("+", "-").replace("/", "_")
        if not word.startswith(_BASE64_SIGNS):
            continue
        try:
            said = base64.urlsafe_b64decode(word + "=" * (-len(word) % 4)).decode()
        except (binascii.Error, ValueError):
            continue
        if target := _absolute(said):
            return target
    return None


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
