"""The embedded engine against itself and, where there is one, against the Pulumi CLI, on the same fleets."""

import os
from pathlib import Path

from engines.embedded import EmbeddedEngine
from engines.engine import Engine
from engines.pulumi_cli import PulumiCli, make_stack
from examples.bench.figures import PROJECT, STACK, Figure, Rows, seconds
from examples.bench.fleets import fleet_of


def first_and_again(engine: Engine) -> tuple[float, float]:
    """Seconds of the first `up` and of one that finds nothing to do."""
    first = seconds(engine.up, runs=1)
    return first, seconds(engine.up)


def rows(folder: Path) -> Rows:
    """A first `up` beside one with nothing to do, a larger fleet beside a smaller one, one engine beside the other."""
    times: dict[int, tuple[float, float]] = {}
    for tenants in (10, 90):
        with fleet_of(folder / f"embedded-{tenants}", tenants) as environ:
            engine = EmbeddedEngine(PROJECT, STACK, Path(environ["TENANTRY_STATE"]), environ)
            times[tenants] = first_and_again(engine)
    yield Figure("up of 10 tenants, embedded", ("first", times[10][0]), ("nothing to do", times[10][1]))
    yield Figure("first up for 10 tenants, embedded", ("of 90", times[90][0] / 9), ("of 10", times[10][0]))
    if not PulumiCli.available():
        yield "no `pulumi` on PATH: the engines are not compared"
        return
    with fleet_of(folder / "pulumi-10", 10) as environ:
        make_stack(PROJECT, STACK, {**os.environ, **environ})
        first, again = first_and_again(PulumiCli(PROJECT, STACK, environ))
    yield Figure("first up of 10 tenants", ("pulumi", first), ("embedded", times[10][0]))
    yield Figure("up of 10 tenants with nothing to do", ("pulumi", again), ("embedded", times[10][1]))
