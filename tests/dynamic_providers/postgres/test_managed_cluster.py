"""A tenant on a simulated managed cluster: real PostgreSQL behind TLS, reached as its admin by what the API tells."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest
from pulumi.dynamic import Config, ConfigureRequest

from dynamic_providers.listers import Owner, open_listers
from dynamic_providers.marks import Marked
from dynamic_providers.postgres.authority import authority_file
from dynamic_providers.postgres.marked import PostgresLister
from dynamic_providers.postgres.tenant_database import TenantDatabaseProvider
from dynamic_providers.postgres.tenant_schema import TenantSchemaProvider
from dynamic_providers.postgres.urls import database_url
from sandbox.simulators.digitalocean.serve import RunningDigitalOcean
from tests.dynamic_providers.postgres.place import one
from tests.sandbox.managed_rig import TOKEN, client_of, ordered
from tests.sandbox.test_managed_servers import online, with_servers

Props = dict[str, Any]


@dataclass(frozen=True)
class Managed:
    """A cluster, and the providers as an engine has configured them."""

    cloud: RunningDigitalOcean
    settings: Props
    server: Props

    def database(self) -> TenantDatabaseProvider:
        """A provider of databases, as a process of its own would have it."""
        provider = TenantDatabaseProvider()
        provider.configure(ConfigureRequest(Config(self.settings, "tenantry")))
        return provider

    def schema(self) -> TenantSchemaProvider:
        """The same of schemas."""
        provider = TenantSchemaProvider()
        provider.configure(ConfigureRequest(Config(self.settings, "tenantry")))
        return provider

    def asked_for(self, tenant: str) -> tuple[Props, Props]:
        """What a program asks of a tenant's database, and of what is inside it."""
        database = {**self.server, "name": f"tenant_{tenant}", "mark": f"tenantry:prod:{tenant}-own-database-1"}
        schema = {
            **self.server,
            "database": f"tenant_{tenant}",
            "schema_name": "public",
            "owner": f"tenant_{tenant}_owner",
            "login": f"tenant_{tenant}_user",
            "connection_limit": 3,
            "statement_timeout_ms": 30_000,
            "mark": f"tenantry:prod:{tenant}-schema-1",
        }
        return self.database().check({}, database).inputs, self.schema().check({}, schema).inputs

    def create(self, tenant: str) -> tuple[Props, Props]:
        """Make both; their outputs."""
        database, schema = self.asked_for(tenant)
        return self.database().create(database).outs or {}, self.schema().create(schema).outs or {}

    def lister(self) -> PostgresLister:
        """Who looks into the clusters of the account."""
        (found,) = (
            each for each in open_listers(self.settings, Owner("prod", "prod")) if "TenantSchema" in str(each.types)
        )
        assert isinstance(found, PostgresLister)
        return found


@pytest.fixture(scope="module")
def managed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Managed]:
    folder: Path = tmp_path_factory.mktemp("managed")
    cloud = with_servers(folder)
    mark = "tenantry:prod:shared-managed-pro-1-cluster-1"
    with client_of(cloud) as api:
        path = online(api, ordered(api, tags=[mark]))
        trusted = {"rules": [{"type": "ip_addr", "value": "127.0.0.1"}]}
        api.put(f"{path}/firewall", json=trusted).raise_for_status()
    settings = {
        "digitalocean:token": TOKEN,
        "digitalocean:apiEndpoint": cloud.url,
        "tenantry:rateDir": str(folder / "pace"),
        "timeweb:retrySeconds": 5,
    }
    server = {
        "host": "recorded.example",
        "port": 1,
        "database": "defaultdb",
        "admin_login": "doadmin",
        "cluster_mark": mark,
        "access": "digitalocean",
        "server_id": path.rpartition("/")[2],
    }
    yield Managed(cloud, settings, server)
    cloud.stop()


