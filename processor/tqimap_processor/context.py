"""Judge where in a text a finding stands: among listed indicators, or in what closes a mail.

Under a heading such as "Indicators of compromise", in a table or in a block of code stands what
somebody wants to be taken as an indicator. A signature (RFC 3676, or a closing formula), a
disclaimer and the links that let one unsubscribe hold the sender's own machinery. Quoted mails are
read like others: a forwarded attack is quoted too.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from typing import TYPE_CHECKING

from tqimap_processor.extract.tlds import words


if TYPE_CHECKING:
    from collections.abc import Iterator


LISTED = "listed"
ASIDE = "aside"
_NONE: frozenset[str] = frozenset()
_LISTED = frozenset({LISTED})
_ASIDE = frozenset({ASIDE})
# lines that a closing formula or a disclaimer takes with it, unless a heading comes first
MAX_ASIDE = 15
# a list ends where sentences begin
_SENTENCE = 12
# characters of a heading or a closing at most, and of a line in which a disclaimer is looked for
_SHORT, _SEEN = 60, 160
_QUOTED = re.compile(r"(?:> ?)+")
# what a report calls its lists; a bare noun is one only where it is marked as a heading
_KIND = (
    r"(?:list of|related|associated|additional|known|further|other|observed|all|network|host|file"
    r"|e-?mail|technical|atomic|threat|malware|yara /)"
)
_IOCS = (
    r"indicators?(?: of compromise)?|iocs?(?:[ -]?liste?)?|observables|kompromittierungsindikatoren"
    r"|indikatoren|indicateurs? de compromission|indicadores de (?:compromiso|comprometimento)"
    r"|indicatori di compromissione|wska\u017aniki kompromitacji"
    r"|\u0438\u043d\u0434\u0438\u043a\u0430\u0442\u043e\u0440\u044b "
    r"\u043a\u043e\u043c\u043f\u0440\u043e\u043c\u0435\u0442\u0430\u0446\u0438\u0438"
    r"|(?:\u5931\u9677|\u5a01\u80c1)\u6307\u6807|\u4fb5\u5bb3\u6307\u6a19|ioc ?\u60c5\u5831"
)
_CONTROL = r"c2s?|c&c|command[ -](?:and|&)[ -]control"
_BAD = (
    rf"(?:malicious|phishing|payload|distribution|download|malware|attacker|suspicious|{_CONTROL})"
)
_HASHES = r"(?:file )?hash(?:es)?|(?:md5|sha-?(?:1|256|512))(?:s| hash(?:es)?)?"
_NOUNS = r"domains|hosts|servers|urls|ips?|ip addresses|ipv[46](?: addresses)?|files|samples"
_HEADING = re.compile(
    r"[\W\d_]*(?:(?:appendix|annex|anhang|anexo)\b[ :\w]{0,12}[\W_]*|[ivx]{1,4}\. )?"
    rf"(?:(?:{_KIND}[ -]*(?:based )?){{0,2}}(?:{_IOCS})|{_CONTROL}|{_HASHES}|{_BAD} (?:{_NOUNS})"
    rf"|domains|urls|ips|ip addresses|(?:sender addresses|{_NOUNS})(?=[^\n]*[:\uff1a*]))"
    r"(?:[ _]?\([\w ,/&-]{1,24}\))?(?: (?:below|follow|are as follows))?[\s:*=_#\]\uff1a-]*"
)
_OTHER_HEADING = re.compile(r"#{1,6} |[=*_]{2,}\s?\w")
_CLOSING = re.compile(
    r"(?:(?:(?:with )?(?:best|kind|warm|with best|many)? ?regards|sincerely"
    r"|yours(?: (?:sincerely|truly|faithfully))?|best(?: wishes|(?=[,!]))|cheers|rgds|br|lg|mfg"
    r"|(?:many )?thanks(?: and regards| in advance| again| a lot)?|thank you"
    r"|(?:mit )?(?:freundliche[nm]?|viele[n]?|beste[n]?|sch\u00f6ne[n]?)"
    r" gr(?:\u00fc\u00dfen?|u\u00df)"
    r"|(?:bien )?cordialement|bien \u00e0 vous|salutations|(?:un )?saludos?(?: cordiales)?"
    r"|atentamente|atenciosamente|(?:distinti|cordiali) saluti|met vriendelijke groet(?:en)?"
    r"|med v\u00e4nliga? h\u00e4lsning(?:ar)?|pozdrawiam|\u6b64\u81f4"
    r"|\u0441 \u0443\u0432\u0430\u0436\u0435\u043d\u0438\u0435\u043c)"
    r"(?:[,!.]+ ?[^.:]{0,20}| \w{1,15},?)?"
    r"|(?:sent from|get outlook for) .{1,30}|von meinem .{1,20} gesendet)"
)
_DISCLAIMER = re.compile(
    r"(?:this|the information (?:contained )?in this) (?:e-?mail|message)\b"
    r".{0,60}(?:confidential|intended)"
    r"|confidentiality notice|disclaimer\b|diese (?:e-?mail|nachricht) .{0,20}vertraulich"
    r"|ce (?:message|courriel|mail)\b.{0,40}confidentiel"
    r"|este (?:mensaje|correo)\b.{0,40}confidencial"
    r"|unsubscribe\b|to stop receiving|if you no longer wish to"
    r"|you (?:are receiving|received) this|(?:manage|update) (?:your )?(?:e-?mail )?preferences"
    r"|please consider the environment|abmelden\b|abbestellen\b"
    r"|se d\u00e9s(?:abonner|inscrire)|darse de baja|\u9000\u8ba2|\u53d6\u6d88\u8ba2\u9605"
    r"|\u043e\u0442\u043f\u0438\u0441\u0430\u0442\u044c\u0441\u044f"
)
# with what a heading and a closing formula begin: other lines are not looked at
_FIRST = re.compile(r"[\W\d_]*([^\W\d_]+)")
_HEADING_WORDS = words("""
    appendix annex anhang anexo i ii iii iv v vi vii viii ix x xi xii list related associated
    additional known further other observed all network host file e email technical atomic threat
    malware yara indicator indicators ioc iocs observables kompromittierungsindikatoren indikatoren
    indicateur indicateurs indicadores indicatori wska\u017aniki
    \u0438\u043d\u0434\u0438\u043a\u0430\u0442\u043e\u0440\u044b \u5931\u9677\u6307\u6807
    \u5a01\u80c1\u6307\u6807 \u4fb5\u5bb3\u6307\u6a19 ioc\u60c5\u5831 c command malicious phishing
    payload distribution download attacker suspicious hash hashes md sha domains hosts servers url
    urls ip ips ipv files samples sender
