"""Neon projects from nothing at Neon's pace, with the usual lanes and with one instance of the dynamic provider.

The floor is what the requests take at 700 a minute, counted in the simulator's log, and then what the operations take
where each slot has one project at a time. In truth both go on at once, so a run may stay below it.
"""

import math
import shutil
import time
from pathlib import Path

import httpx

from components.settings import DEFAULT_LANES
from engines.embedded import EmbeddedEngine
from examples.bench.figures import PROJECT, STACK, Figure, Rows
from examples.bench.fleets import fleet_of
from sandbox.tuning import Tuning

PROGRAM = Path(__file__).resolve().parent / "neon_projects"
TENANTS = 200
# A new project has two operations, one after the other: together two seconds.
OPERATION_SECONDS, OPERATIONS = 1.0, 2
PER_MINUTE = 700
# What one instance of the dynamic provider serves at a time.
SLOTS = 4
POLL_SECONDS = "1"
BOUND = 1.5


def rows(folder: Path, tenants: int = TENANTS) -> Rows:
    """Each number of lanes beside its floor, and one instance beside the lanes."""
    times: dict[int, float] = {}
    for lanes in (DEFAULT_LANES, 1):
        took, requests = _measured(folder / f"neon-{lanes}", tenants, lanes)
        times[lanes] = took
        floor = requests * 60 / PER_MINUTE + math.ceil(tenants / (lanes * SLOTS)) * OPERATION_SECONDS * OPERATIONS
        first, second = (f"up with {lanes} lanes", took), (f"floor of {requests:,} requests and {tenants} waits", floor)
        bound = BOUND if lanes == DEFAULT_LANES else None
        yield Figure(f"first up of {tenants} Neon projects, {lanes} lanes", first, second, bound=bound)
    first, second = ("one instance", times[1]), (f"{DEFAULT_LANES} lanes", times[DEFAULT_LANES])
    yield Figure(f"first up of {tenants} Neon projects", first, second)


def _measured(folder: Path, tenants: int, lanes: int) -> tuple[float, int]:
    """Seconds of a first `up`, and how many requests it made. Raises RuntimeError where one was refused."""
    tuning = Tuning(databases=False, operation_seconds=OPERATION_SECONDS, neon_requests_per_minute=PER_MINUTE)
    with fleet_of(folder, 0, "", tuning) as environ:
        environ |= {"BENCH_PROJECTS": str(tenants), "BENCH_LANES": str(lanes), "NEON_POLL_SECONDS": POLL_SECONDS}
        _project(folder / "project")
        engine = EmbeddedEngine(folder / "project", STACK, Path(environ["TENANTRY_STATE"]), environ, tenants)
        started = time.perf_counter()
        result = engine.up()
        took = time.perf_counter() - started
        if not result.ok:
            raise RuntimeError(result.failures[0].message)
        log = httpx.get(f"{environ['NEON_API_URL'].removesuffix('/api/v2')}/_sandbox/requests", timeout=120).json()
    if refused := [entry["status"] for entry in log if entry["status"] >= httpx.codes.BAD_REQUEST]:
        raise RuntimeError(f"{len(refused)} of {len(log)} requests were refused: {sorted(set(refused))}")
    return took, len(log)


def _project(folder: Path) -> None:
    """A project of its own with the program and the stack's file."""
    folder.mkdir(parents=True)
    shutil.copy(PROGRAM / "__main__.py", folder)
    project = (PROJECT / "Pulumi.yaml").read_text().replace("virtualenv: .venv", f"virtualenv: {PROJECT / '.venv'}")
    (folder / "Pulumi.yaml").write_text(project)
    shutil.copy(PROJECT / f"Pulumi.{STACK}.yaml", folder)
