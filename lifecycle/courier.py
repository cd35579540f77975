"""Who carries a tenant's data: a role of its own for each copy, which may act for this one tenant and nobody else.

A copy runs what the tenant has written: checks, generated columns, functions in indexes. In a session of the admin
such code could take the admin's rights, and with them every other tenant's; in the courier's it finds the tenant's own.
The tenant's login is not used: it may be blocked, has limits, and belongs to the tenant.
"""

import logging
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial

import psycopg
from psycopg import sql

from dynamic_providers.postgres.connection import Address, Limits, PostgresError, open_session, transact
from dynamic_providers.postgres.layout import membership_options
from dynamic_providers.postgres.names import DEDICATED_SCHEMA
from dynamic_providers.postgres.sessions import take_lock
from lifecycle.errors import DataError

log = logging.getLogger(__name__)

LIMITS = Limits()
_LOCK_SECONDS = 10
_VALID = "1 hour"  # for new sessions only; a copy that runs goes on
_MAKE = (
    "CREATE ROLE {courier} LOGIN INHERIT NOCREATEDB NOCREATEROLE PASSWORD {verifier} VALID UNTIL {until}",
    "GRANT {owner}, {login} TO {courier} {options}",
    "GRANT {courier} TO CURRENT_USER {options}",
)
_MAY_LOAD = "GRANT CREATE ON DATABASE {database} TO {courier}"
_LEFT_BEHIND = """
SELECT rolname::text FROM pg_roles WHERE rolname ^@ %s AND rolvaliduntil < now()
AND NOT EXISTS (SELECT FROM pg_stat_activity WHERE usesysid = pg_roles.oid)
"""
_OWNER_OF_PUBLIC = "SELECT pg_get_userbyid(nspowner)::text FROM pg_namespace WHERE nspname = 'public'"


@dataclass(frozen=True)
class TenantPlace:
    """One tenant in one database: `address` is the cluster's admin's, the roles are the tenant's."""

    address: Address
    schema: str
    owner: str
    login: str

    def __str__(self) -> str:
        return f"schema {self.schema} in {self.address}"


@contextmanager
def courier(place: TenantPlace, *, loads: bool = False, public: bool = False) -> Iterator[Address]:
    """The way in of a role that may act for the tenant; it is gone afterwards.

    With `loads` it may make schemas, with `public` it holds schema `public` too while it lives.
    What a killed process left behind goes with the tenant's next copy after an hour. Raises `PostgresError`.
    """
    name = f"copy_{place.login}_{secrets.token_hex(4)}"
    password = secrets.token_hex(16)
    transact(place.address, partial(_clear, place), LIMITS)
    transact(place.address, partial(_make, place, name, password, loads=loads, public=public), LIMITS)
    try:
        yield replace(place.address, login=name, password=password)
    except BaseException:
        try:
            transact(place.address, partial(_drop, name), LIMITS)
        except PostgresError as error:
            log.warning("%s; role %s is left behind for the next copy of the tenant to drop", error, name)
        raise
    transact(place.address, partial(_drop, name), LIMITS)


def connect(address: Address) -> psycopg.Connection:
    """A session for a copy, which may take as long as it takes. Raises `DataError`."""
    settings = {
        "lock_timeout": f"{_LOCK_SECONDS}s",
        "statement_timeout": "0",
        "idle_in_transaction_session_timeout": "0",
        "search_path": "pg_catalog",
        "client_encoding": "UTF8",
        "client_min_messages": "error",
    }
    try:
        return open_session(address, settings, connect=LIMITS.connect, application="tenantry copy")
    except psycopg.OperationalError as error:
        raise DataError(f"{address} cannot be reached as {address.login}: {' '.join(str(error).split())}") from None


def _make(
    place: TenantPlace, name: str, password: str, connection: psycopg.Connection, *, loads: bool, public: bool
) -> None:
    take_lock(connection)
    row = connection.execute(f"SELECT (now() + interval '{_VALID}')::text").fetchone()
    verifier = connection.pgconn.encrypt_password(password.encode(), name.encode(), b"scram-sha-256").decode()
    words = {
        "courier": sql.Identifier(name),
        "owner": sql.Identifier(place.owner),
        "login": sql.Identifier(place.login),
        "database": sql.Identifier(place.address.database),
        "verifier": sql.Literal(verifier),
        "until": sql.Literal(row[0] if row else "now"),
        "options": membership_options(connection.info.server_version),
    }
    steps = [*_MAKE, *([_MAY_LOAD] if loads else [])]
    if public and _owner_of_public(connection):
        steps.append("ALTER SCHEMA public OWNER TO {courier}")
    connection.execute(sql.SQL("; ").join([sql.SQL(step).format(**words) for step in steps]))


def _drop(name: str, connection: psycopg.Connection) -> None:
    take_lock(connection)
    role = sql.Identifier(name)
    if _owner_of_public(connection) == name:
        connection.execute("ALTER SCHEMA public OWNER TO pg_database_owner")
    connection.execute(sql.SQL("DROP OWNED BY {} CASCADE; DROP ROLE {}").format(role, role))


def _owner_of_public(connection: psycopg.Connection) -> str | None:
    row = connection.execute(_OWNER_OF_PUBLIC).fetchone()
    return str(row[0]) if row else None


def _clear(place: TenantPlace, connection: psycopg.Connection) -> None:
    for (name,) in connection.execute(_LEFT_BEHIND, [f"copy_{place.login}_"]).fetchall():
        _drop(name, connection)


def give_back_public(place: TenantPlace) -> None:
    """After a load into a database of the tenant's own: the new `public` belongs to the database's owner again."""

    def give(connection: psycopg.Connection) -> None:
        take_lock(connection)
        words = {"public": sql.Identifier(DEDICATED_SCHEMA), "owner": sql.Identifier(place.owner)}
        steps = (
            "ALTER SCHEMA {public} OWNER TO pg_database_owner",
            "REVOKE ALL ON SCHEMA {public} FROM PUBLIC",
            "GRANT ALL ON SCHEMA {public} TO {owner}",
        )
        connection.execute(sql.SQL("; ").join([sql.SQL(step).format(**words) for step in steps]))

    transact(place.address, give, LIMITS)
