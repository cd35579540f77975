"""What the program declares of a small fleet: by plan, by state, by cell and by lane."""

import base64

import pytest

from catalogue.errors import CatalogueError
from components.settings import SettingsError
from dynamic_providers.postgres.migration_set import packaged
from tests.components.program import SENTINEL, Program
from tests.components.recorder import Declaration, Declared, Secret

FREE = "database: {plan: timeweb-free}"
PRO = "database: {plan: timeweb-pro}"
BUSINESS = "database: {plan: timeweb-business}"
BOTH = f"{FREE}, storage: {{plan: timeweb-s3}}"
S3 = "storage: {plan: s3-standard}"
REMOVED = "state: terminated, removed: {on: 2027-12-01, backup: b-17}"
# What each plan buys: the cluster's size, connection limit and statement timeout in ms, copies of backups.
PLANS = [
    ("timeweb-free", (1, 2, 20), (1, 30_000), 0),
    ("timeweb-pro", (2, 4, 40), (9, 60_000), 7),
    ("timeweb-pro-plus", (4, 8, 80), (20, 120_000), 14),
    ("timeweb-business", (8, 16, 220), (20, 300_000), 30),
]


def size(cluster: Declared) -> tuple[object, ...]:
    return tuple(cluster.inputs.get(name) for name in ("cpu", "ram_gb", "disk_gb"))


def protected(declared: Declaration) -> set[str]:
    return {resource.name for resource in declared.made if resource.protect}


def cluster_of(declared: Declaration) -> Declared:
    (cluster,) = [resource for resource in declared.made if resource.type.endswith("timeweb:Cluster")]
    return cluster


@pytest.mark.parametrize(("plan", "wanted", "limits", "copies"), PLANS)
def test_a_plan_gives_its_size_its_limits_and_its_backups(
    program: Program, plan: str, wanted: tuple[int, ...], limits: tuple[int, ...], copies: int
) -> None:
    """A26-A29, A39, A46, A48: a plan without backups has no schedule, the others one copy a day."""
    declared = program.declare({"acme": f"database: {{plan: {plan}}}"})
    cluster, schema = cluster_of(declared), declared["acme-schema-1"]
    assert size(cluster) == wanted
    assert (cluster.inputs["engine"], cluster.inputs["location"]) == ("postgres15", "ru-1")
    assert "preset_id" not in cluster.inputs
    assert (schema.inputs["connection_limit"], schema.inputs["statement_timeout_ms"]) == limits
    assert schema.inputs["extensions"] == ["citext", "pg_trgm"]
    schedules = [each.inputs for each in declared.made if each.type.endswith("timeweb:BackupSchedule")]
    told = [(each["enabled"], each["interval"], each["copy_count"]) for each in schedules]
    assert told == ([(True, "day", copies)] if copies else [])
    backups = declared.tenants["acme"]["database"]["backups"]
    assert backups["copies"] == copies
    assert ("own duty" in backups["note"]) == (copies == 0)


def test_two_tenants_of_a_shared_plan_have_one_cluster_and_a_schema_each(program: Program) -> None:
    """A24, G5: a login of each tenant's own."""
    declared = program.declare({"acme": FREE, "beta": FREE})
    cluster = {"shared-free-1-cluster-1", "shared-free-1-main-1", "shared-free-1-admin-1"}
    assert declared.names == cluster | {"acme-schema-1", "beta-schema-1", "acme-setup-1", "beta-setup-1"}
    assert [declared[f"{name}-schema-1"].inputs["login"] for name in ("acme", "beta")] == ["c_acme", "c_beta"]


def test_two_tenants_of_a_dedicated_plan_have_a_cluster_each(program: Program) -> None:
    declared = program.declare({"acme": BUSINESS, "beta": BUSINESS})
    parts = ("cluster", "main", "admin", "backups")
    clusters = {f"customer-{name}-{part}-1" for name in ("acme", "beta") for part in parts}
    assert declared.names == clusters | {"acme-schema-1", "beta-schema-1", "acme-setup-1", "beta-setup-1"}


def test_each_shape_of_storage_has_a_bucket_and_a_user_of_its_own(program: Program) -> None:
    """A37, G5: no tenant has another's keys."""
    declared = program.declare({"acme": "storage: {plan: timeweb-s3}", "beta": S3})
    assert declared.names == {
        "acme-bucket-1",
        "acme-storage-user-1",
        "beta-bucket-1",
        "beta-storage-user-1",
        "beta-storage-key-1",
        "beta-storage-policy-1",
    }
    bucket = declared["acme-bucket-1"].inputs
    wanted = {"disk_gb": 100, "storage_class": "hot", "location": "ru-1", "visibility": "private"}
    assert {name: bucket[name] for name in wanted} == wanted
    assert declared["acme-storage-user-1"].needs == {"acme-bucket-1"}


