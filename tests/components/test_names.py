"""Names, marks and URNs, written out: they are in users' states and at their providers for ever.

A test that fails here has found a change that would make every live object a stranger. Undo the change.
"""

from collections.abc import Callable

import pytest

from tests.components.program import Program
from tests.components.recorder import Declaration

TENANTS = {
    "acme": "database: {plan: timeweb-free}, storage: {plan: timeweb-s3}",
    "beta": "database: {plan: timeweb-pro-plus}",
    "gamma": "database: {plan: timeweb-business}",
    "delta": "storage: {plan: s3-standard}",
}
SHARED = "tenantry:database:Shared"
DEDICATED = "tenantry:database:Dedicated"
CLUSTER = "tenantry:timeweb:Cluster"
TIMEWEB = "pulumi-python:dynamic/timeweb"
SCHEMA = "pulumi-python:dynamic/postgres:TenantSchema"
SETUP = "pulumi-python:dynamic/postgres:TenantSetup"
# Stack "prod" of project "tenantry" is in front of each.
URNS = [
    f"{DEDICATED}$pulumi-python:dynamic/postgres:TenantSchema::gamma-schema-1",
    f"{DEDICATED}$pulumi-python:dynamic/postgres:TenantSetup::gamma-setup-1",
    f"{DEDICATED}${CLUSTER}${TIMEWEB}:Admin::customer-gamma-admin-1",
    f"{DEDICATED}${CLUSTER}${TIMEWEB}:BackupSchedule::customer-gamma-backups-1",
    f"{DEDICATED}${CLUSTER}${TIMEWEB}:Cluster::customer-gamma-cluster-1",
    f"{DEDICATED}${CLUSTER}${TIMEWEB}:Database::customer-gamma-main-1",
    f"{DEDICATED}${CLUSTER}::customer-gamma-1",
    f"{DEDICATED}::gamma-database-1",
    f"{SHARED}${SCHEMA}::acme-schema-1",
    f"{SHARED}${SCHEMA}::beta-schema-1",
    f"{SHARED}${SETUP}::acme-setup-1",
    f"{SHARED}${SETUP}::beta-setup-1",
    f"{SHARED}::acme-database-1",
    f"{SHARED}::beta-database-1",
    "tenantry:storage:S3$aws:iam/accessKey:AccessKey::delta-storage-key-1",
    "tenantry:storage:S3$aws:iam/user:User::delta-storage-user-1",
    "tenantry:storage:S3$aws:iam/userPolicy:UserPolicy::delta-storage-policy-1",
    "tenantry:storage:S3$aws:s3/bucket:Bucket::delta-bucket-1",
    "tenantry:storage:S3::delta-storage-1",
    f"tenantry:storage:Timeweb${TIMEWEB}:Bucket::acme-bucket-1",
    f"tenantry:storage:Timeweb${TIMEWEB}:StorageUser::acme-storage-user-1",
    "tenantry:storage:Timeweb::acme-storage-1",
    f"{CLUSTER}${TIMEWEB}:Admin::shared-free-1-admin-1",
    f"{CLUSTER}${TIMEWEB}:Admin::shared-pro-plus-1-admin-1",
    f"{CLUSTER}${TIMEWEB}:BackupSchedule::shared-pro-plus-1-backups-1",
    f"{CLUSTER}${TIMEWEB}:Cluster::shared-free-1-cluster-1",
    f"{CLUSTER}${TIMEWEB}:Cluster::shared-pro-plus-1-cluster-1",
    f"{CLUSTER}${TIMEWEB}:Database::shared-free-1-main-1",
    f"{CLUSTER}${TIMEWEB}:Database::shared-pro-plus-1-main-1",
    f"{CLUSTER}::shared-free-1-1",
    f"{CLUSTER}::shared-pro-plus-1-1",
    "pulumi:providers:aws::s3",
    "pulumi:providers:pulumi-python::lane-0",
    "pulumi:providers:pulumi-python::lane-1",
    "pulumi:providers:pulumi-python::lane-2",
    "pulumi:providers:pulumi-python::lane-3",
]
# Resource, its input, and the name that the input holds.
NAMES = [
    ("shared-free-1-cluster-1", "name", "shared-free-1"),
    ("shared-free-1-cluster-1", "mark", "tenantry:prod:shared-free-1-cluster-1"),
    ("shared-free-1-main-1", "name", "main"),
    ("shared-free-1-main-1", "mark", "tenantry:prod:shared-free-1-main-1"),
    ("shared-free-1-admin-1", "login", "admin"),
    ("shared-free-1-admin-1", "mark", "tenantry:prod:shared-free-1-admin-1"),
    ("shared-free-1-admin-1", "cluster_mark", "tenantry:prod:shared-free-1-cluster-1"),
    ("acme-schema-1", "database", "main"),
    ("acme-schema-1", "admin_login", "admin"),
    ("acme-schema-1", "cluster_mark", "tenantry:prod:shared-free-1-cluster-1"),
    ("acme-schema-1", "schema_name", "c_acme"),
    ("acme-schema-1", "owner", "c_acme_owner"),
    ("acme-schema-1", "login", "c_acme"),
    ("acme-schema-1", "mark", "tenantry:prod:acme-schema-1"),
    ("acme-setup-1", "base", "c_acme"),
    ("acme-setup-1", "cluster_mark", "tenantry:prod:shared-free-1-cluster-1"),
    ("acme-setup-1", "schema_name", "c_acme"),
    ("acme-setup-1", "mark", "tenantry:prod:acme-setup-1"),
    ("acme-bucket-1", "name", "customer-acme"),
    ("acme-bucket-1", "mark", "tenantry:prod:acme-bucket-1"),
    ("acme-storage-user-1", "name", "prod-acme"),
    ("shared-pro-plus-1-cluster-1", "name", "shared-pro-plus-1"),
    ("shared-pro-plus-1-cluster-1", "mark", "tenantry:prod:shared-pro-plus-1-cluster-1"),
    ("customer-gamma-cluster-1", "name", "customer-gamma"),
    ("customer-gamma-cluster-1", "mark", "tenantry:prod:customer-gamma-cluster-1"),
    ("customer-gamma-main-1", "name", "main"),
    ("customer-gamma-main-1", "mark", "tenantry:prod:customer-gamma-main-1"),
    ("customer-gamma-admin-1", "mark", "tenantry:prod:customer-gamma-admin-1"),
    ("gamma-schema-1", "cluster_mark", "tenantry:prod:customer-gamma-cluster-1"),
    ("gamma-schema-1", "schema_name", "public"),
    ("gamma-schema-1", "owner", "c_gamma_owner"),
    ("gamma-schema-1", "login", "c_gamma"),
    ("gamma-schema-1", "mark", "tenantry:prod:gamma-schema-1"),
    ("gamma-setup-1", "schema_name", "public"),
    ("gamma-setup-1", "mark", "tenantry:prod:gamma-setup-1"),
    ("delta-bucket-1", "bucket", "customer-delta"),
    ("delta-bucket-1", "tags", {"tenantry-stack": "prod", "tenantry-name": "delta-bucket-1"}),
    ("delta-storage-user-1", "name", "prod-delta"),
    ("delta-storage-user-1", "tags", {"tenantry-stack": "prod", "tenantry-name": "delta-storage-user-1"}),
    ("delta-storage-policy-1", "name", "tenant"),
    ("delta-storage-policy-1", "user", "prod-delta"),
    ("delta-storage-key-1", "user", "prod-delta"),
]


