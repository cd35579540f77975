"""A tenant's own database on a server that others are on too: made, looked at, removed. Knows SQL and no Pulumi.

CREATE DATABASE is no part of a transaction, and the mark is a statement of its own after it. So a database is made
closed to all connections and opened last. Whatever a killed create leaves is known by that:

| found under the name | is |
| --- | --- |
| nothing | to be made |
| our mark | ours, and completed |
| no comment, the admin's, closed, nothing of anybody's in it | a create that was killed: nobody can ever have used it |
| anything else | not ours: refused, even if it is empty |

PUBLIC loses its rights on the database, and on the one that we came from, which everybody else could log in to.
"""

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import LiteralString

import psycopg
from psycopg import errors, sql
from psycopg.rows import class_row

from dynamic_providers.errors import AmbiguousMarkError
from dynamic_providers.marks import mark_in
from dynamic_providers.postgres.connection import Address, Limits, PostgresError, transact
from dynamic_providers.postgres.sessions import take_lock

# In `pg_shdepend` is whatever belongs to a role or was granted to one, but for what the server itself is made of.
_LOOK = """
SELECT shobj_description(it.oid, 'pg_database') AS comment, pg_get_userbyid(it.datdba)::text AS owner,
    it.datallowconn AS open, NOT EXISTS (SELECT FROM pg_shdepend WHERE dbid = it.oid) AS untouched,
    has_database_privilege('public', it.oid, 'CONNECT, TEMPORARY, CREATE') AS public_here,
    has_database_privilege('public', here.oid, 'CONNECT, TEMPORARY, CREATE') AS public_there,
    current_user::text AS admin
FROM pg_database AS it, pg_database AS here WHERE it.datname = %s AND here.datname = current_database()
"""
_CREATE = "CREATE DATABASE {database} ALLOW_CONNECTIONS false"
_DROP = "DROP DATABASE IF EXISTS {database} WITH (FORCE)"


@dataclass(frozen=True)
class FoundDatabase:
    """What one look saw; `public_there` is said of the database that we looked from."""

    comment: str | None
    owner: str
    open: bool
    untouched: bool
    public_here: bool
    public_there: bool
    admin: str

    @property
    def half_made(self) -> bool:
        """Whether it is what a create of ours leaves that was killed before it could mark it."""
        return self.comment is None and self.owner == self.admin and not self.open and self.untouched

    def damages(self, mark: str) -> tuple[str, ...]:
        """What is not as it should be, in words."""
        checks = {
            "it does not carry the mark": mark_in(self.comment) != mark,
            f"it belongs to {self.owner}": self.owner != self.admin,
            "it is closed to all": not self.open,
            "PUBLIC has rights on it": self.public_here,
            "PUBLIC has rights on the server's own database": self.public_there,
        }
        return tuple(problem for problem, is_so in checks.items() if is_so)


def make_database(address: Address, name: str, mark: str, limits: Limits, *, marks: Collection[str]) -> None:
    """Makes the database, or completes ours; `address` is a database on the same server that stays.

    `marks` are those by which a found one is known as ours; with "" an unmarked one of the admin's is taken over too.

    Raises:
        AmbiguousMarkError: a database of that name is there and is not ours.
        PostgresError: and its kinds.

    """

    def create(connection: psycopg.Connection) -> None:
        if look_at(connection, name) is None:
            try:
                connection.execute(_statement(_CREATE, name))
            except errors.DuplicateDatabase:
                return  # by another run, or by an attempt of ours whose answer was lost: it is looked at next

    def complete(connection: psycopg.Connection) -> None:
        take_lock(connection)
        found = look_at(connection, name)
        if found is None:
            raise PostgresError(f"{address}: database {name} was dropped while it was made; run again")
        refuse_foreign(address, name, mark, found, marks)
        for step in _steps(address, name, mark, found):
            connection.execute(step)
        found = look_at(connection, name)
        if found is None or (left := found.damages(mark)):
            # A REVOKE that may not revoke is only a warning, so the outcome is looked at.
            raise PostgresError(f"{address}: database {name} cannot be made safe: {'; '.join(left if found else ())}")

    transact(address, create, limits, autocommit=True)
    transact(address, complete, limits)


def find_database(address: Address, name: str, limits: Limits) -> FoundDatabase | None:
    """The database as it is; None where the server does not list it."""
    return transact(address, lambda connection: look_at(connection, name), limits)


def remove_database(address: Address, name: str, mark: str, limits: Limits) -> None:
    """Drops the database with its sessions; one that the server does not list is no error.

    Raises:
        AmbiguousMarkError: it does not carry the mark.
        PostgresError: and its kinds.

    """

    def drop(connection: psycopg.Connection) -> None:
        found = look_at(connection, name)
        if found is None:
            return
        refuse_foreign(address, name, mark, found, {mark})
        connection.execute(_statement(_DROP, name))

    transact(address, drop, limits, autocommit=True)


def look_at(connection: psycopg.Connection, name: str) -> FoundDatabase | None:
    """The database as this session sees it."""
    with connection.cursor(row_factory=class_row(FoundDatabase)) as cursor:
        return cursor.execute(_LOOK, [name]).fetchone()


def refuse_foreign(address: Address, name: str, mark: str, found: FoundDatabase, marks: Collection[str]) -> None:
    """Raises AmbiguousMarkError for a database that is not known as ours."""
    carried = mark_in(found.comment)
    if carried in marks and (carried or found.owner == found.admin):
        return
    if found.half_made:
        return
    carries = f"carries the mark {carried}" if carried else f"carries no mark and belongs to {found.owner}"
    raise AmbiguousMarkError(
        f"{address}: database {name} {carries}, not {mark}, so it is left alone: rename or drop it, or mark it by"
        " COMMENT ON DATABASE if it is the tenant's"
    )


def _steps(address: Address, name: str, mark: str, found: FoundDatabase) -> Iterator[sql.Composed]:
    if mark_in(found.comment) != mark:
        yield _statement("COMMENT ON DATABASE {database} IS {mark}", name, mark)
    if found.owner != found.admin:
        yield _statement("ALTER DATABASE {database} OWNER TO CURRENT_USER", name)
    if found.public_here:
        yield _statement("REVOKE ALL ON DATABASE {database} FROM PUBLIC", name)
    if found.public_there:
        yield _statement("REVOKE ALL ON DATABASE {database} FROM PUBLIC", address.database)
    if not found.open:
        yield _statement("ALTER DATABASE {database} ALLOW_CONNECTIONS true", name)


def _statement(text: LiteralString, database: str, mark: str = "") -> sql.Composed:
    return sql.SQL(text).format(database=sql.Identifier(database), mark=sql.Literal(mark))
