"""Incidents at the provider while a whole engine runs: the run converges, or says why and the next one does."""

import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from catalogue.load import load_fleet
from cli.removals import early_removals
from engines.engine import Result
from sandbox.control import clear_faults, switch_on
from tests.e2e.world import World

pytestmark = pytest.mark.e2e

POSTS = r"^/api/v[12]/"
RETRY_SECONDS = 2.0
FIRST = {"alpha": {"name": "Alpha", "database": {"plan": "timeweb-free"}, "storage": {"plan": "timeweb-s3"}}}
# What strikes while one tenant more is brought up: (fault, method, path, how often; 0: as long as the run lasts).
Incident = tuple[str, str, str, int]
INCIDENTS: dict[str, tuple[Incident, ...]] = {
    "lost-and-500": (("response-lost", "POST", "buckets$", 1), ("error-after-work", "POST", "users$", 1)),
    "refused-but-made": (("refused-after-work", "POST", "buckets$", 1), ("rate-limited", "*", POSTS, 3)),
    "edge-404": (("bare-404", "GET", POSTS, 3), ("unavailable", "POST", POSTS, 1)),
    "locked": (("locked", "POST", POSTS, 0),),
    "slow-and-lost": (("slow", "GET", POSTS, 2), ("response-lost", "*", POSTS, 4)),
}


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """One tenant on the embedded engine, whose cluster was ordered twice had its marks not been looked for."""
    folder: Path = tmp_path_factory.mktemp("faults") / "sandbox"
    started = World.start(folder, "embedded", FIRST)
    started.environ["TIMEWEB_RETRY_SECONDS"] = str(RETRY_SECONDS)
    try:
        switch_on(folder, "response-lost", times=1, method="POST", path="databases$")
        switch_on(folder, "error-after-work", times=1, method="POST", path="(instances|admins)$")
        settle(started)
        yield started
    finally:
        started.stop()


def settle(world: World) -> None:
    """Run until nothing fails: at most one run more than the one that was disturbed. The last one changes nothing."""
    first = world.engine().up()
    clear_faults(world.folder)
    if not first.ok:
        again = world.engine().up(refresh=True)
        assert again.ok, [failure.message for failure in again.failures]
    assert_idle(world)


def assert_idle(world: World) -> None:
    world.forget_requests()
    last = world.engine().up(refresh=True)
    assert last.ok
    assert world.changes() == []
    marks = Counter(entry["mark"] for kind in world.inventory().values() for entry in kind)
    assert [mark for mark, times in marks.items() if times > 1 and mark] == []
    users = {entry["name"] for entry in world.inventory()["storage_users"]}
    assert users == {f"sandbox-{name}" for name in world.read()["tenants"]}
    assert len(world.inventory()["buckets"]) == len(users)


def bring(world: World, name: str) -> None:
    tenant = {"name": name, "database": {"plan": "timeweb-free"}, "storage": {"plan": "timeweb-s3"}}
    world.edit(lambda tenants: tenants.update({name: tenant}))


@pytest.mark.parametrize("name", INCIDENTS)
def test_a_tenant_is_brought_up_through_incidents(world: World, name: str) -> None:
    """F37, G43: nothing is made twice, nothing is left behind."""
    bring(world, name)
    for fault, method, path, times in INCIDENTS[name]:
        switch_on(world.folder, fault, times=times, method=method, path=path)
    settle(world)


def reasons(result: Result) -> set[str]:
    return {failure.message for failure in result.failures if "not attempted" not in failure.message}


def test_a_refused_token_is_told_once_and_with_its_setting(world: World) -> None:
    """A7: the first call tells, the others are not sent; the next run with a valid token goes on."""
    world.forget_requests()
    token, world.environ["TIMEWEB_CLOUD_TOKEN"] = world.environ["TIMEWEB_CLOUD_TOKEN"], "expired"
    try:
        result = world.engine().up(refresh=True)
    finally:
        world.environ["TIMEWEB_CLOUD_TOKEN"] = token
    (reason,) = reasons(result)
    setting = "timeweb:token (secret) or TIMEWEB_CLOUD_TOKEN"
    assert reason == f"Timeweb API error: 401 the token is not accepted: set {setting} to a valid one, then run again"
    assert len(result.failures) > 5
    # Those that were under way already; eight may be.
    assert 0 < len(world.requests()) <= 8
    assert_idle(world)


def test_a_removal_written_together_with_the_termination_keeps_the_data_and_is_told(world: World) -> None:
    """G26: nothing protected is deleted; undone and done in two runs it goes."""
    bring(world, "leaver")
    assert world.engine().up().ok
    lock = world.fleet / "placements.yaml"
    placed = lock.read_bytes()
    removed = {"on": "2026-11-01", "backup": "b-1"}
    world.edit(lambda tenants: tenants["leaver"].update(state="terminated", removed=removed))
    assert not world.engine().up().ok
    resources = world.engine().export()["deployment"]["resources"]
    assert set(early_removals(load_fleet(world.fleet), resources)) == {"leaver"}
    assert "sandbox-leaver" in {entry["name"] for entry in world.inventory()["storage_users"]}

    world.edit(lambda tenants: tenants["leaver"].pop("removed"))
    lock.write_bytes(placed)
    assert world.engine().up().ok
    world.edit(lambda tenants: tenants["leaver"].update(removed=removed))
    assert world.engine().up().ok
    world.edit(lambda tenants: tenants.pop("leaver"))
    assert_idle(world)


@pytest.mark.parametrize("incident", ["unavailable", "response-lost"])
def test_a_provider_that_is_away_costs_one_deadline_and_not_one_for_each_resource(world: World, incident: str) -> None:
    """F23, H14."""
    for number in range(4):
        bring(world, f"{incident}-{number}")
    switch_on(world.folder, incident, times=0, method="*", path=POSTS)
    began = time.monotonic()
    result = world.engine().up()
    lasted = time.monotonic() - began
    assert len(result.failures) >= 4
    assert lasted < 4 * RETRY_SECONDS + 4
    clear_faults(world.folder)
    assert world.engine().up(refresh=True).ok
    assert_idle(world)
