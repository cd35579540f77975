"""A tenant's record as a resource: made, kept as wanted, read field by field, and left as `deleted`."""

from typing import Any

import pytest

from dynamic_providers.errors import AmbiguousMarkError, ProviderError
from dynamic_providers.postgres.platform.marked import PLATFORM_TENANT, PlatformLister
from tests.dynamic_providers.postgres.platform.database import ACME, LIMITS, Platform

OWNER = ACME["user_id"]
PERMISSIONS = "SELECT user_id, role, granted_by FROM tenant_permissions WHERE tenant_id = 'acme' ORDER BY user_id"


def props(platform: Platform, **changes: object) -> dict[str, Any]:
    """Checked properties, as the engine hands them over: numbers are floats."""
    asked = {**ACME, "limits": {"max_databases": 1.0, "max_storage_mb": 100.0, "max_requests_per_day": 5.0}, **changes}
    checked = platform.provider().check({}, {name: value for name, value in asked.items() if value is not None})
    assert checked.failures == []
    return checked.inputs


def test_b43_b46_the_first_record_brings_the_schema_along_and_names_who_may_do_what(platform: Platform) -> None:
    made = platform.provider().create(props(platform))
    assert made.id == "acme"
    assert platform.rows(
        "SELECT id, name, connection_string, plan_type, user_id, organization_id, status, limits, billing_email"
        " FROM platform_tenants"
    ) == [
        (
            *("acme", "Acme GmbH", "pulumi:prod/acme", "pro", OWNER, "acme-group", "active"),
            {"max_databases": 1, "max_storage_mb": 100, "max_requests_per_day": 5},
            "ops@acme.example",
        )
    ]
    assert platform.rows(PERMISSIONS) == [(user, role, OWNER) for user, role in sorted(ACME["permissions"].items())]


def test_a_second_create_after_a_lost_answer_finds_the_record(platform: Platform) -> None:
    first = platform.provider().create(props(platform))
    (before,) = platform.rows("SELECT created_at FROM platform_tenants")
    again = platform.provider().create(props(platform))
    assert (again.id, again.outs) == (first.id, first.outs)
    assert platform.rows("SELECT created_at FROM platform_tenants") == [before]
    assert len(platform.rows(PERMISSIONS)) == 4


def test_nothing_that_opens_a_database_is_kept_of_the_record(platform: Platform) -> None:
    """G25: neither inputs nor outputs know where the platform database is, or the tenant's."""
    made = platform.provider().create(props(platform))
    assert "postgresql://" not in repr(made.outs)
    assert platform.url not in repr(platform.provider().configuration)


def test_an_update_changes_roles_takes_them_away_and_leaves_the_usage(platform: Platform) -> None:
    provider = platform.provider()
    made = provider.create(props(platform))
    platform.run("INSERT INTO tenant_usage (tenant_id, date, api_requests) VALUES ('acme', '2026-11-24', 7)")
    fewer = {OWNER: "owner", "ann@acme.example": "viewer"}
    news = props(platform, permissions=fewer, status="suspended", billing_email=None)
    assert provider.diff("acme", made.outs or {}, news).changes
    provider.update("acme", made.outs or {}, news)
    assert platform.rows("SELECT status, billing_email FROM platform_tenants") == [("suspended", None)]
    assert platform.rows(PERMISSIONS) == [(user, role, OWNER) for user, role in sorted(fewer.items())]
    assert platform.rows("SELECT api_requests FROM tenant_usage") == [(7,)]


DRIFTS: dict[str, tuple[str, object]] = {
    "name": ("UPDATE platform_tenants SET name = 'Other'", "Other"),
    "plan_type": ("UPDATE platform_tenants SET plan_type = 'team'", "team"),
    "user_id": ("UPDATE platform_tenants SET user_id = 'eve'", "eve"),
    "organization_id": ("UPDATE platform_tenants SET organization_id = NULL", None),
    "status": ("UPDATE platform_tenants SET status = 'suspended'", "suspended"),
    "limits": ("UPDATE platform_tenants SET limits = '{\"max_databases\": 9}'", {"max_databases": 9}),
    "billing_email": ("UPDATE platform_tenants SET billing_email = 'eve@acme.example'", "eve@acme.example"),
    "permissions": ("DELETE FROM tenant_permissions WHERE role <> 'owner'", {OWNER: "owner"}),
    "granted_by": ("UPDATE tenant_permissions SET granted_by = 'eve'", "eve"),
}


@pytest.mark.parametrize("field", DRIFTS)
def test_a_refresh_sees_each_field_that_others_have_changed_and_an_update_puts_it_back(
    platform: Platform, field: str
) -> None:
    provider, want = platform.provider(), props(platform)
    made = provider.create(want)
    same = provider.read("acme", made.outs or {})
    assert not provider.diff("acme", same.outs or {}, want).changes
    statement, seen = DRIFTS[field]
    platform.run(statement)
    found = provider.read("acme", made.outs or {})
    assert (found.inputs or {}).get(field) == seen
    assert provider.changed_fields(found.outs or {}, want) == {field}
    provider.update("acme", found.outs or {}, want)
    mended = provider.read("acme", found.outs or {})
    assert not provider.diff("acme", mended.outs or {}, want).changes


