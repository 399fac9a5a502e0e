"""Decide what becomes of an indicator, and say why in a sentence.

Pure: an indicator, the mail's envelope and the operator's lists in, a decision out. The rules are
asked in order and the first with an opinion decides: the operator's word first (deny before allow),
then what can never be an indicator, then this mail's own machinery, then doubts. Nothing is
dropped: what is skipped is reported with its reason.
"""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from tqimap_processor import find
from tqimap_processor.lists import Entries
from tqimap_processor.report import Action, Decision


if TYPE_CHECKING:
    from tqimap_processor.find import Indicator
    from tqimap_processor.report import Message
    from tqimap_shared.settings import Policy


_Verdict = tuple[Action, str]
_ADDRESSES = frozenset({"IP Address", "IPv6 Address", "CIDR Block"})
_SCHEMAS = Entries.of(
    (
        "w3.org",
        "schemas.microsoft.com",
        "schemas.openxmlformats.org",
        "schemas.xmlsoap.org",
        "schemas.android.com",
        "purl.org",
        "purl.oclc.org",
        "ns.adobe.com",
        "schema.org",
        "ogp.me",
        "fonts.googleapis.com",
        "fonts.gstatic.com",
        "use.typekit.net",
    )
)
_GATEWAYS = Entries.of(
    (
        "safelinks.protection.outlook.com",
        "urldefense.com",
        "urldefense.us",
        "urldefense.proofpoint.com",
        "protect2.fireeye.com",
        "linkprotect.cudasvc.com",
        "secure-web.cisco.com",
    )
)
# fields by which mail servers talk about the transport and programs about the mail
_TRANSPORT = (
    "message-id",
    "references",
    "in-reply-to",
    "thread-index",
    "thread-topic",
    "content-",
    "mime-version",
    "dkim-",
    "domainkey-",
    "arc-",
    "authentication-results",
    "authentication-results-original",
    "received-spf",
    "x-received",
    "x-ms-",
    "x-microsoft-",
    "x-forefront-",
    "x-google-",
    "x-gm-",
    "x-spam-",
    "x-proofpoint-",
    "x-mimecast-",
    "x-barracuda-",
    "x-virus-",
    "x-scanned-",
    "delivered-to",
    "x-original-to",
    "envelope-to",
    "to",
    "cc",
    "date",
)
_IDENTIFIERS = ("message-id", "references", "in-reply-to")
_RELAYS = ("received", "x-originating-ip", "x-sender-ip", "x-source-ip")


@dataclass(frozen=True, slots=True)
class Rules:
    """The operator's lists, compiled once."""

    own: Entries
    allow: Entries
    deny: Entries

    @classmethod
    def of(cls, policy: Policy) -> Rules:
        """Compile *policy*."""
        return cls(
            own=Entries.of((*policy.own_domains, *policy.own_networks)),
            allow=Entries.of(policy.allow),
            deny=Entries.of(policy.deny),
        )


@dataclass(frozen=True, slots=True)
class _Case:
    """What a rule looks at; *host* is the host or address that the indicator names, if any."""

    indicator: Indicator
    host: str
    recipients: frozenset[str]
    rules: Rules

    def has(self, *flags: str) -> bool:
        return not self.indicator.flags.isdisjoint(flags)

    def listed(self, entries: Entries) -> str:
        return entries.match(self.indicator.value, self.host)

    def only_in(self, fields: tuple[str, ...]) -> bool:
        """Say whether the indicator stands in such header fields of a mail and nowhere else."""
        return all(_is_field(place.where, fields) for place in self.indicator.found)


def decide(indicator: Indicator, rules: Rules, message: Message) -> Decision:
    """Return what becomes of *indicator*, found in the mail of *message*."""
    # who writes to himself and hides the others in Bcc is no recipient
    recipients = frozenset(one.lower() for one in message.recipients) - {message.sender.lower()}
    case = _Case(indicator, host_of(indicator.type, indicator.value), recipients, rules)
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
        return (urlsplit(value).hostname or "").lower()
    except ValueError:
        return ""


def _denied(case: _Case) -> _Verdict | None:
    entry = case.listed(case.rules.deny)
    if not entry or (
        case.only_in(_IDENTIFIERS) and not case.rules.deny.match(case.indicator.value)
    ):
        # a Message-ID under a denied domain looks like an address, but is none
        return None
    return Action.UPLOAD, f"The deny list has {entry}."


def _allowed(case: _Case) -> _Verdict | None:
    entry = case.listed(case.rules.allow)
    return (Action.SKIP, f"The allow list has {entry}.") if entry else None


def _own(case: _Case) -> _Verdict | None:
    entry = case.listed(case.rules.own)
    return (Action.SKIP, f"Belongs to the organisation ({entry}).") if entry else None


