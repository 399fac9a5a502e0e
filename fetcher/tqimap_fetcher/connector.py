"""The connector's page in the ThreatQ UI: create it once, read the mailbox filled in there.

ThreatQ publishes nothing about how connectors are registered and read. So all that is assumed about
it stands in this one module, and where the appliance does not offer it, [[mailbox]] tables serve.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Self

from pydantic import ValidationError

from tqimap_shared import log
from tqimap_shared.errors import NotReady, SettingsError, TryLater
from tqimap_shared.settings import CONNECTOR, Mailbox
from tqimap_shared.threatq import Forbidden, Invalid, NotAllowed, NotFound, Record


if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from tqimap_shared.settings import Settings, ThreatQ
    from tqimap_shared.threatq import Session

CATEGORY = "ThreatQ Labs"
PAGE = f"Incoming Feeds > {CATEGORY} > {CONNECTOR}"
SERVER, USERNAME, PASSWORD = "imap_server", "imap_username", "imap_password"
PROXY_ADDRESS, PROXY_PORT, PROXY_TYPE = "proxy_address", "proxy_port", "proxy_type"
PROXY_TYPES = ("socks4", "socks5")
LABELS = {
    SERVER: "IMAP Server",
    USERNAME: "IMAP Username",
    PASSWORD: "IMAP Password",
    PROXY_ADDRESS: "Proxy Address",
    PROXY_PORT: "Proxy Port",
    PROXY_TYPE: "Proxy Type",
}
_HELP = {
    PROXY_ADDRESS: "To use a proxy, enter the address here. It must be a SOCKS proxy; the proxy "
    "of ThreatQ itself is not used. Optional.",
    PROXY_PORT: "Enter the SOCKS port here.",
    PROXY_TYPE: "Valid options: 'socks4', 'socks5'.",
}
_LABEL_OF = {"server": SERVER, "port": SERVER, "username": USERNAME, "password": PASSWORD}
_NOT_OFFERED = (Forbidden, NotFound, NotAllowed)
_ON = {1, "1", "Y", "y", "true"}

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Connector:
    """The connector as ThreatQ has it; *fields* are what was filled in, by key."""

    id: int
    name: str
    is_active: bool
    fields: Mapping[str, str] = field(repr=False)

    @classmethod
    def read(cls, record: Record) -> Self:
        """Read a connector's record. Raises TryLater if it is none."""
        fields = {
            str(one.get("key")): "" if one.get("value") is None else str(one["value"]).strip()
            for one in record.get("custom_fields") or ()
            if isinstance(one, dict)
        }
        log.hide(fields.get(PASSWORD, ""))
        if not isinstance(record.get("id"), int):
            raise TryLater("ThreatQ's connectors", "the answer names no connector.")
        name = str(record.get("name") or CONNECTOR)
        return cls(record["id"], name, record.get("is_active") in _ON, fields)


def ensure(
    session: Session, settings: ThreatQ, stored: int | None
) -> tuple[Connector | None, bool]:
    """Find the connector by its *stored* id, then by name, else create it; say if it is new.

    None in its place, and a WARNING: this appliance or account does not offer connectors, and
    [[mailbox]] tables must serve. Raises SettingsError if the status to create it with is unknown.
    """
    try:
        known = find(session, stored)
        if known is not None:
            return known, False
        status = known_status(session, settings.status)
        return _create(session, status)
    except _NOT_OFFERED as error:
        logger.warning(
            "%s The connector's page in ThreatQ is not to be had; the mailboxes of tqimap.toml "
            "([[mailbox]]) are used alone.",
            error,
        )
        return None, False


def known_status(session: Session, wanted: str) -> str:
    """Return ThreatQ's spelling of an indicator status. Raises SettingsError if there is none."""
    names = [str(one.get("name")) for one in session.every("indicator/statuses")]
    for name in names:
        if name.casefold() == wanted.casefold():
            return name
    raise SettingsError(
        "threatq.status", f"ThreatQ knows no such status; it has {', '.join(names)}."
    )


def find(session: Session, stored: int | None) -> Connector | None:
    """Return the connector of the *stored* id, else that of our name; None if there is none."""
    found = _found(session, stored)
    return Connector.read(found) if found else None


def _found(session: Session, stored: int | None) -> Record | None:
    wanted = {"with": "category,tlp,custom_fields"}
    if stored is not None:
        try:
            if found := session.get(f"connectors/{stored}", wanted):
                return found[0]
        except NotFound:
            # deleted in the UI, or an appliance without connectors: the search by name will tell
            logger.info("The connector with id %d is gone.", stored)
    named = session.get("connectors", {"name": CONNECTOR, **wanted})
    return next((one for one in named if one.get("name") == CONNECTOR), None)


