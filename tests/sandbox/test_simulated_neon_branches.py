"""Simulated branches, their roles and computes keep Neon's rules: what is copied, what stays, what expires."""

import httpx
import pytest

from sandbox.simulators.clock import MovableClock
from sandbox.simulators.neon.serve import RunningNeon
from tests.sandbox.neon_rig import TO_THE_END, default_branch, made, rfc3339


def uri_of(branch_id: str) -> dict[str, str]:
    return {"branch_id": branch_id, "role_name": "neondb_owner", "database_name": "main"}


def test_a_branch_has_an_endpoint_only_if_asked_for(neon_api: httpx.Client, clock: MovableClock, project: str) -> None:
    """B6; a second one that writes is refused."""
    parent = default_branch(neon_api, project).rpartition("/")[2]
    plain = neon_api.post(f"{project}/branches", json={"branch": {"name": "plain"}}).json()
    assert (plain["endpoints"], plain["branch"]["parent_id"]) == ([], parent)
    assert [each["name"] for each in plain["databases"]] == ["main"]
    clock.advance(TO_THE_END)
    missing = neon_api.get(f"{project}/connection_uri", params=uri_of(plain["branch"]["id"]))
    assert (missing.status_code, missing.json()["message"]) == (404, "branch has no endpoint")
    order = {"endpoint": {"branch_id": plain["branch"]["id"], "type": "read_write"}}
    assert neon_api.post(f"{project}/endpoints", json=order).status_code == 201
    clock.advance(TO_THE_END)
    assert neon_api.post(f"{project}/endpoints", json=order).status_code == 409
    assert neon_api.get(f"{project}/connection_uri", params=uri_of(plain["branch"]["id"])).status_code == 200


def test_root_default_parent_and_protected_branches_stay(
    neon_api: httpx.Client, clock: MovableClock, project: str
) -> None:
    child = neon_api.post(f"{project}/branches", json={"branch": {"name": "child", "protected": True}}).json()["branch"]
    clock.advance(TO_THE_END)
    neon_api.post(f"{project}/branches", json={"branch": {"name": "grandchild", "parent_id": child["id"]}})
    clock.advance(TO_THE_END)
    path = f"{project}/branches/{child['id']}"
    reasons = [neon_api.delete(default_branch(neon_api, project)), neon_api.delete(path)]
    neon_api.patch(path, json={"branch": {"protected": False}}).raise_for_status()
    reasons.append(neon_api.delete(path))
    assert [(each.status_code, each.json()["message"]) for each in reasons] == [
        (422, "cannot delete a root or default branch"),
        (422, "cannot delete a protected branch"),
        (422, "cannot delete a branch that has children"),
    ]
    duplicate = neon_api.post(f"{project}/branches", json={"branch": {"name": "child"}})
    assert duplicate.status_code == 409


def test_an_expired_branch_is_deleted_and_can_be_recovered(
    neon_api: httpx.Client, clock: MovableClock, project: str
) -> None:
    """B6: by the clock, without anybody asking; a recovered branch does not expire again."""
    body = {"branch": {"name": "preview", "expires_at": rfc3339(clock() + 3600)}, "endpoints": [{"type": "read_write"}]}
    branch = neon_api.post(f"{project}/branches", json=body).json()["branch"]
    assert branch["ttl_interval_seconds"] == pytest.approx(3600, abs=1)
    path = f"{project}/branches/{branch['id']}"
    clock.advance(3500)
    assert neon_api.get(path).status_code == 200
    clock.advance(200)
    assert neon_api.get(path).status_code == 404
    deleted = neon_api.get(f"{project}/branches", params={"include_deleted": "true"}).json()["branches"]
    assert [each["recovery"]["deletion_method"] for each in deleted if "recovery" in each] == ["ttl"]
    assert "expires_at" not in neon_api.post(f"{path}/recover").json()["branch"]
    clock.advance(7200)
    assert neon_api.get(path).status_code == 200


