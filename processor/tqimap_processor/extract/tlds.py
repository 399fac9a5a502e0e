"""Which last labels make a name a domain, and which of them are file extensions too.

publicsuffixlist, because it carries the dated Public Suffix List inside the wheel and never asks
the network; only its data file is read here, which takes 10 ms, not its matcher.
"""

from __future__ import annotations

from importlib.resources import files


_END_OF_ICANN = "// ===END ICANN DOMAINS==="


def words(text: str) -> frozenset[str]:
    """Return the words of *text* as a set."""
    return frozenset(text.split())


# names that do not come from IANA yet occur in threat reports: RFC 2606, 6761, 7686, 8375 and the
# alternative roots that malware has used
SPECIAL = words("""
    onion i2p bit bazar emc coin lib test example invalid localhost local internal lan corp home
    localdomain workgroup intranet
""")
# of these a name is told from prose and code only by its context
UNLIKELY = words("coin lib test example invalid localhost localdomain workgroup home")

# top-level domains that are far more often a file's extension
FILE_TLDS = words("zip mov py sh md ps cab bat java data dot")
# top-level domains that are a file's extension as well, but mostly a domain's end
BOTH_TLDS = words("pl rs cc ai app so pub bz tf st la gdn vi as ml mk mm cs am kt ts")
# top-level domains that no method, attribute or English word shares
CLASSIC = words("""
    com net org info biz edu gov mil int ru cn uk de fr eu jp br in it nl au ca ch es pl se us io co
    me tv cc xyz top site online club icu tk ml ga cf gq pw su ua kr tw hk ir tr za mx
""")
# top-level domains that are methods and attributes in code
METHODS = words("""
    run name open link click select show call group date watch store live save id new host forum map
    read post format design studio works
""")
# those that end a name written out in words
SPOKEN = words("com net org info biz edu gov mil ru cn uk de fr eu jp br nl io co xyz")


def _read() -> frozenset[str]:
    text = files("publicsuffixlist").joinpath("public_suffix_list.dat").read_text("utf-8")
    rules = text.partition(_END_OF_ICANN)[0].splitlines()
    last = {rule.rpartition(".")[2] for rule in rules if rule and not rule.startswith("//")}
    return frozenset(_ascii(name) for name in last) | {n for n in last if not n.isascii()}


def _ascii(name: str) -> str:
    return name if name.isascii() else name.encode("idna").decode()


IANA = _read()
TLDS = IANA | SPECIAL