def test_a_schema_waits_for_its_cluster_s_database_and_admin_and_is_gone_with_the_cluster(program: Program) -> None:
    declared = program.declare({"acme": FREE})
    schema = declared["acme-schema-1"]
    assert schema.needs == {"shared-free-1-cluster-1", "shared-free-1-main-1", "shared-free-1-admin-1"}
    assert schema.deleted_with == "shared-free-1-cluster-1"
    assert declared["shared-free-1-admin-1"].needs == {"shared-free-1-cluster-1", "shared-free-1-main-1"}
    assert declared["shared-free-1-main-1"].deleted_with == "shared-free-1-cluster-1"


def test_a_tenant_is_set_up_after_its_schema_and_by_the_set_of_migrations_of_this_version(program: Program) -> None:
    """B21: the set's version is an input, so that a new migration is one update of each tenant."""
    declared = program.declare({"acme": FREE})
    setup = declared["acme-setup-1"]
    assert setup.inputs["version"] == packaged().version
    assert "acme-schema-1" in setup.needs
    assert setup.deleted_with == "shared-free-1-cluster-1"
    assert setup.provider == declared["acme-schema-1"].provider


@pytest.mark.parametrize("state", ["state: active", "state: trial, trial_until: 2026-12-01", "state: suspended"])
def test_everything_of_a_living_tenant_is_protected(program: Program, state: str) -> None:
    """Design 4.3: what holds data is deleted by no edit; what is set up in a schema goes when the tenant moves."""
    declared = program.declare({"acme": f"{BOTH}, {state}", "beta": f"{S3}, {state}", "gamma": f"{BUSINESS}, {state}"})
    assert declared.names - protected(declared) == {"acme-setup-1", "gamma-setup-1"}


def test_nothing_of_a_terminated_tenant_is_protected(program: Program) -> None:
    """G26: the first of two runs blocks and unprotects."""
    state = "state: terminated"
    declared = program.declare({"acme": f"{BOTH}, {state}", "beta": f"{S3}, {state}", "gamma": f"{BUSINESS}, {state}"})
    assert len(declared.names) == 17
    assert protected(declared) == set()


def test_a_shared_cluster_is_protected_while_any_tenant_on_it_lives(program: Program) -> None:
    declared = program.declare({"acme": FREE, "beta": f"{FREE}, state: terminated"})
    cluster = {"shared-free-1-cluster-1", "shared-free-1-main-1", "shared-free-1-admin-1"}
    assert protected(declared) == cluster | {"acme-schema-1"}


@pytest.mark.parametrize(
    ("state", "blocked"),
    [
        ("state: active", False),
        ("state: trial, trial_until: 2026-12-01", False),
        ("state: suspended", True),
        ("state: terminated", True),
    ],
)
def test_suspended_and_terminated_tenants_are_blocked_and_nobody_else(
    program: Program,
    state: str,
    blocked: bool,  # noqa: FBT001 - a column of the table
) -> None:
    """G46, design 4.5: the login is refused and the storage user has no grants."""
    declared = program.declare({"acme": f"{BOTH}, {state}", "beta": f"{S3}, {state}", "living": BOTH})
    assert declared["acme-schema-1"].inputs["blocked"] is blocked
    assert declared["acme-storage-user-1"].inputs["blocked"] is blocked
    assert ("Deny" in declared["beta-storage-policy-1"].inputs["policy"]) is blocked
    assert declared["acme-setup-1"].inputs["blocked"] is blocked
    assert declared["living-schema-1"].inputs["blocked"] is False
    assert declared["living-setup-1"].inputs["blocked"] is False
    assert declared["living-storage-user-1"].inputs["blocked"] is False


def test_a_removed_tenant_is_not_declared_and_its_neighbour_is_as_before(program: Program) -> None:
    """G26: the second of two runs."""
    before = program.declare({"acme": BOTH, "beta": BOTH})
    after = program.declare({"acme": BOTH, "beta": f"{BOTH}, {REMOVED}"})
    gone = {"beta-schema-1", "beta-setup-1", "beta-bucket-1", "beta-storage-user-1"}
    assert after.made == [each for each in before.made if each.name not in gone]
    assert set(after.tenants) == {"acme"}


def test_a_shared_cluster_without_tenants_stays_declared_and_unprotected(program: Program) -> None:
    program.declare({"acme": PRO, "beta": FREE})
    after = program.declare({"acme": f"{PRO}, {REMOVED}", "beta": FREE})
    left = {f"shared-pro-1-{part}-1" for part in ("cluster", "main", "admin", "backups")}
    assert left < after.names
    assert not left & protected(after)


