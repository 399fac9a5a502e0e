"""Decide what becomes of an indicator, and say why in a sentence.

Pure: an indicator, the mail's envelope and the operator's lists in, a decision out. The rules are
asked in order and the first with an opinion decides: the operator's word first (deny, allow, own),
then what can never be an indicator, then defanging, then this mail's own machinery, then doubts.
Nothing is dropped: what is skipped is reported with its reason.

A defanged indicator was written so that nobody clicks it: somebody means it as one. That outweighs
every list but the operator's own and every doubt: schemas, gateways, recipients, MISP's warning
lists, file-like names. It does not outweigh that a private or loopback address means nothing
outside its network; a name reserved for documentation is reviewed instead of skipped.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from tqimap_processor import context, find, known, lists, places, tricks, warninglists
from tqimap_processor.extract.addresses import number_host
from tqimap_processor.report import Action, Decision


if TYPE_CHECKING:
    from tqimap_processor.find import Indicator
    from tqimap_processor.lists import Entries
    from tqimap_processor.report import Message
    from tqimap_processor.warninglists import WarningList
    from tqimap_shared.settings import Policy


_Verdict = tuple[Action, str]
_ADDRESSES = frozenset({"IP Address", "IPv6 Address", "CIDR Block"})
_DIGESTS = frozenset({"MD5", "SHA-1", "SHA-256", "SHA-384", "SHA-512"})
# networks with a shorter prefix were assigned to nobody as a whole
_WIDEST = 8
_IDENTIFIERS = re.compile(r"header (?:message-id|references|in-reply-to)(?: \d+)?")


@dataclass(frozen=True, slots=True)
class Rules:
    """The operator's lists, compiled once."""

    own: Entries
    allow: Entries
    deny: Entries
    warnings: tuple[WarningList, ...] = ()

    @classmethod
    def of(cls, policy: Policy) -> Rules:
        """Compile *policy*. Raises SettingsError if a list cannot be read or could be slow."""
        return cls(
            own=_compiled((*policy.own_domains, *policy.own_networks)),
            allow=_compiled(tuple(policy.allow)),
            deny=_compiled(tuple(policy.deny)),
            warnings=warninglists.load(tuple(policy.warning_lists), policy.warning_lists_dir),
        )


# compiled by the worker before it forks: twenty thousand entries take a tenth of a second
_compiled = lru_cache(maxsize=8)(lists.Entries.of)


@dataclass(frozen=True, slots=True)
class _Case:
    """What a rule looks at; *host* is the host or address that the indicator names, if any."""

    indicator: Indicator
    host: str
    message: Message
    rules: Rules

    def has(self, *flags: str) -> bool:
        return not self.indicator.flags.isdisjoint(flags)

    def listed(self, entries: Entries) -> str:
        return entries.match(self.indicator.value, self.host)

    @property
    def is_identifier(self) -> bool:
        """Whether it stands where Message-IDs stand, which look like addresses but are none."""
        return all(_IDENTIFIERS.fullmatch(place.where) for place in self.indicator.found)


def decide(indicator: Indicator, rules: Rules, message: Message) -> Decision:
    """Return what becomes of *indicator*, found in the mail of *message*."""
    case = _Case(indicator, host_of(indicator.type, indicator.value), message, rules)
    verdicts = (rule(case) for rule in _RULES)
    action, reason = next(verdict for verdict in verdicts if verdict is not None)
    return Decision(
        type=indicator.type,
        value=indicator.value,
        action=action,
        reason=reason,
        flags=indicator.flags,
        found=indicator.found,
        attributes=indicator.attributes,
    )


def host_of(kind: str, value: str) -> str:
    """Return the host name, address or network that an indicator names, or an empty string."""
    if kind == "FQDN" or kind in _ADDRESSES:
        return value.lower()
    if kind == "Email Address":
        return value.rpartition("@")[2].strip("[]").lower()
    if kind != "URL":
        return ""
    try:
        # without a scheme the host would be taken for a path
        host = (urlsplit(value if "://" in value else f"//{value}").hostname or "").lower()
    except ValueError:
        return ""
    # an address in decimal, octal or hexadecimal: only these have a digit there
    return (number_host(host) or host) if host[:1].isdigit() else host


def _denied(case: _Case) -> _Verdict | None:
    entry = case.listed(case.rules.deny)
    if not entry or (case.is_identifier and not case.rules.deny.match(case.indicator.value)):
        # a Message-ID under a denied domain looks like an address, but is none
        return None
    return Action.UPLOAD, f"The deny list has {entry}."


def _allowed(case: _Case) -> _Verdict | None:
    entry = case.listed(case.rules.allow)
    return (Action.SKIP, f"The allow list has {entry}.") if entry else None


def _own(case: _Case) -> _Verdict | None:
    entry = case.listed(case.rules.own)
    return (Action.SKIP, f"Belongs to the organisation ({entry}).") if entry else None


def _documentation(case: _Case) -> _Verdict | None:
    entry = known.RESERVED.match("", case.host)
    if not entry:
        return None
    if case.has("defanged"):
        return Action.REVIEW, f"Reserved for documentation or tests ({entry}), yet defanged."
    return Action.SKIP, f"Reserved for documentation, tests or local use ({entry})."


