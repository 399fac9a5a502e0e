"""Show the library and the feeds to a person: plain pages, no script, nothing from elsewhere.

No login: the stand-in holds what its user put in. Values are shown as text only, never as links.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from flask import Blueprint, Response, redirect, render_template, request, url_for

from tqimap_sandbox.threatq import connectors, embed, objects
from tqimap_sandbox.threatq.answers import refused
from tqimap_sandbox.threatq.attachments import served
from tqimap_sandbox.threatq.context import library, store
from tqimap_sandbox.threatq.control import counts
from tqimap_sandbox.threatq.listing import number
from tqimap_sandbox.threatq.reference import FILE, INDICATOR


if TYPE_CHECKING:
    from werkzeug.wrappers import Response as Redirect

    from tqimap_sandbox.threatq.store import Row

routes = Blueprint("pages", __name__)
LABS = "ThreatQ Labs"
PAGE = 50  # rows of a listing
LATEST = 8  # rows of the overview's listings
_POLICY = "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'"
HELP = {
    "imap_server": "The IMAP server of your mail provider.",
    "imap_username": "The user name or e-mail address whose mailbox is read.",
    "imap_password": "The password of that user. Leave it empty to keep the one that is saved.",
    "proxy_address": "To use a proxy, enter its address here. This connector does not use the "
    "HTTP/HTTPS proxy set in ThreatQ, since this proxy has to speak SOCKS. Optional.",
    "proxy_port": "Enter the SOCKS port here. Only used with a proxy.",
    "proxy_type": "The type of the proxy. If yours supports both, choose one. "
    "Valid options: 'socks4', 'socks5'.",
}


@routes.before_request
def only_own_forms() -> None:
    """Refuse a form that another site's page sends."""
    origin = request.headers.get("Origin")
    if request.method == "POST" and origin and urlsplit(origin).netloc != request.host:
        raise refused(403, "Forms of other sites are not taken.")


@routes.after_request
def strict(answer: Response) -> Response:
    """Forbid scripts and everything from elsewhere."""
    answer.headers["Content-Security-Policy"] = _POLICY
    answer.headers["Referrer-Policy"] = "same-origin"
    return answer


@routes.app_template_filter("size")
def size(count: int) -> str:
    """Write a number of bytes for a person."""
    if count < 1024:
        return f"{count} B"
    kibibytes = count / 1024
    return f"{kibibytes:.1f} KiB" if kibibytes < 1024 else f"{kibibytes / 1024:.1f} MiB"


_INDICATORS = """
SELECT o.*, t.name AS type, s.name AS status,
    (SELECT COUNT(*) FROM link WHERE 'indicator:' || o.id IN
        (src_type || ':' || src_object_id, dest_type || ':' || dest_object_id)) AS relations
FROM indicator o JOIN indicator_type t ON t.id = o.type_id
    JOIN indicator_status s ON s.id = o.status_id
WHERE (?1 = '' OR instr(lower(o.value), lower(?1))) AND (?2 = '' OR t.name = ?2)
ORDER BY o.id DESC LIMIT ?3 OFFSET ?4
"""
_FILES = """
SELECT o.*, t.name AS type,
    (SELECT COUNT(*) FROM link WHERE (src_type = 'attachment' AND src_object_id = o.id
        AND dest_type = 'indicator') OR (dest_type = 'attachment' AND dest_object_id = o.id
        AND src_type = 'indicator')) AS indicators
FROM attachment o JOIN attachment_type t ON t.id = o.type_id
WHERE ?1 = '' OR instr(lower(o.title || ' ' || o.name || ' ' || o.hash), lower(?1))
ORDER BY o.id DESC LIMIT ?2 OFFSET ?3
"""


@routes.get("/")
def overview() -> str:
    """Show what arrived last, and whether the feed is set up."""
    return render_template(
        "overview.html",
        counts=counts(),
        indicators=store().rows(_INDICATORS, "", "", LATEST, 0),
        files=store().rows(_FILES, "", LATEST, 0),
        feeds=store().rows("SELECT * FROM connector ORDER BY id"),
    )


def _page(rows: list[Row]) -> dict[str, Any]:
    """Return what a listing's template needs to show *rows*, one more than fit."""
    offset = number(request.args, "offset", 0)
    return {
        "rows": rows[:PAGE],
        "q": request.args.get("q", ""),
        "offset": offset,
        "previous": max(offset - PAGE, 0) if offset else None,
        "next": offset + PAGE if len(rows) > PAGE else None,
    }


