"""The incidents of Neon's API are replayed as told, and the log says what was struck."""

import httpx
import pytest

from sandbox.simulators.clock import MovableClock
from sandbox.simulators.neon.serve import RunningNeon
from tests.sandbox.neon_rig import ORDER, TO_THE_END, inventory, made

PROJECTS = "/api/v2/projects"


def struck(neon: RunningNeon) -> list[tuple[str, int | None, str | None]]:
    return [(entry.method, entry.status, entry.fault) for entry in neon.requests()]


def test_a_lost_response_leaves_the_project_and_a_repeated_create_makes_a_second(
    neon_api: httpx.Client, neon: RunningNeon
) -> None:
    neon.strike("response-lost", method="POST", path=f"^{PROJECTS}$")
    with pytest.raises(httpx.RemoteProtocolError):
        neon_api.post("/projects", json={"project": ORDER})
    made(neon_api)
    assert [each["mark"] for each in inventory(neon)["projects"]] == [ORDER["name"]] * 2
    assert struck(neon) == [("POST", None, "response-lost"), ("POST", 201, None)]


@pytest.mark.parametrize(("name", "status"), [("error-after-work", 500), ("refused-after-work", 422)])
def test_an_error_after_the_work_leaves_the_project(
    neon_api: httpx.Client, neon: RunningNeon, name: str, status: int
) -> None:
    neon.strike(name, method="POST")
    answer = neon_api.post("/projects", json={"project": ORDER})
    assert (answer.status_code, set(answer.json())) == (status, {"request_id", "code", "message"})
    assert len(inventory(neon)["projects"]) == 1
    assert struck(neon) == [("POST", status, name)]


@pytest.mark.parametrize(
    ("name", "status"), [("locked", 423), ("unavailable", 503), ("rate-limited", 429), ("token-refused", 401)]
)
def test_a_storm_refuses_as_often_as_it_was_told_and_does_nothing(
    neon_api: httpx.Client, neon: RunningNeon, project: str, name: str, status: int
) -> None:
    """F37, G21."""
    neon.strike(name, method="PATCH", times=3)
    change = {"project": {"name": "other"}}
    answers = [neon_api.patch(project, json=change) for _ in range(3)]
    assert {(each.status_code, each.json()["code"]) for each in answers} == {(status, "")}
    assert neon_api.get(project).json()["project"]["name"] == ORDER["name"]
    assert neon_api.patch(project, json=change).status_code == 200
    assert struck(neon) == [("PATCH", status, name)] * 3 + [("GET", 200, None), ("PATCH", 200, None)]


def test_an_operation_may_be_forbidden_while_it_is_polled(neon_api: httpx.Client, neon: RunningNeon) -> None:
    answer = made(neon_api)
    operation = f"/projects/{answer['project']['id']}/operations/{answer['operations'][0]['id']}"
    neon.strike("operation-forbidden", times=2)
    every = operation.rpartition("/")[0]
    # The list of a project's operations is polled too; the project itself is not concerned.
    codes = [neon_api.get(path).status_code for path in (every.rpartition("/")[0], every, operation, operation)]
    assert codes == [200, 403, 403, 200]


def test_an_operation_that_is_stuck_locks_its_project_until_somebody_ends_it(
    neon_api: httpx.Client, neon: RunningNeon, clock: MovableClock, project: str
) -> None:
    neon.strike("operation-stuck")
    stuck = neon_api.post(f"{project}/branches").json()["operations"][-1]["id"]
    clock.advance(30 * 86400)
    assert neon_api.get(f"{project}/operations/{stuck}").json()["operation"]["status"] == "running"
    assert neon_api.delete(project).status_code == 423
    ended = {"kind": "operation", "id": stuck, "set": {"ended": "finished"}}
    assert httpx.post(f"{neon.url}/_sandbox/edit", json=ended).status_code == 204
    assert neon_api.delete(project).status_code == 200


def test_an_operation_may_fail_and_say_so(neon_api: httpx.Client, neon: RunningNeon, clock: MovableClock) -> None:
    neon.strike("operation-failed")
    answer = made(neon_api)
    clock.advance(TO_THE_END)
    path = f"/projects/{answer['project']['id']}/operations"
    found = [neon_api.get(f"{path}/{each['id']}").json()["operation"] for each in answer["operations"]]
    assert [(each["status"], each["failures_count"]) for each in found] == [("finished", 0), ("failed", 1)]
    assert found[1]["error"] == "the operation failed"


def test_a_deleted_project_may_still_answer(neon_api: httpx.Client, neon: RunningNeon, project: str) -> None:
    """B23: only the list of what lives tells for sure."""
    neon.strike("deleted-still-answers", times=2)
    assert neon_api.get(project).status_code == 200
    neon_api.delete(project).raise_for_status()
    assert [neon_api.get(project).status_code for _ in range(2)] == [200, 404]
    assert neon_api.get("/projects").json()["projects"] == []


def test_a_bare_404_names_no_error_and_the_project_lives(
    neon_api: httpx.Client, neon: RunningNeon, project: str
) -> None:
    neon.strike("bare-404", path=f"^{PROJECTS}/")
    bare = neon_api.get(project)
    assert (bare.status_code, bare.headers["content-type"].partition(";")[0]) == (404, "text/html")
    assert neon_api.get(project).status_code == 200


def test_a_project_may_be_gone_before_it_is_asked_for(neon_api: httpx.Client, neon: RunningNeon, project: str) -> None:
    neon.strike("gone")
    answer = neon_api.get(project)
    assert (answer.status_code, answer.json()["message"]) == (404, "project not found")
    assert inventory(neon)["projects"] == []


def test_a_slow_answer_is_the_right_one(neon_api: httpx.Client, neon: RunningNeon, project: str) -> None:
    neon.strike("slow", seconds=0.2)
    answer = neon_api.get(project)
    assert (answer.status_code, answer.elapsed.total_seconds() >= 0.2) == (200, True)
