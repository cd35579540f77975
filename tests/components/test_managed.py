"""Tenants on DigitalOcean's managed clusters: what the program declares of them, and what they are told."""

from collections.abc import Iterator

import pytest

from components.digitalocean import DROPLETS, RETRIES
from components.settings import SettingsError
from tests.components.program import SENTINEL, Program
from tests.components.recorder import Declaration, Declared, Secret

MANAGED = "database: {plan: managed-pro}"
FREE = "database: {plan: timeweb-free}"
INSIDE = {"acme-own-database-1", "acme-schema-1", "acme-setup-1"}
CLUSTER = {f"shared-managed-pro-1-{part}-1" for part in ("cluster", "firewall", "pool")}


@pytest.fixture
def managed(program: Program) -> Program:
    """A stack that may make managed clusters."""
    program.config |= {
        "digitalocean:token": f"{SENTINEL}digitalocean",
        "digitalocean:trustedSources": "203.0.113.7, tag:web,198.51.100.0/24",
    }
    return program


def test_tenants_share_a_cluster_and_have_a_database_and_roles_each(managed: Program) -> None:
    """B30: cluster, firewall and pool by the native plugin, what is inside by our own provider."""
    declared = managed.declare({"acme": MANAGED, "beta": MANAGED})
    beta = {name.replace("acme", "beta") for name in INSIDE}
    assert declared.names == CLUSTER | INSIDE | beta
    cluster = declared["shared-managed-pro-1-cluster-1"].inputs
    assert cluster == {
        "name": "prod-shared-managed-pro-1",
        "engine": "pg",
        "version": "15",
        "size": "db-s-1vcpu-2gb",
        "region": "nyc3",
        "nodeCount": 1,
        "tags": ["tenantry:prod:shared-managed-pro-1-cluster-1"],
    }
    schema, database = declared["acme-schema-1"].inputs, declared["acme-own-database-1"].inputs
    assert (database["name"], database["database"], schema["database"]) == ("tenant_acme", "defaultdb", "tenant_acme")
    assert [schema[key] for key in ("login", "owner", "schema_name")] == [
        "tenant_acme_user",
        "tenant_acme_owner",
        "public",
    ]
    assert schema["connection_limit"] == 5
    for inside in (schema, database, declared["acme-setup-1"].inputs):
        assert (inside["access"], inside["server_id"]) == ("digitalocean", "id-of-shared-managed-pro-1-cluster-1")


def test_the_firewall_names_who_may_connect_and_the_pool_takes_nobody_s_connections(managed: Program) -> None:
    """B31: at most twenty, and out of the connections that are kept for us."""
    declared = managed.declare({"acme": MANAGED})
    assert declared["shared-managed-pro-1-firewall-1"].inputs["rules"] == [
        {"type": "ip_addr", "value": "198.51.100.0/24"},
        {"type": "ip_addr", "value": "203.0.113.7"},
        {"type": "tag", "value": "web"},
    ]
    pool = declared["shared-managed-pro-1-pool-1"].inputs
    assert (pool["user"], pool["dbName"], pool["mode"], pool["size"]) == ("doadmin", "defaultdb", "transaction", 7)


def test_what_is_inside_waits_for_the_firewall_and_is_gone_with_the_cluster(managed: Program) -> None:
    declared = managed.declare({"acme": MANAGED})
    cluster, database = "shared-managed-pro-1-cluster-1", declared["acme-own-database-1"]
    assert database.needs == {cluster, "shared-managed-pro-1-firewall-1"}
    assert "acme-own-database-1" in declared["acme-schema-1"].needs
    inside = (CLUSTER - {cluster}) | INSIDE
    assert {declared[name].deleted_with for name in inside} == {cluster}


