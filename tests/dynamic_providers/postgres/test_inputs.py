"""What a program may ask of a tenant's place in a database, and what a resource hands to the engine."""

import pickle

import pytest

from dynamic_providers.postgres.connection import Address
from dynamic_providers.postgres.inputs import LAYOUT, TenantSchemaInputs
from dynamic_providers.postgres.tenant_schema import TenantSchemaProvider
from tests.dynamic_providers.postgres.place import ADMIN_SECRET, configured_provider

ASKED = {
    "host": "db.example",
    "port": 5432,
    "database": "main",
    "admin_login": "admin",
    "cluster_mark": "tenantry:prod:shared-free-1-cluster-1",
    "schema_name": "c_acme",
    "owner": "c_acme_owner",
    "login": "c_acme",
    "connection_limit": 1,
    "statement_timeout_ms": 30000,
    "extensions": [],
    "blocked": False,
    "mark": "tenantry:prod:acme-schema-1",
}


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("host", ""),
        ("login", ""),
        ("owner", "x" * 64),
        ("schema_name", "a\0b"),
        ("connection_limit", -2),
        ("mark", "x"),
    ],
)
def test_what_postgresql_could_not_take_fails_the_check_by_its_field(field: str, value: object) -> None:
    failures = TenantSchemaProvider().check({}, ASKED | {field: value}).failures or []
    assert [failure.property for failure in failures] == [field]


def test_how_a_server_is_reached_makes_no_difference_and_a_state_without_the_newer_fields_is_read() -> None:
    """Facts 3.1, trap 12: an edit of a cluster shows no tenant on it as changed."""
    provider = TenantSchemaProvider()
    olds = ASKED | {"layout": LAYOUT}
    moved = {"host": "other", "port": 1, "access": "digitalocean", "server_id": "9cc10173", "cluster_mark": "x"}
    assert provider.diff("c_acme", olds, olds | moved).changes is False
    assert provider.check({}, olds).failures == []
    assert TenantSchemaInputs.of(olds).access == "derived"


def test_what_the_engine_stores_of_a_provider_is_a_reference_and_holds_no_secret() -> None:
    """H3, facts 3.1: trap 3."""
    assert len(pickle.dumps(TenantSchemaProvider())) < 120
    assert TenantSchemaProvider.serialize_as_secret_always is False
    assert ADMIN_SECRET not in repr(configured_provider().configuration)


def test_an_address_does_not_show_its_password() -> None:
    address = Address("db.example", 5432, "main", "admin", "sentinel", "require")
    assert "sentinel" not in f"{address!r} {address}"
    assert str(address) == "database main on db.example:5432"