def _create(session: Session, status: str) -> tuple[Connector, bool]:
    definition = {
        "name": CONNECTOR,
        "category": CATEGORY,
        "indicator_status": status,
        "is_active": 0,
        "custom_fields": [_definition(key) for key in LABELS],
    }
    try:
        made = session.post("connectors", json=definition)
    except Invalid:
        # two first runs at once, or an answer that was lost: then it is there by now
        known = find(session, None)
        if known is None:
            raise
        return known, False
    return Connector.read(made[0] if made else {}), True


def _definition(key: str) -> Record:
    kind = {PASSWORD: "password", PROXY_TYPE: "select"}.get(key, "text")
    return {
        "key": key,
        "label": LABELS[key],
        "type": kind,
        "mask": key == PASSWORD,
        "options": list(PROXY_TYPES) if key == PROXY_TYPE else None,
        "user_editable": 1,
        "help": _HELP.get(key, ""),
        "value": "socks5" if key == PROXY_TYPE else "",
    }


def mailboxes(settings: Settings, connector: Connector | None) -> list[Mailbox]:
    """Return the mailboxes to fetch: the UI's, what tqimap.toml overrides of it, and what it adds.

    A [[mailbox]] table with the UI mailbox's name overrides the keys that it sets; with
    `enabled = false` it takes the UI's mailbox out altogether. Raises NotReady if the feed is off
    or incomplete, SettingsError if a table is.
    """
    _distinct(settings.mailbox)
    if connector is None:
        found = list(settings.mailbox)
    else:
        own = {CONNECTOR, connector.name}
        override = next((one for one in settings.mailbox if one.name in own), None)
        found = [one for one in settings.mailbox if one is not override]
        if override is None or override.enabled:
            found.insert(0, _from_page(connector, override))
    found = [one for one in found if one.enabled]
    if not found:
        raise NotReady("mailboxes", "there is none; add a [[mailbox]] table to tqimap.toml.")
    _distinct(found)
    for one in found:
        if lacking := one.lacking():
            raise SettingsError(f"[[mailbox]] {one.name}", f"needs {', '.join(lacking)}.")
    return found


def _distinct(tables: Iterable[Mailbox]) -> None:
    seen: set[str] = set()
    for one in tables:
        if one.name in seen:
            raise SettingsError(f"[[mailbox]] {one.name}", "is there twice; names must differ.")
        seen.add(one.name)


def _from_page(connector: Connector, override: Mailbox | None) -> Mailbox:
    if not connector.is_active:
        raise NotReady(connector.name, f"is switched off; switch it on in ThreatQ: {PAGE}.")
    values: dict[str, object] = dict(_page_values(connector))
    if override is not None:
        keys = override.model_fields_set - {"name"}
        values |= {key: getattr(override, key) for key in keys}
        if override.password_file:
            values.pop("password", None)
    try:
        mailbox = Mailbox.model_validate({**values, "name": CONNECTOR})
    except ValidationError as error:
        raise _faulty(connector, error) from None
    if lacking := mailbox.lacking():
        labels = ", ".join(LABELS.get(_LABEL_OF.get(key, key), key) for key in lacking)
        raise NotReady(connector.name, f"is incomplete; fill in {labels} in ThreatQ: {PAGE}.")
    return mailbox


def _page_values(connector: Connector) -> dict[str, str]:
    """Translate the page's fields; what is blank keeps tqimap's default."""
    page = connector.fields
    server, port = _host_and_port(page.get(SERVER, ""))
    values = {
        "server": server,
        "port": port,
        "username": page.get(USERNAME, ""),
        "password": page.get(PASSWORD, ""),
    }
    if page.get(PROXY_ADDRESS):
        values["proxy_address"] = page[PROXY_ADDRESS]
        values["proxy_port"] = page.get(PROXY_PORT, "")
        values["proxy_type"] = page.get(PROXY_TYPE, "").lower()
    return {key: value for key, value in values.items() if value}


def _host_and_port(text: str) -> tuple[str, str]:
    """Split `host`, `host:port`, `[::1]:port`; a bare IPv6 address has no port."""
    if text.startswith("["):
        host, _, rest = text[1:].partition("]")
        return host, rest.removeprefix(":")
    host, _, port = text.partition(":")
    return (text, "") if ":" in port else (host, port)


def _faulty(connector: Connector, error: ValidationError) -> NotReady:
    faults = []
    for one in error.errors(include_input=False):
        key = str(one["loc"][0]) if one["loc"] else ""
        label = LABELS.get(_LABEL_OF.get(key, key), key)
        faults.append(f"{label}: {one['msg'].removeprefix('Value error, ').lower()}")
    return NotReady(connector.name, f"{'; '.join(faults)}. Correct it in ThreatQ: {PAGE}.")
