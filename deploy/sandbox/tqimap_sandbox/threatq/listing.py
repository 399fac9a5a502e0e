"""Filter, sort and cut listings: `?field=value` with `%`, `sort`, `limit`, `offset`, `with`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from flask import request

from tqimap_sandbox.threatq import embed, objects
from tqimap_sandbox.threatq.answers import many, refused
from tqimap_sandbox.threatq.settings import setting


if TYPE_CHECKING:
    from collections.abc import Mapping

    from tqimap_sandbox.threatq.reference import Kind
    from tqimap_sandbox.threatq.store import Row, Store

MOST_ROWS = 1000  # a limit above is cut down to this


def number(arguments: Mapping[str, str], name: str, default: int) -> int:
    """Return a parameter that counts; refuse with 400 what is no number from 0 on."""
    text = arguments.get(name, "")
    if text and not (text.isascii() and text.isdigit()):
        raise refused(400, f"The {name} must be a number.")
    return int(text) if text else default


def window(store: Store, arguments: Mapping[str, str]) -> tuple[int, int]:
    """Return `limit` and `offset`, both in rows."""
    limit = number(arguments, "limit", int(setting(store, "limit")))
    return min(limit, MOST_ROWS), number(arguments, "offset", 0)


def _condition(column: str, value: str) -> tuple[str, list[str]]:
    """Return what one filter asks for; a comma separates alternatives, as upstream."""
    wanted = value.split(",")
    tests = [f"{column} LIKE ?" if "%" in text else f"{column} = ?" for text in wanted]
    return f"({' OR '.join(tests)})", wanted


def order(columns: frozenset[str], sort: str) -> str:
    """Return an ORDER BY list for `name,-created_at`; ignore names that are no columns."""
    given = [name.strip() for name in sort.split(",")]
    known = [name for name in given if name.lstrip("-") in columns]
    terms = [f"{name.lstrip('-')} {'DESC' if name.startswith('-') else 'ASC'}" for name in known]
    return ", ".join([*terms, "id"])


def select(
    store: Store, table: str, arguments: Mapping[str, str], **fixed: str
) -> tuple[list[Row], int]:
    """Return a page of a table's rows, and how many there are on all pages."""
    columns = store.columns(table)
    filters = {key: value for key, value in arguments.items() if key in columns} | fixed
    tests, values = ["1 = 1"], []
    for column, value in filters.items():
        test, wanted = _condition(column, value)
        tests.append(test)
        values += wanted
    where = f"FROM {table} WHERE {' AND '.join(tests)}"
    limit, offset = window(store, arguments)
    ordered = order(columns, arguments.get("sort", ""))
    # names were checked against the table's columns, values are bound
    page = f"SELECT * {where} ORDER BY {ordered} LIMIT ? OFFSET ?"
    total = store.number(f"SELECT COUNT(*) {where}", *values)
    return store.rows(page, *values, limit, offset), total


def answer_table(store: Store, table: str) -> dict[str, Any]:
    """Answer a listing of a reference table."""
    return answer(store, *select(store, table, request.args))


def answer(store: Store, rows: list[Row], total: int) -> dict[str, Any]:
    """Wrap a page; where it is empty and the setting says so, answer the bare `{}`."""
    if not rows and setting(store, "empty") == "bare":
        return {}
    return many(rows, total)


def answer_kind(store: Store, kind: Kind) -> dict[str, Any]:
    """Answer a listing of a collection."""
    fixed = {"object": kind.name} if kind.table == "other" else {}
    rows, total = select(store, kind.table, request.args, **fixed)
    return answer(store, embedded(store, kind, rows), total)


def embedded(store: Store, kind: Kind, rows: list[Row]) -> list[Row]:
    """Embed in each row what this request's `with` asks for."""
    tree = embed.parse(request.args.get("with"))
    return [embed.embed(store, kind, objects.public(row), tree) for row in rows]
