"""A tenant's schema as an archive: one consistent snapshot, written as a stream.

The archive is a ZIP file that any program opens:

| entry | holds |
| --- | --- |
| `schema.dump` | what pg_dump writes in its custom format; `pg_restore` reads it |
| `forced-<n>.copy` | the rows of a table that forces row security on its owner, which pg_dump cannot read |
| `about.json` | names, versions, rows and checksums, what is not in it (`About`) |

Not in it: large objects (they lie in no schema) and what a tenant with a database to itself has in schema `storage`,
both counted in `About.left_out`; the extensions themselves and what lies in their schema, `auth.uid()`, roles and
passwords, statistics.
"""

import shutil
import zipfile
from collections.abc import Sequence
from typing import IO, Protocol

import psycopg
from psycopg import sql
from pydantic import BaseModel, ConfigDict, ValidationError

from dynamic_providers.postgres.connection import Address
from dynamic_providers.postgres.names import DEDICATED_SCHEMA, STORAGE_SCHEMA
from lifecycle.contents import Contents, Table, contents, tables_of, unforced
from lifecycle.courier import TenantPlace, connect, courier
from lifecycle.errors import DamagedError, DataError
from lifecycle.programs import Programs

DUMP, ABOUT = "schema.dump", "about.json"
CHUNK = 1 << 16
_OPTIONS = (
    "--format=custom",
    "--encoding=UTF8",
    "--strict-names",
    "--no-owner",
    "--no-publications",
    "--no-subscriptions",
    "--no-security-labels",
    "--no-tablespaces",
    "--lock-wait-timeout=10s",
)
_LARGE_OBJECTS = """
SELECT count(*) FROM pg_largeobject_metadata WHERE pg_get_userbyid(lomowner) = ANY (%s)
"""
# What a table brings along, its indexes, its row type and the array of that, is not counted again.
_STORED = """
WITH storage AS (SELECT oid FROM pg_namespace WHERE nspname = %s)
SELECT (SELECT count(*) FROM pg_class WHERE relnamespace = storage.oid AND relkind IN ('r', 'v', 'm', 'f', 'p', 'S'))
    + (SELECT count(*) FROM pg_proc WHERE pronamespace = storage.oid)
    + (SELECT count(*) FROM pg_type WHERE typnamespace = storage.oid AND typtype IN ('d', 'e', 'r'))
FROM storage
"""


class Sink(Protocol):
    """Where an archive is written to; it need not be seekable."""

    def write(self, data: bytes, /) -> int:
        """Take all of the data."""
        ...

    def flush(self) -> None:
        """Nothing is asked of it."""
        ...


class ForcedTable(BaseModel):
    """A table whose rows have an entry of their own."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    columns: tuple[str, ...]
    entry: str


class About(BaseModel):
    """What an archive holds, in its own words; `server_version` as in 150018."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    schema_name: str
    server_version: int
    contents: Contents
    forced: tuple[ForcedTable, ...] = ()
    left_out: tuple[str, ...] = ()


def dump(place: TenantPlace, sink: Sink, programs: Programs) -> About:
    """Write the tenant's schema to `sink`; the tenant may be blocked, and may go on writing if it is not.

    Raises:
        DataError: and its kinds; what was written until then is no archive.
        PostgresError: the cluster's admin was refused, or cannot reach it.

    """
    with courier(place) as address, connect(address) as connection:
        programs.require(connection.info.server_version)
        try:
            return _write(place, address, connection, sink, programs)
        except psycopg.Error as error:
            raise DataError(f"{place} cannot be read: {sentence(error)}") from None


def about(archive: IO[bytes]) -> About:
    """What an archive says of itself; its entries' CRCs are checked when they are read. Raises `DamagedError`."""
    try:
        with zipfile.ZipFile(archive) as entries:
            return About.model_validate_json(entries.read(ABOUT))
    except (zipfile.BadZipFile, KeyError, ValidationError, EOFError, OSError):
        raise DamagedError("the archive is damaged: it is no whole ZIP file with an about.json of ours") from None


