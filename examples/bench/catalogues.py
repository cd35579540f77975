"""Validating and placing: time and memory for each tenant must not grow with the fleet.

Each size is measured in a process of its own, `python -m examples.bench.catalogues FOLDER`, whose peak is its memory.
"""

import json
import resource
import subprocess
import sys
import time
from pathlib import Path

from catalogue.load import load_fleet
from catalogue.lockfile import write_placements
from catalogue.placement import place
from examples.bench.figures import PROJECT, Figure, Rows
from examples.bench.fleets import catalogue

SIZES = (10_000, 100_000)
FLAT = 1.5


def measure(folder: Path) -> dict[str, float]:
    """Seconds to load, to place, to write and to load again, and the peak of memory in MB beyond the start's."""
    before = peak_mb()
    times: dict[str, float] = {}
    started = time.perf_counter()
    fleet = load_fleet(folder, require_placed=False)
    times["validate"] = time.perf_counter() - started
    started = time.perf_counter()
    write_placements(folder / "placements.yaml", place(fleet.tenants, fleet.plans, fleet.placements))
    times["place"] = time.perf_counter() - started
    del fleet
    started = time.perf_counter()
    load_fleet(folder)
    times["validate what is placed"] = time.perf_counter() - started
    return {**times, "memory": peak_mb() - before}


def peak_mb() -> float:
    """The peak of resident memory of this process."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def rows(folder: Path) -> Rows:
    """A figure for each verb, per 1,000 tenants."""
    found: dict[int, dict[str, float]] = {}
    for tenants in SIZES:
        at = folder / f"catalogue-{tenants}"
        catalogue(at, tenants)
        command = [sys.executable, "-m", "examples.bench.catalogues", str(at)]
        answer = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, check=True)
        found[tenants] = {what: value / tenants * 1000 for what, value in json.loads(answer.stdout).items()}
    small, large = SIZES
    for what, value in found[large].items():
        unit = "MB" if what == "memory" else "s"
        name = f"{what}, for 1,000 tenants"
        first, second = (f"of {large:,}", value), (f"of {small:,}", found[small][what])
        yield Figure(name, first, second, unit, FLAT)


if __name__ == "__main__":
    sys.stdout.write(json.dumps(measure(Path(sys.argv[1]))))
