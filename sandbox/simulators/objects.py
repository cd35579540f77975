"""Durable tables of a simulator: frozen records in SQLite, every write committed before the answer leaves."""

import sqlite3
import threading
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Generic, TypeVar

from pydantic import BaseModel, ConfigDict

_SCHEMA = """
CREATE TABLE IF NOT EXISTS objects (id INTEGER PRIMARY KEY AUTOINCREMENT, kind TEXT NOT NULL, body TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS objects_kind ON objects (kind);
CREATE TABLE IF NOT EXISTS requests (
    n INTEGER PRIMARY KEY AUTOINCREMENT, time REAL NOT NULL, method TEXT NOT NULL, path TEXT NOT NULL,
    query TEXT NOT NULL, body TEXT NOT NULL, status INTEGER, fault TEXT);
"""
FIRST_ID = 1000


class Record(BaseModel):
    """A stored object; its id is given by the table that keeps it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: int = 0


R = TypeVar("R", bound=Record)
Row = tuple[Any, ...]


class Database:
    """One SQLite file. Ids are unique over all tables and never used twice, so that a mixed-up id is never found."""

    def __init__(self, path: Path) -> None:
        self._lock = threading.RLock()
        # It holds the simulated account's keys; what SQLite puts beside it takes its mode.
        path.touch(mode=0o600)
        self._connection = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
        self._connection.execute("PRAGMA journal_mode = WAL")
        # Survives a killed process; only a crash of the whole machine could lose the last writes.
        self._connection.execute("PRAGMA synchronous = NORMAL")
        self._connection.executescript(_SCHEMA)
        self._connection.execute(
            "INSERT INTO sqlite_sequence (name, seq) SELECT 'objects', ? "
            "WHERE NOT EXISTS (SELECT 1 FROM sqlite_sequence WHERE name = 'objects')",
            (FIRST_ID,),
        )

    def close(self) -> None:
        """Close the file; nothing may be asked of the tables afterwards."""
        with self._lock:
            self._connection.close()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All reads and writes inside happen at once, or not at all when an exception leaves the block."""
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

    def execute(self, statement: str, values: tuple[object, ...] = ()) -> list[Row]:
        """The rows of one statement."""
        with self._lock:
            return self._connection.execute(statement, values).fetchall()

    def insert(self, statement: str, values: tuple[object, ...]) -> int:
        """The id that a new row was given."""
        with self._lock:
            return self._connection.execute(statement, values).lastrowid or 0


class Table(Generic[R]):
    """All records of one kind; those with a value in an `indexed` field are found without looking at the others."""

    def __init__(self, database: Database, kind: str, model: type[R], indexed: Collection[str] = ()) -> None:
        self._database = database
        self._kind = kind
        self._model = model
        for field in indexed:
            database.execute(
                f"CREATE INDEX IF NOT EXISTS objects_{field} ON objects (kind, json_extract(body, '$.{field}'))"
            )

    def add(self, record: R) -> R:
        """The record as it was stored, with its id."""
        body = record.model_dump_json(exclude={"id"})
        identity = self._database.insert("INSERT INTO objects (kind, body) VALUES (?, ?)", (self._kind, body))
        return record.model_copy(update={"id": identity})

    def find(self, identity: int) -> R | None:
        """The record with this id, or None."""
        rows = self._database.execute("SELECT id, body FROM objects WHERE kind = ? AND id = ?", (self._kind, identity))
        return self._load(rows[0]) if rows else None

    def all(self) -> list[R]:
        """Every record, oldest first."""
        rows = self._database.execute("SELECT id, body FROM objects WHERE kind = ? ORDER BY id", (self._kind,))
        return [self._load(row) for row in rows]

    def having(self, field: str, value: int) -> list[R]:
        """Every record with this value in a field, oldest first."""
        rows = self._database.execute(
            f"SELECT id, body FROM objects WHERE kind = ? AND json_extract(body, '$.{field}') = ? ORDER BY id",  # noqa: S608 - a field of our own models
            (self._kind, value),
        )
        return [self._load(row) for row in rows]

    def put(self, record: R) -> R:
        """Store a changed record under its id; nothing happens when it is gone."""
        body = record.model_dump_json(exclude={"id"})
        self._database.execute("UPDATE objects SET body = ? WHERE kind = ? AND id = ?", (body, self._kind, record.id))
        return record

    def remove(self, identity: int) -> None:
        """Forget the record."""
        self._database.execute("DELETE FROM objects WHERE kind = ? AND id = ?", (self._kind, identity))

    def _load(self, row: Row) -> R:
        identity, body = row
        record = self._model.model_validate_json(body)
        return record.model_copy(update={"id": identity})
