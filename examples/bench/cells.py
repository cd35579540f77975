"""Fleets in cells, brought up and changed by the command: what a tenant costs must not grow with the fleet.

Tenants are on plan `timeweb-free`: a schema and a login of their own on real PostgreSQL servers, a hundred a cluster.
Nobody keeps a pace and nothing has latency: what is measured is the work. Beside them, one uncut stack, which
`python -m examples.bench.cells PROJECT` runs in a process of its own, as the command does.
"""

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

from engines.embedded import EmbeddedEngine
from examples.bench.figures import PROJECT, STACK, Figure, Rows
from examples.bench.fleets import FREE, add_tenant, fleet_of, tenantry

UNCUT = Path(__file__).resolve().parent / "uncut"
SIZES = (100, 1_000)
LARGEST_UNCUT = 1_000
FLAT = 1.5
# Last in every order, so that nobody else's place depends on it.
LATE = "zz-late"


def rows(folder: Path, sizes: tuple[int, ...] = SIZES) -> Rows:
    """Time per tenant of the first `up`, and time until one more tenant is there, for each size beside the first."""
    whole: dict[int, float] = {}
    one: dict[int, float] = {}
    for size in sizes:
        # One place is left in the last cell: the tenant that is added joins ninety-nine others.
        with fleet_of(folder / f"cells-{size}", size - 1, FREE, limited=False) as environ:
            whole[size] = _timed(environ, "up", "--yes", "--engine", "embedded") / (size - 1)
            yield f"first up of {size - 1:,} tenants in cells: {whole[size] * (size - 1):.0f} s"
            one[size] = _added(environ)
            yield f"one tenant added to {size - 1:,} in cells: {one[size]:.1f} s"
        if size != sizes[0]:
            first, second = (f"of {size:,}", whole[size]), (f"of {sizes[0]:,}", whole[sizes[0]])
            yield Figure("first up in cells, for a tenant", first, second, bound=FLAT)
            first, second = (f"to {size:,}", one[size]), (f"to {sizes[0]:,}", one[sizes[0]])
            yield Figure("place and up of one tenant added", first, second, bound=FLAT)
        if size <= LARGEST_UNCUT:
            uncut = _uncut(folder / f"uncut-{size}", size)
            beside = (f"one uncut stack of {size:,}", uncut), ("cells", one[size])
            yield Figure("one tenant added", *beside)


def _timed(environ: dict[str, str], *words: str) -> float:
    started = time.perf_counter()
    tenantry(environ, *words)
    return time.perf_counter() - started


def _added(environ: dict[str, str]) -> float:
    """Seconds until one more tenant is placed and there."""
    add_tenant(Path(environ["TENANTRY_FLEET"]), LATE)
    return _timed(environ, "place") + _timed(environ, "up", "--yes", "--engine", "embedded")


def _uncut(folder: Path, size: int) -> float:
    """Seconds that the same change takes where the whole fleet is one stack."""
    with fleet_of(folder, size - 1, FREE, limited=False) as environ:
        uncut_project(folder / "project", lanes=2)
        _up_uncut(folder / "project", environ)
        add_tenant(Path(environ["TENANTRY_FLEET"]), LATE)
        return _timed(environ, "place") + _up_uncut(folder / "project", environ)


def _up_uncut(project: Path, environ: dict[str, str]) -> float:
    started = time.perf_counter()
    command = [sys.executable, "-m", "examples.bench.cells", str(project)]
    subprocess.run(command, cwd=PROJECT, env=environ, check=True)
    return time.perf_counter() - started


def uncut_project(folder: Path, lanes: int) -> None:
    """A project of its own: the program that does not cut, and a stack file with so many lanes."""
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copy(UNCUT / "__main__.py", folder)
    project = (PROJECT / "Pulumi.yaml").read_text().replace("virtualenv: .venv", f"virtualenv: {PROJECT / '.venv'}")
    (folder / "Pulumi.yaml").write_text(project)
    stack = (PROJECT / f"Pulumi.{STACK}.yaml").read_text()
    (folder / f"Pulumi.{STACK}.yaml").write_text(stack.replace('tenantry:lanes: "2"', f'tenantry:lanes: "{lanes}"'))


if __name__ == "__main__":
    if not EmbeddedEngine(Path(sys.argv[1]), STACK, Path(os.environ["TENANTRY_STATE"])).up().ok:
        sys.exit("the uncut stack did not come up")
