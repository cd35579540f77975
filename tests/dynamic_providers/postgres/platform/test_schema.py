"""The schema: every column, default, check, index and policy, made once by whoever comes first."""

import threading
from itertools import product
from pathlib import Path

import psycopg
import pytest
from psycopg import errors

from dynamic_providers.errors import ProviderError
from dynamic_providers.postgres.connection import transact
from dynamic_providers.postgres.platform import schema
from dynamic_providers.postgres.platform.address import platform_address
from tests.dynamic_providers.postgres.place import ADMIN, ADMIN_PASSWORD, Place
from tests.dynamic_providers.postgres.platform.database import LIMITS, NAME, Platform

# Table → its columns, and what a row of nothing but the required values has in the others.
COLUMNS = {
    "platform_tenants": (
        *("id", "name", "connection_string", "plan_type", "user_id", "organization_id", "status", "limits"),
        *("subscription_id", "billing_email", "created_at", "updated_at"),
    ),
    "tenant_permissions": ("id", "tenant_id", "user_id", "role", "granted_by", "created_at"),
    "tenant_usage": (
        *("id", "tenant_id", "date", "api_requests", "query_executions", "storage_used_mb", "bandwidth_used_mb"),
        "created_at",
    ),
}
INDEXES = {
    "idx_platform_tenants_user_id": "platform_tenants USING btree (user_id)",
    "idx_tenant_permissions_tenant_id": "tenant_permissions USING btree (tenant_id)",
    "idx_tenant_permissions_user_id": "tenant_permissions USING btree (user_id)",
    "idx_tenant_usage_tenant_date": "tenant_usage USING btree (tenant_id, date)",
}
TENANT = "INSERT INTO platform_tenants (id, name, connection_string{more}) VALUES ('acme', 'Acme', {reference}{values})"


def tenant(reference: str = "'pulumi:prod/acme'", **columns: str) -> str:
    """A statement that inserts a tenant with these further columns, written as SQL."""
    more, values = ("".join(f", {part}" for part in parts) for parts in (columns, columns.values()))
    return TENANT.format(more=more, reference=reference, values=values)


@pytest.fixture
def made(platform: Platform) -> Platform:
    transact(platform.address, schema.ensure, LIMITS)
    return platform


def test_b43_b46_b47_every_column_is_there_and_no_other(made: Platform) -> None:
    found = made.rows(
        "SELECT table_name::text, array_agg(column_name::text ORDER BY ordinal_position)"
        " FROM information_schema.columns WHERE table_schema = 'public'"
        " AND table_name <> 'schema_migrations' GROUP BY 1"
    )
    assert {name: tuple(columns) for name, columns in found} == COLUMNS


def test_b44_to_b47_what_is_not_said_has_its_default(made: Platform) -> None:
    made.run(tenant())
    assert made.rows("SELECT plan_type, status, limits FROM platform_tenants") == [
        ("free", "active", {"max_databases": 1, "max_storage_mb": 100, "max_requests_per_day": 10000})
    ]
    made.run("INSERT INTO tenant_permissions (tenant_id, user_id) VALUES ('acme', 'ann')")
    assert made.rows("SELECT role, id IS NOT NULL, created_at IS NOT NULL FROM tenant_permissions") == [
        ("developer", True, True)
    ]
    made.run("INSERT INTO tenant_usage (tenant_id, date) VALUES ('acme', '2026-11-24')")
    assert made.rows("SELECT api_requests, query_executions, storage_used_mb, bandwidth_used_mb FROM tenant_usage") == [
        (0, 0, 0, 0)
    ]


def test_b44_each_plan_type_and_each_status_is_taken(made: Platform) -> None:
    made.run(tenant())
    for plan, status in product(("free", "pro", "team", "enterprise"), ("creating", "active", "suspended", "deleted")):
        made.run("UPDATE platform_tenants SET plan_type = %s, status = %s", plan, status)
        assert made.rows("SELECT plan_type, status FROM platform_tenants") == [(plan, status)]


REFUSED = (
    tenant(plan_type="'gold'"),
    tenant(status="'gone'"),
    tenant(limits="'[]'"),
    "INSERT INTO tenant_permissions (tenant_id, user_id, role) VALUES ('zeta', 'ann', 'root')",
    "INSERT INTO tenant_usage (tenant_id, date, api_requests) VALUES ('zeta', '2026-11-24', -1)",
)


def test_b44_b46_any_other_word_is_refused(made: Platform) -> None:
    made.keep("zeta")
    for statement in REFUSED:
        with pytest.raises(errors.CheckViolation):
            made.run(statement)


NO_REFERENCES = (
    "postgresql://c_acme:a-password@db.example:5432/main",
    "pulumi:prod/acme?password=a-password",
    "pulumi:prod/zeta",
    "pulumi:/acme",
    "\npulumi:prod/acme",
    "pulumi:prod/acme\npostgresql://c_acme:a-password@db.example/main",
    "v1:6Hk2nq0yQx8=",
    "",
)


def test_g25_a_connection_string_is_a_reference_to_this_tenant_or_it_is_refused(made: Platform) -> None:
    for text in NO_REFERENCES:
        with pytest.raises(errors.CheckViolation):
            made.run("INSERT INTO platform_tenants (id, name, connection_string) VALUES ('acme', 'Acme', %s)", text)


