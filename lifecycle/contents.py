"""What a schema holds, in figures that can be compared: rows and a checksum per table, the place of each sequence.

A checksum does not depend on the order of rows, and is the same on every PostgreSQL from 14 on: both halves of each
row's MD5 are summed modulo 2^64. The server does the work; only figures travel.
"""

import hashlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

import psycopg
from psycopg import sql
from pydantic import BaseModel, ConfigDict

# The text of a value depends on these; of functions and operators only the server's own are meant.
_SETTINGS: Mapping[str, str] = {
    "search_path": "pg_catalog",
    "row_security": "off",  # rows that a policy hides are an error, not an absence
    "DateStyle": "ISO, YMD",
    "IntervalStyle": "postgres",
    "TimeZone": "UTC",
    "bytea_output": "hex",
    "extra_float_digits": "3",
    "lc_monetary": "C",
    "xmlbinary": "base64",
    "statement_timeout": "0",
}
# Tables with rows of their own. Without `force` rows are read by the owner's right; with it the owner is shown what
# the policies leave. A column that is computed on reading is no content; one that is computed on writing is no input.
_TABLES = """
SELECT relname::text, relrowsecurity AND relforcerowsecurity,
    ARRAY(SELECT attname::text FROM pg_attribute
          WHERE attrelid = pg_class.oid AND attnum > 0 AND NOT attisdropped AND attgenerated <> 'v' ORDER BY attnum),
    ARRAY(SELECT attname::text FROM pg_attribute
          WHERE attrelid = pg_class.oid AND attnum > 0 AND NOT attisdropped AND attgenerated = '' ORDER BY attnum)
FROM pg_class WHERE relnamespace = (SELECT oid FROM pg_namespace WHERE nspname = %s) AND relkind = 'r'
ORDER BY relname
"""
# A cast or a column of the same name would be the tenant's own; an output function is not.
_FIGURES = """
SELECT count(*), coalesce(mod(sum(('x' || substr(hash, 1, 16))::bit(64)::bigint::numeric), 18446744073709551616), 0),
    coalesce(mod(sum(('x' || substr(hash, 17))::bit(64)::bigint::numeric), 18446744073709551616), 0)
FROM (SELECT md5(textin(record_out(ROW({columns})))) AS hash FROM ONLY {table}) AS rows
"""
_SEQUENCES = """
SELECT relname::text, seqincrement > 0, seqcycle FROM pg_sequence JOIN pg_class ON pg_class.oid = seqrelid
WHERE relnamespace = (SELECT oid FROM pg_namespace WHERE nspname = %s) ORDER BY relname
"""
_HALF = 2**64


class _Figures(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class TableContents(_Figures):
    """How many rows a table has, and their checksum as 32 hex digits."""

    rows: int
    checksum: str


class SequenceContents(_Figures):
    """The value a sequence gave last, or will give first; one that cycles has no order to compare."""

    value: int
    called: bool
    ascending: bool
    cycles: bool


class Contents(_Figures):
    """A schema's tables and sequences, by their names without the schema."""

    tables: dict[str, TableContents]
    sequences: dict[str, SequenceContents]

    @property
    def rows(self) -> int:
        """Rows of all tables."""
        return sum(table.rows for table in self.tables.values())

    @property
    def checksum(self) -> str:
        """One SHA-256 over the names, rows and checksums of all tables."""
        lines = (f"{name}\0{table.rows}\0{table.checksum}\n" for name, table in sorted(self.tables.items()))
        return hashlib.sha256("".join(lines).encode()).hexdigest()

    def differences(self, found: "Contents") -> list[str]:
        """In words, where `found` is not what this is; a sequence may be further, never behind."""
        wrong = [f"table {name} is missing" for name in sorted(self.tables.keys() - found.tables.keys())]
        wrong += [f"table {name} is too much" for name in sorted(found.tables.keys() - self.tables.keys())]
        for name in sorted(self.tables.keys() & found.tables.keys()):
            want, got = self.tables[name], found.tables[name]
            if want.rows != got.rows:
                wrong.append(f"table {name} has {got.rows} rows instead of {want.rows}")
            elif want != got:
                wrong.append(f"table {name} has other values in its {got.rows} rows")
        wrong += [f"sequence {name} is missing" for name in sorted(self.sequences.keys() - found.sequences.keys())]
        for name in sorted(self.sequences.keys() & found.sequences.keys()):
            if _behind(self.sequences[name], found.sequences[name]):
                wrong.append(f"sequence {name} is behind")
        return wrong


def _behind(want: SequenceContents, got: SequenceContents) -> bool:
    if want.cycles:
        return False
    wanted, found = ((each.value, each.called) for each in (want, got))
    return found < wanted if want.ascending else (-found[0], found[1]) < (-wanted[0], wanted[1])


@dataclass(frozen=True)
class Table:
    """A table with rows of its own; `forced` means that its policies hold for the owner too.

    `columns` have values of their own, `stored` those of them that are not generated from the others.
    """

    name: str
    qualified: sql.Identifier
    forced: bool
    columns: tuple[str, ...]
    stored: tuple[str, ...]


def contents(connection: psycopg.Connection, schema: str) -> Contents:
    """What the schema holds, as the connection's transaction sees it; nothing is changed.

    The connection's role acts for the schema's owner. A table that forces row security on its owner is locked while it
    is read: forcing is lifted in a part of the transaction that is rolled back, so that nobody ever sees it lifted.
    """
    with connection.transaction(force_rollback=True):
        for name, value in _SETTINGS.items():
            connection.execute("SELECT pg_catalog.set_config(%s, %s, true)", [name, value])
        tables = {table.name: _table(connection, table) for table in tables_of(connection, schema)}
        found = connection.execute(_SEQUENCES, [schema]).fetchall()
        sequences = {name: _sequence(connection, sql.Identifier(schema, name), *rest) for name, *rest in found}
    return Contents(tables=tables, sequences=sequences)


def tables_of(connection: psycopg.Connection, schema: str) -> list[Table]:
    """The schema's tables, by name."""
    found = connection.execute(_TABLES, [schema]).fetchall()
    return [
        Table(name, sql.Identifier(schema, name), forced, tuple(columns), tuple(stored))
        for name, forced, columns, stored in found
    ]


@contextmanager
def unforced(connection: psycopg.Connection, table: Table) -> Iterator[None]:
    """All rows of the table are seen in the block; others see no change, but wait for the table where it is forced."""
    if not table.forced:
        yield
        return
    with connection.transaction(force_rollback=True):
        connection.execute(sql.SQL("ALTER TABLE {} NO FORCE ROW LEVEL SECURITY").format(table.qualified))
        yield


def _table(connection: psycopg.Connection, table: Table) -> TableContents:
    listed = sql.SQL(", ").join(map(sql.Identifier, table.columns))
    query = sql.SQL(_FIGURES).format(columns=listed, table=table.qualified)
    with unforced(connection, table):
        rows, first, second = connection.execute(query).fetchone() or (0, 0, 0)
    return TableContents(rows=rows, checksum=f"{int(first) % _HALF:016x}{int(second) % _HALF:016x}")


def _sequence(connection: psycopg.Connection, sequence: sql.Identifier, *order: bool) -> SequenceContents:
    found = connection.execute(sql.SQL("SELECT last_value, is_called FROM {}").format(sequence)).fetchone()
    value, called = found or (0, False)
    return SequenceContents(value=value, called=called, ascending=order[0], cycles=order[1])
