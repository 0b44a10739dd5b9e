"""Records in SQLite: what the API shows of an object (``shown``) and what it hides (``inner``), both JSON.

An acknowledged write survives a crash (WAL, synchronous=FULL). The store knows no rules and no fields; it hands out
copies, so a changed record counts only once it is put back.
"""

from __future__ import annotations

import json
import secrets
import sqlite3
import string
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

_ALPHABET = string.ascii_lowercase + string.digits

_SCHEMA = """
CREATE TABLE IF NOT EXISTS records (
    sequence INTEGER PRIMARY KEY AUTOINCREMENT,
    kind TEXT NOT NULL, id TEXT NOT NULL, project_id TEXT NOT NULL,
    shown TEXT NOT NULL, inner TEXT NOT NULL,
    UNIQUE (kind, id));
CREATE INDEX IF NOT EXISTS subdomains ON records (kind, json_extract(shown, '$.subdomain'));
CREATE INDEX IF NOT EXISTS runs_of_jobs ON records (kind, json_extract(inner, '$.job_id'));
CREATE TABLE IF NOT EXISTS counters (name TEXT PRIMARY KEY, value INTEGER NOT NULL);
"""


@dataclass
class Record:
    """One object of the workspace."""

    kind: str
    id: str
    project_id: str
    shown: dict[str, Any]
    inner: dict[str, Any] = field(default_factory=dict)


def new_id() -> str:
    """``xxxx-xxxx-xxxx-xxxx``, 19 characters."""
    return "-".join("".join(secrets.choice(_ALPHABET) for _ in range(4)) for _ in range(4))


class Store:
    """All records of a workspace. One connection, used from one thread."""

    def __init__(self, path: Path) -> None:
        self._database = sqlite3.connect(path, isolation_level=None)
        self._database.execute("PRAGMA journal_mode=WAL")
        self._database.execute("PRAGMA synchronous=FULL")
        self._database.executescript(_SCHEMA)

    def close(self) -> None:
        """Release the file."""
        self._database.close()

    def put(self, *records: Record) -> None:
        """Write records, new or changed, all or none; durable when this returns."""
        rows = [
            (each.kind, each.id, each.project_id, json.dumps(each.shown), json.dumps(each.inner)) for each in records
        ]
        self._database.execute("BEGIN")
        try:
            self._database.executemany(
                "INSERT INTO records (kind, id, project_id, shown, inner) VALUES (?, ?, ?, ?, ?)"
                " ON CONFLICT (kind, id) DO UPDATE SET shown = excluded.shown, inner = excluded.inner",
                rows,
            )
        except BaseException:
            self._database.execute("ROLLBACK")
            raise
        self._database.execute("COMMIT")

    def find(self, kind: str, identifier: str) -> Record | None:
        """The record, if it exists."""
        row = self._database.execute(
            "SELECT kind, id, project_id, shown, inner FROM records WHERE kind = ? AND id = ?", (kind, identifier)
        ).fetchone()
        return _record(row) if row else None

    def matching(self, kind: str, part: Literal["shown", "inner"], field_name: str, value: str) -> list[Record]:
        """Records of a kind with this value in a field, oldest first; quick for the two fields that have an index."""
        rows = self._database.execute(
            "SELECT kind, id, project_id, shown, inner FROM records"  # noqa: S608 - both names are the program's own
            f" WHERE kind = ? AND json_extract({part}, '$.{field_name}') = ? ORDER BY sequence",
            (kind, value),
        )
        return [_record(row) for row in rows]

    def list(self, kind: str, project_id: str | None = None) -> list[Record]:
        """Records of a kind, oldest first."""
        rows = self._database.execute(
            "SELECT kind, id, project_id, shown, inner FROM records"
            " WHERE kind = ? AND (? IS NULL OR project_id = ?) ORDER BY sequence",
            (kind, project_id, project_id),
        )
        return [_record(row) for row in rows]

    def delete(self, kind: str, identifier: str) -> None:
        """Forget a record."""
        self._database.execute("DELETE FROM records WHERE kind = ? AND id = ?", (kind, identifier))

    def count_up(self, name: str) -> int:
        """The next number of a counter, starting with 1."""
        row = self._database.execute(
            "INSERT INTO counters VALUES (?, 1) ON CONFLICT (name) DO UPDATE SET value = value + 1 RETURNING value",
            (name,),
        ).fetchone()
        return int(row[0])


def _record(row: tuple[str, str, str, str, str]) -> Record:
    return Record(row[0], row[1], row[2], json.loads(row[3]), json.loads(row[4]))
