"""A tenant's ledger of migrations: table `schema_migrations` in its schema, a line written with each migration.

The ledger is the tenant's, like all in its schema, so that it moves and comes back with the tables it tells of. Reading
it as the admin must therefore run nothing of the tenant's: a view by its name, a policy, even an index whose expression
the planner works out would be code of the tenant's with the admin's rights. COPY of a plain table plans nothing.
"""

from collections.abc import Sequence
from dataclasses import replace

import psycopg
from psycopg import errors, sql

from dynamic_providers.postgres.connection import Address, Limits, PostgresError, passes, transact
from dynamic_providers.postgres.migration_set import Applied, Migration, MigrationSet

LEDGER = "schema_migrations"
STATEMENT_SECONDS = 3600
"""How long one statement of a migration may take; for locks it waits as long as any change does, and tries again."""

_IS_PLAIN = """
SELECT relkind = 'r' AND (
    SELECT count(*) FROM pg_attribute
    WHERE attrelid = pg_class.oid AND NOT attisdropped AND attgenerated = '' AND (attname, atttypid) IN (
        ('number', 'int4'::regtype), ('name', 'text'::regtype), ('checksum', 'text'::regtype))) = 3
FROM pg_class WHERE relname = %s AND relnamespace = (SELECT oid FROM pg_namespace WHERE nspname = %s)
"""
_CREATE = """
CREATE TABLE {ledger} (
    number integer PRIMARY KEY,
    name text NOT NULL,
    checksum text NOT NULL,
    applied_at timestamptz NOT NULL DEFAULT now()
)
"""
_LINES = "SELECT number, name, checksum FROM {ledger} ORDER BY number"
_NOTE = "INSERT INTO {ledger} (number, name, checksum) VALUES (%s, %s, %s)"


def read_ledger(connection: psycopg.Connection, schema: str) -> tuple[Applied, ...] | None:
    """The lines of the schema's ledger, in order, and none where it has no ledger; None where it cannot be read.

    The connection is the admin's, in a transaction.
    """
    if not (plain := _is_plain(connection, schema)):
        return () if plain is None else None
    words = {"ledger": sql.Identifier(schema, LEDGER)}
    try:
        with connection.transaction():
            connection.execute(sql.SQL("LOCK TABLE ONLY {ledger} IN ACCESS SHARE MODE").format(**words))
            if not _is_plain(connection, schema):  # until it was locked it could become anything
                return None
            connection.execute("SET LOCAL row_security = off")  # with policies COPY would plan a query
            query = sql.SQL("COPY {ledger} (number, name, checksum) TO STDOUT").format(**words)
            with connection.cursor().copy(query) as copy:
                copy.set_types(["int4", "text", "text"])
                lines = [Applied(*line) for line in copy.rows()]
    except errors.InsufficientPrivilege:
        return None
    return tuple(sorted(lines, key=lambda line: line.number))


def migrate(
    address: Address, schema: str, owner: str, migrations: MigrationSet, limits: Limits, *, readers: Sequence[str] = ()
) -> None:
    """Apply what the schema's ledger lacks, as `owner`, each migration in a transaction with its line.

    `address` is that of a role that may act for the tenant and nobody else, since a migration runs what the tenant has
    written. `readers` may not write a ledger that is made here, whatever default privileges give them.

    Raises:
        LedgerError: what was applied is not what the set holds.
        PostgresError: a migration failed, and nothing of it was kept; those before it were.

    """
    where = f"schema {schema} in {address}"
    words = {
        "ledger": sql.Identifier(schema, LEDGER),
        "owner": sql.Identifier(owner),
        "schema": sql.Identifier(schema),
        "readers": sql.SQL(", ").join(map(sql.Identifier, readers)),
    }

    def begin(connection: psycopg.Connection) -> Migration | None:
        """The next migration, in a transaction that nobody else's can overtake."""
        connection.execute(sql.SQL("SET LOCAL ROLE {owner}; SET LOCAL search_path = {schema}").format(**words))
        plain = _is_plain(connection, schema)
        if plain is None:
            connection.execute(sql.SQL(_CREATE).format(**words))
            if readers:
                connection.execute(sql.SQL("REVOKE ALL ON {ledger} FROM {readers}").format(**words))
                connection.execute(sql.SQL("GRANT SELECT ON {ledger} TO {readers}").format(**words))
        elif not plain:
            raise PostgresError(f"{where}: {LEDGER} there is no ledger of ours: rename it, then run again")
        connection.execute(sql.SQL("LOCK TABLE {ledger} IN SHARE ROW EXCLUSIVE MODE").format(**words))
        lines = connection.execute(sql.SQL(_LINES).format(**words)).fetchall()
        return next(iter(migrations.pending([Applied(*line) for line in lines], where)), None)

    def work(connection: psycopg.Connection) -> None:
        while migration := begin(connection):
            try:
                connection.execute(migration.sql.encode())
                connection.execute(
                    sql.SQL(_NOTE).format(**words), [migration.number, migration.name, migration.checksum]
                )
                connection.commit()
            except psycopg.Error as error:
                if passes(error):
                    raise
                raise PostgresError(
                    f"{where}: migration {migration} failed and nothing of it was kept: {error.diag.message_primary}"
                    f" [{error.sqlstate}]"
                ) from None

    transact(address, work, replace(limits, statement=STATEMENT_SECONDS))


def _is_plain(connection: psycopg.Connection, schema: str) -> bool | None:
    """Whether a ledger can be read without running anything of its owner's; None where there is none."""
    row = connection.execute(_IS_PLAIN, [LEDGER, schema]).fetchone()
    return bool(row[0]) if row else None
