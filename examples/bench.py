"""Benchmarks: ratios of figures measured side by side in one run, since absolute ones depend on the machine."""

import os
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from rich.console import Console
from rich.table import Table

from catalogue.load import load_fleet
from catalogue.lockfile import write_placements
from catalogue.placement import Placements, place
from cli.sandbox import environment_of
from engines.embedded import EmbeddedEngine
from engines.engine import Engine
from engines.pulumi_cli import PulumiCli, make_stack
from sandbox.start import ANY_PORTS, start, stop

PROJECT = Path(__file__).resolve().parent.parent
STACK = "sandbox"
RUNS = 3
Row = tuple[str, str, str, str]


def seconds(act: Callable[[], object], runs: int = RUNS) -> float:
    """The median time of an act."""
    times = []
    for _ in range(runs):
        started = time.perf_counter()
        act()
        times.append(time.perf_counter() - started)
    return statistics.median(times)


def ratio(what: str, first: tuple[str, float], second: tuple[str, float]) -> Row:
    """A row: what was compared, both figures, and the first divided by the second."""
    return what, f"{first[0]}: {first[1]:.3f} s", f"{second[0]}: {second[1]:.3f} s", f"{first[1] / second[1]:.2f}"


def catalogue(folder: Path, tenants: int) -> None:
    """A catalogue of free tenants with a bucket each."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("plans.yaml", "prices.yaml"):
        (folder / name).write_bytes((PROJECT / name).read_bytes())
    rows = [
        f"  t{number}: {{database: {{plan: timeweb-free}}, storage: {{plan: timeweb-s3}}}}" for number in range(tenants)
    ]
    (folder / "tenants.yaml").write_text("tenants:\n" + "\n".join(rows) + "\n")


def placed(folder: Path) -> None:
    """What `tenantry place` does."""
    fleet = load_fleet(folder, require_placed=False)
    write_placements(folder / "placements.yaml", place(fleet.tenants, fleet.plans, fleet.placements))


def catalogue_rows(folder: Path) -> Iterator[Row]:
    """Validating and placing: time per tenant must not grow with the fleet."""
    per_tenant: dict[str, dict[int, float]] = {"validate": {}, "place": {}}
    for tenants in (1_000, 10_000):
        at = folder / f"catalogue-{tenants}"
        catalogue(at, tenants)
        fleet = load_fleet(at, require_placed=False)
        validate = seconds(partial(load_fleet, at, require_placed=False))
        per_tenant["validate"][tenants] = validate / tenants * 1000
        per_tenant["place"][tenants] = (
            seconds(partial(place, fleet.tenants, fleet.plans, Placements())) / tenants * 1000
        )
    for verb, found in per_tenant.items():
        yield ratio(f"{verb}, for 1,000 tenants", ("of 10,000", found[10_000]), ("of 1,000", found[1_000]))


@contextmanager
def fleet_of(folder: Path, tenants: int) -> Iterator[dict[str, str]]:
    """A sandbox with a fleet of so many tenants; its environment."""
    catalogue(folder / "source", tenants)
    start(folder / "sandbox", ANY_PORTS, fleet_source=folder / "source")
    try:
        placed(folder / "sandbox" / "fleet")
        yield environment_of(folder / "sandbox")
    finally:
        stop(folder / "sandbox", wipe=True)


def first_and_again(engine: Engine) -> tuple[float, float]:
    """Seconds of the first `up` and of one that finds nothing to do."""
    first = seconds(engine.up, runs=1)
    return first, seconds(engine.up)


def engine_rows(folder: Path) -> Iterator[Row]:
    """The embedded engine against itself and, where there is one, against the Pulumi CLI, on the same fleets."""
    times: dict[int, tuple[float, float]] = {}
    for tenants in (10, 90):
        with fleet_of(folder / f"embedded-{tenants}", tenants) as environ:
            engine = EmbeddedEngine(PROJECT, STACK, Path(environ["TENANTRY_STATE"]), {**os.environ, **environ})
            times[tenants] = first_and_again(engine)
    yield ratio("up of 10 tenants, embedded", ("first", times[10][0]), ("nothing to do", times[10][1]))
    yield ratio("first up for 10 tenants, embedded", ("of 90", times[90][0] / 9), ("of 10", times[10][0]))
    if not PulumiCli.available():
        return
    with fleet_of(folder / "pulumi-10", 10) as environ:
        make_stack(PROJECT, STACK, {**os.environ, **environ})
        first, again = first_and_again(PulumiCli(PROJECT, STACK, {**os.environ, **environ}))
    yield ratio("first up of 10 tenants", ("pulumi", first), ("embedded", times[10][0]))
    yield ratio("up of 10 tenants with nothing to do", ("pulumi", again), ("embedded", times[10][1]))


def main() -> None:
    """Measure, and print a table."""
    table = Table("what", "measured", "beside", "ratio", title="ratios, measured in one run")
    with tempfile.TemporaryDirectory() as folder:
        for row in (*catalogue_rows(Path(folder)), *engine_rows(Path(folder))):
            table.add_row(*row)
    Console(width=160).print(table)


if __name__ == "__main__":
    main()
