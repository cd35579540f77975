"""A database on a real server as the tests see it: the tenant's, the admin's and the superuser's way in."""

from dataclasses import dataclass, field
from typing import Any

import psycopg
from pulumi.dynamic import Config, ConfigureRequest

from dynamic_providers.admin_password import derive_admin_password
from dynamic_providers.postgres.tenant_schema import TenantSchemaProvider
from dynamic_providers.postgres.urls import database_url
from sandbox.postgres import HOST, PostgresServer

ADMIN = "admin"
DATABASE = "main"
ADMIN_SECRET = "sentinel-admin-secret"
CLUSTER_MARK = "tenantry:prod:shared-free-1-cluster-1"
ADMIN_PASSWORD = derive_admin_password(ADMIN_SECRET, CLUSTER_MARK)
RETRY_SECONDS = 5

Props = dict[str, Any]


@dataclass(frozen=True)
class Made:
    """What an engine keeps of a resource."""

    id: str
    outs: Props


@dataclass(frozen=True)
class Place:
    """One database on one server, and the provider as an engine would use it."""

    server: PostgresServer
    port: int
    provider: TenantSchemaProvider
    superuser_dsn: str = field(repr=False)
    has_extensions: bool = False

    def props(self, tenant: str, **changes: object) -> Props:
        """Checked properties of a tenant, as the engine hands them over: numbers are floats."""
        asked: Props = {
            "host": HOST,
            "port": float(self.port),
            "database": DATABASE,
            "admin_login": ADMIN,
            "cluster_mark": CLUSTER_MARK,
            "schema_name": f"c_{tenant}",
            "owner": f"c_{tenant}_owner",
            "login": f"c_{tenant}",
            "connection_limit": 3.0,
            "statement_timeout_ms": 30000.0,
            "extensions": ["citext"] if self.has_extensions else [],
            "blocked": False,
            "mark": f"tenantry:prod:{tenant}-schema-1",
        }
        checked = self.provider.check({}, asked | changes)
        assert checked.failures == []
        return checked.inputs

    def create(self, tenant: str, **changes: object) -> Made:
        """Makes the tenant."""
        result = self.provider.create(self.props(tenant, **changes))
        return Made(str(result.id), result.outs or {})

    def update(self, made: Made, tenant: str, **changes: object) -> Made:
        """Changes the tenant to what the arguments say, from what is recorded."""
        result = self.provider.update(made.id, made.outs, self.props(tenant, **changes))
        return Made(made.id, result.outs or {})

    def read(self, made: Made) -> Props:
        """The inputs as a refresh records them."""
        return dict(self.provider.read(made.id, made.outs).inputs or {})

    def refresh(self, made: Made) -> Made:
        """What an engine keeps after a refresh."""
        return Made(made.id, self.provider.read(made.id, made.outs).outs or {})

    def delete(self, made: Made) -> None:
        """Removes the tenant."""
        self.provider.delete(made.id, made.outs)

    def connect(self, made: Made) -> psycopg.Connection:
        """A session of the tenant's, by the URL it is given."""
        url = database_url(
            login=made.outs["login"],
            password=made.outs["password"],
            host=HOST,
            port=self.port,
            database=DATABASE,
            schema=made.outs["schema_name"],
            sslmode="disable",
        )
        return psycopg.connect(url, autocommit=True)

    def admin(self, database: str | None = None) -> psycopg.Connection:
        """A session of the cluster's admin."""
        return psycopg.connect(
            host=HOST,
            port=self.port,
            dbname=database or DATABASE,
            user=ADMIN,
            password=ADMIN_PASSWORD,
            autocommit=True,
        )

    def superuser(self, database: str | None = None) -> psycopg.Connection:
        """A session of the superuser, whom no tenant and no provider ever is."""
        return psycopg.connect(self.superuser_dsn, dbname=database or DATABASE, autocommit=True)

    def tenant_roles(self) -> list[str]:
        """All roles that were made for tenants."""
        return [role for role in self.server.roles() if role.startswith("c_")]


def configured_provider(**settings: object) -> TenantSchemaProvider:
    """A provider that has been configured from stack configuration alone."""
    provider = TenantSchemaProvider()
    configuration = {
        "tenantry:adminSecret": ADMIN_SECRET,
        "timeweb:sslmode": "disable",
        "timeweb:retrySeconds": RETRY_SECONDS,
        **settings,
    }
    provider.configure(ConfigureRequest(Config(configuration, "tenantry")))
    return provider


def one(connection: psycopg.Connection, query: str) -> tuple[object, ...]:
    """The only row of a query."""
    row = connection.execute(query.encode()).fetchone()
    assert row is not None
    return tuple(row)
