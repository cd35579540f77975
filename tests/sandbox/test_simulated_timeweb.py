"""The simulated account keeps the vendor's rules: states that move with the clock, units, uniqueness, durability."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from sandbox.s3 import S3Server
from sandbox.simulators.clock import MovableClock
from sandbox.simulators.servers import NoServers
from sandbox.simulators.timeweb.serve import RunningTimeweb, serve
from sandbox.simulators.timeweb.storage import NoStorage

Json = dict[str, Any]
ORDER: Json = {"name": "shared-free-1", "type": "postgres15", "preset_id": 124, "description": "a mark"}


@pytest.fixture
def api(timeweb: RunningTimeweb) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=timeweb.url, headers={"Authorization": f"Bearer {timeweb.token}"}) as client:
        yield client


def order(api: httpx.Client, **changes: object) -> Json:
    made: Json = api.post("/api/v1/databases", json=ORDER | changes).raise_for_status().json()["db"]
    return made


def started(api: httpx.Client, clock: MovableClock) -> str:
    path = f"/api/v1/databases/{order(api)['id']}"
    clock.advance(60)
    return path


def test_a_cluster_has_no_address_until_it_has_started(api: httpx.Client, clock: MovableClock) -> None:
    """G2: there is no `host`; domains, networks and port fill when the cluster has started."""
    made = order(api)
    assert (made["status"], made["port"], made["domains"], made["networks"]) == ("starting", None, [], [])
    clock.advance(60)
    now = api.get(f"/api/v1/databases/{made['id']}").json()["db"]
    assert now["status"] == "started"
    assert "host" not in now
    assert now["domains"] == [{"fqdn": "localhost", "cert_status": "issued"}]
    assert now["networks"][0]["ips"] == [{"ip": "127.0.0.1", "type": "ipv_4"}]
    assert isinstance(now["port"], int)


def test_presets_are_in_megabytes_and_disks_in_kilobytes(api: httpx.Client) -> None:
    """G12; the sample prices of A14."""
    presets = {each["id"]: each for each in api.get("/api/v2/presets/dbs").json()["databases_presets"]}
    assert (presets[124]["disk"], presets[124]["ram"], presets[124]["price"]) == (40 * 1024, 4 * 1024, 1575)
    assert order(api)["disk"]["size"] == 40 * 1024 * 1024
    bucket = api.post("/api/v1/storages/buckets", json={"name": "b", "type": "private", "preset_id": 382}).json()
    assert bucket["bucket"]["disk_stats"]["size"] == 10 * 1024 * 1024


def test_one_database_and_one_user_come_with_every_cluster(api: httpx.Client, clock: MovableClock) -> None:
    path = started(api, clock)
    assert [each["name"] for each in api.get(f"{path}/instances").json()["instances"]] == ["default_db"]
    assert [each["login"] for each in api.get(f"{path}/admins").json()["admins"]] == ["gen_user"]


def test_nothing_is_made_in_a_cluster_that_does_not_run(api: httpx.Client) -> None:
    path = f"/api/v1/databases/{order(api)['id']}"
    assert api.post(f"{path}/instances", json={"name": "main"}).status_code == 400
    assert api.post(f"{path}/admins", json={"login": "a", "password": "p"}).status_code == 400
    assert api.patch(path, json={"preset_id": 125}).status_code == 400
    assert api.patch(path.replace("databases", "dbs") + "/auto-backups", json={"is_enabled": False}).status_code == 409


def test_a_new_size_restarts_the_cluster(api: httpx.Client, clock: MovableClock) -> None:
    path = started(api, clock)
    changed = api.patch(path, json={"preset_id": 125}).json()["db"]
    assert (changed["status"], changed["disk"]["size"]) == ("rebooting", 80 * 1024 * 1024)
    clock.advance(60)
    assert api.get(path).json()["db"]["status"] == "started"


def test_a_cluster_changes_only_within_its_group_of_presets(api: httpx.Client, clock: MovableClock) -> None:
    path = started(api, clock)
    offered = api.get("/api/v2/presets/dbs", params={"cluster_id": path.rsplit("/", 1)[1]}).json()
    assert {(each["type"], each["location"]) for each in offered["databases_presets"]} == {("postgres", "ru-1")}


def test_power_passes_through_its_own_states(api: httpx.Client, clock: MovableClock) -> None:
    path = started(api, clock)
    seen = []
    for action in ("shutdown", "start", "reboot"):
        assert api.post(f"{path}/action", json={"action": action}).status_code == 201
        seen.append(api.get(path).json()["db"]["status"])
        clock.advance(60)
        seen.append(api.get(path).json()["db"]["status"])
    assert seen == ["turning_off", "stopped", "turning_on", "started", "rebooting", "started"]


def test_two_clusters_may_have_one_name_so_a_repeated_create_is_a_second_cluster(api: httpx.Client) -> None:
    """G43: only a look-up before the create prevents it."""
    assert order(api)["id"] != order(api)["id"]
    assert api.get("/api/v1/databases").json()["meta"]["total"] == 2


def test_a_list_has_pages_and_says_how_much_there_is(api: httpx.Client) -> None:
    made = [order(api)["id"] for _ in range(5)]
    page = api.get("/api/v1/databases", params={"limit": 2, "offset": 3}).json()
    assert [each["id"] for each in page["dbs"]] == made[3:]
    assert page["meta"] == {"total": 5}


def test_both_shapes_show_one_cluster(api: httpx.Client, clock: MovableClock) -> None:
    """G1, G2."""
    path = started(api, clock)
    legacy = api.get(path.replace("databases", "dbs")).json()["db"]
    assert (legacy["name"], legacy["host"], legacy["login"]) == ("shared-free-1", "localhost", "gen_user")
    assert api.delete(path.replace("databases", "dbs")).status_code == 204
    assert api.get(path).status_code == 404


def test_an_id_is_never_used_twice_and_never_found_under_another_kind(api: httpx.Client, clock: MovableClock) -> None:
    path = started(api, clock)
    cluster_id = int(path.rsplit("/", 1)[1])
    user_id = api.get(f"{path}/admins").json()["admins"][0]["id"]
    assert api.get(f"{path}/instances/{user_id}").status_code == 404
    assert api.get(f"/api/v1/databases/{user_id}").status_code == 404
    assert api.delete(path).status_code == 204
    assert order(api)["id"] > cluster_id + 2


def test_a_bucket_is_known_to_the_store_by_a_prefixed_name(api: httpx.Client, s3: S3Server) -> None:
    """G4."""
    body = {"name": "customer-acme", "type": "private", "preset_id": 382}
    bucket = api.post("/api/v1/storages/buckets", json=body).json()["bucket"]
    assert bucket["full_name"].endswith("-customer-acme")
    assert bucket["full_name"] != bucket["name"] == "customer-acme"
    assert f"http://{bucket['hostname']}" == s3.url
    assert api.post("/api/v1/storages/buckets", json=body).status_code == 400


def test_a_scoped_user_shows_its_secret_once_and_its_name_is_unique(api: httpx.Client) -> None:
    """G5."""
    made = api.post("/api/v2/storages/users", json={"name": "tenantry-acme"})
    assert made.status_code == 200
    user = made.json()["iam_user"]
    assert user["secret_key"]
    listed = api.get("/api/v2/storages/users").json()
    assert listed["meta"] == {"total": 1}
    assert listed["iam_users"] == [{key: user[key] for key in ("id", "name", "access_key", "status")}]
    assert api.get(f"/api/v2/storages/users/{user['id']}").json()["iam_user"] == listed["iam_users"][0]
    assert api.post("/api/v2/storages/users", json={"name": "tenantry-acme"}).status_code == 409
    assert api.delete(f"/api/v2/storages/users/{user['id']}").status_code == 204
    assert api.get(f"/api/v2/storages/users/{user['id']}").json()["error_code"] == "not_found"


def test_the_account_pays_for_what_is_ordered(api: httpx.Client) -> None:
    order(api)
    api.post("/api/v1/storages/buckets", json={"name": "b", "type": "private", "preset_id": 382})
    costs = api.get("/api/v1/account/services/cost").json()["services_costs"]
    assert [(each["type"], each["cost"]) for each in costs] == [("database", 1575), ("s3", 20)]
    assert api.get("/api/v1/account/finances").json()["finances"]["monthly_cost"] == 1595


def test_the_log_tells_every_request_in_order_and_masks_secrets(api: httpx.Client, timeweb: RunningTimeweb) -> None:
    api.get("/api/v1/databases?limit=1")
    order(api, admin={"login": "admin", "password": "hunter2"})
    api.get("/api/v1/nothing")
    entries = timeweb.requests()
    assert [(each.n, each.method, each.path, each.query, each.status) for each in entries] == [
        (1, "GET", "/api/v1/databases", "limit=1", 200),
        (2, "POST", "/api/v1/databases", "", 201),
        (3, "GET", "/api/v1/nothing", "", 404),
    ]
    assert entries[1].body == ORDER | {"admin": {"login": "admin", "password": "[masked]"}}
    assert timeweb.requests("POST") == [entries[1]]
    assert api.get("/_sandbox/requests").json()[2]["status"] == 404
    assert api.delete("/_sandbox/requests").status_code == 204
    assert timeweb.requests() == []


def test_objects_can_be_edited_and_removed_behind_our_back(api: httpx.Client, clock: MovableClock) -> None:
    path = started(api, clock)
    cluster_id = int(path.rsplit("/", 1)[1])
    change = {"kind": "cluster", "id": cluster_id, "set": {"description": "other", "status": "no_paid"}}
    assert api.post("/_sandbox/edit", json=change).status_code == 204
    found = api.get(path).json()["db"]
    assert (found["description"], found["status"]) == ("other", "no_paid")
    inventory = api.get("/_sandbox/inventory").json()
    assert [(each["name"], each["mark"]) for each in inventory["clusters"]] == [("shared-free-1", "other")]
    assert [each["name"] for each in inventory["databases"]] == ["default_db"]
    assert api.post("/_sandbox/edit", json={"kind": "cluster", "id": cluster_id, "delete": True}).status_code == 204
    assert api.get(path).status_code == 404
    assert api.get("/_sandbox/inventory").json()["admins"] == []
    assert api.post("/_sandbox/edit", json={"kind": "moon", "id": 1}).status_code == 404
    assert api.post("/_sandbox/edit", json={"kind": "cluster", "id": 1}).status_code == 404


def test_state_and_log_outlive_the_simulator(tmp_path: Path, clock: MovableClock) -> None:
    first = serve(tmp_path, token="t", servers=NoServers(), storage=NoStorage(), clock=clock)
    headers = {"Authorization": "Bearer t"}
    made = httpx.post(f"{first.url}/api/v1/databases", json=ORDER, headers=headers).json()["db"]
    signer = httpx.get(f"{first.url}/api/v1/storages/users", headers=headers).json()
    first.stop()
    clock.advance(60)
    second = serve(tmp_path, token="t", servers=NoServers(), storage=NoStorage(), clock=clock)
    found = httpx.get(f"{second.url}/api/v1/databases/{made['id']}", headers=headers).json()["db"]
    assert (found["name"], found["status"]) == ("shared-free-1", "started")
    assert httpx.get(f"{second.url}/api/v1/storages/users", headers=headers).json() == signer
    assert [each.method for each in second.requests()] == ["POST", "GET", "GET", "GET"]
    second.stop()