def test_b46_b47_a_user_has_one_role_and_a_day_one_row(made: Platform) -> None:
    made.keep()
    made.run("INSERT INTO tenant_usage (tenant_id, date) VALUES ('acme', '2026-11-24')")
    for statement in (
        "INSERT INTO tenant_permissions (tenant_id, user_id) VALUES ('acme', 'ann@acme.example')",
        "INSERT INTO tenant_usage (tenant_id, date) VALUES ('acme', '2026-11-24')",
    ):
        with pytest.raises(errors.UniqueViolation):
            made.run(statement)


def test_b50_the_indexes_have_their_names_and_columns(made: Platform) -> None:
    found = dict(made.rows("SELECT indexname, indexdef FROM pg_indexes WHERE schemaname = 'public'"))
    assert {name: found[name].partition(" ON public.")[2] for name in INDEXES} == INDEXES


def test_b48_b49_every_table_forces_row_level_security_and_has_the_policies(made: Platform) -> None:
    secured = made.rows("SELECT relname FROM pg_class WHERE relrowsecurity AND relforcerowsecurity ORDER BY relname")
    assert [name for (name,) in secured] == sorted(COLUMNS)
    policies = made.rows("SELECT tablename, cmd, policyname FROM pg_policies WHERE cmd <> 'ALL' ORDER BY 1, 2")
    assert policies == [
        ("platform_tenants", "INSERT", "Users can create tenants"),
        ("platform_tenants", "SELECT", "Users can view their own tenants"),
        ("platform_tenants", "UPDATE", "Owners can update their tenants"),
        ("tenant_permissions", "SELECT", "Users can view their own permissions"),
        ("tenant_usage", "SELECT", "Users can view the usage of their tenants"),
    ]


def test_a_schema_that_is_there_is_left_alone_and_the_ledger_says_what_was_run(made: Platform) -> None:
    made.keep()
    before = made.rows("SELECT version, name, applied_at FROM schema_migrations")
    assert [(version, name) for version, name, _ in before] == [(1, "0001_records")]
    transact(made.address, schema.ensure, LIMITS)
    assert made.rows("SELECT version, name, applied_at FROM schema_migrations") == before
    assert made.rows("SELECT id FROM platform_tenants") == [("acme",)]


def test_many_who_come_first_at_once_make_one_schema(platform: Platform) -> None:
    together, failures = threading.Barrier(8), []

    def come() -> None:
        together.wait()
        try:
            transact(platform.address, schema.ensure, LIMITS)
        except ProviderError as error:
            failures.append(error)

    threads = [threading.Thread(target=come) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert platform.rows("SELECT version FROM schema_migrations") == [(1,)]


def test_what_fails_on_the_way_leaves_nothing_half_made(platform: Platform) -> None:
    def fail(connection: psycopg.Connection) -> None:
        schema.ensure(connection)
        connection.execute("SELECT 1 / 0")

    with pytest.raises(ProviderError):
        transact(platform.address, fail, LIMITS)
    assert platform.rows("SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace") == []
    platform.keep()
    assert platform.rows("SELECT id FROM platform_tenants") == [("acme",)]


def test_a_login_of_the_same_server_does_not_reach_the_platform_database(made: Platform, cluster: Place) -> None:
    cluster.server.create_admin("c_stranger", "a-password", privileges=())
    try:
        with pytest.raises(psycopg.OperationalError, match="permission denied for database"):
            psycopg.connect(made.url.replace(f"{ADMIN}:{ADMIN_PASSWORD}", "c_stranger:a-password"))
    finally:
        cluster.server.drop_admin("c_stranger")


@pytest.mark.parametrize(
    "text",
    [
        "mysql://admin:a-sentinel@db.example/main",
        "postgresql://admin:a-sentinel@/main",
        "postgresql://db.example/main?password=a-sentinel",
        "postgresql://admin:a-sentinel@db.example",
        "host=db.example password='a-sentinel",
        "postgresql://admin:a-sentinel@db.example:port/main",
    ],
)
def test_an_address_that_is_none_is_a_sentence_that_tells_nothing_of_it(text: str) -> None:
    with pytest.raises(ProviderError, match="platform:databaseUrl is no address of a database") as raised:
        platform_address(text)
    assert "sentinel" not in str(raised.value)
    assert raised.value.__cause__ is None


def test_an_address_asks_for_tls_unless_it_says_otherwise() -> None:
    address = platform_address(f"postgresql://{ADMIN}:a-sentinel@db.example/{NAME}")
    assert (address.host, address.port, address.database, address.sslmode) == ("db.example", 5432, NAME, "require")
    assert "sentinel" not in repr(address)


def test_an_address_names_the_authority_by_its_file(tmp_path: Path) -> None:
    text = f"postgresql://{ADMIN}:a-sentinel@db.example/{NAME}?sslmode=verify-full&sslrootcert={tmp_path}/ca.pem"
    with pytest.raises(ProviderError, match="sslrootcert cannot be read: No such file") as raised:
        platform_address(text)
    assert "sentinel" not in str(raised.value)
    (tmp_path / "ca.pem").write_text("an authority")
    assert (platform_address(text).sslmode, platform_address(text).ca) == ("verify-full", "an authority")
