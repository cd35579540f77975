"""What the program declares of a tenant with a Neon project: by plan, by state, and by branch and day."""

from datetime import date
from typing import Any

import pytest

from components.outputs import parse_tenants
from components.settings import SettingsError
from tests.components.program import SENTINEL, Program
from tests.components.recorder import Declaration, Secret

FREE = "database: {plan: neon-free}"
BRANCHES = "preview: {endpoint: true, expires: 2999-12-01}, deeper: {parent: preview}"


@pytest.fixture(autouse=True)
def key(program: Program) -> None:
    """What a stack with a tenant at Neon needs beside the rest."""
    program.config["neon:apiKey"] = f"{SENTINEL}neon-key"


def pro(branches: str = BRANCHES) -> str:
    return f"database: {{plan: neon-pro, branches: {{{branches}}}}}"


def test_a_tenant_has_a_project_of_its_own_and_its_schema_on_no_cluster(program: Program) -> None:
    """B3, B4, B11, G7: the name is the mark, the login is the tenant's own, the database is `main`."""
    declared = program.declare({"acme": FREE, "beta": FREE})
    assert declared.names == {
        f"{name}-{part}-1" for name in ("acme", "beta") for part in ("project", "schema", "setup")
    }
    project, schema = declared["acme-project-1"], declared["acme-schema-1"]
    assert project.type == "pulumi-python:dynamic/neon:Project"
    asked = {name: value for name, value in project.inputs.items() if name != "__provider"}
    assert asked == {
        "name": "prod-acme",
        "region": "aws-us-east-1",
        "pg_version": 15,
        "organization": "",
        "active_time_seconds": 360000,
        "compute_time_seconds": 90000,
        "written_data_bytes": 5368709120,
        "data_transfer_bytes": 5368709120,
        "logical_size_bytes": 536870912,
        "min_cu": 0.25,
        "max_cu": 0.25,
        "suspend_seconds": 300,
        "mark": "tenantry:prod:acme-project-1",
        "branch": "main",
        "database": "main",
        "role": "neondb_owner",
    }
    wanted = ("database", "schema_name", "owner", "login", "admin_login", "access")
    assert [schema.inputs[name] for name in wanted] == [
        "main",
        "public",
        "c_acme_owner",
        "c_acme",
        "neondb_owner",
        "neon",
    ]
    assert schema.needs == {"acme-project-1"}
    assert schema.deleted_with == "acme-project-1"


def test_the_stacks_prefix_and_organization_go_into_the_project(program: Program) -> None:
    program.config |= {"tenantry:prefix": "shop", "neon:orgId": "org-1"}
    project = program.declare({"acme": FREE})["acme-project-1"].inputs
    assert (project["name"], project["organization"], project["mark"]) == (
        "shop-acme",
        "org-1",
        "tenantry:prod:acme-project-1",
    )


def test_an_adopted_project_is_named_to_the_first_generation_only(program: Program) -> None:
    """F22."""
    declared = program.declare({"acme": "database: {plan: neon-free, adopt: cool-fog-1234}"})
    assert declared["acme-project-1"].inputs["adopt"] == "cool-fog-1234"


def test_branches_are_made_after_their_parents_and_after_the_tenants_login(program: Program) -> None:
    """B6: an endpoint where one is asked for, an expiry to the second."""
    declared = program.declare({"acme": pro()})
    preview, deeper = declared["acme-branch-preview-1"], declared["acme-branch-deeper-1"]
    wanted = ("name", "parent", "endpoint", "expires_at")
    assert [preview.inputs.get(name) for name in wanted] == ["preview", "main", True, "2999-12-01T00:00:00Z"]
    assert [deeper.inputs.get(name) for name in wanted] == ["deeper", "preview", False, None]
    assert "acme-schema-1" in preview.needs
    assert "acme-branch-preview-1" in deeper.needs
    assert preview.deleted_with == deeper.deleted_with == "acme-project-1"
    told = parse_tenants(plain(declared))["acme"].database
    assert told is not None
    assert {
        name: (branch.branch_id, branch.parent, branch.host, branch.expires) for name, branch in told.branches.items()
    } == {
        "preview": ("br-further", "main", "ep-2.neon.example", "2999-12-01"),
        "deeper": ("br-further", "preview", "ep-2.neon.example", None),
    }


