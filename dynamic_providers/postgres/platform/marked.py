"""Records of ours in the platform database, by their references: what `resume` compares with the states."""

from collections.abc import Iterator
from dataclasses import dataclass

import psycopg

from dynamic_providers.marks import Marked
from dynamic_providers.postgres.connection import Address, Limits, transact
from dynamic_providers.postgres.platform import schema
from dynamic_providers.postgres.platform.records import end, record_name

PLATFORM_TENANT = "pulumi-python:dynamic/postgres:PlatformTenant"

# A record that is `creating` is the platform's own, of a tenant that no run has made yet.
_RECORDS = """
SELECT id, connection_string FROM public.platform_tenants
WHERE status IN ('active', 'suspended') AND split_part(connection_string, '/', 1) = 'pulumi:' || %s ORDER BY id
"""


@dataclass(frozen=True)
class PlatformLister:
    """Finds the records of one base stack; removing one marks it as deleted."""

    address: Address
    stack: str
    limits: Limits
    types = (PLATFORM_TENANT,)

    def marked(self) -> Iterator[Marked]:
        """Every record of this stack. Raises PostgresError where the database cannot be looked into."""

        def rows(connection: psycopg.Connection) -> list[tuple[str, str]]:
            if not schema.is_there(connection):
                return []
            return [(tenant, reference) for tenant, reference in connection.execute(_RECORDS, [self.stack])]

        for tenant, reference in transact(self.address, rows, self.limits):
            yield Marked(
                type=PLATFORM_TENANT,
                name=record_name(tenant),
                id=tenant,
                what=f"the platform's record of {tenant}",
                holds_data=False,
                props={"tenant": tenant, "reference": reference},
            )

    def remove(self, found: Marked) -> None:
        """Mark the record as deleted and take the permissions away."""
        props = found.props
        transact(self.address, lambda connection: end(connection, props["tenant"], props["reference"]), self.limits)
