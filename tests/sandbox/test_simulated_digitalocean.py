"""The simulated account of managed databases: states, faults and limits, and real servers reached through TLS."""

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from sandbox.simulators.clock import MovableClock
from sandbox.simulators.digitalocean.limit import Limits
from sandbox.simulators.digitalocean.serve import RunningDigitalOcean, serve
from sandbox.simulators.digitalocean.servers import NoManagedServers
from tests.sandbox.managed_rig import MARK, ORDER, TOKEN, client_of, ordered, status


@pytest.fixture
def clock() -> MovableClock:
    return MovableClock()


@pytest.fixture
def cloud(tmp_path: Path, clock: MovableClock) -> Iterator[RunningDigitalOcean]:
    """An account without servers behind its clusters."""
    running = serve(
        tmp_path,
        token=TOKEN,
        servers=NoManagedServers(),
        certificate="no certificate",
        clock=clock,
        limits=Limits(per_minute=20, per_hour=50),
    )
    yield running
    running.stop()


@pytest.fixture
def api(cloud: RunningDigitalOcean) -> Iterator[httpx.Client]:
    with client_of(cloud) as client:
        yield client


def answered(cloud: RunningDigitalOcean) -> list[tuple[str, int | None, str | None]]:
    return [(entry.method, entry.status, entry.fault) for entry in cloud.requests()]


def test_a_cluster_is_creating_then_online_and_its_address_is_known_at_once(
    api: httpx.Client, clock: MovableClock
) -> None:
    made = api.post("/v2/databases", json=ORDER).json()["database"]
    assert made["status"] == "creating"
    assert (made["connection"]["host"], made["connection"]["port"]) == ("localhost", 25060)
    assert made["connection"]["uri"].endswith("@localhost:25060/defaultdb?sslmode=require")
    path = f"/v2/databases/{made['id']}"
    clock.advance(4)
    assert status(api, path) == "creating"
    clock.advance(2)
    assert status(api, path) == "online"
    assert api.put(path + "/resize", json={"size": "db-s-2vcpu-4gb", "num_nodes": 1}).status_code == 202
    refused = api.put(path + "/resize", json={"size": "db-s-2vcpu-4gb", "num_nodes": 1})
    assert (refused.status_code, refused.json()["id"]) == (412, "precondition_failed")
    clock.advance(3)
    assert api.get(path).json()["database"]["size"] == "db-s-2vcpu-4gb"
    assert status(api, path) == "online"


def test_names_of_clusters_are_taken_once_and_a_mark_finds_its_cluster(api: httpx.Client, clock: MovableClock) -> None:
    """G43: of two orders with one name the second is refused, also before the first is online."""
    path = ordered(api)
    assert api.post("/v2/databases", json=ORDER).status_code == 422
    ordered(api, name="other", tags=["tenantry:prod:other"])
    found = api.get("/v2/databases", params={"tag_name": MARK}).json()
    assert ([f"/v2/databases/{each['id']}" for each in found["databases"]], found["meta"]) == ([path], {"total": 1})
    assert api.get("/v2/databases", params={"tag_name": "nobody"}).json()["databases"] == []
    order = {"resources": [{"resource_id": path.rpartition("/")[2], "resource_type": "database"}]}
    assert api.post("/v2/tags", json={"name": "second"}).status_code == 201
    assert api.post("/v2/tags/second/resources", json=order).status_code == 204
    assert api.request("DELETE", f"/v2/tags/{MARK}/resources", json=order).status_code == 204
    clock.advance(10)
    assert api.get(path).json()["database"]["tags"] == ["second"]
    assert status(api, path) == "online"


def test_a_lost_answer_leaves_a_cluster_and_a_repeated_order_is_refused(
    cloud: RunningDigitalOcean, api: httpx.Client
) -> None:
    """Facts 6: what the native plugin does by itself ends in an error here, for the name is taken."""
    cloud.strike("response-lost", method="POST")
    with pytest.raises(httpx.RemoteProtocolError):
        api.post("/v2/databases", json=ORDER)
    assert api.post("/v2/databases", json=ORDER).status_code == 422
    assert [each["mark"] for each in api.get("/_sandbox/inventory").json()["clusters"]] == [MARK]
    assert answered(cloud) == [("POST", None, "response-lost"), ("POST", 422, None)]


