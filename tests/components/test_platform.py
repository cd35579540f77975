"""What the program records of each tenant where there is a platform database, and that nothing is without one."""

import pytest

from tests.components.program import SENTINEL, Program
from tests.components.recorder import Declared

FREE = "database: {plan: timeweb-free}"
RECORD = "pulumi-python:dynamic/postgres:PlatformTenant"
URL = f"postgresql://platform:{SENTINEL}word@platform.example/platform"
LIMITS = {"max_databases": 1, "max_storage_mb": 100, "max_requests_per_day": 10000}


@pytest.fixture
def recorded(program: Program) -> Program:
    program.config["platform:databaseUrl"] = URL
    return program


def test_b48_without_a_platform_database_nothing_is_recorded(program: Program) -> None:
    declared = program.declare({"acme": f"owner: ops@acme.example, {FREE}"})
    assert [each.name for each in declared.made if each.type == RECORD] == []


def test_b43_b46_a_record_says_who_the_tenant_is_and_who_may_do_what(recorded: Program) -> None:
    owner = "owner: {email: ops@acme.example, user_id: 7b0c}"
    members = "members: {ann@acme.example: admin, eve@acme.example: viewer}"
    declared = recorded.declare({"acme": f"name: Acme GmbH, {owner}, organization: acme-group, {members}, {FREE}"})
    record: Declared = declared["acme-record"]
    assert record.type == RECORD
    assert {name: value for name, value in record.inputs.items() if name != "__provider"} == {
        "tenant": "acme",
        "name": "Acme GmbH",
        "reference": "pulumi:prod/acme",
        "plan_type": "free",
        "user_id": "7b0c",
        "organization_id": "acme-group",
        "status": "active",
        "limits": LIMITS,
        "billing_email": "ops@acme.example",
        "permissions": {"7b0c": "owner", "ann@acme.example": "admin", "eve@acme.example": "viewer"},
        "granted_by": "7b0c",
        "served_by": "timeweb",
    }
    assert not record.protect
    assert "acme-schema-1" in record.needs


def test_b46_an_owner_without_an_id_is_known_by_the_address_and_stays_the_owner(recorded: Program) -> None:
    declared = recorded.declare({"acme": f"owner: ops@acme.example, members: {{ops@acme.example: viewer}}, {FREE}"})
    assert declared["acme-record"].inputs["permissions"] == {"ops@acme.example": "owner"}
    assert declared["acme-record"].inputs["user_id"] == "ops@acme.example"


def test_a_tenant_without_an_owner_is_recorded_and_is_nobodys(recorded: Program) -> None:
    record = recorded.declare({"acme": FREE})["acme-record"].inputs
    assert record["permissions"] == {}
    assert not {"user_id", "billing_email", "granted_by"} & record.keys()


def test_b43_every_kind_of_tenant_is_recorded(recorded: Program) -> None:
    declared = recorded.declare({"acme": FREE, "store": "storage: {plan: timeweb-s3}"})
    records = {each.name: each.inputs["plan_type"] for each in declared.made if each.type == RECORD}
    assert records == {"acme-record": "free", "store-record": "free"}


@pytest.mark.parametrize(
    ("plan", "plan_type"),
    [
        ("timeweb-free", "free"),
        ("timeweb-pro", "pro"),
        ("timeweb-pro-plus", "pro"),
        ("timeweb-business", "enterprise"),
    ],
)
def test_b44_a_plan_is_of_one_of_four_types(recorded: Program, plan: str, plan_type: str) -> None:
    declared = recorded.declare({"acme": f"database: {{plan: {plan}}}"})
    assert declared["acme-record"].inputs["plan_type"] == plan_type


@pytest.mark.parametrize(
    ("state", "status"),
    [
        ("state: active", "active"),
        ("state: trial, trial_until: 2026-12-31", "active"),
        ("state: suspended", "suspended"),
        ("state: terminated", "suspended"),
    ],
)
def test_b44_the_state_gives_the_status(recorded: Program, state: str, status: str) -> None:
    """A tenant that leaves keeps its data until it is removed: `deleted` is written when the record goes."""
    assert recorded.declare({"acme": f"{state}, {FREE}"})["acme-record"].inputs["status"] == status


def test_b45_a_plan_overrides_each_limit(recorded: Program) -> None:
    recorded.folder.edit("plans.yaml", "  timeweb-free:\n", "  timeweb-free:\n    limits: {max_requests_per_day: 5}\n")
    declared = recorded.declare({"acme": FREE})
    assert declared["acme-record"].inputs["limits"] == {**LIMITS, "max_requests_per_day": 5}


def test_g25_the_reference_is_that_of_the_base_stack_whatever_the_cell(recorded: Program) -> None:
    recorded.write({"acme": FREE})
    recorded.folder.place()
    recorded.folder.edit("placements.yaml", "cell: 1", "cell: 2")
    recorded.folder.edit("placements.yaml", "cell: 1", "cell: 2")
    assert recorded.run("prod-2")["acme-record"].inputs["reference"] == "pulumi:prod/acme"


def test_the_address_of_the_platform_database_is_in_no_input_but_the_lanes_secret(recorded: Program) -> None:
    declared = recorded.declare({"acme": f"owner: ops@acme.example, {FREE}"})
    assert SENTINEL not in repr(declared["acme-record"].inputs)
    assert SENTINEL not in repr(declared.tenants["acme"]["database"]["host"])
