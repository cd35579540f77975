"""What is ours on a server: tenants by the mark on their roles, their own databases by the mark on these.

A role's and a database's comment is the admin's alone. A schema's is not: the tenant owns it and may write there what
it likes, so a schema is known by its owner.
"""

import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg.rows import class_row

from dynamic_providers.marks import Mark, Marked
from dynamic_providers.postgres import setup_changes
from dynamic_providers.postgres.access_roles import KINDS, TenantSetupInputs
from dynamic_providers.postgres.changes import remove
from dynamic_providers.postgres.connection import Address, Limits, transact
from dynamic_providers.postgres.databases import remove_database
from dynamic_providers.postgres.inputs import Server, TenantSchemaInputs
from dynamic_providers.postgres.names import DEDICATED_SCHEMA, OWNER_ENDING, roles_of

TENANT_SCHEMA = "pulumi-python:dynamic/postgres:TenantSchema"
TENANT_DATABASE = "pulumi-python:dynamic/postgres:TenantDatabase"
TENANT_SETUP = "pulumi-python:dynamic/postgres:TenantSetup"
_ACCESS_ROLE = re.compile(rf"(?P<base>.+)_as_(?:{'|'.join(KINDS)})")

# A database that a role may enter by a grant of its own is the one that it lives in.
_ROLES = """
SELECT rolname::text AS name, shobj_description(oid, 'pg_authid') AS comment,
    ARRAY(SELECT nspname::text FROM pg_namespace WHERE nspowner = pg_roles.oid AND nspname = ANY (
        ARRAY[rolname, replace(rolname, '_owner', '')]::name[])) AS schemas,
    ARRAY(SELECT DISTINCT datname::text FROM pg_database, aclexplode(datacl) AS entry
          WHERE entry.grantee = pg_roles.oid) AS databases
FROM pg_roles WHERE shobj_description(oid, 'pg_authid') LIKE '%tenantry:%' ORDER BY rolname
"""
_DATABASES = """
SELECT datname::text AS name, shobj_description(oid, 'pg_database') AS comment
FROM pg_database WHERE shobj_description(oid, 'pg_database') LIKE '%tenantry:%' ORDER BY datname
"""


@dataclass(frozen=True)
class Place:
    """A database of ours: what a resource inside it says of its server, and the way in."""

    server: Server
    address: Address


@dataclass(frozen=True)
class _Database:
    name: str
    comment: str


@dataclass(frozen=True)
class _Role:
    name: str
    comment: str
    schemas: list[str]
    databases: list[str]


@dataclass(frozen=True)
class PostgresLister:
    """Finds and removes tenants' schemas, what is set up in them, and their databases on our servers."""

    places: Callable[[], Iterable[Place]]
    stack: str
    limits: Limits
    types = (TENANT_SETUP, TENANT_SCHEMA, TENANT_DATABASE)

    def marked(self) -> Iterator[Marked]:
        """Everything that carries our mark. Raises PostgresError for a database that cannot be looked into."""
        for place in self.places():
            roles, databases = transact(place.address, _look, self.limits)
            yield from _tenants(place, self.stack, roles)
            yield from _databases(place, self.stack, databases)

    def remove(self, found: Marked) -> None:
        """Drop the tenant's schema and roles with all that is in them, its access roles alone, or its database."""
        server = Server.of(dict(found.props))
        address = next(place.address for place in self.places() if place.server.beside(server))
        if found.type == TENANT_DATABASE:
            remove_database(address, found.id, found.props["mark"], self.limits)
        elif found.type == TENANT_SETUP:
            setup_changes.remove(address.at(server.database), TenantSetupInputs.of(dict(found.props)), self.limits)
        else:
            remove(address.at(server.database), TenantSchemaInputs.of(dict(found.props)), self.limits)


def _look(connection: psycopg.Connection) -> tuple[list[_Role], list[_Database]]:
    with (
        connection.cursor(row_factory=class_row(_Role)) as roles,
        connection.cursor(row_factory=class_row(_Database)) as databases,
    ):
        return roles.execute(_ROLES).fetchall(), databases.execute(_DATABASES).fetchall()


def _tenants(place: Place, stack: str, roles: Sequence[_Role]) -> Iterator[Marked]:
    by_mark: dict[Mark, list[_Role]] = defaultdict(list)
    for role in roles:
        if (mark := Mark.parse(role.comment)) and mark.stack == stack:
            by_mark[mark].append(role)
    for mark, members in by_mark.items():
        access = _ACCESS_ROLE.fullmatch(members[0].name)
        database = next((name for role in members for name in role.databases), place.server.database)
        there = {**place.server.props(), "database": database}
        where = place.address.at(database)
        yield _setup(there, where, mark, access["base"]) if access else _schema(there, where, mark, members)


def _schema(server: Mapping[str, Any], where: Address, mark: Mark, both: Sequence[_Role]) -> Marked:
    owner, login = roles_of(both[0].name)
    schema = next((name for role in both for name in role.schemas), DEDICATED_SCHEMA)
    tenant = TenantSchemaInputs(
        **server,
        schema_name=schema,
        owner=owner,
        login=login,
        connection_limit=0,
        statement_timeout_ms=0,
        mark=str(mark),
    )
    return Marked(
        type=TENANT_SCHEMA,
        name=mark.name,
        id=login,
        what=f"schema {schema} of login {login} in {where}",
        holds_data=True,
        props=tenant.props(),
    )


def _setup(server: Mapping[str, Any], where: Address, mark: Mark, base: str) -> Marked:
    """For a removal only the names of the roles and of their owner matter."""
    owner, login = roles_of(f"{base}{OWNER_ENDING}")
    tenant = TenantSetupInputs(
        **server, schema_name=base, owner=owner, login=login, base=base, version="", mark=str(mark)
    )
    return Marked(
        type=TENANT_SETUP,
        name=mark.name,
        id=base,
        what=f"access roles of {base} in {where}",
        holds_data=False,
        props=tenant.props(),
    )


def _databases(place: Place, stack: str, databases: Sequence[_Database]) -> Iterator[Marked]:
    for database in databases:
        if (mark := Mark.parse(database.comment)) and mark.stack == stack:
            yield Marked(
                type=TENANT_DATABASE,
                name=mark.name,
                id=database.name,
                what=str(place.address.at(database.name)),
                holds_data=True,
                props={**place.server.props(), "name": database.name, "mark": str(mark)},
            )
