"""Lanes: one instance of the dynamic provider serves four operations at a time, eight serve thirty-two.

Thirty-two clusters that take two seconds each, without databases behind them and without tenants on them.
"""

from pathlib import Path

from catalogue.load import load_fleet
from catalogue.lockfile import write_placements
from catalogue.placement import ClusterPlacement, Placements
from engines.embedded import EmbeddedEngine
from engines.engine import Engine
from engines.pulumi_cli import PulumiCli, make_stack
from examples.bench.cells import uncut_project
from examples.bench.figures import STACK, Figure, Rows, seconds
from examples.bench.fleets import fleet_of
from sandbox.tuning import Tuning

CLUSTERS = 32
SECONDS = 2.0
LANES = (1, 8)
# Eight lanes do not get the clusters evenly: they are dealt by name.
GAIN = 2.0


def rows(folder: Path) -> Rows:
    """One figure for each engine: the same clusters with one lane and with eight."""
    for name in ("embedded", "pulumi"):
        if name == "pulumi" and not PulumiCli.available():
            yield "no `pulumi` on PATH: lanes are measured on the embedded engine only"
            return
        times = {lanes: _seconds(folder / f"lanes-{name}-{lanes}", name, lanes) for lanes in LANES}
        few, many = LANES
        first, second = (f"{few} lane", times[few]), (f"{many} lanes", times[many])
        what = f"{CLUSTERS} clusters of {SECONDS:g} s each, {name}"
        # On the CLI each lane is a process more that has to start, which on a few cores eats the gain.
        yield Figure(what, first, second, bound=GAIN if name == "embedded" else None, at_least=True)


def _seconds(folder: Path, name: str, lanes: int) -> float:
    with fleet_of(folder, 0, "", Tuning(SECONDS, databases=False), limited=False) as environ:
        fleet = Path(environ["TENANTRY_FLEET"])
        loaded = load_fleet(fleet, require_placed=False)
        plan = loaded.plans.database["timeweb-free"]
        cluster = ClusterPlacement(
            cell=1,
            plan=plan.name,
            region=plan.regions[0],
            provider=plan.provider,
            mode=plan.mode,
            version=plan.version,
        )
        clusters = {f"shared-free-{number + 1}": cluster for number in range(CLUSTERS)}
        write_placements(fleet / "placements.yaml", Placements(clusters))
        uncut_project(folder / "project", lanes)
        engine: Engine
        if name == "pulumi":
            make_stack(folder / "project", STACK, environ)
            engine = PulumiCli(folder / "project", STACK, environ, parallel=CLUSTERS)
        else:
            engine = EmbeddedEngine(folder / "project", STACK, Path(environ["TENANTRY_STATE"]), environ, CLUSTERS)

        def up() -> None:
            result = engine.up()
            if not result.ok:
                raise RuntimeError(result.failures[0].message)

        return seconds(up, runs=1)
