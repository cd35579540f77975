"""Several cells through the command: real child processes, a cell that fails, signals, and who is left out of a run.

The fleet is cut into cells of two tenants, who have buckets only: what is tried here is the same with databases.
"""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from catalogue.load import load_fleet
from catalogue.lockfile import write_placements
from catalogue.placement import place
from cli import exit_codes
from tests.e2e.world import PROJECT, World

pytestmark = pytest.mark.e2e

COMMAND = [sys.executable, "-P", "-m", "cli.main"]
FLEET = {f"t{number}": {"storage": {"plan": "timeweb-s3"}} for number in range(5)}
STACKS = ("sandbox", "sandbox-2", "sandbox-3")
BUCKETS = r"/storages/buckets/\d+$"
ENDS_WITHIN_SECONDS = 60


class Cells(World):
    """A world whose catalogue is placed in cells of two."""

    def place(self) -> None:
        """`tenantry place`, with smaller cells."""
        fleet = load_fleet(self.fleet, require_placed=False)
        placements = place(fleet.tenants, fleet.plans, fleet.placements, cell_size=2)
        write_placements(self.fleet / "placements.yaml", placements)

    def begin(self, *words: str) -> subprocess.Popen[str]:
        """`tenantry` in a process of its own, as at a terminal."""
        return subprocess.Popen(
            [*COMMAND, *words],
            cwd=PROJECT,
            env=self.environ,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self, *words: str) -> tuple[int, str, str]:
        """Exit code and both streams of a command."""
        process = self.begin(*words)
        out, err = process.communicate(timeout=ENDS_WITHIN_SECONDS)
        return process.returncode, out, err

    def resize(self, gigabytes: int) -> None:
        """An edit that every tenant's bucket is updated for."""
        self.edit_plan("storage", "timeweb-s3", disk_gb=gigabytes)

    def bucket(self, tenant: str) -> int:
        """The provider's id of a tenant's bucket."""
        mark = f"tenantry:sandbox:{tenant}-bucket-1"
        return next(int(str(found["id"])) for found in self.inventory()["buckets"] if found["mark"] == mark)

    def fault(self, **order: object) -> None:
        """Switch a fault on."""
        url = f"{self.environ['TIMEWEB_API_URL']}/_sandbox/faults"
        httpx.post(url, json=order, timeout=30).raise_for_status()

    def clear(self) -> None:
        """Switch all faults off, and forget what was asked so far."""
        httpx.delete(f"{self.environ['TIMEWEB_API_URL']}/_sandbox/faults", timeout=30).raise_for_status()
        self.forget_requests()

    def states(self) -> dict[str, Any]:
        """The state of each cell, as it lies on disk."""
        folder = Path(self.environ["TENANTRY_STATE"])
        return {stack: json.loads((folder / f"{stack}.json").read_text()) for stack in STACKS}

    def sizes(self) -> dict[str, int]:
        """The quota of each bucket that the states know."""
        return {
            resource["urn"].rpartition("::")[2].partition("-")[0]: int(resource["outputs"]["disk_gb"])
            for document in self.states().values()
            for resource in document["deployment"]["resources"]
            if resource["urn"].endswith("-bucket-1")
        }


@pytest.fixture(scope="module")
def cells(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cells]:
    """Five tenants in three cells, brought up by one command."""
    world = Cells.start(tmp_path_factory.mktemp("cells") / "sandbox", "embedded", FLEET)
    try:
        code, out, err = world.run("up", "--yes", "--jobs", "2")
        assert (code, err) == (exit_codes.DONE, ""), out
        for stack, tenant in zip(STACKS, ("t1", "t3", "t4"), strict=True):
            assert f"{stack}: created  {tenant}-bucket-1" in out.splitlines()
        yield world
    finally:
        world.stop()
        for link in PROJECT.glob("Pulumi.sandbox-*.yaml"):
            link.unlink()


@pytest.fixture
def settled(cells: Cells) -> Cells:
    """Nothing is left to do, no fault is on, and nothing was asked yet."""
    cells.clear()
    code, out, err = cells.run("up", "--yes")
    assert (code, err) == (exit_codes.DONE, ""), out
    cells.forget_requests()
    return cells


def wait_until(reached: Callable[[], bool]) -> None:
    """Give something the time to come true."""
    deadline = time.monotonic() + ENDS_WITHIN_SECONDS
    while not reached():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_only_the_cell_that_changed_is_run(settled: Cells) -> None:
    """F26, design 5: nothing is asked for the others, and a run without an edit only looks for what nobody knows."""
    code, out, _ = settled.run("up", "--yes")
    assert code == exit_codes.DONE
    asked = {(entry["method"], entry["path"]) for entry in settled.requests()}
    assert asked <= {("GET", "/v2/droplets"), ("GET", "/v2/databases")}
    assert out.startswith("sandbox, sandbox-2, sandbox-3 are unchanged since the last run")
    assert settled.run("preview", "--check")[0] == exit_codes.DONE
    settled.edit(lambda tenants: tenants["t2"].update(state="suspended"))
    code, out, err = settled.run("up", "--yes", "--json")
    assert (code, err) == (exit_codes.DONE, "")
    lines = [json.loads(line) for line in out.splitlines()]
    ends = {line["stack"]: (line["left_out"], line["changed"]) for line in lines if "left_out" in line}
    assert ends == {"sandbox": (True, False), "sandbox-3": (True, False), "sandbox-2": (False, True)}
    assert {line["stack"] for line in lines if "event" in line} == {"sandbox-2"}
    assert {entry["path"] for entry in settled.requests() if "buckets/" in entry["path"]} <= {
        f"/api/v1/storages/buckets/{settled.bucket(tenant)}" for tenant in ("t2", "t3")
    }


