"""The Neon simulator against the vendor's own document, and driven by the vendor's own client."""

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from neon_api.client import NeonAPI
from neon_api.exceptions import NeonAPIError

from sandbox.simulators.clock import MovableClock
from sandbox.simulators.neon.records import ORGANIZATION
from sandbox.simulators.neon.serve import Delays, Pace, RunningNeon, serve
from sandbox.simulators.neon.urls import OPERATIONS
from sandbox.simulators.servers import NoServers
from tests.contract.document import ABSENT, SPECS, Checked, Document, Json
from tests.sandbox.neon_rig import TO_THE_END, rfc3339

with_document = pytest.mark.skipif(not SPECS.is_dir(), reason=ABSENT)

PROJECT = "/projects/{project_id}"
BRANCH = PROJECT + "/branches/{branch_id}"
DATABASE = BRANCH + "/databases/{database_name}"
ROLE = BRANCH + "/roles/{role_name}"
ENDPOINT = PROJECT + "/endpoints/{endpoint_id}"
SIZE: Json = {"autoscaling_limit_min_cu": 0.25, "autoscaling_limit_max_cu": 1, "suspend_timeout_seconds": 300}
NEW_PROJECT: Json = {
    "name": "acme-prod-alder",
    "region_id": "aws-eu-central-1",
    "pg_version": 15,
    "provisioner": "k8s-pod",
    "org_id": ORGANIZATION,
    "branch": {"name": "main", "role_name": "neondb_owner", "database_name": "main", "annotations": {"k": "v"}},
    "settings": {"quota": {"active_time_seconds": 3600}, "allowed_ips": {"ips": []}},
    "default_endpoint_settings": SIZE,
    "history_retention_seconds": 3600,
}


@pytest.fixture
def neon(tmp_path: Path, clock: MovableClock) -> Iterator[RunningNeon]:
    running = serve(
        tmp_path,
        key="k",
        servers=NoServers(),
        clock=clock,
        delays=Delays(schedule=1, operation=1),
        pace=Pace(per_minute=10_000, per_second=1000),
    )
    yield running
    running.stop()


@pytest.fixture
def checked(neon: RunningNeon) -> Iterator[Checked]:
    with httpx.Client(base_url=neon.api_url, headers={"Authorization": "Bearer k"}) as client:
        yield Checked(Document.read("neon.min.json"), client)


@with_document
def test_every_served_operation_is_in_the_document_under_the_same_path() -> None:
    document = Document.read("neon.min.json")
    assert [each for each in OPERATIONS if not document.operation(each.method, each.path)] == []


@with_document
def test_every_operation_answers_as_its_document_says(checked: Checked, clock: MovableClock) -> None:
    """G20: databases and roles lie under a branch, version and provisioner are the project's own."""
    made = checked("POST", "/projects", {"project": NEW_PROJECT})
    ids = {"project_id": made["project"]["id"], "branch_id": made["branch"]["id"]}
    walk_operations(checked, clock, ids, made["operations"])
    walk_project(checked, ids)
    walk_roles_and_databases(checked, clock, ids)
    walk_endpoints(checked, clock, ids)
    walk_branches(checked, clock, ids)
    checked("GET", "/regions", query={"org_id": ORGANIZATION})
    walk_consumption(checked, clock, ids)
    checked("DELETE", PROJECT, **ids)
    assert checked("GET", PROJECT, **ids)["message"] == "project not found"
    assert len(checked("GET", "/projects", query={"recoverable": "true"})["projects"]) == 1
    checked("POST", PROJECT + "/recover", **ids)
    assert checked.covered == {(operation.method, operation.path) for operation in OPERATIONS}


def walk_operations(checked: Checked, clock: MovableClock, ids: Json, scheduled: list[Json]) -> None:
    for seconds, status in ((0, "scheduling"), (1.01, "running"), (1, "finished")):
        clock.advance(seconds)
        found = checked("GET", PROJECT + "/operations/{operation_id}", operation_id=scheduled[0]["id"], **ids)
        assert found["operation"]["status"] == status
    assert checked("PATCH", PROJECT, {"project": {"name": "n"}}, **ids)["code"] == ""
    clock.advance(TO_THE_END)
    query = {"limit": 1, "project_id": ids["project_id"]}
    assert checked("GET", PROJECT + "/operations", query=query, **ids)["pagination"]["cursor"] == scheduled[1]["id"]