def test_a_dedicated_cluster_goes_with_its_tenant(program: Program) -> None:
    program.declare({"acme": BUSINESS, "beta": FREE})
    after = program.declare({"acme": f"{BUSINESS}, {REMOVED}", "beta": FREE})
    assert not {name for name in after.names if "acme" in name}


CUSTOM = "database: {plan: timeweb-enterprise, "


@pytest.mark.parametrize(
    ("section", "preset", "wanted"),
    [
        (f"{CUSTOM}size: {{cpu: 2, ram_gb: 4, disk_gb: 40}}}}", None, (2, 4, 40)),
        (f"{CUSTOM}preset: 126}}", 126, (None, None, None)),
    ],
)
def test_a_custom_plan_takes_its_size_or_preset_from_the_tenant(
    program: Program, section: str, preset: int | None, wanted: tuple[int | None, ...]
) -> None:
    """A30, A47: enterprise has at least the backups of business."""
    program.config["timeweb:defaultPreset"] = "999"
    declared = program.declare({"acme": section})
    cluster = declared["customer-acme-cluster-1"]
    assert cluster.inputs.get("preset_id") == preset
    assert size(cluster) == wanted
    assert declared["customer-acme-backups-1"].inputs["copy_count"] == 30


def test_the_default_preset_serves_a_plan_that_names_no_size(program: Program) -> None:
    program.folder.edit("plans.yaml", "size: {cpu: 1, ram_gb: 2, disk_gb: 20}", "size: null")
    program.config["timeweb:defaultPreset"] = "777"
    declared = program.declare({"acme": FREE, "beta": PRO})
    assert declared["shared-free-1-cluster-1"].inputs["preset_id"] == 777
    assert size(declared["shared-free-1-cluster-1"]) == (None, None, None)
    assert "preset_id" not in declared["shared-pro-1-cluster-1"].inputs


def test_an_existing_object_is_taken_over_by_its_id(program: Program) -> None:
    adopting = "database: {plan: timeweb-business, adopt: '4711'}, storage: {plan: timeweb-s3, adopt: '42'}"
    declared = program.declare({"acme": adopting, "beta": f"{BUSINESS}, storage: {{plan: timeweb-s3}}"})
    assert declared["customer-acme-cluster-1"].inputs["adopt"] == "4711"
    assert declared["acme-bucket-1"].inputs["adopt"] == "42"
    assert "adopt" not in declared["customer-beta-cluster-1"].inputs
    assert "adopt" not in declared["beta-bucket-1"].inputs


@pytest.mark.parametrize(
    "section", ["database: {plan: timeweb-free, adopt: '4711'}", "storage: {plan: s3-standard, adopt: '4711'}"]
)
def test_an_object_that_cannot_be_taken_over_is_not_silently_made_anew(program: Program, section: str) -> None:
    """Beside what is to be adopted a second, empty object would be made and paid for."""
    with pytest.raises((CatalogueError, SettingsError), match="adopt"):
        program.declare({"acme": section})


def test_every_object_has_an_explicit_provider(program: Program) -> None:
    """Facts, trap 28: default providers are off."""
    declared = program.declare({"acme": BOTH, "beta": BUSINESS, "gamma": S3})
    used = {resource.type.partition(":")[0]: resource.provider for resource in declared.made}
    assert set(used) == {"aws", "pulumi-python"}
    lanes = {each.provider for each in declared.made if each.type.startswith("pulumi-python")}
    assert lanes <= {"lane-0", "lane-1", "lane-2", "lane-3"}
    assert {each.provider for each in declared.made if each.type.startswith("aws")} == {"s3"}


def test_nobody_changes_lanes_when_tenants_come_and_go(program: Program) -> None:
    """Facts, trap 8: dealt by name; a position in a list would deal everybody anew."""
    some = {f"tenant-{number}": BOTH for number in range(8, 16, 2)}
    before = {each.urn: each.provider for each in program.declare(some).made}
    after = program.declare(some | {f"tenant-{number}": BOTH for number in range(6, 20)})
    lanes = {each.urn: each.provider for each in after.made}
    assert before.items() <= lanes.items()
    assert set(lanes.values()) == {"lane-0", "lane-1", "lane-2", "lane-3"}


def test_the_number_of_lanes_is_a_setting(program: Program) -> None:
    program.config["tenantry:lanes"] = "1"
    declared = program.declare({f"tenant-{number}": FREE for number in range(5)})
    assert {each.provider for each in declared.made} == {"lane-0"}


def leaks(value: object) -> bool:
    """Whether text that must not be seen is anywhere but inside a secret."""
    if isinstance(value, Secret):
        return False
    if isinstance(value, dict):
        return any(map(leaks, value.values()))
    if isinstance(value, list):
        return any(map(leaks, value))
    return isinstance(value, str) and SENTINEL in value