@pytest.fixture(scope="module")
def declared(tmp_path_factory: pytest.TempPathFactory) -> Declaration:
    """A tenant of each shape, declared once."""
    return Program(tmp_path_factory.mktemp("fleet")).declare(TENANTS)


def test_every_resource_has_the_urn_it_has_for_ever(declared: Declaration) -> None:
    """Design 3.1, 4.1: a changed name or chain of types would delete each live object and make another."""
    assert [each.urn for each in declared.resources] == sorted(f"urn:pulumi:prod::tenantry::{urn}" for urn in URNS)


@pytest.mark.parametrize(("resource", "field", "value"), NAMES)
def test_every_object_has_the_name_and_mark_it_has_for_ever(
    declared: Declaration, resource: str, field: str, value: object
) -> None:
    """Design 4.1: the mark is the pair of base stack and logical name."""
    assert declared[resource].inputs[field] == value


def second_generation(text: str) -> str:
    return text.replace("generation: 1", "generation: 2").replace("customer-gamma", "customer-gamma-2")


def second_cell(text: str) -> str:
    return text.replace("cell: 1", "cell: 2")


def replaced(program: Program, edit: Callable[[str], str]) -> None:
    """Place the tenants, then edit the placements."""
    program.write(TENANTS)
    program.folder.place()
    file = program.path / "placements.yaml"
    file.write_text(edit(file.read_text()))


def test_the_second_generation_is_told_from_the_first_by_name_and_mark(program: Program) -> None:
    """F5: resource names end in the generation; at the provider only later ones do."""
    replaced(program, second_generation)
    declared = program.run()
    assert {name for name in declared.names if name.startswith(("acme", "customer"))} == {
        "acme-schema-2",
        "acme-setup-2",
        "acme-bucket-2",
        "acme-storage-user-2",
        "customer-gamma-cluster-2",
        "customer-gamma-main-2",
        "customer-gamma-admin-2",
        "customer-gamma-backups-2",
    }
    assert declared["acme-bucket-2"].inputs["name"] == "customer-acme-2"
    assert declared["acme-bucket-2"].inputs["mark"] == "tenantry:prod:acme-bucket-2"
    assert declared["acme-storage-user-2"].inputs["name"] == "prod-acme-2"
    assert declared["customer-gamma-cluster-2"].inputs["name"] == "customer-gamma-2"
    assert declared["customer-gamma-cluster-2"].inputs["mark"] == "tenantry:prod:customer-gamma-cluster-2"
    assert declared["acme-schema-2"].inputs["schema_name"] == "c_acme"


def test_a_further_cell_marks_with_the_base_stack(program: Program) -> None:
    """Design 4.1: the base stack, not the cell; a tenant that changes its cell keeps its objects."""
    replaced(program, second_cell)
    assert program.run("prod").made == []
    declared = program.run("prod-2")
    assert declared["acme-bucket-1"].inputs["mark"] == "tenantry:prod:acme-bucket-1"
    assert declared["acme-storage-user-1"].inputs["name"] == "prod-acme"
    assert {tenant["cell"] for tenant in declared.tenants.values()} == {2}


def test_the_prefix_of_storage_users_is_a_setting_of_its_own(program: Program) -> None:
    program.config["tenantry:prefix"] = "eu"
    declared = program.declare(TENANTS)
    assert declared["acme-storage-user-1"].inputs["name"] == "eu-acme"
    assert declared["delta-storage-user-1"].inputs["name"] == "eu-delta"
    assert declared["acme-bucket-1"].inputs["mark"] == "tenantry:prod:acme-bucket-1"