def walk_project(checked: Checked, ids: Json) -> None:
    change = {"name": "n", "settings": {"quota": {"logical_size_bytes": 10**9}}, "default_endpoint_settings": SIZE}
    checked("PATCH", PROJECT, {"project": change}, **ids)
    assert checked("GET", PROJECT, **ids)["project"]["settings"]["quota"]["active_time_seconds"] == 3600
    checked("GET", "/projects", query={"limit": 1, "search": "n", "org_id": ORGANIZATION})


def walk_roles_and_databases(checked: Checked, clock: MovableClock, ids: Json) -> None:
    checked("POST", BRANCH + "/roles", {"role": {"name": "group", "no_login": True}}, **ids)
    clock.advance(TO_THE_END)
    checked("POST", BRANCH + "/roles", {"role": {"name": "second"}}, **ids)
    clock.advance(TO_THE_END)
    checked("GET", BRANCH + "/roles", **ids)
    role = {"role_name": "second", **ids}
    checked("GET", ROLE, **role)
    checked("POST", ROLE + "/reset_password", **role)
    clock.advance(TO_THE_END)
    assert checked("GET", ROLE + "/reveal_password", **role)["password"].startswith("npg_")
    assert checked("GET", ROLE + "/reveal_password", **{**role, "role_name": "none"})["message"] == "role not found"
    checked("POST", BRANCH + "/databases", {"database": {"name": "extra", "owner_name": "second"}}, **ids)
    clock.advance(TO_THE_END)
    checked("GET", BRANCH + "/databases", **ids)
    query = {"database_name": "extra", "role_name": "second", "project_id": ids["project_id"], "pooled": "true"}
    assert checked("GET", PROJECT + "/connection_uri", query=query, **ids)["uri"].startswith("postgresql://second:")
    database = {"database_name": "extra", **ids}
    checked("GET", DATABASE, **database)
    change = {"database": {"name": "other", "owner_name": "neondb_owner"}}
    checked("PATCH", DATABASE, change, **database)
    clock.advance(TO_THE_END)
    checked("DELETE", DATABASE, **{**database, "database_name": "other"})
    clock.advance(TO_THE_END)
    assert checked("DELETE", DATABASE, **{**database, "database_name": "other"}) is None
    checked("DELETE", ROLE, **role)
    clock.advance(TO_THE_END)
    assert checked("DELETE", ROLE, **role) is None


def walk_endpoints(checked: Checked, clock: MovableClock, ids: Json) -> None:
    checked("GET", PROJECT + "/endpoints", **ids)
    order = {"branch_id": ids["branch_id"], "type": "read_only", "name": "reader", **SIZE}
    made = checked("POST", PROJECT + "/endpoints", {"endpoint": order}, **ids)
    assert made["endpoint"]["pending_state"] == "active"
    clock.advance(TO_THE_END)
    endpoint = {"endpoint_id": made["endpoint"]["id"], **ids}
    checked("GET", ENDPOINT, **endpoint)
    checked("PATCH", ENDPOINT, {"endpoint": {"autoscaling_limit_max_cu": 2, "name": "other"}}, **endpoint)
    for act in ("suspend", "start", "restart"):
        clock.advance(TO_THE_END)
        checked("POST", f"{ENDPOINT}/{act}", **endpoint)
    clock.advance(TO_THE_END)
    assert len(checked("GET", BRANCH + "/endpoints", **ids)["endpoints"]) == 2
    checked("DELETE", ENDPOINT, **endpoint)
    clock.advance(TO_THE_END)
    assert checked("DELETE", ENDPOINT, **endpoint) is None


def walk_branches(checked: Checked, clock: MovableClock, ids: Json) -> None:
    order = {
        "branch": {"name": "dev", "parent_id": ids["branch_id"], "expires_at": "2999-01-01T00:00:00Z"},
        "endpoints": [{"type": "read_write", **SIZE}],
        "annotation_value": {"k": "v"},
    }
    made = checked("POST", PROJECT + "/branches", order, **ids)
    clock.advance(TO_THE_END)
    branch = {**ids, "branch_id": made["branch"]["id"]}
    listed = checked("GET", PROJECT + "/branches", query={"limit": 1, "sort_by": "name", "sort_order": "asc"}, **ids)
    assert listed["pagination"]["next"] == branch["branch_id"]
    assert checked("GET", PROJECT + "/branches/count", query={"search": "dev"}, **ids)["count"] == 1
    checked("GET", BRANCH, **branch)
    checked("PATCH", BRANCH, {"branch": {"name": "preview", "expires_at": None}}, **branch)
    assert checked("DELETE", BRANCH, **ids)["message"] == "cannot delete a root or default branch"
    checked("DELETE", BRANCH, query={"hard_delete": "false"}, **branch)
    clock.advance(TO_THE_END)
    assert len(checked("GET", PROJECT + "/branches", query={"include_deleted": "true"}, **ids)["branches"]) == 2
    checked("POST", BRANCH + "/recover", **branch)
    clock.advance(TO_THE_END)
    checked("DELETE", BRANCH, query={"hard_delete": "true"}, **branch)
    clock.advance(TO_THE_END)
    assert checked("DELETE", BRANCH, **branch) is None


