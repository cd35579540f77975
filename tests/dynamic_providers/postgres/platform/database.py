"""The platform database as tests see it: its owner's way in, a user's, and the provider that keeps the records."""

from dataclasses import dataclass, field
from typing import Any

import psycopg
from pulumi.dynamic import Config, ConfigureRequest

from dynamic_providers.postgres.connection import Address, Limits, transact
from dynamic_providers.postgres.platform.address import platform_address
from dynamic_providers.postgres.platform.records import Record, keep
from dynamic_providers.postgres.platform_tenant import PlatformTenantProvider
from sandbox.postgres import HOST, PostgresServer
from tests.dynamic_providers.postgres.place import ADMIN, ADMIN_PASSWORD

NAME = "platform"
USER_LOGIN, USER_PASSWORD = "platform_app", "an-app-password"
LIMITS = Limits(total=5)
ACME: dict[str, Any] = {
    "tenant": "acme",
    "name": "Acme GmbH",
    "reference": "pulumi:prod/acme",
    "plan_type": "pro",
    "user_id": "0b9b6a4e-5f5c-4a8e-9d8b-8f3c7f2e1a10",
    "organization_id": "acme-group",
    "status": "active",
    "limits": {"max_databases": 1, "max_storage_mb": 100, "max_requests_per_day": 10000},
    "billing_email": "ops@acme.example",
    "permissions": {
        "0b9b6a4e-5f5c-4a8e-9d8b-8f3c7f2e1a10": "owner",
        "ann@acme.example": "admin",
        "bob@acme.example": "developer",
        "eve@acme.example": "viewer",
    },
    "granted_by": "0b9b6a4e-5f5c-4a8e-9d8b-8f3c7f2e1a10",
}


@dataclass(frozen=True)
class Platform:
    """One database, and who reaches it how."""

    server: PostgresServer = field(repr=False)
    url: str = field(repr=False)

    @property
    def address(self) -> Address:
        """As the program has it."""
        return platform_address(self.url)

    def keep(self, tenant: str = "acme", **changes: object) -> Record:
        """Record a tenant as an update would."""
        want = Record.of({**ACME, "tenant": tenant, "reference": f"pulumi:prod/{tenant}", **changes})
        transact(self.address, lambda connection: keep(connection, want, {want.reference}), LIMITS)
        return want

    def rows(self, query: str, *values: object) -> list[tuple[Any, ...]]:
        """What the owner of the database reads."""
        return self.run(query, *values) or []

    def run(self, statement: str, *values: object) -> list[tuple[Any, ...]] | None:
        """What the owner of the database does."""
        with psycopg.connect(self.url, autocommit=True) as connection:
            cursor = connection.execute(statement.encode(), values)
            return cursor.fetchall() if cursor.description else None

    def as_user(self, user: str) -> psycopg.Connection:
        """A session of the platform's application on behalf of a user, in one transaction."""
        if USER_LOGIN not in self.server.roles():
            self.server.create_admin(USER_LOGIN, USER_PASSWORD, privileges=())
        self.run("GRANT tenantry_platform_user TO platform_app")
        connection = psycopg.connect(
            host=HOST, port=self.server.port, dbname=NAME, user=USER_LOGIN, password=USER_PASSWORD
        )
        connection.execute("SELECT set_config('app.user_id', %s, false)", [user])
        return connection

    def provider(self, **settings: object) -> PlatformTenantProvider:
        """The provider, configured with this database unless the settings say otherwise."""
        provider = PlatformTenantProvider()
        configuration = {"platform:databaseUrl": self.url, "timeweb:retrySeconds": 2, **settings}
        provider.configure(ConfigureRequest(Config(configuration, "tenantry")))
        return provider


def platform_on(server: PostgresServer) -> Platform:
    """A new database for the platform; it belongs to an admin without superuser's rights."""
    server.create_database(NAME, ADMIN)
    return Platform(server, f"postgresql://{ADMIN}:{ADMIN_PASSWORD}@{HOST}:{server.port}/{NAME}?sslmode=disable")
