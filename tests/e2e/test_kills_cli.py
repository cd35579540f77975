"""An `up` on the Pulumi CLI, killed after request k with its plugins left alive: `resume` and an `up` make it whole."""

import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from engines.leftovers import leftovers
from engines.pulumi_cli import PulumiCli
from tests.e2e.world import PROJECT, STACK, World

POINTS = 10
PATIENCE_SECONDS = 300
# What differs from one cloud to the next: ids, the random part of a name, addresses and credentials.
OWN = {"cluster_id", "bucket", "bucket_id", "host", "port", "endpoint", "s3_endpoint", "access_key", "secret_key"}
OWN |= {"password", "database_url", "direct_url"}


def fleet(size: int) -> dict[str, Any]:
    """Tenants with a database each, every second with a bucket."""

    def tenant(number: int) -> dict[str, Any]:
        storage = {"storage": {"plan": "timeweb-s3"}}
        return {"database": {"plan": "timeweb-free"}, **(storage if number % 2 else {})}

    return {f"tenant-{number:02d}": tenant(number) for number in range(size)}


@dataclass(frozen=True)
class Whole:
    """What an undisturbed run leaves: names at the vendor by kind, outputs but for ids and credentials, requests."""

    inventory: dict[str, list[str]]
    outputs: dict[str, Any]
    requests: int


def look(world: World) -> Whole:
    outputs = {name: tenant.model_dump(exclude_none=True) for name, tenant in world.tenants().items()}
    for tenant in outputs.values():
        for part in tenant.values():
            for key in OWN & set(part if isinstance(part, dict) else ()):
                del part[key]
    return Whole(names(world), outputs, len(world.requests()))


def names(world: World) -> dict[str, list[str]]:
    """Objects at the vendor by kind, each as often as it is there."""
    kinds = world.inventory()
    return {kind: sorted(str(item.get("mark") or item.get("name")) for item in rows) for kind, rows in kinds.items()}


@cache
def undisturbed(size: int, folder: Path) -> Whole:
    """The run that nobody kills."""
    world = World.start(folder / f"undisturbed-{size}", "pulumi", fleet(size))
    try:
        tenantry(world, "up", "--yes")
        return look(world)
    finally:
        world.stop()


def tenantry(world: World, *words: str) -> str:
    """Run a command of ours on the stack, which must succeed."""
    command = [sys.executable, "-m", "cli.main", *words, "--fleet", str(world.fleet)]
    ran = subprocess.run(
        command, cwd=PROJECT, env=world.environ, capture_output=True, text=True, check=False, timeout=PATIENCE_SECONDS
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return ran.stdout


def killed_after(world: World, requests: int) -> None:
    """Run the CLI itself and kill it alone once so many requests have come."""
    command = ["pulumi", "up", "--yes", "--skip-preview", "--non-interactive", "--stack", STACK]
    quiet = subprocess.DEVNULL
    run = subprocess.Popen(command, cwd=PROJECT, env=world.environ, stdout=quiet, stderr=quiet, start_new_session=True)
    deadline = time.monotonic() + PATIENCE_SECONDS
    while len(world.requests()) < requests and run.poll() is None:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    run.kill()
    run.wait()


@pytest.fixture
def world(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[World]:
    """A sandbox with a fleet of its own that nothing was done to yet."""
    if not PulumiCli.available():
        pytest.skip("there is no `pulumi` on PATH")
    made = World.start(tmp_path / "sandbox", "pulumi", fleet(request.param))
    try:
        yield made
    finally:
        made.stop()


def put_in_order(world: World, whole: Whole) -> None:
    """`resume` and `up`, and what must then be so."""
    told = tenantry(world, "resume")
    assert not leftovers(PROJECT)
    tenantry(world, "up", "--yes")
    found = look(world)
    assert found.inventory == whole.inventory, told
    assert found.outputs == whole.outputs
    document = world.engine().export()["deployment"]
    assert not document.get("pending_operations")
    assert not any(entry.get("initErrors") for entry in document["resources"])
    no_create_twice(world)
    world.forget_requests()
    assert "nothing to settle" in tenantry(world, "resume")
    again = world.engine().preview()
    assert again.ok
    assert not again.changed
    assert world.changes() == []


def no_create_twice(world: World) -> None:
    """In the request log: what was made was made once, whoever sent it."""
    made = [
        str(entry["body"].get("description") or entry["body"].get("name"))
        for entry in world.requests()
        if entry["method"] == "POST" and isinstance(entry.get("body"), dict) and entry["status"] in {200, 201}
    ]
    twice = [name for name, often in Counter(made).items() if often > 1 and name.startswith("tenantry:")]
    assert twice == []


@pytest.mark.e2e
@pytest.mark.parametrize("world", [3], indirect=True)
@pytest.mark.parametrize("share", [0.5])
def test_a_killed_run_is_made_whole(world: World, share: float, tmp_path_factory: pytest.TempPathFactory) -> None:
    """F15, F36, H4: half way; `make kills` has ten points, of twelve tenants."""
    _made_whole(world, 3, share, tmp_path_factory)


@pytest.mark.kills
@pytest.mark.parametrize("world", [12], indirect=True)
@pytest.mark.parametrize("point", range(POINTS))
def test_a_run_of_twelve_tenants_is_made_whole_wherever_it_was_killed(
    world: World, point: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """F15, F36, H4: no orphan, no duplicate, the same inventory and outputs as of a run that nobody killed."""
    _made_whole(world, 12, (point + 0.5) / POINTS, tmp_path_factory)


def _made_whole(world: World, size: int, share: float, tmp_path_factory: pytest.TempPathFactory) -> None:
    whole = undisturbed(size, tmp_path_factory.getbasetemp())
    killed_after(world, max(1, round(whole.requests * share)))
    assert leftovers(PROJECT), "the CLI was killed, its plugins were not"
    no_create_twice(world)
    put_in_order(world, whole)
