"""The simulated organization keeps Neon's rules: operations that take time, one change at a time, soft deletes."""

from pathlib import Path

import httpx
import pytest

from sandbox.simulators.clock import MovableClock
from sandbox.simulators.neon.records import ORGANIZATION
from sandbox.simulators.neon.serve import Pace, RunningNeon, serve
from sandbox.simulators.servers import NoServers
from tests.sandbox.neon_rig import KEY, ORDER, TO_THE_END, Json, default_branch, inventory, made, rfc3339


def statuses(api: httpx.Client, project: str) -> list[tuple[str, str]]:
    found = api.get(f"{project}/operations").json()["operations"]
    return [(each["action"], each["status"]) for each in reversed(found)]


LOCKED = "project already has running conflicting operations, scheduling of new ones is prohibited"


def test_a_project_comes_with_a_branch_a_compute_a_database_and_its_owner(neon_api: httpx.Client) -> None:
    """B4: what is asked for under `branch` is what it is called; the password is in the answer."""
    answer = made(neon_api)
    assert answer["branch"]["name"] == "main"
    assert [each["name"] for each in answer["databases"]] == ["main"]
    assert [(each["name"], bool(each["password"])) for each in answer["roles"]] == [("neondb_owner", True)]
    assert [each["type"] for each in answer["endpoints"]] == ["read_write"]
    assert answer["connection_uris"][0]["connection_parameters"]["database"] == "main"


def test_version_and_names_are_the_vendors_own_where_nothing_is_said(neon_api: httpx.Client) -> None:
    """G20: the version is a field of the project, 17 by default."""
    answer = neon_api.post("/projects", json={"project": {}}).json()
    assert answer["project"]["pg_version"] == 17
    assert answer["project"]["name"] == answer["project"]["id"]
    assert answer["branch"]["name"] == "main"
    assert [each["owner_name"] for each in answer["databases"]] == ["neondb_owner"]
    assert [each["name"] for each in answer["databases"]] == ["neondb"]


def test_operations_run_one_after_the_other_and_end(neon_api: httpx.Client, clock: MovableClock) -> None:
    answer = made(neon_api)
    project = f"/projects/{answer['project']['id']}"
    assert [each["status"] for each in answer["operations"]] == ["scheduling", "scheduling"]
    assert answer["branch"]["current_state"] == "init"
    seen = []
    for _ in range(3):
        clock.advance(1.001)
        seen.append(statuses(neon_api, project))
    assert seen == [
        [("create_timeline", "running"), ("start_compute", "scheduling")],
        [("create_timeline", "finished"), ("start_compute", "running")],
        [("create_timeline", "finished"), ("start_compute", "finished")],
    ]
    assert neon_api.get(default_branch(neon_api, project)).json()["branch"]["current_state"] == "ready"
    first = neon_api.get(f"{project}/operations/{answer['operations'][0]['id']}").json()["operation"]
    assert (first["status"], first["total_duration_ms"]) == ("finished", 1000)


CHANGES: tuple[tuple[str, str, Json], ...] = (
    ("PATCH", "", {"project": {"name": "other"}}),
    ("DELETE", "", {}),
    ("POST", "/branches", {"branch": {"name": "dev"}}),
    ("PATCH", "{branch}", {"branch": {"name": "other"}}),
    ("POST", "{branch}/databases", {"database": {"name": "extra", "owner_name": "neondb_owner"}}),
    ("DELETE", "{branch}/databases/main", {}),
    ("POST", "{branch}/roles", {"role": {"name": "second"}}),
    ("POST", "{branch}/roles/neondb_owner/reset_password", {}),
    ("PATCH", "{endpoint}", {"endpoint": {"autoscaling_limit_max_cu": 1}}),
    ("POST", "{endpoint}/suspend", {}),
    ("POST", "{endpoint}/restart", {}),
    ("DELETE", "{endpoint}", {}),
)