def sentence(error: psycopg.Error) -> str:
    """What the server said, in one line; the statement, which may hold a tenant's data, is left out."""
    reason = error.diag.message_primary or " ".join(str(error).split())
    return f"{reason} [{error.sqlstate}]" if error.sqlstate else reason


def _write(
    place: TenantPlace, address: Address, connection: psycopg.Connection, sink: Sink, programs: Programs
) -> About:
    tables = tables_of(connection, place.schema)
    connection.commit()
    connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
    if tables:
        # Before the snapshot, so that none of them is emptied, dropped or rebuilt on the way.
        listed = sql.SQL(", ").join(table.qualified for table in tables)
        connection.execute(sql.SQL("LOCK TABLE {} IN ACCESS SHARE MODE").format(listed))
    snapshot = str((connection.execute("SELECT pg_export_snapshot()").fetchone() or ("",))[0])
    forced = [table for table in tables_of(connection, place.schema) if table.forced]
    with zipfile.ZipFile(_Stream(sink), "w") as entries:
        with (
            programs.dumping(address, _options(place, snapshot, forced)) as output,
            entries.open(DUMP, "w", force_zip64=True) as entry,
        ):
            shutil.copyfileobj(output, entry, CHUNK)
        named = [
            ForcedTable(name=table.name, columns=table.stored, entry=f"forced-{number}.copy")
            for number, table in enumerate(forced, 1)
        ]
        for table, note in zip(forced, named, strict=True):
            _copy_out(connection, table, entries, note.entry)
        written = About(
            schema_name=place.schema,
            server_version=connection.info.server_version,
            contents=contents(connection, place.schema),
            forced=tuple(named),
            left_out=_left_out(connection, place),
        )
        entries.writestr(ABOUT, written.model_dump_json(indent=1))
    return written


class _Stream:
    """A sink as `zipfile` likes it: without `seek` and `tell` it writes straight on."""

    def __init__(self, sink: Sink) -> None:
        self.write, self.flush = sink.write, sink.flush

    def close(self) -> None:
        """The sink is closed by whoever opened it."""


def _options(place: TenantPlace, snapshot: str, forced: Sequence[Table]) -> list[str]:
    without = (f"--exclude-table-data={_pattern(place.schema)}.{_pattern(table.name)}" for table in forced)
    return [*_OPTIONS, f"--schema={_pattern(place.schema)}", f"--snapshot={snapshot}", *without]


def _pattern(name: str) -> str:
    """A name where pg_dump takes a pattern: quoted, none of its letters is special."""
    return '"' + name.replace('"', '""') + '"'


def _copy_out(connection: psycopg.Connection, table: Table, entries: zipfile.ZipFile, name: str) -> None:
    info = zipfile.ZipInfo(name)
    info.compress_type = zipfile.ZIP_DEFLATED
    query = sql.SQL("COPY {} ({}) TO STDOUT").format(
        table.qualified, sql.SQL(", ").join(map(sql.Identifier, table.stored))
    )
    with (
        unforced(connection, table),
        entries.open(info, "w", force_zip64=True) as entry,
        connection.cursor().copy(query) as rows,
    ):
        for data in rows:
            entry.write(data)


def _left_out(connection: psycopg.Connection, place: TenantPlace) -> tuple[str, ...]:
    row = connection.execute(_LARGE_OBJECTS, [[place.owner, place.login, *place.people]]).fetchone()
    found = {"large objects": row[0] if row else 0}
    if place.schema == DEDICATED_SCHEMA:
        row = connection.execute(_STORED, [STORAGE_SCHEMA]).fetchone()
        found[f"objects in schema {STORAGE_SCHEMA}"] = row[0] if row else 0
    return tuple(f"{count} {what}" for what, count in found.items() if count)
