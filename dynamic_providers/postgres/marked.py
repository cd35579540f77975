"""Tenants of ours in a cluster's database, by the mark on their roles.

A role's comment is the admin's alone. A schema's is not: the tenant owns it and may write there what it likes, so a
schema is known by its owner.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

import psycopg
from psycopg.rows import class_row

from dynamic_providers.marks import Mark, Marked
from dynamic_providers.postgres.changes import remove
from dynamic_providers.postgres.connection import Address, Limits, transact
from dynamic_providers.postgres.inputs import TenantSchemaInputs
from dynamic_providers.postgres.names import DEDICATED_SCHEMA

TENANT_SCHEMA = "pulumi-python:dynamic/postgres:TenantSchema"
OWNER_ENDING = "_owner"

_ROLES = """
SELECT rolname::text AS name, shobj_description(oid, 'pg_authid') AS comment,
    ARRAY(SELECT nspname::text FROM pg_namespace WHERE nspowner = pg_roles.oid AND nspname = ANY (
        ARRAY[rolname, replace(rolname, '_owner', '')]::name[])) AS schemas
FROM pg_roles WHERE shobj_description(oid, 'pg_authid') LIKE '%tenantry:%' ORDER BY rolname
"""


@dataclass(frozen=True)
class Place:
    """A database of ours, and the mark that its admin's password is derived from."""

    address: Address
    cluster_mark: str


@dataclass(frozen=True)
class _Role:
    name: str
    comment: str
    schemas: list[str]


@dataclass(frozen=True)
class PostgresLister:
    """Finds and removes tenants' schemas in the databases of our clusters."""

    places: Callable[[], Iterable[Place]]
    stack: str
    limits: Limits
    types = (TENANT_SCHEMA,)

    def marked(self) -> Iterator[Marked]:
        """Every tenant that carries our mark. Raises PostgresError for a database that cannot be looked into."""
        for place in self.places():
            yield from _tenants(place, self.stack, transact(place.address, _roles, self.limits))

    def remove(self, found: Marked) -> None:
        """Drop the tenant's schema and roles, with all that is in them."""
        tenant = TenantSchemaInputs.of(dict(found.props))
        place = next(each for each in self.places() if each.cluster_mark == tenant.cluster_mark)
        remove(place.address, tenant, self.limits)


def _roles(connection: psycopg.Connection) -> list[_Role]:
    with connection.cursor(row_factory=class_row(_Role)) as cursor:
        return cursor.execute(_ROLES).fetchall()


def _tenants(place: Place, stack: str, roles: Sequence[_Role]) -> Iterator[Marked]:
    by_mark: dict[Mark, list[_Role]] = defaultdict(list)
    for role in roles:
        if (mark := Mark.parse(role.comment)) and mark.stack == stack:
            by_mark[mark].append(role)
    for mark, both in by_mark.items():
        login = both[0].name.removesuffix(OWNER_ENDING)
        schema = next((name for role in both for name in role.schemas), DEDICATED_SCHEMA)
        tenant = TenantSchemaInputs(
            host=place.address.host,
            port=place.address.port,
            database=place.address.database,
            admin_login=place.address.login,
            cluster_mark=place.cluster_mark,
            schema_name=schema,
            owner=f"{login}{OWNER_ENDING}",
            login=login,
            connection_limit=0,
            statement_timeout_ms=0,
            mark=str(mark),
        )
        yield Marked(
            type=TENANT_SCHEMA,
            name=mark.name,
            id=login,
            what=f"schema {schema} of login {login} in {place.address}",
            holds_data=True,
            props=tenant.props(),
        )
