"""Hold the tables ThreatQ ships with, in the two generations of type ids."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tqimap_sandbox.threatq.answers import invalid, missing


if TYPE_CHECKING:
    from tqimap_sandbox.threatq.store import Row, Store

GENERATIONS = ("G2", "G3")
_TYPES = """
ASN network; Binary String host; CIDR Block network; CVE host; Email Address network;
Email Attachment host; Email Subject network; File Mapping host; File Path host; Filename host;
FQDN network; Fuzzy Hash host; GOST Hash host; Hash ION host; IP Address network;
IPv6 Address network; MAC Address host; MD5 host; Mutex host; Password host; Registry Key host;
Service Name host; SHA-1 host; SHA-256 host; SHA-384 host; SHA-512 host; String network;
x509 Serial host; x509 Subject host; URL network; URL Path network; User-agent network;
Username host; X-Mailer network
"""
_ONLY_G3 = {"ASN", "MAC Address"}
_STATUSES = (
    ("Active", "Poses a threat and is being exported to detection tools.", "Y", "Y"),
    ("Expired", "No longer poses a serious threat.", "N", "Y"),
    ("Indirect", "Associated to an active indicator or event (e.g. pDNS).", "N", "N"),
    ("Review", "Requires further analysis.", "N", "N"),
    # unknown upstream; protected here, so that no later mail undoes an analyst's decision
    ("Whitelisted", "Poses no risk and should never be deployed.", "N", "Y"),
)
_EVENT_TYPES = """
Spearphish; Watering Hole; SQL Injection Attack; DoS Attack; Malware; Watchlist;
Command and Control; Anonymization; Exfiltration; Host Characteristics;
Compromised PKI Certificate; Login Compromise; Incident; Sighting
"""
_FILE_TYPES = """
Cuckoo; CrowdStrike Intelligence; Early Warning and Indicator Notice (EWIN); FireEye Analysis;
FBI FLASH; Generic Text; Intelligence Whitepaper; iSight Report;
iSight ThreatScape Intelligence Report; JIB; MAEC; Malware Analysis Report;
Malware Initial Findings Report (MFIR); Malware Sample; Packet Capture;
Palo Alto Networks WildFire XML; PCAP; PDF; Private Industry Notification (PIN);
Spearphish Attachment; STIX; ThreatAnalyzer Analysis; ThreatQ CSV File; Whitepaper
"""
_PARSABLE = {"Generic Text", "PDF", "STIX", "ThreatQ CSV File"}
# id, name, rank (the lower the stricter); the id of AMBER+STRICT is unknown upstream
_TLP = ((1, "RED", 1), (2, "AMBER", 3), (3, "GREEN", 4), (4, "WHITE", 5), (5, "AMBER+STRICT", 2))
_TLP_ALIASES = {"CLEAR": "WHITE"}
_CATEGORIES = ("Commercial", "OSINT", "STIX/TAXII", "ThreatQ Labs")


@dataclass(frozen=True, slots=True)
class Kind:
    """A sort of object: its *collection* in paths, its *name* in pivots, its *table* here."""

    collection: str
    name: str
    table: str


_SINGULAR = {
    "indicators": "indicator",
    "attachments": "attachment",
    "events": "event",
    "adversaries": "adversary",
    "signatures": "signature",
    "tasks": "task",
}
_TABLED = {"indicators", "attachments", "events"}
_COLLECTIONS = (
    *_SINGULAR,
    *("campaign", "course_of_action", "exploit_target", "incident", "ttp", "attack_pattern"),
    *("intrusion_set", "malware", "tool", "identity", "report", "stix_pattern", "vulnerability"),
)


def _kind(collection: str) -> Kind:
    name = _SINGULAR.get(collection, collection)
    return Kind(collection, name, name if collection in _TABLED else "other")


KINDS = {collection: _kind(collection) for collection in _COLLECTIONS}
INDICATOR, FILE, EVENT = KINDS["indicators"], KINDS["attachments"], KINDS["events"]


def kind_of(collection: str) -> Kind:
    """Return the kind behind a collection's name in a path; refuse unknown ones with 404."""
    if collection not in KINDS:
        raise missing("such collection")
    return KINDS[collection]


def _listed(text: str) -> list[str]:
    return [" ".join(name.split()) for name in text.split(";")]


def seed(store: Store, types: str) -> None:
    """Fill the reference tables of a fresh store; leave a used one alone."""
    if store.number("SELECT COUNT(*) FROM tlp"):
        return
    with store.transaction():
        _seed_types(store, types)
        for name, description, export, protected in _STATUSES:
            store.insert(
                "indicator_status",
                name=name,
                description=description,
                user_editable="N",
                visible="Y",
                include_in_export=export,
                protected=protected,
            )
        _seed_rest(store)


def generation(store: Store) -> str:
    """Return which of the two tables of types a store was seeded with."""
    return "G2" if store.named("indicator_type", min(_ONLY_G3)) is None else "G3"


def _seed_types(store: Store, types: str) -> None:
    for entry in _listed(_TYPES):
        name, _, kind = entry.rpartition(" ")
        if types == "G3" or name not in _ONLY_G3:
            store.insert("indicator_type", name=name, wildcard_matching="Y", **{"class": kind})


def _seed_rest(store: Store) -> None:
    for name in _listed(_EVENT_TYPES):
        store.insert("event_type", name=name, user_editable="N")
    for name in _listed(_FILE_TYPES):
        store.insert("attachment_type", name=name, is_parsable="Y" if name in _PARSABLE else "N")
    for key, name, rank in _TLP:
        store.insert("tlp", id=key, name=name, rank=rank)
    for name in _CATEGORIES:
        store.insert("connector_category", name=name)


def reference(store: Store, table: str, given: dict[str, Any], field: str) -> Row | None:
    """Return the row *given* names: `field` as text, number or object, or `field_id`.

    None when nothing is given; a name or id that is unknown is refused with form A.
    """
    named: Any = given.get(field)
    key: Any = given.get(f"{field}_id")
    if isinstance(named, dict):
        named, key = named.get("name"), named.get("id")
    if isinstance(named, int):
        named, key = None, named
    if named in {None, ""} and key in {None, ""}:
        return None
    if named:
        row = store.named(table, str(named))
    else:
        row = store.get(table, int(key)) if str(key).isdecimal() else None
    if row is None:
        raise invalid(field, f"The selected {field} is invalid.")
    return row


def tlp_id(store: Store, given: dict[str, Any]) -> int | None:
    """Return the TLP a source is given with, in any of the spellings clients use."""
    named = given.get("tlp")
    if isinstance(named, dict):
        named = named.get("name")
    if isinstance(named, str):
        given = {"tlp": _TLP_ALIASES.get(named.upper(), named)}
    row = reference(store, "tlp", given, "tlp")
    return None if row is None else int(row["id"])
