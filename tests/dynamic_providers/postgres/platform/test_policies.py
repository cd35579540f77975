"""Row level security: a user sees and changes what is its own or permitted, and nothing else."""

import pytest
from psycopg import errors

from tests.dynamic_providers.postgres.platform.database import Platform

ANN, BOB, EVE = "ann", "bob", "eve"


@pytest.fixture
def fleet(platform: Platform) -> Platform:
    """Ann owns acme, where bob is a viewer; bob owns zeta; eve has nothing; iota is nobody's."""
    platform.keep("acme", user_id=ANN, permissions={ANN: "owner", BOB: "viewer"}, granted_by=ANN)
    platform.keep("zeta", user_id=BOB, permissions={BOB: "owner"}, granted_by=BOB)
    platform.keep("iota", user_id=None, permissions={}, granted_by=None)
    for name in ("acme", "zeta", "iota"):
        platform.run("INSERT INTO tenant_usage (tenant_id, date) VALUES (%s, '2026-11-24')", name)
    return platform


TENANTS = "SELECT id FROM platform_tenants ORDER BY id"
USAGE = "SELECT tenant_id FROM tenant_usage ORDER BY tenant_id"
PERMISSIONS = "SELECT tenant_id FROM tenant_permissions ORDER BY tenant_id"


def seen(platform: Platform, user: str, query: str) -> list[str]:
    with platform.as_user(user) as connection:
        return [value for (value,) in connection.execute(query.encode())]


@pytest.mark.parametrize(
    ("user", "tenants", "permissions"),
    [(ANN, ["acme"], ["acme"]), (BOB, ["acme", "zeta"], ["acme", "zeta"]), (EVE, [], []), ("", [], [])],
)
def test_b49_users_view_their_own_tenants_and_those_they_are_permitted(
    fleet: Platform, user: str, tenants: list[str], permissions: list[str]
) -> None:
    assert seen(fleet, user, TENANTS) == tenants
    assert seen(fleet, user, USAGE) == tenants
    assert seen(fleet, user, PERMISSIONS) == permissions


def test_b48_a_session_that_names_no_user_sees_nothing(fleet: Platform) -> None:
    with fleet.as_user(ANN) as connection:
        connection.execute("RESET app.user_id")
        assert connection.execute("SELECT auth.uid()").fetchone() == (None,)
        assert connection.execute("SELECT id FROM platform_tenants").fetchall() == []


def test_b49_users_create_tenants_of_their_own_and_of_nobody_else(fleet: Platform) -> None:
    insert = "INSERT INTO platform_tenants (id, name, connection_string, user_id) VALUES (%s, 'New', %s, %s)"
    with fleet.as_user(EVE) as connection:
        connection.execute(insert, ["nova", "pulumi:prod/nova", EVE])
    assert seen(fleet, EVE, TENANTS) == ["nova"]
    with pytest.raises(errors.InsufficientPrivilege), fleet.as_user(EVE) as connection:
        connection.execute(insert, ["nimbus", "pulumi:prod/nimbus", ANN])
    assert fleet.rows("SELECT id FROM platform_tenants WHERE id = 'nimbus'") == []


@pytest.mark.parametrize(("user", "changed"), [(ANN, 1), (BOB, 0), (EVE, 0)])
def test_b49_owners_update_their_tenants_and_viewers_do_not(fleet: Platform, user: str, changed: int) -> None:
    with fleet.as_user(user) as connection:
        assert connection.execute("UPDATE platform_tenants SET name = 'Anew' WHERE id = 'acme'").rowcount == changed
    assert fleet.rows("SELECT name = 'Anew' FROM platform_tenants WHERE id = 'acme'") == [(bool(changed),)]


def test_b49_whoever_is_permitted_as_owner_updates_too(fleet: Platform) -> None:
    fleet.keep("acme", user_id=ANN, permissions={ANN: "owner", EVE: "owner"}, granted_by=ANN)
    with fleet.as_user(EVE) as connection:
        assert connection.execute("UPDATE platform_tenants SET name = 'Anew' WHERE id = 'acme'").rowcount == 1


FORBIDDEN = (
    "UPDATE platform_tenants SET limits = '{\"max_requests_per_day\": 1000000}' WHERE id = 'acme'",
    "UPDATE platform_tenants SET status = 'active' WHERE id = 'acme'",
    "UPDATE platform_tenants SET user_id = 'eve' WHERE id = 'acme'",
    "UPDATE platform_tenants SET plan_type = 'enterprise' WHERE id = 'acme'",
    "DELETE FROM platform_tenants WHERE id = 'acme'",
    "INSERT INTO tenant_permissions (tenant_id, user_id, role) VALUES ('zeta', 'ann', 'owner')",
    "UPDATE tenant_permissions SET role = 'owner'",
    "UPDATE tenant_usage SET api_requests = 0",
    "DELETE FROM tenant_usage",
    "UPDATE schema_migrations SET version = 0",
)


def test_nobody_raises_a_limit_takes_a_role_or_forgets_usage_by_owning_a_tenant(fleet: Platform) -> None:
    for statement in FORBIDDEN:
        with pytest.raises(errors.InsufficientPrivilege), fleet.as_user(ANN) as connection:
            connection.execute(statement.encode())


def test_the_owner_of_the_database_keeps_every_record_although_security_is_forced(fleet: Platform) -> None:
    assert fleet.rows("SELECT rolsuper OR rolbypassrls FROM pg_roles WHERE rolname = current_user") == [(False,)]
    assert fleet.rows("SELECT count(*) FROM platform_tenants") == [(3,)]