@pytest.mark.parametrize(
    ("name", "code", "identity"),
    [
        ("forbidden", 403, "forbidden"),
        ("unavailable", 503, "service_unavailable"),
        ("rate-limited", 429, "too_many_requests"),
    ],
)
def test_one_refused_look_while_it_is_made_harms_no_cluster(  # noqa: PLR0917 - fixtures and one row
    cloud: RunningDigitalOcean, api: httpx.Client, clock: MovableClock, name: str, code: int, identity: str
) -> None:
    path = ordered(api)
    cloud.strike(name, method="GET", path=r"^/v2/databases/[^/]+$")
    refused = api.get(path)
    assert (refused.status_code, refused.json()["id"]) == (code, identity)
    assert refused.headers.get("retry-after") == ("1" if code == 429 else None)
    clock.advance(10)
    assert status(api, path) == "online"
    assert answered(cloud) == [("POST", 201, None), ("GET", code, name), ("GET", 200, None)]


def test_a_stuck_cluster_stays_and_a_gone_one_is_gone(
    cloud: RunningDigitalOcean, api: httpx.Client, clock: MovableClock
) -> None:
    cloud.strike("stuck")
    path = ordered(api)
    clock.advance(10**6)
    assert status(api, path) == "creating"
    identity = path.rpartition("/")[2]
    edit = {"kind": "cluster", "id": identity, "set": {"status": "online"}}
    assert api.post("/_sandbox/edit", json=edit).status_code == 204
    assert status(api, path) == "online"
    assert api.post(path + "/dbs", json={"name": "tenant_acme"}).status_code == 201
    cloud.strike("gone", path="/dbs/")
    assert api.get(path + "/dbs/tenant_acme").status_code == 404
    cloud.strike("delete-ignored", method="DELETE")
    assert api.delete(path).status_code == 204
    cloud.strike("gone")
    assert [api.get(path).status_code, api.delete(path).status_code] == [404, 404]
    assert api.get("/_sandbox/inventory").json()["clusters"] == []


def test_an_edit_behind_the_callers_back_takes_databases_users_and_pools(
    api: httpx.Client, clock: MovableClock
) -> None:
    path = ordered(api)
    clock.advance(10)
    api.post(path + "/dbs", json={"name": "tenant_acme"}).raise_for_status()
    api.post(path + "/users", json={"name": "tenant_acme_user"}).raise_for_status()
    pool = {"name": "a-pool", "mode": "session", "size": 2, "db": "tenant_acme"}
    api.post(path + "/pools", json=pool).raise_for_status()
    whose = path.rpartition("/")[2]
    for kind, name in (("pool", "a-pool"), ("user", "tenant_acme_user"), ("database", "tenant_acme")):
        assert [each["name"] for each in api.get("/_sandbox/inventory").json()[f"{kind}s"]][-1] == name
        assert (
            api.post("/_sandbox/edit", json={"kind": kind, "id": f"{whose}/{name}", "delete": True}).status_code == 204
        )
    left = api.get("/_sandbox/inventory").json()
    assert ([each["name"] for each in left["databases"]], left["pools"]) == (["defaultdb"], [])


def test_every_answer_tells_the_rate_limit_and_too_many_are_told_when_to_come_again(
    api: httpx.Client, clock: MovableClock
) -> None:
    answers = [api.get("/v2/databases") for _ in range(21)]
    assert [each.status_code for each in answers] == [200] * 20 + [429]
    assert [each.headers["ratelimit-remaining"] for each in answers[:2]] == ["49", "48"]
    assert answers[-1].json()["id"] == "too_many_requests"
    assert 0 < int(answers[-1].headers["retry-after"]) <= 60
    assert int(answers[-1].headers["ratelimit-reset"]) > clock()
    for _ in range(2):
        clock.advance(60)
        spent = [api.get("/v2/databases").status_code for _ in range(20)]
    assert spent == [200] * 10 + [429] * 10, "of fifty in an hour forty had been spent"
    clock.advance(3600)
    assert api.get("/v2/databases").status_code == 200
    assert "ratelimit-limit" in api.get("/v2/databases", headers={"Authorization": "Bearer other"}).headers


def test_an_account_is_there_again_after_a_restart(tmp_path: Path, clock: MovableClock) -> None:
    def running() -> RunningDigitalOcean:
        return serve(tmp_path, token=TOKEN, servers=NoManagedServers(), certificate="none", clock=clock)

    first = running()
    with client_of(first) as api:
        path = ordered(api)
        password = api.get(path).json()["database"]["connection"]["password"]
    first.stop()
    clock.advance(10)
    second = running()
    with client_of(second) as api:
        found = api.get(path).json()["database"]
    second.stop()
    assert (found["status"], found["connection"]["password"]) == ("online", password)