def test_a_cell_whose_state_is_not_what_its_run_left_is_run_again(settled: Cells) -> None:
    """F26: a refresh, a destroy, a lost record; whatever the catalogue says."""
    records = Path(settled.environ["TENANTRY_STATE"]) / "applied" / "embedded"
    assert sorted(path.name for path in records.iterdir()) == sorted(STACKS)
    (records / "sandbox").unlink()
    assert settled.run("destroy", "--including-data", "--confirm", "sandbox", "--cells", "3")[0] == exit_codes.DONE
    code, out, err = settled.run("up", "--yes")
    assert (code, err) == (exit_codes.DONE, "")
    assert "sandbox-2 is unchanged since the last run" in out
    assert "sandbox-3: created  t4-bucket-1" in out.splitlines()
    assert any(line.startswith("sandbox: ") and " same (" in line for line in out.splitlines())


def test_a_cell_that_fails_does_not_stop_the_others(settled: Cells) -> None:
    """F26, design 3.2: exit 3, and the last sentence says which cell failed and why."""
    settled.resize(200)
    settled.fault(name="token-refused", method="PATCH", path=f"buckets/{settled.bucket('t2')}$", times=0)
    code, out, err = settled.run("up", "--yes", "--jobs", "2")
    assert code == exit_codes.ENGINE_ERROR
    assert {line for line in out.splitlines() if "updated  t" in line and "bucket" in line} >= {
        "sandbox: updated  t0-bucket-1",
        "sandbox: updated  t1-bucket-1",
        "sandbox-3: updated  t4-bucket-1",
    }
    assert err.splitlines()[-1].startswith("1 of 3 cells failed: sandbox-2 (t2-bucket-1: ")
    sizes = settled.sizes()
    assert (sizes["t0"], sizes["t1"], sizes["t4"], sizes["t2"]) == (200, 200, 200, 100)
    settled.clear()
    code, out, _ = settled.run("up", "--yes")
    assert code == exit_codes.DONE
    assert "sandbox, sandbox-3 are unchanged since the last run" in out
    assert set(settled.sizes().values()) == {200}


def children_of(process: subprocess.Popen[str]) -> list[int]:
    """The processes that a command has started."""
    task = Path(f"/proc/{process.pid}/task/{process.pid}/children")
    return [int(word) for word in task.read_text().split()] if task.exists() else []


def lives(pid: int) -> bool:
    """Whether a process is there and has not ended."""
    try:
        return ") Z" not in Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False


def interrupted_in_the_middle(cells: Cells, number: signal.Signals) -> tuple[subprocess.Popen[str], list[int]]:
    """An update of two cells at a time that gets a signal while the provider works for both of them."""
    cells.fault(name="slow", method="PATCH", path=BUCKETS, times=0, options={"seconds": 2})
    process = cells.begin("up", "--yes", "--jobs", "2")
    wait_until(lambda: len([entry for entry in cells.requests() if entry["method"] == "PATCH"]) >= 3)
    children = children_of(process)
    assert len(children) == 2
    os.kill(process.pid, number)
    return process, children


def test_a_signal_is_handed_on_and_what_was_begun_is_ended_and_recorded(settled: Cells) -> None:
    """F26, facts 2.2: nothing new is begun, one sentence, and the next run goes on where it ended."""
    settled.resize(250)
    process, children = interrupted_in_the_middle(settled, signal.SIGTERM)
    _, err = process.communicate(timeout=ENDS_WITHIN_SECONDS)
    assert process.returncode == exit_codes.INTERRUPTED
    assert err.splitlines()[-1] == (
        "interrupted: of 3 cells 0 ended, 2 were stopped (sandbox, sandbox-2) and 1 were not begun; "
        "the same command goes on"
    )
    assert not any(lives(pid) for pid in children)
    asked = [entry["path"] for entry in settled.requests() if entry["method"] == "PATCH"]
    assert f"/api/v1/storages/buckets/{settled.bucket('t4')}" not in asked
    begun = {tenant for tenant in FLEET if f"/api/v1/storages/buckets/{settled.bucket(tenant)}" in asked}
    assert {tenant for tenant, size in settled.sizes().items() if size == 250} == begun
    settled.clear()
    assert settled.run("up", "--yes")[0] == exit_codes.DONE
    assert set(settled.sizes().values()) == {250}


def test_children_notice_that_the_command_was_killed_and_end_in_order(settled: Cells) -> None:
    """F26: they never outlive it unnoticed; what they had begun is recorded."""
    settled.resize(500)
    process, children = interrupted_in_the_middle(settled, signal.SIGKILL)
    process.communicate(timeout=ENDS_WITHIN_SECONDS)
    wait_until(lambda: not any(lives(pid) for pid in children))
    folder = Path(settled.environ["TENANTRY_STATE"])
    assert [path.name for path in folder.glob("*.journal")] == []
    assert [(folder / f"{stack}.lock").read_text() for stack in STACKS] == ["", "", ""]
    settled.clear()
    code, _, err = settled.run("up", "--yes")
    assert (code, err) == (exit_codes.DONE, "")
    assert set(settled.sizes().values()) == {500}


def test_a_cell_that_is_not_there_is_told_in_a_sentence(settled: Cells) -> None:
    """F14."""
    code, out, err = settled.run("up", "--yes", "--cells", "2,5-6")
    assert (code, out) == (exit_codes.USER_ERROR, "")
    assert err == "stack 'sandbox' has no cell 5: its cells are 1-3\n"
    code, out, err = settled.run("outputs", "--json", "--cells", "3")
    assert (code, list(json.loads(out))) == (exit_codes.DONE, ["t4"])