""")
_CLOSING_WORDS = words("""
    with best kind warm many regards sincerely yours cheers rgds br lg mfg thanks thank mit
    freundliche freundlichen freundlichem viele vielen beste besten sch\u00f6ne sch\u00f6nen bien
    cordialement salutations un saludo saludos atentamente atenciosamente distinti cordiali met med
    pozdrawiam \u6b64\u81f4 \u0441 sent get von
""")
# without one of these a text has no regions: most texts are spared the walk over their lines
_SIGNS = (
    "indica", "indik", "ioc", "observable", "hash", "c2", "c&c", "command", "malicious", "```",
    "~~~", "\n|", "\n--", "\n> --", "domains", "urls", "\nips", "ips:", "addresses", "samples",
    "md5", "ipv4", "sha256", "sha-", "sha1", "payload", "phishing", "servers", "wska\u017a",
    "\u043a\u043e\u043c\u043f\u0440", "\u6307\u6807", "\u6307\u6a19", "regards", "sincerely",
    "yours", "best", "cheers", "thank", "\nbr", "\nrgds", "\nlg", "gr\u00fc\u00df", "gru\u00df",
    "mfg", "cordial", "bien \u00e0", "salu", "atent", "atenc", "groet", "h\u00e4lsning", "pozdraw",
    "\u6b64\u81f4", "\u0443\u0432\u0430\u0436\u0435\u043d", "sent from", "get outlook", "gesendet",
)  # fmt: skip
_DISCLAIMED = (
    "confiden", "intended", "disclaimer", "vertraulich", "unsubscribe", "receiv", "longer wish",
    "abmelden", "abbestellen", "preferences", "consider the env", "se d\u00e9s", "de baja",
    "\u9000\u8ba2", "\u53d6\u6d88\u8ba2", "\u043e\u0442\u043f\u0438\u0441",
)  # fmt: skip
_FENCE = re.compile(r"(?:```|~~~)")
_ROW = re.compile(r"\|.*\|\s*")


class Context:
    """The regions of a text, and what they say of the findings in them."""

    __slots__ = ("_flags", "_starts")

    def __init__(self, text: str) -> None:
        self._starts = [0]
        self._flags = [_NONE]
        lower = text.lower()
        disclaimed = [sign for sign in _DISCLAIMED if sign in lower]
        if disclaimed or any(sign in lower for sign in _SIGNS):
            for start, flags in _regions(text, disclaimed):
                if flags != self._flags[-1]:
                    self._starts.append(start)
                    self._flags.append(flags)

    def at(self, position: int) -> frozenset[str]:
        """Return the flags of a finding that begins at *position*: `listed`, `aside` or none."""
        return self._flags[bisect_right(self._starts, position) - 1]


def _regions(text: str, disclaimed: list[str]) -> Iterator[tuple[int, frozenset[str]]]:
    """Yield where lines begin, and what stands on them."""
    state = _State(disclaimed)
    start = 0
    for line in text.splitlines(keepends=True):
        yield start, state.read(line)
        start += len(line)


class _State:
    """What the lines so far say of the next one."""

    __slots__ = ("_aside", "_disclaimed", "_fenced", "_listed", "_signed")

    def __init__(self, disclaimed: list[str]) -> None:
        self._disclaimed = disclaimed
        self._fenced = self._listed = self._signed = False
        self._aside = 0

    def read(self, line: str) -> frozenset[str]:
        quoted = _QUOTED.match(line)
        bare = (line[quoted.end() :] if quoted else line).rstrip("\r\n")
        if _FENCE.match(bare):
            self._fenced = not self._fenced
            return _LISTED
        if self._fenced or _ROW.fullmatch(bare):
            return _LISTED
        stripped = bare.strip()
        self._heading(bare, stripped)
        if self._signed or self._aside:
            self._aside = max(0, self._aside - 1)
            return _ASIDE
        return _LISTED if self._listed else _NONE

    def _heading(self, bare: str, stripped: str) -> None:
        """Let *bare*, one line without its quotation marks, begin or end a region."""
        lower = stripped[:_SEEN].lower()
        first = _FIRST.match(lower)
        word = first[1] if first else ""
        short = len(stripped) <= _SHORT
        if short and word in _HEADING_WORDS and _HEADING.fullmatch(lower):
            self._listed, self._signed, self._aside = True, False, 0
        elif bare in {"--", "-- "}:
            self._signed, self._listed = True, False
        elif self._disclaims(lower) or (
            short and word in _CLOSING_WORDS and _CLOSING.fullmatch(lower)
        ):
            self._aside, self._listed = MAX_ASIDE, False
        elif _OTHER_HEADING.match(stripped) or stripped.count(" ") >= _SENTENCE:
            self._listed = False

    def _disclaims(self, lower: str) -> bool:
        said = any(sign in lower for sign in self._disclaimed)
        return said and _DISCLAIMER.search(lower) is not None