def test_a_change_is_refused_while_another_one_of_the_project_runs(neon_api: httpx.Client, clock: MovableClock) -> None:
    """G21: 423, with nothing done; other projects are not concerned, and reading is allowed."""
    answer = made(neon_api)
    project = f"/projects/{answer['project']['id']}"
    places = {
        "branch": f"/branches/{answer['branch']['id']}",
        "endpoint": f"/endpoints/{answer['endpoints'][0]['id']}",
    }
    for method, path, body in CHANGES:
        refused = neon_api.request(method, project + path.format(**places), json=body)
        assert (refused.status_code, refused.json()["message"]) == (423, LOCKED), path
    assert neon_api.get(project).json()["project"]["name"] == ORDER["name"]
    assert len(neon_api.get(f"{project}/operations").json()["operations"]) == 2
    made(neon_api)
    clock.advance(TO_THE_END)
    assert neon_api.patch(project, json={"project": {"name": "other"}}).status_code == 200


def test_a_repeated_create_is_a_second_project_of_the_same_name(neon_api: httpx.Client) -> None:
    """G43, B11: only a look for the mark before the create prevents it."""
    assert made(neon_api)["project"]["id"] != made(neon_api)["project"]["id"]
    found = neon_api.get("/projects", params={"search": ORDER["name"]}).json()["projects"]
    assert [each["name"] for each in found] == [ORDER["name"]] * 2


def test_a_deleted_project_can_be_recovered_for_seven_days(
    neon_api: httpx.Client, neon: RunningNeon, clock: MovableClock, project: str
) -> None:
    """B23."""
    before = neon_api.get(f"{default_branch(neon_api, project)}/roles/neondb_owner/reveal_password").json()
    assert neon_api.delete(project).status_code == 200
    assert neon_api.get(project).status_code == 404
    assert neon_api.get("/projects").json()["projects"] == []
    kept = neon_api.get("/projects", params={"recoverable": "true"}).json()["projects"]
    assert [each["id"] for each in kept] == [project.rpartition("/")[2]]
    assert kept[0]["recoverable_until"] > kept[0]["deleted_at"]
    assert [each["deleted"] for each in inventory(neon)["projects"]] == [True]
    clock.advance(6 * 86400)
    assert neon_api.post(f"{project}/recover").json()["branches"][0]["name"] == "main"
    clock.advance(TO_THE_END)
    assert neon_api.get(f"{default_branch(neon_api, project)}/roles/neondb_owner/reveal_password").json() == before
    assert neon_api.delete(project).status_code == 200
    clock.advance(7 * 86400 + 1)
    assert neon_api.post(f"{project}/recover").status_code == 404
    assert not any(inventory(neon).values())


def test_quota_and_name_change_in_place(neon_api: httpx.Client, project: str) -> None:
    """B7: what is not named in a change stays."""
    quota = {"active_time_seconds": 3600, "logical_size_bytes": 10**8}
    neon_api.patch(project, json={"project": {"settings": {"quota": quota}}}).raise_for_status()
    answer = neon_api.patch(
        project, json={"project": {"settings": {"quota": {"active_time_seconds": 60}}, "name": "n"}}
    )
    assert answer.json()["operations"] == []
    changed = neon_api.get(project).json()["project"]
    assert (changed["name"], changed["settings"]["quota"]) == ("n", quota | {"active_time_seconds": 60})


def test_projects_are_listed_in_pages_newest_first(neon_api: httpx.Client) -> None:
    names = [f"p{number}" for number in range(5)]
    for name in names:
        made(neon_api, name=name)
    seen: list[str] = []
    cursor = ""
    for _ in range(4):
        page = neon_api.get("/projects", params={"limit": 2, "cursor": cursor}).json()
        seen += [each["name"] for each in page["projects"]]
        cursor = page.get("pagination", {}).get("cursor", "")
    assert (seen, cursor) == (list(reversed(names)), "")
    assert len(neon_api.get("/projects", params={"search": "p3"}).json()["projects"]) == 1
    assert neon_api.get("/projects", params={"limit": 401}).status_code == 400


def test_the_key_of_a_person_has_to_name_the_organization(tmp_path: Path, clock: MovableClock) -> None:
    running = serve(tmp_path, key=KEY, servers=NoServers(), clock=clock, personal=True)
    with httpx.Client(base_url=running.api_url, headers={"Authorization": f"Bearer {KEY}"}) as api:
        for refused in (api.get("/projects"), api.post("/projects", json={"project": ORDER})):
            assert (refused.status_code, "org_id is required" in refused.json()["message"]) == (400, True)
        assert api.get("/projects", params={"org_id": "org-other-1"}).status_code == 403
        assert made(api, org_id=ORGANIZATION)["project"]["org_id"] == ORGANIZATION
        assert len(api.get("/projects", params={"org_id": ORGANIZATION}).json()["projects"]) == 1
    running.stop()


