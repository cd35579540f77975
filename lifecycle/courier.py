"""Who carries a tenant's data: a role of its own for each copy, which may act for this one tenant and nobody else.

A copy runs what the tenant has written: checks, generated columns, functions in indexes. In a session of the admin
such code could take the admin's rights, and with them every other tenant's; in the courier's it finds the tenant's own.
The tenant's login is not used: it may be blocked, has limits, and belongs to the tenant.
"""

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import psycopg
from psycopg import sql

from dynamic_providers.postgres.access_roles import KINDS, access_role
from dynamic_providers.postgres.connection import Address, Limits, open_session, transact
from dynamic_providers.postgres.deputy import deputy, drop_deputy, owner_of_public
from dynamic_providers.postgres.names import DEDICATED_SCHEMA
from dynamic_providers.postgres.sessions import take_lock
from lifecycle.errors import DataError

LIMITS = Limits()
_LOCK_SECONDS = 10
_MAY_LOAD = "GRANT CREATE ON DATABASE {database} TO {courier}"
_MAY_HOLD_PUBLIC = "ALTER SCHEMA public OWNER TO {courier}"
_LEFT_BEHIND = """
SELECT rolname::text FROM pg_roles WHERE rolname ^@ %s AND rolvaliduntil < now()
AND NOT EXISTS (SELECT FROM pg_stat_activity WHERE usesysid = pg_roles.oid)
"""


@dataclass(frozen=True)
class TenantPlace:
    """One tenant in one database: `address` is the cluster's admin's, the roles are the tenant's."""

    address: Address
    schema: str
    owner: str
    login: str

    def __str__(self) -> str:
        return f"schema {self.schema} in {self.address}"

    @property
    def base(self) -> str:
        """What the names of the tenant's roles begin with."""
        return self.owner.removesuffix("_owner")

    @property
    def people(self) -> list[str]:
        """The access roles of the tenant's people, where it is set up."""
        return [access_role(self.base, kind) for kind in KINDS]


@contextmanager
def courier(place: TenantPlace, *, loads: bool = False, public: bool = False) -> Iterator[Address]:
    """The way in of a role that may act for the tenant; it is gone afterwards.

    With `loads` it may make schemas, with `public` it holds schema `public` too while it lives.
    What a killed process left behind goes with the tenant's next copy after an hour. Raises `PostgresError`.
    """
    stem = f"copy_{place.base}_"
    for old in transact(place.address, lambda connection: _left_behind(connection, stem), LIMITS):
        drop_deputy(place.address, old, LIMITS)
    name = f"{stem}{secrets.token_hex(4)}"

    def prepare(connection: psycopg.Connection) -> None:
        words = {"courier": sql.Identifier(name), "database": sql.Identifier(place.address.database)}
        if loads:
            connection.execute(sql.SQL(_MAY_LOAD).format(**words))
        if public and owner_of_public(connection):
            connection.execute(sql.SQL(_MAY_HOLD_PUBLIC).format(**words))

    with deputy(place.address, name, [place.owner, place.login], LIMITS, prepare) as address:
        yield address


def _left_behind(connection: psycopg.Connection, stem: str) -> list[str]:
    return [str(name) for (name,) in connection.execute(_LEFT_BEHIND, [stem])]


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