def _unreachable(case: _Case) -> _Verdict | None:
    return _nowhere(case.host)


@lru_cache(maxsize=1024)
def _nowhere(host: str) -> _Verdict | None:
    network = lists.network(host)
    if network is None:
        return None
    if network.is_loopback or network.is_link_local or network.is_multicast:
        return Action.SKIP, "A loopback, link-local or multicast address."
    if network.prefixlen < _WIDEST:
        return Action.SKIP, "So wide a network belongs to nobody."
    if not network.is_global or network.is_reserved:
        return Action.SKIP, "A private or reserved address means nothing outside its network."
    return None


def _defanged(case: _Case) -> _Verdict | None:
    if case.has("defanged"):
        return Action.UPLOAD, "Somebody defanged it: it is meant as an indicator."
    return None


def _recipient(case: _Case) -> _Verdict | None:
    if case.indicator.type != "Email Address":
        return None
    address, message = case.indicator.value.lower(), case.message
    # who writes to himself and hides the others in Bcc is no recipient
    if address == message.sender.lower() or address not in map(str.lower, message.recipients):
        return None
    return Action.SKIP, "A recipient of this mail."


def _schema(case: _Case) -> _Verdict | None:
    entry = case.listed(known.SCHEMAS)
    return (Action.SKIP, f"Machinery of documents, not content ({entry}).") if entry else None


def _gateway(case: _Case) -> _Verdict | None:
    entry = case.listed(known.GATEWAYS)
    if not entry:
        return None
    if case.has("opaque"):
        return Action.REVIEW, f"A mail gateway's link ({entry}) that does not show its target."
    return Action.SKIP, f"A mail gateway's own link ({entry}); its target counts."


def _warned(case: _Case) -> _Verdict | None:
    one = case.indicator
    for listed in case.rules.warnings:
        if entry := listed.match(one.type, one.value, case.host):
            said = f"{listed.name}, version {listed.version}: {entry}"
            return Action.REVIEW, f"A MISP warning list has it ({said})."
    return None


def _transport(case: _Case) -> _Verdict | None:
    if not case.has(places.TRANSPORT):
        return None
    if case.indicator.type in {*_ADDRESSES, "Email Address"} and case.has(places.ORIGIN):
        return Action.REVIEW, "Where the mail came from, as far as its relays say."
    return Action.SKIP, "Stands only in fields that machines put into the header."


def _file(case: _Case) -> _Verdict | None:
    if case.has(find.ATTACHED):
        return Action.REVIEW, "Name or hash of an attached file that nobody has called malicious."
    return None


def _for_context(case: _Case) -> _Verdict | None:
    if case.has(places.NOT_FOR_DETECTION):
        return Action.REVIEW, "Its MISP event gives it for context, not for detection (to_ids)."
    return None


def _header(case: _Case) -> _Verdict | None:
    if case.indicator.type == find.SUBJECT:
        return Action.REVIEW, "A subject alone proves nothing, but finds mails of one campaign."
    if case.indicator.type == find.MAILER:
        return Action.REVIEW, "A mail program alone proves nothing, but may mark a campaign."
    return None


def _in_context(case: _Case) -> _Verdict | None:
    if case.has(context.LISTED) and not case.has("truncated"):
        return Action.UPLOAD, "Stands under a heading for indicators, in a table or in code."
    if case.has(context.ASIDE):
        return Action.REVIEW, "Stands only in a signature, a disclaimer or what follows one."
    return None


_DOUBTS = {
    "file-like": (Action.REVIEW, "May as well be the name of a file."),
    "unknown-tld": (Action.REVIEW, "Ends in no known top-level domain."),
    "censored": (Action.REVIEW, "Parts of it are blacked out."),
    "not-a-file": (Action.REVIEW, "A digest of something else than a file."),
    "truncated": (Action.REVIEW, "Too long: only its beginning was read."),
}


def _doubtful(case: _Case) -> _Verdict | None:
    if case.indicator.flags.isdisjoint(_DOUBTS):
        return None
    return next(verdict for flag, verdict in _DOUBTS.items() if case.has(flag))


def _implied(case: _Case) -> _Verdict | None:
    if case.has("in-address"):
        return Action.REVIEW, "Seen only as the domain of an e-mail address."
    if case.indicator.type in _DIGESTS and case.has("in-url"):
        return Action.REVIEW, "A digest inside a link: a file's, or just a token."
    if case.indicator.type == find.FILENAME and not tricks.can_run(case.indicator.value):
        return Action.REVIEW, "Name of a file that does not run by itself."
    if case.has(places.PICTURE):
        return Action.REVIEW, "Fetched only to decorate the mail, or to count its readers."
    if case.has("in-url"):
        return Action.UPLOAD, "Host of a link; whether it serves others too was not judged."
    return None


def _otherwise(case: _Case) -> _Verdict | None:
    place = case.indicator.found[0].where if case.indicator.found else "the mail"
    return Action.UPLOAD, f"Found in {place}; no rule speaks against it."


_RULES = (
    _denied,
    _allowed,
    _own,
    _documentation,
    _unreachable,
    _defanged,
    _recipient,
    _schema,
    _gateway,
    _warned,
    _file,
    _for_context,
    _transport,
    _header,
    _in_context,
    _doubtful,
    _implied,
    _otherwise,
)