def walk_consumption(checked: Checked, clock: MovableClock, ids: Json) -> None:
    query = {
        "from": rfc3339(clock()),
        "to": rfc3339(clock() + 86400),
        "granularity": "daily",
        "org_id": ORGANIZATION,
        "project_ids": ids["project_id"],
        "metrics": ["compute_unit_seconds", "public_network_transfer_bytes"],
    }
    found = checked("GET", "/consumption_history/v2/projects", query=query)["projects"]
    assert found[0]["periods"][0]["consumption"][0]["metrics"][0]["metric_name"] == "compute_unit_seconds"
    too_long_ago = query | {"from": "2020-01-01T00:00:00Z", "granularity": "hourly"}
    assert "7 days" in checked("GET", "/consumption_history/v2/projects", query=too_long_ago)["message"]


# name, method, path, body, whether the document itself can tell (else it says so in words only, or not at all)
FORBIDDEN: tuple[tuple[str, str, str, object, bool], ...] = (
    ("no project", "POST", "/projects", {}, True),
    ("an empty name", "POST", "/projects", {"project": {"name": ""}}, True),
    ("a name too long", "POST", "/projects", {"project": {"name": "n" * 257}}, True),
    ("a version too old", "POST", "/projects", {"project": {"pg_version": 13}}, True),
    ("a version as text", "POST", "/projects", {"project": {"pg_version": "15"}}, True),
    ("a version in the settings", "POST", "/projects", {"project": {"settings": {"pg_version": 15}}}, False),
    ("an unknown region", "POST", "/projects", {"project": {"region_id": "aws-moon-1"}}, False),
    ("a negative quota", "POST", "/projects", {"project": {"settings": {"quota": {"written_data_bytes": -1}}}}, True),
    ("a compute too small", "POST", "/projects", {"project": {"autoscaling_limit_min_cu": 0.1}}, True),
    ("a null", "POST", "/projects", {"project": {"name": None}}, True),
    ("a region on a change", "PATCH", PROJECT, {"project": {"region_id": "aws-us-east-1"}}, False),
    ("a version on a change", "PATCH", PROJECT, {"project": {"pg_version": 16}}, False),
    ("a minimum above the maximum", "PATCH", ENDPOINT, {"endpoint": {**SIZE, "autoscaling_limit_min_cu": 4}}, False),
    ("an idle time too long", "PATCH", ENDPOINT, {"endpoint": {"suspend_timeout_seconds": 10**6}}, True),
    ("an endpoint without a type", "POST", PROJECT + "/endpoints", {"endpoint": {"branch_id": "br-x-1"}}, True),
    ("a database without an owner", "POST", BRANCH + "/databases", {"database": {"name": "d"}}, True),
    (
        "a database of the server's own",
        "POST",
        BRANCH + "/databases",
        {"database": {"name": "postgres", "owner_name": "neondb_owner"}},
        False,
    ),
    ("a role without a name", "POST", BRANCH + "/roles", {"role": {}}, True),
    ("a role of the vendor's own", "POST", BRANCH + "/roles", {"role": {"name": "neon_superuser"}}, False),
    ("a parent's name for its id", "POST", PROJECT + "/branches", {"branch": {"parent_id": "Main"}}, True),
    ("an expiry in the past", "POST", PROJECT + "/branches", {"branch": {"expires_at": "2020-01-01T00:00:00Z"}}, False),
    ("a list", "POST", "/projects", [], True),
)


@with_document
def test_what_the_document_forbids_is_refused(checked: Checked, clock: MovableClock, neon: RunningNeon) -> None:
    """Each refusal is a 400 in the vendor's shape and changes nothing."""
    made = checked("POST", "/projects", {"project": NEW_PROJECT})
    clock.advance(TO_THE_END)
    ids = {
        "project_id": made["project"]["id"],
        "branch_id": made["branch"]["id"],
        "endpoint_id": made["endpoints"][0]["id"],
    }
    before = httpx.get(f"{neon.url}/_sandbox/inventory").json()
    for name, method, template, body, told in FORBIDDEN:
        operation = checked.document.operation(method, template) or {}
        schema = operation["requestBody"]["content"]["application/json"]["schema"]
        assert bool(checked.document.problems(schema, body)) is told, name
        checked(method, template, body, **ids)
        assert neon.requests()[-1].status == 400, name
    assert httpx.get(f"{neon.url}/_sandbox/inventory").json() == before