def test_what_is_gone_already_is_deleted_by_an_empty_answer(
    neon_api: httpx.Client, clock: MovableClock, project: str
) -> None:
    branch = default_branch(neon_api, project)
    for path in (
        f"{project}/branches/br-none-00000001",
        f"{branch}/databases/none",
        f"{branch}/roles/none",
        f"{project}/endpoints/ep-none-00000001",
    ):
        assert (neon_api.delete(path).status_code, neon_api.delete(path).content) == (204, b"")
    assert neon_api.delete(f"{branch}/databases/main").status_code == 200
    clock.advance(TO_THE_END)
    assert neon_api.delete(f"{branch}/databases/main").status_code == 204


def test_a_password_is_revealed_where_it_is_kept_and_can_be_reset(neon_api: httpx.Client, project: str) -> None:
    role = f"{default_branch(neon_api, project)}/roles/neondb_owner"
    first = neon_api.get(f"{role}/reveal_password").json()["password"]
    second = neon_api.post(f"{role}/reset_password").json()["role"]["password"]
    assert first != second == neon_api.get(f"{role}/reveal_password").json()["password"]
    assert "password" not in neon_api.get(role).json()["role"]
    other = made(neon_api, store_passwords=False)
    path = f"/projects/{other['project']['id']}/branches/{other['branch']['id']}/roles/neondb_owner"
    assert neon_api.get(f"{path}/reveal_password").status_code == 412


def test_no_password_and_no_uri_reach_the_request_log(neon_api: httpx.Client, neon: RunningNeon) -> None:
    answer = made(neon_api)
    password = answer["roles"][0]["password"]
    path = f"/projects/{answer['project']['id']}"
    found = neon_api.get(f"{path}/connection_uri", params=uri_of(answer["branch"]["id"]))
    assert password in found.json()["uri"]
    assert password not in httpx.get(f"{neon.url}/_sandbox/requests").text


def test_a_connection_uri_needs_a_role_and_a_database(neon_api: httpx.Client, project: str) -> None:
    """G20; the pooled one is another name of the same server, since the port is in the URI alone."""
    path = f"{project}/connection_uri"
    assert neon_api.get(path, params={"role_name": "neondb_owner"}).status_code == 400
    assert neon_api.get(path, params={"database_name": "main"}).status_code == 400
    assert neon_api.get(path, params={"role_name": "none", "database_name": "main"}).status_code == 404
    branch = default_branch(neon_api, project).rpartition("/")[2]
    direct, pooled = (
        httpx.URL(neon_api.get(path, params=uri_of(branch) | {"pooled": flag}).json()["uri"])
        for flag in ("False", "true")
    )
    assert (direct.host, pooled.host) == ("localhost", "127.0.0.1")
    assert (direct.port, direct.path, direct.userinfo) == (pooled.port, pooled.path, pooled.userinfo)


def test_a_compute_changes_its_size_and_stops(neon_api: httpx.Client, clock: MovableClock, project: str) -> None:
    """B7."""
    path = f"{project}/endpoints/{neon_api.get(f'{project}/endpoints').json()['endpoints'][0]['id']}"
    size = {"autoscaling_limit_min_cu": 0.5, "autoscaling_limit_max_cu": 2, "suspend_timeout_seconds": 60}
    changed = neon_api.patch(path, json={"endpoint": size}).json()
    assert {key: changed["endpoint"][key] for key in size} == size
    assert [each["action"] for each in changed["operations"]] == ["apply_config"]
    clock.advance(TO_THE_END)
    assert neon_api.get(path).json()["endpoint"]["current_state"] == "active"
    clock.advance(60)
    assert neon_api.get(path).json()["endpoint"]["current_state"] == "idle"
    started = neon_api.post(f"{path}/start").json()
    assert (started["endpoint"]["pending_state"], len(started["operations"])) == ("active", 1)
    clock.advance(TO_THE_END)
    assert neon_api.post(f"{path}/start").json()["operations"] == []
    assert neon_api.post(f"{path}/suspend").json()["endpoint"]["current_state"] == "idle"
    clock.advance(TO_THE_END)
    assert [each["action"] for each in neon_api.post(f"{path}/restart").json()["operations"]] == [
        "suspend_compute",
        "start_compute",
    ]
    clock.advance(TO_THE_END)
    assert neon_api.patch(path, json={"endpoint": {"disabled": True}}).json()["endpoint"]["disabled"]
    clock.advance(TO_THE_END)
    assert neon_api.post(f"{path}/start").status_code == 422