@pytest.fixture(autouse=True)
def _no_settings_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in ("DIGITALOCEAN_TOKEN", "DIGITALOCEAN_API_URL", "TIMEWEB_CLOUD_TOKEN", "NEON_API_KEY"):
        monkeypatch.delenv(variable, raising=False)


def session(managed: Managed, database: Props, schema: Props, name: str | None = None) -> psycopg.Connection:
    """The tenant's own, by the URL it is given and the authority in its outputs."""
    with client_of(managed.cloud) as api:
        at = _connection(api, managed)
    url = database_url(
        login=schema["login"],
        password=schema["password"],
        host=at["host"],
        port=at["port"],
        database=name or schema["database"],
        schema="public",
        sslmode="verify-full",
    )
    return psycopg.connect(url, sslrootcert=str(authority_file(database["ca"])), autocommit=True)


def _connection(api: httpx.Client, managed: Managed) -> Props:
    found: Props = api.get(f"/v2/databases/{managed.server['server_id']}").json()["database"]["connection"]
    return found


def test_a_tenant_enters_its_own_database_over_verified_tls_and_no_other(managed: Managed) -> None:
    """B30-B32, G24: no superuser made any of it, and the admin's password is in no state."""
    database, schema = managed.create("acme")
    other, _ = managed.create("beta")
    assert len(schema["password"]) == 64
    with session(managed, database, schema) as tenant:
        tenant.execute("CREATE TABLE note AS SELECT 1 AS n")
        assert tenant.pgconn.ssl_in_use
        assert one(tenant, "SELECT current_user, session_user") == ("tenant_acme_owner", "tenant_acme_user")
    for name in (other["name"], "defaultdb"):
        with pytest.raises(psycopg.OperationalError, match="permission denied for database"):
            session(managed, database, schema, name)
    with client_of(managed.cloud) as api:
        password = _connection(api, managed)["password"]
    assert password not in str((database, schema))
    stranger = {"ca": "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n"}
    with pytest.raises(psycopg.OperationalError):
        session(managed, stranger, schema)


def test_a_refresh_finds_nothing_and_a_lost_state_is_found_again(managed: Managed) -> None:
    """F15: adopted by its marks, with a new password."""
    asked = managed.asked_for("gamma")
    made = managed.create("gamma")
    for provider, want, outs in zip((managed.database(), managed.schema()), asked, made, strict=True):
        found = provider.read("x", outs) if "login" in outs else provider.read(outs["name"], outs)
        assert found.inputs == want
        assert not provider.diff("x", found.outs or {}, want).changes
    again = managed.create("gamma")
    assert again[0] == made[0]
    with session(managed, *again) as tenant:
        assert one(tenant, "SELECT current_database()") == ("tenant_gamma",)


def test_what_is_left_on_a_cluster_is_listed_and_removed(managed: Managed) -> None:
    """F15, F36: by the tag on the cluster and the marks inside it."""
    managed.create("delta")

    def left() -> list[Marked]:
        return [each for each in managed.lister().marked() if each.name.startswith("delta-")]

    assert [(each.name, each.id) for each in left()] == [
        ("delta-schema-1", "tenant_delta_user"),
        ("delta-own-database-1", "tenant_delta"),
    ]
    for each in left():
        managed.lister().remove(each)
    assert left() == []


def test_with_its_cluster_gone_a_tenant_is_gone_and_its_schema_is_damage(managed: Managed) -> None:
    """G17: by the vendor's own answer; a delete is then done."""
    database, schema = (
        {**props, "server_id": "9cc10173-e9ea-4176-9dbc-a4cee4c4ff30"} for props in managed.create("eps")
    )
    assert managed.database().read("tenant_eps", database).id is None
    found = managed.schema().read("tenant_eps_user", schema)
    assert "DigitalOcean has no database cluster" in (found.inputs or {})["layout"]
    managed.schema().delete("tenant_eps_user", schema)
    managed.database().delete("tenant_eps", database)