def test_no_secret_is_anybody_s_input_in_plain_text(program: Program) -> None:
    """Design 4.6, 4.7: neither among the inputs nor in the provider's pickle, and only providers have any at all."""
    declared = program.declare({"acme": BOTH, "beta": BUSINESS, "gamma": S3})
    assert [each.name for each in declared.resources if leaks(dict(each.inputs))] == []
    holders = {each.name for each in declared.resources if any(isinstance(it, Secret) for it in each.inputs.values())}
    assert holders == {"lane-0", "lane-1", "lane-2", "lane-3", "s3"}
    pickles = [base64.b64decode(each.inputs["__provider"]) for each in declared.made if "__provider" in each.inputs]
    assert len(pickles) == 13
    assert not any(SENTINEL.encode() in pickled for pickled in pickles)


def test_a_secret_from_the_environment_does_not_enter_the_state(
    program: Program, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Facts 3.1: the provider's process inherits it, so that a rotated token works at once."""
    environ = {"TIMEWEB_CLOUD_TOKEN": f"{SENTINEL}from-outside", "TENANTRY_ADMIN_SECRET": f"{SENTINEL}from-outside"}
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    program.write({"acme": FREE})
    program.folder.place()
    lanes = [each for each in program.run(environ=environ).resources if each.name.startswith("lane-")]
    assert [dict(lane.inputs) for lane in lanes] == [{}] * 4


@pytest.mark.parametrize(
    ("missing", "tenant", "named"),
    [
        (("timeweb:token",), FREE, "timeweb:token"),
        (("timeweb:token",), "storage: {plan: timeweb-s3}", "TIMEWEB_CLOUD_TOKEN"),
        (("tenantry:adminSecret",), FREE, "tenantry:adminSecret"),
        (("timeweb:token", "tenantry:adminSecret"), FREE, "TENANTRY_ADMIN_SECRET"),
        (("s3:endpoint",), S3, "s3:endpoint"),
        (("s3:iamEndpoint",), S3, "s3:iamEndpoint"),
        (("s3:accessKey", "s3:secretKey"), S3, "s3:accessKey, s3:secretKey"),
        (("tenantry:baseStack",), FREE, "tenantry:baseStack: prod"),
    ],
)
def test_a_missing_setting_ends_the_program_in_one_sentence(
    program: Program, missing: tuple[str, ...], tenant: str, named: str
) -> None:
    """G55: what is missing and how to set it, without a traceback."""
    for key in missing:
        del program.config[key]
    with pytest.raises(SettingsError) as refused:
        program.declare({"acme": tenant})
    assert named in str(refused.value)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("key", "value", "sentence"),
    [
        ("tenantry:baseStack", "staging", "stack 'prod' does not belong to base stack 'staging'"),
        ("tenantry:lanes", "0", "setting tenantry:lanes must be a whole number of at least 1, not '0'"),
        ("tenantry:lanes", "four", "setting tenantry:lanes must be a whole number of at least 1, not 'four'"),
        ("timeweb:defaultPreset", "x", "setting timeweb:defaultPreset must be a whole number of at least 1, not 'x'"),
    ],
)
def test_a_wrong_setting_ends_the_program_in_one_sentence(
    program: Program, key: str, value: str, sentence: str
) -> None:
    program.config[key] = value
    with pytest.raises(SettingsError) as refused:
        program.declare({"acme": FREE})
    assert sentence in str(refused.value)
    assert "\n" not in str(refused.value)


def test_a_fleet_on_another_store_needs_no_account_at_timeweb(program: Program) -> None:
    for key in ("timeweb:token", "tenantry:adminSecret"):
        del program.config[key]
    declared = program.declare({"acme": S3})
    assert [each.name for each in declared.resources if each.type.startswith("pulumi:providers:")] == ["s3"]


def test_a_fault_of_the_catalogue_ends_the_program_with_its_place(program: Program) -> None:
    """Design 3.1: a run with a tenant that is not placed fails and says what to do."""
    program.write({"acme": FREE})
    with pytest.raises(SettingsError, match=r"tenants\.yaml:2:.*run `tenantry place`"):
        program.run()


def test_plans_may_be_left_out_of_the_sandbox_alone(program: Program) -> None:
    program.write({"acme": f"{FREE}, {S3}"})
    program.folder.place()
    without = {"TENANTRY_SANDBOX_WITHOUT": "s3-standard"}
    with pytest.raises(SettingsError, match="stack 'sandbox' only"):
        program.run(environ=without)
    program.config["tenantry:baseStack"] = "sandbox"
    declared = program.run("sandbox", without)
    assert "storage" not in declared.tenants["acme"]
    assert not {name for name in declared.names if "bucket" in name or "storage" in name}