def _unreachable(case: _Case) -> _Verdict | None:
    try:
        network = ipaddress.ip_network(case.host, strict=False)
    except ValueError:
        return None
    documentation = any(_within(network, block) for block in _DOCUMENTATION)
    if documentation and case.has("defanged"):
        return Action.REVIEW, "A documentation address, yet somebody defanged it."
    if documentation:
        return Action.SKIP, "An address reserved for documentation."
    if network.is_loopback or network.is_link_local or network.is_multicast:
        return Action.SKIP, "A loopback, link-local or multicast address."
    if network.is_private or network.is_reserved or network.is_unspecified:
        return Action.SKIP, "A private or reserved address means nothing outside its network."
    return None


_DOCUMENTATION = tuple(
    ipaddress.ip_network(block)
    for block in ("192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24", "2001:db8::/32")
)


def _within(
    network: ipaddress.IPv4Network | ipaddress.IPv6Network,
    block: ipaddress.IPv4Network | ipaddress.IPv6Network,
) -> bool:
    if isinstance(network, ipaddress.IPv4Network) and isinstance(block, ipaddress.IPv4Network):
        return network.subnet_of(block)
    if isinstance(network, ipaddress.IPv6Network) and isinstance(block, ipaddress.IPv6Network):
        return network.subnet_of(block)
    return False


_RESERVED = Entries.of(
    (
        "example",
        "test",
        "invalid",
        "localhost",
        "local",
        "localdomain",
        "internal",
        "lan",
        "example.com",
        "example.net",
        "example.org",
        "in-addr.arpa",
        "ip6.arpa",
    )
)


def _reserved(case: _Case) -> _Verdict | None:
    entry = _RESERVED.match("", case.host)
    if not entry:
        return None
    if case.has("defanged"):
        return Action.REVIEW, f"A reserved name ({entry}), yet somebody defanged it."
    return Action.SKIP, f"A name reserved for documentation, tests or local use ({entry})."


def _defanged(case: _Case) -> _Verdict | None:
    if case.has("defanged"):
        return Action.UPLOAD, "Somebody defanged it: it is meant as an indicator."
    return None


def _recipient(case: _Case) -> _Verdict | None:
    if case.indicator.type == "Email Address" and case.indicator.value.lower() in case.recipients:
        return Action.SKIP, "A recipient of this mail."
    return None


def _schema(case: _Case) -> _Verdict | None:
    entry = case.listed(_SCHEMAS)
    return (Action.SKIP, f"Machinery of documents, not content ({entry}).") if entry else None


def _gateway(case: _Case) -> _Verdict | None:
    entry = case.listed(_GATEWAYS)
    return (
        (Action.SKIP, f"A mail gateway's own link ({entry}); its target counts.") if entry else None
    )


def _transport(case: _Case) -> _Verdict | None:
    if not case.only_in((*_TRANSPORT, *_RELAYS)):
        return None
    if case.indicator.type in _ADDRESSES and not case.only_in(_TRANSPORT):
        return Action.REVIEW, "Stands in the mail's Received fields only: a relay or the origin."
    return Action.SKIP, "Stands in the mail's transport fields only."


def _file(case: _Case) -> _Verdict | None:
    if case.has(find.ATTACHED):
        return Action.REVIEW, "Name or hash of an attached file that nobody has called malicious."
    return None


def _header(case: _Case) -> _Verdict | None:
    if case.indicator.type == find.SUBJECT:
        return Action.REVIEW, "A subject alone proves nothing, but finds mails of one campaign."
    if case.indicator.type == find.MAILER:
        return Action.REVIEW, "A mail program alone proves nothing, but may mark a campaign."
    return None


_DOUBTS = {
    "version-like": (Action.SKIP, "Looks like the number of a version."),
    "file-like": (Action.REVIEW, "May as well be the name of a file."),
    "unknown-tld": (Action.REVIEW, "Ends in no known top-level domain."),
    "not-a-file": (Action.REVIEW, "A digest of something else than a file."),
    "truncated": (Action.REVIEW, "Too long: only its beginning was read."),
}


def _doubtful(case: _Case) -> _Verdict | None:
    return next((verdict for flag, verdict in _DOUBTS.items() if case.has(flag)), None)


def _implied(case: _Case) -> _Verdict | None:
    if case.has("in-address"):
        return Action.REVIEW, "Seen only as the domain of an e-mail address."
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
    _unreachable,
    _reserved,
    _defanged,
    _recipient,
    _schema,
    _gateway,
    _file,
    _transport,
    _header,
    _doubtful,
    _implied,
    _otherwise,
)


def _is_field(where: str, fields: tuple[str, ...]) -> bool:
    """Say whether *where* is one of the header *fields*; `dkim-` stands for all that begin so."""
    place, _, rest = where.rpartition("header ")
    if not where.startswith("header ") or place:
        return False
    name = rest.split(" ")[0]
    return any(name == one or (one.endswith("-") and name.startswith(one)) for one in fields)
