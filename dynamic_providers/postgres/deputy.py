"""A role that lives for one task and may act for one tenant and nobody else.

Loading or changing a tenant's tables runs what the tenant has written: checks, generated columns, triggers, functions
in indexes. In a session of the admin such code could take the admin's rights by RESET ROLE, and with them every other
tenant's; in the deputy's it finds the tenant's own. The tenant's login is not used: it may be blocked, has limits, and
belongs to the tenant.
"""

import logging
import secrets
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial

import psycopg
from psycopg import sql

from dynamic_providers.postgres.connection import Address, Limits, PostgresError, transact
from dynamic_providers.postgres.layout import membership_options
from dynamic_providers.postgres.names import DEDICATED_SCHEMA
from dynamic_providers.postgres.sessions import ask_sessions_to_end, take_lock
from dynamic_providers.postgres.verifier import scram_verifier

log = logging.getLogger(__name__)

_VALID = "1 hour"  # for new sessions only; a task that runs goes on
_MAKE = (
    "CREATE ROLE {deputy} LOGIN INHERIT NOCREATEDB NOCREATEROLE PASSWORD {verifier} VALID UNTIL {until}",
    "GRANT {roles} TO {deputy} {options}",
    "GRANT {deputy} TO CURRENT_USER {options}",
)
_EXISTS = "SELECT EXISTS (SELECT FROM pg_roles WHERE rolname = %s)"
_OWNER_OF_PUBLIC = "SELECT pg_get_userbyid(nspowner)::text FROM pg_namespace WHERE nspname = %s"


@contextmanager
def deputy(
    address: Address,
    name: str,
    roles: Sequence[str],
    limits: Limits,
    prepare: Callable[[psycopg.Connection], None] = lambda _: None,
) -> Iterator[Address]:
    """The way in of a role with the rights of `roles`; it is gone afterwards. `prepare` gives it more as it is made.

    One that a killed process has left under this name is ended first. Raises `PostgresError`.
    """
    password = secrets.token_hex(16)

    def make(connection: psycopg.Connection) -> None:
        take_lock(connection)
        end_deputy(connection, name)
        _make(connection, name, password, roles)
        prepare(connection)

    transact(address, make, limits)
    try:
        yield replace(address, login=name, password=password)
    except BaseException:
        try:
            drop_deputy(address, name, limits)
        except PostgresError as error:
            log.warning("%s; role %s is left behind for the next task of its kind to drop", error, name)
        raise
    drop_deputy(address, name, limits)


def drop_deputy(address: Address, name: str, limits: Limits) -> None:
    """End a deputy with all it may; one that is gone is no error. Raises `PostgresError`."""
    transact(address, partial(_drop, name), limits)


def end_deputy(connection: psycopg.Connection, name: str) -> None:
    """The same for one that a killed process may have left, in a transaction of the admin's; its sessions end too."""
    ask_sessions_to_end(connection, name)
    _drop(name, connection)


def owner_of_public(connection: psycopg.Connection) -> str | None:
    """Who owns schema `public`; None where there is none."""
    row = connection.execute(_OWNER_OF_PUBLIC, [DEDICATED_SCHEMA]).fetchone()
    return str(row[0]) if row else None


def _make(connection: psycopg.Connection, name: str, password: str, roles: Sequence[str]) -> None:
    row = connection.execute(f"SELECT (now() + interval '{_VALID}')::text").fetchone()
    words = {
        "deputy": sql.Identifier(name),
        "roles": sql.SQL(", ").join(map(sql.Identifier, roles)),
        "verifier": sql.Literal(scram_verifier(name, password)),
        "until": sql.Literal(row[0] if row else "now"),
        "options": membership_options(connection.info.server_version),
    }
    connection.execute(sql.SQL("; ").join([sql.SQL(step).format(**words) for step in _MAKE]))


def _drop(name: str, connection: psycopg.Connection) -> None:
    take_lock(connection)
    if not (connection.execute(_EXISTS, [name]).fetchone() or (False,))[0]:
        return
    role = sql.Identifier(name)
    if owner_of_public(connection) == name:
        connection.execute("ALTER SCHEMA public OWNER TO pg_database_owner")
    options = membership_options(connection.info.server_version)
    script = "GRANT {role} TO CURRENT_USER {options}; DROP OWNED BY {role} CASCADE; DROP ROLE {role}"
    connection.execute(sql.SQL(script).format(role=role, options=options))
