"""The platform database's schema: the SQL files of this folder in order, each run once and noted in a ledger."""

from collections.abc import Iterator
from pathlib import Path

import psycopg

# Any two numbers, for ever: processes of all versions must take the same lock.
_LOCK = "SELECT pg_advisory_xact_lock(1953391982, 1886151020)"
_LEDGER = """
CREATE TABLE IF NOT EXISTS public.schema_migrations (
    version integer PRIMARY KEY, name text NOT NULL, applied_at timestamptz NOT NULL DEFAULT now()
)
"""
_NOTE = "INSERT INTO public.schema_migrations (version, name) VALUES (%s, %s)"


def migrations() -> tuple[Path, ...]:
    """The files in the order of their numbers: `0001_records.sql`. One that was released is never edited."""
    return tuple(sorted(Path(__file__).parent.glob("[0-9][0-9][0-9][0-9]_*.sql")))


def ensure(connection: psycopg.Connection) -> None:
    """Brings the schema to its newest version, within the caller's transaction; done by others at once, it waits."""
    if not any(_pending(connection)):
        return
    connection.execute(_LOCK)
    connection.execute(_LEDGER)
    for file in _pending(connection):
        connection.execute(file.read_bytes())
        connection.execute(_NOTE, [_version(file), file.stem])


def is_there(connection: psycopg.Connection) -> bool:
    """Whether any version of the schema has been made."""
    row = connection.execute("SELECT to_regclass('public.platform_tenants') IS NOT NULL").fetchone()
    return row == (True,)


def _pending(connection: psycopg.Connection) -> Iterator[Path]:
    noted: set[int] = set()
    row = connection.execute("SELECT to_regclass('public.schema_migrations') IS NOT NULL").fetchone()
    if row == (True,):
        noted = {version for (version,) in connection.execute("SELECT version FROM public.schema_migrations")}
    return (file for file in migrations() if _version(file) not in noted)


def _version(file: Path) -> int:
    return int(file.stem.partition("_")[0])
