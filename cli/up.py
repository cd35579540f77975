"""`tenantry up`: brings the clouds to what the catalogue says."""

from catalogue.load import load_fleet
from cli import options
from cli.cells import named, stacks
from cli.confirm import confirm
from cli.runs import Scope, finish, run_all
from engines.orders import Order


def up(
    stack: options.Stack,
    fleet: options.Fleet = options.CHECKOUT,
    engine: options.Engine = options.EngineName.auto,
    *,
    refresh: options.Refresh = False,
    cells: options.Cells = None,
    jobs: options.Jobs = None,
    all_cells: options.AllCells = False,
    yes: options.Yes = False,
    json: options.Json = False,
) -> None:
    """Create, update and delete until the clouds are as the catalogue says, in the cells where anything has changed."""
    loaded = load_fleet(fleet)
    confirm(f"Bring {named(stacks(loaded, stack, cells))} to what the catalogue says?", yes=yes)
    scope = Scope(cells, all=all_cells or refresh, jobs=jobs)
    finish(run_all(loaded, stack, engine, Order("up", refresh=refresh), scope, json=json))