@pytest.mark.parametrize("loss", ["DELETE FROM platform_tenants", "DROP TABLE platform_tenants CASCADE"])
def test_a_record_that_is_not_there_is_gone(platform: Platform, loss: str) -> None:
    made = platform.provider().create(props(platform))
    platform.run("DELETE FROM tenant_permissions")
    platform.run(loss)
    assert platform.provider().read("acme", made.outs or {}).id is None


def test_a_database_that_does_not_answer_says_nothing_of_the_record(platform: Platform) -> None:
    made = platform.provider().create(props(platform))
    away = platform.provider(
        **{"platform:databaseUrl": "postgresql://a:b@127.0.0.1:1/none", "timeweb:retrySeconds": 0.2}
    )
    found = away.read("acme", made.outs or {})
    assert found.id == "acme"
    assert not away.diff("acme", found.outs or {}, props(platform)).changes


def test_b23_a_deleted_tenant_stays_as_deleted_without_permissions_and_with_its_usage(platform: Platform) -> None:
    provider = platform.provider()
    made = provider.create(props(platform))
    platform.run("INSERT INTO tenant_usage (tenant_id, date, api_requests) VALUES ('acme', '2026-11-24', 7)")
    for _ in range(2):
        provider.delete("acme", made.outs or {})
        assert platform.rows("SELECT id, status, connection_string FROM platform_tenants") == [
            ("acme", "deleted", "pulumi:prod/acme")
        ]
        assert platform.rows(PERMISSIONS) == []
        assert platform.rows("SELECT api_requests FROM tenant_usage") == [(7,)]


def test_deleting_where_no_schema_ever_was_is_done_at_once(platform: Platform) -> None:
    platform.provider().delete("acme", props(platform))
    assert platform.rows("SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace") == []


def test_a_tenant_that_comes_back_has_its_old_record(platform: Platform) -> None:
    provider = platform.provider()
    made = provider.create(props(platform))
    provider.delete("acme", made.outs or {})
    provider.create(props(platform))
    assert platform.rows("SELECT status FROM platform_tenants") == [("active",)]
    assert len(platform.rows(PERMISSIONS)) == 4


def test_another_stacks_record_is_neither_taken_over_nor_ended(platform: Platform) -> None:
    platform.provider().create(props(platform))
    other = props(platform, reference="pulumi:test/acme", name="Impostor")
    with pytest.raises(AmbiguousMarkError, match="belongs to pulumi:prod/acme and not to pulumi:test/acme"):
        platform.provider().create(other)
    platform.provider().delete("acme", other)
    assert platform.rows("SELECT name, status FROM platform_tenants") == [("Acme GmbH", "active")]
    assert len(platform.rows(PERMISSIONS)) == 4


def test_without_the_setting_nothing_is_recorded_and_what_was_stays(platform: Platform) -> None:
    made = platform.provider().create(props(platform))
    without = platform.provider(**{"platform:databaseUrl": ""})
    with pytest.raises(ProviderError, match="platform:databaseUrl is not set"):
        without.create(props(platform))
    without.delete("acme", made.outs or {})
    assert platform.rows("SELECT status FROM platform_tenants") == [("active",)]


@pytest.mark.parametrize(
    ("field", "value"),
    [("plan_type", "gold"), ("reference", "postgresql://c_acme:word@db.example/main"), ("permissions", {"a": "root"})],
)
def test_what_the_tables_would_refuse_is_refused_before_anything_is_sent(
    platform: Platform, field: str, value: object
) -> None:
    failures = platform.provider().check({}, {**ACME, field: value}).failures
    assert [failure.property.partition(".")[0] for failure in failures] == [field]


def test_resume_finds_this_stacks_records_and_ends_one_that_nobody_wants(platform: Platform) -> None:
    platform.keep("acme")
    platform.keep("zeta", status="suspended")
    platform.keep("coming", status="creating")
    platform.keep("other", reference="pulumi:test/other")
    lister = PlatformLister(platform.address, "prod", LIMITS)
    found = list(lister.marked())
    assert [(item.type, item.name, item.id, item.holds_data) for item in found] == [
        (PLATFORM_TENANT, "acme-record", "acme", False),
        (PLATFORM_TENANT, "zeta-record", "zeta", False),
    ]
    lister.remove(found[1])
    assert [item.id for item in lister.marked()] == ["acme"]
    assert platform.rows("SELECT status FROM platform_tenants WHERE id = 'zeta'") == [("deleted",)]


def test_a_platform_database_without_a_schema_has_no_records(platform: Platform) -> None:
    assert list(PlatformLister(platform.address, "prod", LIMITS).marked()) == []