@with_document
@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/projects?limit=401", 400),
        ("/projects?cursor=none", 400),
        ("/projects?recoverable=perhaps", 400),
        ("/projects?org_id=org-other-1", 403),
        ("/projects/none", 404),
        ("/projects/none/branches", 404),
        ("/nothing", 404),
    ],
)
def test_wrong_addresses_are_refused_in_the_documented_shape(checked: Checked, path: str, status: int) -> None:
    response = checked.client.get(path, headers={"X-Request-ID": "mine"})
    assert response.status_code == status
    assert checked.document.problems({"$ref": "#/components/schemas/GeneralError"}, response.json()) == []
    if path != "/nothing":
        assert response.json()["request_id"] == "mine"


def test_the_official_client_understands_every_answer(neon: RunningNeon, clock: MovableClock) -> None:
    client = NeonAPI("k", base_url=f"{neon.api_url}/")
    project = client.project_create(project=NEW_PROJECT).project
    clock.advance(TO_THE_END)
    assert [each.id for each in client.projects(limit=10).projects] == [project.id]
    assert client.project(project.id).project.pg_version == 15
    assert client.project_update(project.id, project={"name": "n"}).project.name == "n"
    branch = client.branches(project.id).branches[0]
    assert client.branch(project.id, branch.id).branch.current_state == "ready"
    statuses = {each.status.value for each in client.operations(project.id).operations}
    assert statuses == {"finished"}
    made = client.branch_create(project.id, branch={"name": "dev"}, endpoints=[{"type": "read_write"}])
    assert client.operation(project.id, made.operations[0].id).operation.status.value == "scheduling"
    clock.advance(TO_THE_END)
    client.branch_update(project.id, made.branch.id, branch={"name": "preview"})
    client.branch_delete(project.id, made.branch.id)
    clock.advance(TO_THE_END)
    drive_what_a_branch_holds(client, clock, project.id, branch.id)
    assert client.project_delete(project.id).project.id == project.id
    with pytest.raises(NeonAPIError, match="project not found"):
        client.project(project.id)


def drive_what_a_branch_holds(client: NeonAPI, clock: MovableClock, project: str, branch: str) -> None:
    """Roles, databases, computes; the client asks for `pooled` with a capital."""
    assert client.role_create(project, branch, "second").role.password
    clock.advance(TO_THE_END)
    assert client.role_password_reset(project, branch, "second").role.password
    clock.advance(TO_THE_END)
    assert {each.name for each in client.roles(project, branch).roles} == {"neondb_owner", "second"}
    client.database_create(project, branch, database={"name": "extra", "owner_name": "second"})
    clock.advance(TO_THE_END)
    client.database_update(project, branch, "extra", database={"owner_name": "neondb_owner"})
    clock.advance(TO_THE_END)
    assert len(client.databases(project, branch).databases) == 2
    for pooled in (True, False):
        uri = client.connection_uri(project, database_name="extra", role_name="neondb_owner", pooled=pooled).uri
        assert uri.startswith("postgresql://neondb_owner:")
    client.database_delete(project, branch, "extra")
    clock.advance(TO_THE_END)
    client.role_delete(project, branch, "second")
    clock.advance(TO_THE_END)
    endpoint = client.endpoints(project).endpoints[0]
    client.endpoint_update(project, endpoint.id, endpoint={"autoscaling_limit_max_cu": 2})
    for act in (client.endpoint_suspend, client.endpoint_start):
        clock.advance(TO_THE_END)
        assert act(project, endpoint.id).endpoint.id == endpoint.id
    clock.advance(TO_THE_END)
    assert client.endpoint(project, endpoint.id).endpoint.autoscaling_limit_max_cu == 2


def test_the_official_client_reveals_passwords_by_a_method_the_document_does_not_have(
    neon: RunningNeon, clock: MovableClock
) -> None:
    """Version 0.3.0 sends POST where the document has GET, so ours cannot rest on it."""
    client = NeonAPI("k", base_url=f"{neon.api_url}/")
    made = client.project_create(project=NEW_PROJECT).project
    clock.advance(TO_THE_END)
    branch = client.branches(made.id).branches[0].id
    with pytest.raises(NeonAPIError, match="not served"):
        client.role_password_reveal(made.id, branch, "neondb_owner")
    assert (neon.requests()[-1].method, neon.requests()[-1].status) == ("POST", 405)