@pytest.mark.parametrize(
    ("branches", "left"),
    [
        ("a: {expires: 2026-01-01}, b: {}", {"b"}),
        ("a: {expires: 2026-01-01}, b: {parent: a}, c: {parent: b}", set()),
        (f"a: {{expires: {date.today().isoformat()}}}", set()),  # noqa: DTZ011 - the program's own day decides
        ("b: {parent: a}, a: {}", {"a", "b"}),
    ],
    ids=["expired", "with its parent", "on its day", "parent written later"],
)
def test_an_expired_branch_is_no_longer_declared_nor_what_starts_from_it(
    program: Program, branches: str, left: set[str]
) -> None:
    """B6."""
    declared = program.declare({"acme": pro(branches)})
    found = {each.inputs["name"] for each in declared.made if each.type.endswith("neon:Branch")}
    assert found == left
    assert set(declared.tenants["acme"]["database"]["branches"]) == left


@pytest.mark.parametrize(
    ("state", "blocked", "protected"),
    [
        ("state: active", False, True),
        ("state: suspended", True, True),
        ("state: terminated", True, False),
        ("state: terminated, removed: {on: 2026-11-01, backup: b-17}", None, False),
    ],
)
def test_a_project_goes_through_the_states_like_a_cluster(
    program: Program,
    state: str,
    blocked: bool | None,  # noqa: FBT001 - a column of the table
    protected: bool,  # noqa: FBT001 - a column of the table
) -> None:
    """G26, G46: a blocked tenant's branches are closed too, since its login is in them; data is protected."""
    declared = program.declare({"acme": f"{pro()}, {state}", "living": FREE})
    if blocked is None:
        assert declared.names == {"living-project-1", "living-schema-1", "living-setup-1"}
        return
    assert declared["acme-schema-1"].inputs["blocked"] is blocked
    assert declared["acme-branch-preview-1"].inputs["endpoint"] is not blocked
    assert {declared[f"acme-{part}-1"].protect for part in ("project", "schema")} == {protected}
    assert not declared["acme-branch-preview-1"].protect
    assert declared.tenants["acme"]["database"]["status"] == ("suspended" if blocked else "active")


def test_the_outputs_are_the_contracts_with_pooled_and_direct_urls_as_secrets(program: Program) -> None:
    """B4, B5, G10."""
    declared = program.declare({"acme": pro("")})
    database = declared.tenants["acme"]["database"]
    assert isinstance(database["databaseUrl"], Secret)
    assert isinstance(database["directUrl"], Secret)
    pooled, direct = database["databaseUrl"].value, database["directUrl"].value
    assert pooled == (
        f"postgresql://c_acme:{SENTINEL}password@ep-main-pooler.neon.example:5432/main?sslmode=verify-full"
    )
    assert direct.startswith(
        f"postgresql://c_acme:{SENTINEL}password@ep-main.neon.example:5432/main?sslmode=verify-full"
    )
    assert "search_path" in direct
    told = parse_tenants(plain(declared))["acme"].database
    assert told is not None
    assert (told.provider, told.mode, told.cluster, told.cluster_id) == (
        "neon",
        "dedicated",
        None,
        "id-of-acme-project-1",
    )
    assert (told.host, told.port, told.branch, told.created_at) == (
        "ep-main.neon.example",
        5432,
        "main",
        "2026-11-24T00:00:00Z",
    )
    assert "history" in told.backups.note
    assert SENTINEL not in str({name: value for name, value in database.items() if not isinstance(value, Secret)})


def test_without_a_key_of_neon_only_a_tenant_there_is_refused(program: Program) -> None:
    del program.config["neon:apiKey"]
    program.declare({"acme": "database: {plan: timeweb-free}"})
    with pytest.raises(SettingsError, match=r"not set: neon:apiKey \(or NEON_API_KEY\)"):
        program.declare({"acme": "database: {plan: timeweb-free}", "beta": FREE})


def plain(declared: Declaration) -> Any:  # noqa: ANN401 - the outputs as JSON
    """The outputs with their secrets shown."""

    def shown(value: Any) -> Any:  # noqa: ANN401 - any JSON
        if isinstance(value, Secret):
            return value.value
        if isinstance(value, dict):
            return {key: shown(item) for key, item in value.items()}
        return value

    return shown(dict(declared.tenants))
