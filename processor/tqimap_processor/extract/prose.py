"""Tell code, products and prose from domains: names with dots that are none."""

from __future__ import annotations

from tqimap_processor.extract.tlds import CLASSIC, METHODS, UNLIKELY, words


# receivers of method calls and attributes in code: always, and before a method's name
CODE = words("""
    self this document window console module exports math java javax util utils obj process
""")
_MAYBE_CODE = words("""
    os sys app object string require system event node item data args result response request config
    ctx array json date element el e i x user form forms file df np pd db conn socket client server
    order items host file source destination process network agent session device account container
    rule threat cloud service http dns tls ssl smtp ssh url ip
""")
# what a style sheet begins with: no name of a method behind it makes a domain
_ELEMENTS = words("""
    a body button div footer form h1 h2 h3 h4 h5 header img input label li main nav ol option p
    section select span table tbody td textarea th thead tr ul
""")
# the name of a package is a domain's, backwards
_BACKWARDS = words("com org net")
# first labels that need a second look, if the last one is no plain one
SUSPECT = CODE | _ELEMENTS | _BACKWARDS
# products whose name is a domain's
_PRODUCTS = words("asp.net ado.net vb.net")
PLAIN_TLDS = words("com net org ru info biz cn de fr eu top xyz")
# programs that are called like a source
LIBRARIES = words("""
    node.js next.js vue.js nuxt.js d3.js three.js react.js angular.js express.js ember.js
    backbone.js knockout.js chart.js
""")
# what a scanner calls its finds: Trojan.Linux.Mirai.cc
_DETECTED = words("""
    win win32 win64 msil linux android osx macos script html generic trojan backdoor ransomware
    ransom adware worm virus exploit downloader hacktool pua heur variant
""")
# as the last label before an opening bracket a method: logger.info("...")
_CALLED = words("info")
_ABBREVIATIONS = words("e.g i.e u.s u.k a.m p.m e.u z.b d.h u.a s.o o.g i.d")


def is_prose(name: str, tld: str, before: str, after: str) -> bool:
    """Say whether *name* is code, a product, or two sentences without a space between them."""
    lowered = name.lower()
    if after == "{" or (after == "(" and tld in _CALLED):
        # a selector in a style sheet, a method
        return True
    if tld not in PLAIN_TLDS and name[0].isupper() and _is_detection(lowered):
        return True
    if lowered in _ABBREVIATIONS or lowered.rpartition(".")[0] in _ABBREVIATIONS:
        return True
    last = name[-len(tld) :]
    if last[0].isupper() and tld not in PLAIN_TLDS and not name.isupper():
        return True
    if last == "NET" and (lowered in _PRODUCTS or not (name.isupper() or "-" in name)):
        return True
    return tld not in PLAIN_TLDS and _is_code(lowered, tld, before, after)


def _is_detection(lowered: str) -> bool:
    return lowered.count(".") > 1 and lowered[: lowered.index(".")] in _DETECTED


def _is_code(lowered: str, tld: str, before: str, after: str) -> bool:
    first, _, rest = lowered.partition(".")
    if first in CODE or (tld not in CLASSIC and (after in {"(", "="} or before == "/")):
        return True
    if "." in rest:
        return first in _BACKWARDS and tld not in CLASSIC
    if first in _ELEMENTS and tld not in CLASSIC:
        return True
    return tld in UNLIKELY or (first in _MAYBE_CODE and tld in METHODS)
