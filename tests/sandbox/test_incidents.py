"""Every switch of the fault table does what its incident says, and the log tells what was struck."""

from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from sandbox.faults import SWITCHES, FaultBox, fault
from sandbox.simulators.clock import MovableClock
from sandbox.simulators.pace import SlidingWindow
from sandbox.simulators.timeweb.serve import RunningTimeweb

ORDER: dict[str, Any] = {"name": "shared-free-1", "type": "postgres15", "preset_id": 124}
CLUSTERS = "/api/v1/databases"


@pytest.fixture
def api(timeweb: RunningTimeweb) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=timeweb.url, headers={"Authorization": f"Bearer {timeweb.token}"}) as client:
        yield client


@pytest.fixture
def cluster(api: httpx.Client, clock: MovableClock, timeweb: RunningTimeweb) -> str:
    path = f"{CLUSTERS}/{api.post(CLUSTERS, json=ORDER).json()['db']['id']}"
    clock.advance(60)
    timeweb.log.clear()
    return path


def struck(timeweb: RunningTimeweb) -> list[tuple[str, int | None, str | None]]:
    return [(entry.method, entry.status, entry.fault) for entry in timeweb.requests()]


def test_a_lost_response_leaves_the_object_and_no_answer(api: httpx.Client, timeweb: RunningTimeweb) -> None:
    timeweb.strike("response-lost", method="POST", path=f"^{CLUSTERS}$")
    with pytest.raises(httpx.RemoteProtocolError):
        api.post(CLUSTERS, json=ORDER)
    assert [each["name"] for each in api.get(CLUSTERS).json()["dbs"]] == ["shared-free-1"]
    assert struck(timeweb) == [("POST", None, "response-lost"), ("GET", 200, None)]


@pytest.mark.parametrize(
    ("name", "status", "code"),
    [("error-after-work", 500, "internal_server_error"), ("refused-after-work", 422, "unprocessable_entity")],
)
def test_an_error_after_the_work_leaves_the_object(
    api: httpx.Client, timeweb: RunningTimeweb, name: str, status: int, code: str
) -> None:
    """F37."""
    timeweb.strike(name, method="POST")
    answer = api.post(CLUSTERS, json=ORDER)
    assert (answer.status_code, answer.json()["error_code"]) == (status, code)
    assert api.get(CLUSTERS).json()["meta"]["total"] == 1
    assert struck(timeweb) == [("POST", status, name), ("GET", 200, None)]


@pytest.mark.parametrize(
    ("name", "status", "code"),
    [
        ("unavailable", 503, "service_unavailable"),
        ("locked", 423, "locked"),
        ("rate-limited", 429, "too_many_requests"),
        ("token-refused", 401, "unauthorized"),
    ],
)
def test_a_refusal_does_nothing_for_as_often_as_it_was_set(
    api: httpx.Client, timeweb: RunningTimeweb, name: str, status: int, code: str
) -> None:
    timeweb.strike(name, method="POST", times=2)
    for _ in range(2):
        answer = api.post(CLUSTERS, json=ORDER)
        assert (answer.status_code, answer.json()["error_code"]) == (status, code)
    assert api.post(CLUSTERS, json=ORDER).status_code == 201
    assert api.get(CLUSTERS).json()["meta"]["total"] == 1


def test_a_bare_404_has_no_envelope_and_the_object_lives(
    api: httpx.Client, timeweb: RunningTimeweb, cluster: str
) -> None:
    """G17."""
    timeweb.strike("bare-404", method="GET")
    answer = api.get(cluster)
    assert answer.status_code == 404
    assert "error_code" not in answer.text
    assert api.get(cluster).status_code == 200


def test_a_fault_may_let_some_requests_pass(api: httpx.Client, timeweb: RunningTimeweb, cluster: str) -> None:
    timeweb.strike("unavailable", method="GET", skip=2)
    assert [api.get(cluster).status_code for _ in range(4)] == [200, 200, 503, 200]


def test_a_slow_answer_comes_in_the_end(api: httpx.Client, timeweb: RunningTimeweb, cluster: str) -> None:
    timeweb.strike("slow", method="GET", seconds=0.2)
    answer = api.get(cluster)
    assert answer.status_code == 200
    assert answer.elapsed.total_seconds() > 0.2


