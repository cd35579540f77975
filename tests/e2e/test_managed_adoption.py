"""Managed clusters that the native plugin ordered and lost, on the real CLI: `resume` adopts them, `up` goes on."""

import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from engines.engine import Change
from sandbox.control import clear_faults, switch_on
from tests.e2e.world import PROJECT, World

pytestmark = pytest.mark.native

PATIENCE_SECONDS = 300
CLUSTER = "shared-managed-pro-1-cluster-1"
MARK = f"tenantry:sandbox:{CLUSTER}"
CLUSTERS, ONE_CLUSTER = r"^/v2/databases$", r"^/v2/databases/[0-9a-f-]{36}$"
FLEET = {"damson": {"database": {"plan": "managed-pro"}}, "elder": {"database": {"plan": "managed-pro"}}}


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """A sandbox with two managed tenants that nothing was done to yet."""
    if shutil.which("pulumi-resource-digitalocean") is None:
        pytest.skip("there is no plugin for DigitalOcean on PATH")
    made = World.start(tmp_path / "sandbox", "pulumi", FLEET)
    try:
        yield made
    finally:
        made.stop()


def strike(world: World, name: str, method: str, path: str, *, times: int = 1) -> None:
    switch_on(world.folder, name, times=times, method=method, path=path, simulator="digitalocean")


def tenantry(world: World, *words: str) -> str:
    """Run a command of ours, which must succeed."""
    command = [sys.executable, "-m", "cli.main", *words, "--fleet", str(world.fleet)]
    ran = subprocess.run(
        command, cwd=PROJECT, env=world.environ, capture_output=True, text=True, check=False, timeout=PATIENCE_SECONDS
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return ran.stdout


def clusters(world: World) -> list[tuple[str, str]]:
    """Id and mark of every cluster there is."""
    return [(str(row["id"]), str(row["mark"])) for row in world.inventory()["digitalocean clusters"]]


def orders(world: World) -> list[int | None]:
    """What each order of a cluster was answered."""
    sent = [entry for entry in world.requests() if entry["method"] == "POST" and re.search(CLUSTERS, entry["path"])]
    return [entry["status"] for entry in sent]


def put_in_order(world: World) -> None:
    """The cluster is in no state; after `resume` and `up` it is, as the only one, with both tenants in it."""
    clear_faults(world.folder)
    ((id_, mark),) = clusters(world)
    assert mark == MARK
    assert CLUSTER not in recorded(world)
    sent = orders(world)
    told = tenantry(world, "resume")
    assert f"{CLUSTER} is adopted as {id_}" in told
    tenantry(world, "up", "--yes")
    assert clusters(world) == [(id_, MARK)]
    assert recorded(world)[CLUSTER] == id_
    assert orders(world) == sent, "it is not ordered again"
    for tenant in world.tenants().values():
        assert tenant.database is not None
        assert tenant.database.cluster_id == id_
    world.forget_requests()
    assert left_to_do(world) == []
    assert "nothing to settle" in tenantry(world, "resume")
    assert world.changes() == []


def recorded(world: World) -> dict[str, str]:
    """What the state holds: ids by logical name."""
    resources = world.engine().export()["deployment"].get("resources") or []
    return {entry["urn"].rpartition("::")[2]: str(entry.get("id", "")) for entry in resources}


def left_to_do(world: World) -> list[Change]:
    preview = world.engine().preview()
    assert preview.ok, preview.failures
    return [change for change in preview.changes if change.operation != "same"]


def test_a_cluster_whose_answer_was_lost_is_adopted_though_the_plugin_asked_again(world: World) -> None:
    """F36, G43: the plugin repeats the order; the name is taken by then, and the first cluster is in no state."""
    strike(world, "response-lost", "POST", CLUSTERS)
    assert CLUSTER in [failure.name for failure in world.engine().up().failures]
    assert orders(world) == [None, 422]
    put_in_order(world)


def test_a_cluster_whose_id_the_plugin_dropped_is_adopted(world: World) -> None:
    """F36: one 403 while it is polled, and the plugin forgets what it has ordered."""
    strike(world, "forbidden", "GET", ONE_CLUSTER)
    assert CLUSTER in [failure.name for failure in world.engine().up().failures]
    assert orders(world) == [201]
    put_in_order(world)
