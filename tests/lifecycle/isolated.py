"""Three tenants on a real server as their outputs show them: two in one database, one in a database of its own."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import psycopg

from components.outputs import BackupOutput, DatabaseOutput, FeaturesOutput, TenantOutputs
from dynamic_providers.postgres.urls import database_url
from sandbox.postgres import HOST, Binaries, PostgresServer
from tests.dynamic_providers.postgres.place import ADMIN, ADMIN_PASSWORD, DATABASE, Made, Place, configured_provider

OWN_DATABASE = "tenant_gamma"


@dataclass(frozen=True)
class Cluster:
    """A server with tenants acme and beta in database `main`, gamma in `tenant_gamma`, and a platform's database."""

    place: Place
    tenants: dict[str, Made] = field(default_factory=dict)

    @classmethod
    def on(cls, server: PostgresServer) -> "Cluster":
        """Make it all on a running server, as an admin who is no superuser."""
        server.create_admin(ADMIN, ADMIN_PASSWORD)
        for name in (DATABASE, OWN_DATABASE):
            server.create_database(name, ADMIN)
        server.create_database("platform")
        cluster = cls(Place(server, server.port or 0, configured_provider(), server.superuser_dsn))
        with cluster.superuser() as session:
            session.execute("REVOKE CONNECT ON DATABASE platform FROM PUBLIC")
        for name in ("acme", "beta"):
            cluster.tenants[name] = cluster.place.create(name)
        names = {"login": f"{OWN_DATABASE}_user", "owner": f"{OWN_DATABASE}_owner"}
        cluster.tenants["gamma"] = cluster.place.create("gamma", database=OWN_DATABASE, schema_name="public", **names)
        return cluster

    @property
    def platform(self) -> str:
        """The URL of the platform's database."""
        return psycopg.conninfo.make_conninfo(self.place.superuser_dsn, dbname="platform", sslmode="disable")

    def superuser(self, database: str = DATABASE) -> psycopg.Connection:
        """A session of the superuser."""
        return self.place.superuser(database)

    @contextmanager
    def changed(self, do: str, undo: str, database: str = DATABASE) -> Iterator[None]:
        """What somebody with a superuser's session may have done."""
        with self.superuser(database) as session:
            session.execute(do.encode())
        try:
            yield
        finally:
            with self.superuser(database) as session:
                session.execute(undo.encode())

    def outputs(self, name: str, port: int = 0, **changes: object) -> DatabaseOutput:
        """The `database` part of a tenant's outputs."""
        made, port = self.tenants[name].outs, port or self.place.port
        password = changes.get("password", made["password"])
        where = {"login": made["login"], "host": HOST, "port": port, "database": made["database"]}
        schema = made["schema_name"]
        url = database_url(**where, password=str(password), schema=schema, sslmode="disable")
        found = DatabaseOutput(
            **where,
            plan="timeweb-free",
            provider="timeweb",
            mode="shared",
            region="ru-1",
            cluster="shared-free-1",
            cluster_id="1",
            schema_name=schema,
            connection_limit=3,
            backups=BackupOutput(interval="none", copies=0, note=""),
            status="active",
            branch="main",
            features=FeaturesOutput(real_time=True, branches=True, api_generation=True),
            sslmode="disable",
            monthly_cost=None,
            password=made["password"],
            database_url=url,
            direct_url=url,
        )
        return found.model_copy(update=changes)

    def fleet(self, **changed: DatabaseOutput) -> dict[str, TenantOutputs]:
        """All tenants, some of them with other outputs."""
        return {name: tenant(changed.get(name) or self.outputs(name)) for name in self.tenants}


def tenant(database: DatabaseOutput | None, state: str = "active", **parts: object) -> TenantOutputs:
    """A tenant's outputs."""
    return TenantOutputs.model_validate({"name": "a tenant", "state": state, "cell": 1, "database": database, **parts})


@contextmanager
def running(folder: Path, build: str) -> Iterator[Cluster]:
    """The cluster on a server of this build, for as long as the block lasts."""
    server = PostgresServer(folder, Binaries.find(build), durable=False)
    server.start()
    try:
        yield Cluster.on(server)
    finally:
        server.stop()
