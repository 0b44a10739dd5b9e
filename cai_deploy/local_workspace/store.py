"""Records in SQLite: what the API shows of an object (``shown``) and what it hides (``inner``), both JSON.

An acknowledged write survives a crash of the machine (WAL, synchronous=FULL). What the workspace notes for itself
survives a crash of the server, and is lost with the machine at worst: the pods that it tells of are gone then, too. The
store knows no rules and no fields; it hands out copies, so a changed record counts only once it is put back.
"""

from __future__ import annotations

import contextlib
import json
import secrets
import sqlite3
import string
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, overload

_ALPHABET = string.ascii_lowercase + string.digits

_SCHEMA = """
CREATE TABLE IF NOT EXISTS records (
    sequence INTEGER PRIMARY KEY AUTOINCREMENT,
    kind TEXT NOT NULL, id TEXT NOT NULL, project_id TEXT NOT NULL,
    shown TEXT NOT NULL, inner TEXT NOT NULL,
    UNIQUE (kind, id));
CREATE INDEX IF NOT EXISTS subdomains ON records (kind, json_extract(shown, '$.subdomain'));
CREATE INDEX IF NOT EXISTS of_projects ON records (kind, project_id, sequence);
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
    signs = "".join(_ALPHABET[byte % len(_ALPHABET)] for byte in secrets.token_bytes(16))
    return "-".join(signs[start : start + 4] for start in range(0, 16, 4))


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
        self._write(records)

    def note(self, *records: Record) -> None:
        """The same for what nobody was promised, which waits for no disk. A later ``put`` makes it durable with it."""
        with self._without_waiting():
            self._write(records)

    @contextlib.contextmanager
    def _without_waiting(self) -> Iterator[None]:
        self._database.execute("PRAGMA synchronous=NORMAL")
        try:
            yield
        finally:
            self._database.execute("PRAGMA synchronous=FULL")

    def _write(self, records: Sequence[Record]) -> None:
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

    def shown(self, kind: str, project_id: str) -> ShownRecords:
        """What is shown of a project's records of a kind, oldest first; read when it is looked at."""
        return ShownRecords(self._database, kind, project_id)

    def states(self, kind: str) -> dict[str, int]:
        """How many records of a kind are in each state."""
        rows = self._database.execute(
            "SELECT json_extract(shown, '$.status'), COUNT(*) FROM records WHERE kind = ? GROUP BY 1", (kind,)
        )
        return {str(state): int(number) for state, number in rows}

    def delete(self, kind: str, identifier: str) -> None:
        """Forget a record."""
        self._database.execute("DELETE FROM records WHERE kind = ? AND id = ?", (kind, identifier))

    def count_up(self, name: str) -> int:
        """The next number of a counter, starting with 1."""
        with self._without_waiting():
            row = self._database.execute(
                "INSERT INTO counters VALUES (?, 1) ON CONFLICT (name) DO UPDATE SET value = value + 1 RETURNING value",
                (name,),
            ).fetchone()
        return int(row[0])


class ShownRecords(Sequence[dict[str, Any]]):
    """A list of which no more is read than is looked at, so that a page of a long one costs no more than of a short."""

    def __init__(self, database: sqlite3.Connection, kind: str, project_id: str) -> None:
        self._database = database
        self._which = (kind, project_id)

    def __len__(self) -> int:
        """How many there are now."""
        counted = "SELECT COUNT(*) FROM records WHERE kind = ? AND project_id = ?"
        return int(self._database.execute(counted, self._which).fetchone()[0])

    @overload
    def __getitem__(self, which: int) -> dict[str, Any]: ...

    @overload
    def __getitem__(self, which: slice) -> list[dict[str, Any]]: ...

    def __getitem__(self, which: int | slice) -> dict[str, Any] | list[dict[str, Any]]:
        """One of them, or those from one to another."""
        if isinstance(which, int):
            return self._read(range(len(self))[which], 1)[0]
        found = range(len(self))[which]
        return self._read(found.start, len(found)) if found.step == 1 else [self[number] for number in found]

    def _read(self, start: int, count: int) -> list[dict[str, Any]]:
        rows = self._database.execute(
            "SELECT shown FROM records WHERE kind = ? AND project_id = ? ORDER BY sequence LIMIT ? OFFSET ?",
            (*self._which, count, start),
        )
        return [json.loads(shown) for (shown,) in rows]


def _record(row: tuple[str, str, str, str, str]) -> Record:
    return Record(row[0], row[1], row[2], json.loads(row[3]), json.loads(row[4]))
