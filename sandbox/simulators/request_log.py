"""The request log of a simulator: what was asked, in order of arrival, with passwords and secret keys masked."""

import json
from collections.abc import Callable
from dataclasses import dataclass

from sandbox.simulators.objects import Database, Row

MASK = "[masked]"
_SECRET_KEYS = frozenset({"password", "secret_key"})
_LONGEST_TEXT = 2000


@dataclass(frozen=True)
class Entry:
    """One request. `status` is None when no answer was given; `fault` names the switch that struck it."""

    n: int
    time: float
    method: str
    path: str
    query: str
    body: object
    status: int | None
    fault: str | None


class RequestLog:
    """Entries in the simulator's own database, so that they outlive it."""

    def __init__(self, database: Database, clock: Callable[[], float]) -> None:
        self._database = database
        self._clock = clock

    def arrived(self, method: str, path: str, query: str, body: bytes, fault: str | None) -> int:
        """The number of a new entry, which has no status yet."""
        return self._database.insert(
            "INSERT INTO requests (time, method, path, query, body, fault) VALUES (?, ?, ?, ?, ?, ?)",
            (self._clock(), method, path, query, json.dumps(readable(body)), fault),
        )

    def answered(self, n: int, status: int) -> None:
        """Note the status that left."""
        self._database.execute("UPDATE requests SET status = ? WHERE n = ?", (status, n))

    def entries(self) -> list[Entry]:
        """All entries, oldest first."""
        rows = self._database.execute(
            "SELECT n, time, method, path, query, body, status, fault FROM requests ORDER BY n"
        )
        return [_entry(row) for row in rows]

    def clear(self) -> None:
        """Forget all entries; numbers go on."""
        self._database.execute("DELETE FROM requests")


def readable(body: bytes) -> object:
    """A body as JSON with its secrets masked, as text when it is no JSON, None when there is none."""
    if not body:
        return None
    try:
        return _masked(json.loads(body))
    except ValueError:
        return body.decode("utf-8", "replace")[:_LONGEST_TEXT]


def _masked(value: object) -> object:
    if isinstance(value, dict):
        return {key: MASK if key in _SECRET_KEYS else _masked(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_masked(item) for item in value]
    return value


def _entry(row: Row) -> Entry:
    n, time, method, path, query, body, status, fault = row
    return Entry(n, time, method, path, query, json.loads(body), status, fault)
