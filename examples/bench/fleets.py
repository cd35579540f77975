"""Fleets to measure on: catalogues of any size, and sandboxes that serve them without latency."""

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from catalogue.load import load_fleet
from catalogue.lockfile import write_placements
from catalogue.placement import place
from cli.sandbox import environment_of
from examples.bench.figures import PROJECT, STACK
from sandbox.start import ANY_PORTS, start, stop
from sandbox.tuning import USUAL, Tuning

FREE = "{database: {plan: timeweb-free}}"
FREE_WITH_BUCKET = "{database: {plan: timeweb-free}, storage: {plan: timeweb-s3}}"
# As many as no run asks for: without a limit what is measured is the work.
UNLIMITED = 100_000


def catalogue(folder: Path, tenants: int, entry: str = FREE_WITH_BUCKET) -> None:
    """A catalogue of so many tenants, all alike."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("plans.yaml", "prices.yaml"):
        (folder / name).write_bytes((PROJECT / name).read_bytes())
    rows = [f"  t{number}: {entry}" for number in range(tenants)]
    (folder / "tenants.yaml").write_text("\n".join(["tenants:" if rows else "tenants: {}", *rows, ""]))


def add_tenant(folder: Path, name: str, entry: str = FREE) -> None:
    """One more entry."""
    with (folder / "tenants.yaml").open("a") as stream:
        stream.write(f"  {name}: {entry}\n")


def placed(folder: Path) -> None:
    """What `tenantry place` does."""
    fleet = load_fleet(folder, require_placed=False)
    write_placements(folder / "placements.yaml", place(fleet.tenants, fleet.plans, fleet.placements))


@contextmanager
def fleet_of(
    folder: Path, tenants: int, entry: str = FREE_WITH_BUCKET, tuning: Tuning = USUAL, *, limited: bool = True
) -> Iterator[dict[str, str]]:
    """A sandbox with a fleet of so many tenants; the environment of its users. Not `limited`: nobody keeps a pace."""
    if not limited:
        tuning = replace(tuning, requests_per_second=UNLIMITED, neon_requests_per_minute=UNLIMITED)
    catalogue(folder / "source", tenants, entry)
    start(folder / "sandbox", ANY_PORTS, fleet_source=folder / "source", tuning=tuning)
    try:
        placed(folder / "sandbox" / "fleet")
        environ = {**os.environ, **environment_of(folder / "sandbox"), "TENANTRY_STACK": STACK}
        environ["TIMEWEB_REQUESTS_PER_SECOND"] = str(tuning.requests_per_second)
        yield environ
    finally:
        stop(folder / "sandbox", wipe=True)
        for link in PROJECT.glob(f"Pulumi.{STACK}-*.yaml"):
            link.unlink()


def tenantry(environ: Mapping[str, str], *words: str) -> str:
    """A command as a user types it; what it printed. Raises RuntimeError where it fails."""
    done = subprocess.run(
        [sys.executable, "-P", "-m", "cli.main", *words],
        cwd=PROJECT,
        env=dict(environ),
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(f"tenantry {' '.join(words)} answered {done.returncode}: {done.stderr.strip()[-500:]}")
    return done.stdout