@routes.get("/indicators")
def indicators() -> str:
    """List indicators, searched by value and filtered by type."""
    wanted = request.args.get("q", "").strip(), request.args.get("type", "")
    offset = number(request.args, "offset", 0)
    rows = store().rows(_INDICATORS, *wanted, PAGE + 1, offset)
    used = store().rows(
        "SELECT t.name, COUNT(*) AS count FROM indicator o"
        " JOIN indicator_type t ON t.id = o.type_id GROUP BY t.name ORDER BY t.name"
    )
    return render_template("indicators.html", types=used, type=wanted[1], **_page(rows))


@routes.get("/files")
def files() -> str:
    """List files, searched by name, title and hash."""
    wanted = request.args.get("q", "").strip()
    offset = number(request.args, "offset", 0)
    return render_template("files.html", **_page(store().rows(_FILES, wanted, PAGE + 1, offset)))


_TLPS = "SELECT id, name FROM tlp"


def _tlps() -> dict[int, str]:
    return {row["id"]: row["name"] for row in store().rows(_TLPS)}


@routes.get("/indicators/<int:key>/details")
def indicator(key: int) -> str:
    """Show one indicator: status, sources, attributes, files, related indicators."""
    row = objects.require(store(), INDICATOR, key)
    tree = embed.parse(f"{embed.DETAILS},attachments.type,indicators.type,indicators.status")
    item = embed.embed(store(), INDICATOR, row, tree)
    return render_template("indicator.html", item=item, tlps=_tlps())


@routes.get("/files/<int:key>/details")
def file(key: int) -> str:
    """Show one file: hash, size, type, sources, attributes, indicators."""
    row = objects.require(store(), FILE, key)
    tree = embed.parse(f"{embed.DETAILS},indicators.type,indicators.status,attachments.type")
    tree = {name: below for name, below in tree.items() if name not in {"status", "score"}}
    return render_template("file.html", item=embed.embed(store(), FILE, row, tree), tlps=_tlps())


@routes.get("/files/<int:key>/download")
def download(key: int) -> Response:
    """Hand out a file as a download."""
    return served(objects.require(store(), FILE, key))


@routes.get("/feeds")
def feeds() -> str:
    """Show the Incoming Feeds page, one tab a category."""
    tab = request.args.get("tab", LABS)
    rows = store().rows(
        "SELECT connector.* FROM connector JOIN connector_category c ON c.id = category_id"
        " WHERE c.name = ? ORDER BY connector.name",
        tab,
    )
    return render_template(
        "feeds.html",
        tab=tab,
        tabs=store().rows("SELECT * FROM connector_category ORDER BY id"),
        feeds=[_feed(row) for row in rows],
        changed=request.args.get("changed"),
        help=HELP,
    )


def _feed(row: Row) -> Row:
    status = store().get("indicator_status", int(row["indicator_status_id"])) or {}
    fields = [_field(field) for field in connectors.fields(store(), int(row["id"]))]
    return {**row, "status": status.get("name"), "fields": fields}


def _field(field: Row) -> Row:
    """Return a field as the page may know it: of a masked value only whether there is one."""
    if field["mask"] or field["type"] == "password":
        return {**field, "secret": True, "value": "", "saved": bool(field["value"])}
    return {**field, "secret": False}


@routes.post("/feeds/<int:key>/toggle")
def toggle(key: int) -> Redirect:
    """Switch a feed on or off."""
    row = connectors.require(store(), key)
    connectors.change(store(), row, {"is_active": 0 if row["is_active"] else 1})
    return _back(row, "switched")


@routes.post("/feeds/<int:key>/settings")
def save(key: int) -> Redirect:
    """Save a feed's name and fields; an empty password leaves the saved one."""
    row = connectors.require(store(), key)
    given = [
        {"key": field["key"], "value": _given(field)}
        for field in (_field(field) for field in connectors.fields(store(), key))
        if field["user_editable"] and _filled(field)
    ]
    name = request.form.get("feed_name", row["name"])
    connectors.change(store(), row, {"name": name, "custom_fields": given})
    return _back(row, "saved")


def _given(field: Row) -> str:
    value = request.form[field["key"]]
    return value if field["secret"] else value.strip()


def _filled(field: Row) -> bool:
    value = request.form.get(field["key"])
    return value is not None and (bool(value) or not field["secret"])


def _back(row: Row, changed: str) -> Redirect:
    category = store().get("connector_category", int(row["category_id"])) or {"name": LABS}
    anchor = f"feed-{row['id']}"
    return redirect(
        url_for("pages.feeds", tab=category["name"], changed=changed, _anchor=anchor), 303
    )


@routes.get("/assets/js/config.js")
def config() -> Response:
    """Tell the client id, as the real product's pages do without a login."""
    text = f"window.config = {{clientId: '{library().identity.client_id}'}};\n"
    return Response(text, content_type="text/javascript")