def test_consumption_is_the_seconds_computes_ran(neon_api: httpx.Client, clock: MovableClock, project: str) -> None:
    """G22, B8: per project and day, by the size of the compute and until its timeout."""
    clock.advance(86400)
    key = project.rpartition("/")[2]
    query = {
        "from": rfc3339(clock() - 2 * 86400),
        "to": rfc3339(clock() + 86400),
        "granularity": "daily",
        "org_id": ORGANIZATION,
        "project_ids": key,
        "metrics": "compute_unit_seconds,root_branch_bytes_month",
    }
    found = neon_api.get("/consumption_history/v2/projects", params=query).json()["projects"]
    assert [each["project_id"] for each in found] == [key]
    frames = found[0]["periods"][0]["consumption"]
    values = [{each["metric_name"]: each["value"] for each in frame["metrics"]} for frame in frames]
    assert sum(each["compute_unit_seconds"] for each in values) == pytest.approx(300 * 0.25, abs=1)
    assert {each["root_branch_bytes_month"] for each in values} == {0}
    assert neon_api.get("/consumption_history/v2/projects", params=query | {"metrics": "x"}).status_code == 400
    old = query | {"from": rfc3339(clock() - 90 * 86400)}
    assert neon_api.get("/consumption_history/v2/projects", params=old).status_code == 406
    without = {key: value for key, value in query.items() if key != "org_id"}
    assert neon_api.get("/consumption_history/v2/projects", params=without).status_code == 400


def test_too_many_requests_are_refused_by_route_and_by_key(tmp_path: Path) -> None:
    """F24: in any second on one route, in any minute with one key."""
    running = serve(tmp_path, key=KEY, servers=NoServers(), pace=Pace(per_minute=50, per_second=20))
    with httpx.Client(base_url=running.api_url, headers={"Authorization": f"Bearer {KEY}"}) as api:
        answers = [api.get("/regions").status_code for _ in range(25)]
        assert answers == [200] * 20 + [429] * 5
        many = [api.get(path).status_code for _ in range(20) for path in ("/projects", "/projects/none")]
        assert many.count(429) == len(many) - 30
    running.stop()


def test_everything_is_there_again_after_a_restart(tmp_path: Path, clock: MovableClock) -> None:
    first = serve(tmp_path, key=KEY, servers=NoServers(), clock=clock)
    headers = {"Authorization": f"Bearer {KEY}"}
    answer = httpx.post(f"{first.api_url}/projects", json={"project": ORDER}, headers=headers).json()
    first.stop()
    clock.advance(TO_THE_END)
    second = serve(tmp_path, key=KEY, servers=NoServers(), clock=clock)
    path = f"{second.api_url}/projects/{answer['project']['id']}"
    assert httpx.get(path, headers=headers).json()["project"]["name"] == ORDER["name"]
    found = httpx.get(f"{path}/operations", headers=headers).json()["operations"]
    assert {each["status"] for each in found} == {"finished"}
    assert [each.method for each in second.requests()] == ["POST", "GET", "GET"]
    second.stop()


def test_an_object_is_changed_or_removed_behind_our_back(
    neon_api: httpx.Client, neon: RunningNeon, project: str
) -> None:
    key = project.rpartition("/")[2]

    def edit(order: Json) -> int:
        return httpx.post(f"{neon.url}/_sandbox/edit", json=order).status_code

    assert edit({"kind": "project", "id": key, "set": {"name": "renamed"}}) == 204
    assert neon_api.get(project).json()["project"]["name"] == "renamed"
    assert edit({"kind": "project", "id": key, "set": {"pg_version": "many"}}) == 400
    assert edit({"kind": "role", "id": inventory(neon)["roles"][0]["id"], "delete": True}) == 400
    assert edit({"kind": "project", "id": key, "delete": True}) == 204
    assert edit({"kind": "project", "id": key, "delete": True}) == 404
    assert neon_api.get(project).status_code == 404
    assert not any(inventory(neon).values())