def test_a_delete_that_needs_confirmation_deletes_nothing(
    api: httpx.Client, timeweb: RunningTimeweb, cluster: str
) -> None:
    """G16."""
    timeweb.strike("delete-needs-confirmation")
    answer = api.delete(cluster)
    assert answer.status_code == 200
    assert answer.json()["database_delete"]["hash"]
    assert api.get(cluster).status_code == 200


def test_a_delete_may_be_answered_and_ignored(api: httpx.Client, timeweb: RunningTimeweb, cluster: str) -> None:
    """G16, F37."""
    timeweb.strike("delete-ignored")
    assert api.delete(cluster).status_code == 204
    assert api.get(cluster).status_code == 200
    assert api.delete(cluster).status_code == 204
    assert api.get(cluster).status_code == 404


def test_a_change_of_size_may_never_end(
    api: httpx.Client, timeweb: RunningTimeweb, clock: MovableClock, cluster: str
) -> None:
    timeweb.strike("stuck", method="PATCH", path=cluster)
    assert api.patch(cluster, json={"preset_id": 125}).status_code == 200
    clock.advance(3600)
    assert api.get(cluster).json()["db"]["status"] == "rebooting"


def test_a_size_that_is_sold_out_is_neither_listed_nor_ordered(api: httpx.Client, timeweb: RunningTimeweb) -> None:
    timeweb.strike("sold-out", preset_id=124)

    def offered(**query: str) -> bool:
        presets = api.get("/api/v2/presets/dbs", params=query).json()["databases_presets"]
        return 124 in {each["id"] for each in presets}

    assert not offered()
    assert offered(with_unavailable="true")
    assert api.post(CLUSTERS, json=ORDER).status_code == 400
    assert api.post(CLUSTERS, json=ORDER | {"preset_id": 125}).status_code == 201
    timeweb.faults.clear()
    assert offered()


@pytest.mark.parametrize(("name", "status"), [("stuck", "starting"), ("failed-state", "error")])
def test_a_cluster_may_never_start(
    api: httpx.Client, timeweb: RunningTimeweb, clock: MovableClock, name: str, status: str
) -> None:
    timeweb.strike(name)
    made = api.post(CLUSTERS, json=ORDER).json()["db"]
    clock.advance(3600)
    assert api.get(f"{CLUSTERS}/{made['id']}").json()["db"]["status"] == status


def test_an_object_that_is_gone_answers_the_canonical_not_found(
    api: httpx.Client, timeweb: RunningTimeweb, cluster: str
) -> None:
    timeweb.strike("gone", method="DELETE")
    answer = api.delete(cluster)
    assert (answer.status_code, answer.json()["error_code"]) == (404, "not_found")
    assert api.get(CLUSTERS).json()["meta"]["total"] == 0


def test_faults_are_set_listed_and_cleared_over_the_control_endpoint(api: httpx.Client, cluster: str) -> None:
    assert api.post("/_sandbox/faults", json={"name": "unavailable", "method": "GET", "times": 5}).status_code == 201
    shown = api.get("/_sandbox/faults").json()
    assert [(each["name"], each["times"]) for each in shown["active"]] == [("unavailable", 5)]
    assert set(shown["switches"]) == set(SWITCHES)
    assert api.get(cluster).status_code == 503
    assert api.delete("/_sandbox/faults").status_code == 204
    assert api.get(cluster).status_code == 200
    for wrong in ({"name": "no-such"}, {"name": "slow", "path": "("}, {"nome": "slow"}):
        assert api.post("/_sandbox/faults", json=wrong).status_code == 400


def test_faults_on_one_request_strike_one_after_the_other() -> None:
    box = FaultBox()
    box.add(fault("locked", method="GET", path="/a"))
    box.add(fault("unavailable", times=0))
    taken = [box.take("GET", "/a"), box.take("GET", "/a"), box.take("POST", "/b")]
    assert [each.name for each in taken if each] == ["locked", "unavailable", "unavailable"]
    assert [each.name for each in box.active()] == ["unavailable"]


def test_the_pace_is_counted_over_any_second_and_per_endpoint() -> None:
    now = [0.0]
    pace = SlidingWindow(2, lambda: now[0])
    assert [pace.admits("GET /a") for _ in range(3)] == [True, True, False]
    assert pace.admits("GET /b")
    now[0] = 0.99
    assert not pace.admits("GET /a")
    now[0] = 1.0
    assert pace.admits("GET /a")