def test_the_outputs_tell_the_tenant_how_the_server_proves_itself(managed: Program) -> None:
    """B32, B33, G24: verify-full, and the authority beside it; the password is a secret of its own."""
    database = managed.declare({"acme": MANAGED}).tenants["acme"]["database"]
    told = {name: database[name] for name in ("host", "port", "sslmode", "ca", "database", "login", "branch", "status")}
    assert told == {
        "host": "managed.example",
        "port": 25060,
        "sslmode": "verify-full",
        "ca": "PEM of the cluster",
        "database": "tenant_acme",
        "login": "tenant_acme_user",
        "branch": "main",
        "status": "active",
    }
    url = database["databaseUrl"]
    assert isinstance(url, Secret)
    assert url.value.startswith(f"postgresql://tenant_acme_user:{SENTINEL}password@managed.example:25060/tenant_acme?")
    assert "sslmode=verify-full" in url.value
    assert (database["backups"]["copies"], "every day" in database["backups"]["note"]) == (0, True)


@pytest.mark.parametrize("state", ["active", "suspended", "terminated"])
def test_what_holds_data_is_protected_until_its_tenant_is_terminated(managed: Program, state: str) -> None:
    """G26, design 4.3: the shared cluster too, while a tenant on it is."""
    declared = managed.declare({"acme": f"{MANAGED}, state: {state}"})
    protected = {resource.name for resource in declared.made if resource.protect}
    # What is set up, and the pool, hold nothing that a run would not make again.
    passing = {"acme-setup-1", "shared-managed-pro-1-pool-1"}
    assert protected == (set() if state == "terminated" else declared.names - passing)
    assert declared["acme-schema-1"].inputs["blocked"] is (state != "active")


def test_a_cluster_without_tenants_stays_unprotected_until_it_is_dropped(managed: Program) -> None:
    managed.declare({"acme": MANAGED})
    managed.write({"acme": f"{MANAGED}, state: terminated, removed: {{on: 2026-11-20, backup: b-17}}"})
    declared = managed.run()
    assert declared.names == CLUSTER
    assert not any(resource.protect for resource in declared.made)


def test_clusters_have_a_provider_of_their_own_which_repeats_what_failed(
    managed: Program,
) -> None:
    """Facts 6: droplets are made without the plugin's own retries, which would double one in silence."""
    declared = managed.declare({"acme": MANAGED, "beta": FREE})
    (provider,) = _providers(declared)
    assert provider.name == "digitalocean-databases"
    assert "httpRetryMax" not in provider.inputs
    assert provider.inputs["token"] == Secret(f"{SENTINEL}digitalocean")
    assert {declared[name].provider for name in CLUSTER} == {"digitalocean-databases"}
    assert RETRIES[DROPLETS] == 0


def test_a_fleet_without_managed_tenants_has_no_provider_of_digitalocean(managed: Program) -> None:
    assert list(_providers(managed.declare({"beta": FREE}))) == []


@pytest.mark.parametrize(
    ("sources", "sentence"),
    [
        ("", "a cluster that names nobody is open to everybody"),
        ("0.0.0.0/0", "'0.0.0.0/0' is everybody"),
        ("2001:db8::1", "'2001:db8::1' is no IPv4 address"),
        ("office", "'office' is no IPv4 address or network, and none of tag, droplet, k8s, app"),
    ],
)
def test_a_cluster_is_never_open_to_everybody(managed: Program, sources: str, sentence: str) -> None:
    managed.config["digitalocean:trustedSources"] = sources
    with pytest.raises(SettingsError, match=sentence.replace("(", r"\(")):
        managed.declare({"acme": MANAGED})


def test_the_token_is_needed_only_where_a_tenant_is_on_a_managed_cluster(managed: Program) -> None:
    del managed.config["digitalocean:token"]
    managed.declare({"beta": FREE})
    with pytest.raises(SettingsError, match=r"digitalocean:token \(or DIGITALOCEAN_TOKEN\)"):
        managed.declare({"beta": FREE, "acme": MANAGED})


def _providers(declared: Declaration) -> Iterator[Declared]:
    return (each for each in declared.resources if each.type == "pulumi:providers:digitalocean")
