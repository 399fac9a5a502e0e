"""Keep everything in one SQLite file, committed before an answer leaves.

SQLite: one file, real transactions, part of Python. One connection behind one lock: a request is
one transaction, so a `kill -9` at any moment leaves a request done or not begun. WAL without a
flush per commit is enough for that: a killed process loses nothing the kernel already has (a power
cut might, and would only cost a test).
"""

from __future__ import annotations

import importlib.resources
import sqlite3
import threading
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any


if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

Row = dict[str, Any]


def now() -> str:
    """Return this second as the API writes times: UTC, no zone."""
    return datetime.now(UTC).strftime("%Y-%m-%d %H:%M:%S")


def _as_dict(cursor: sqlite3.Cursor, values: tuple[Any, ...]) -> Row:
    return {column[0]: value for column, value in zip(cursor.description, values, strict=True)}


class Store:
    """The state of the stand-in; safe to use from many threads."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = threading.RLock()
        self._connection = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
        self._connection.row_factory = _as_dict
        self._connection.execute("PRAGMA journal_mode=WAL")
        self._connection.execute("PRAGMA synchronous=NORMAL")
        self._connection.executescript(
            importlib.resources.files(__package__).joinpath("schema.sql").read_text("utf-8")
        )
        self._columns: dict[str, frozenset[str]] = {}

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Do all or nothing of what is inside; nested ones join the outermost."""
        with self._lock:
            if self._connection.in_transaction:
                yield
                return
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield
            except BaseException:
                self._connection.execute("ROLLBACK")
                raise
            self._connection.execute("COMMIT")

    def close(self) -> None:
        """Close the file; nothing may use the store afterwards."""
        with self._lock:
            self._connection.close()

    def empty(self) -> None:
        """Remove every row of every table, and start all numbers from 1 again."""
        tables = "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'"
        with self.transaction():
            for row in self.rows(tables):
                self.run(f"DELETE FROM {row['name']}")  # noqa: S608 - as in insert
            self.run("DELETE FROM sqlite_sequence")

    def run(self, sql: str, *values: object) -> int:
        """Execute one statement and return how many rows it changed."""
        with self._lock:
            return self._connection.execute(sql, values).rowcount

    def rows(self, sql: str, *values: object) -> list[Row]:
        """Return all rows of a query."""
        with self._lock:
            return self._connection.execute(sql, values).fetchall()

    def row(self, sql: str, *values: object) -> Row | None:
        """Return the first row of a query, if any."""
        found = self.rows(sql, *values)
        return found[0] if found else None

    def number(self, sql: str, *values: object) -> int:
        """Return the single number a query yields."""
        found = self.rows(sql, *values)
        return int(next(iter(found[0].values())))

    def columns(self, table: str) -> frozenset[str]:
        """Return the names of a table's columns."""
        if table not in self._columns:
            rows = self.rows("SELECT name FROM pragma_table_info(?)", table)
            self._columns[table] = frozenset(str(row["name"]) for row in rows)
        return self._columns[table]

    def insert(self, table: str, **values: object) -> int:
        """Add a row, stamped with the time where the table has the columns; return its id."""
        stamps = {"created_at", "updated_at", "touched_at"} & self.columns(table)
        values = dict.fromkeys(stamps, now()) | values
        names, marks = ", ".join(values), ", ".join("?" * len(values))
        with self._lock:
            cursor = self._connection.execute(
                # names come from our own code, values are bound
                f"INSERT INTO {table} ({names}) VALUES ({marks})",  # noqa: S608
                tuple(values.values()),
            )
            return int(cursor.lastrowid or 0)

    def update(self, table: str, key: int, **values: object) -> None:
        """Change columns of the row with the id *key* and stamp it."""
        stamps = {"updated_at", "touched_at"} & self.columns(table)
        values = dict.fromkeys(stamps, now()) | values
        names = ", ".join(f"{name} = ?" for name in values)
        self.run(f"UPDATE {table} SET {names} WHERE id = ?", *values.values(), key)  # noqa: S608 - as above

    def get(self, table: str, key: int) -> Row | None:
        """Return the row with the id *key*."""
        return self.row(f"SELECT * FROM {table} WHERE id = ?", key)  # noqa: S608 - as above

    def named(self, table: str, name: str) -> Row | None:
        """Return the row with that name, whatever its case."""
        sql = f"SELECT * FROM {table} WHERE name = ? COLLATE NOCASE"  # noqa: S608 - as above
        return self.row(sql, name)

    def delete(self, table: str, key: int) -> bool:
        """Remove the row with the id *key*; say whether there was one."""
        return self.run(f"DELETE FROM {table} WHERE id = ?", key) > 0  # noqa: S608 - as above
