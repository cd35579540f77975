"""`tenantry up`: brings the clouds to what the catalogue says."""

from datetime import UTC, datetime

import typer

from catalogue.load import Fleet, load_fleet
from cli import exit_codes, options
from cli.cells import named, stack_settings, stacks
from cli.confirm import confirm
from cli.options import EngineName
from cli.removals import tell_early_removals
from cli.runs import Scope, finish, run_all
from cli.terminal import complain
from dynamic_providers.configuration import has_native_token
from engines.engine import EngineError
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
    loaded = load_fleet(fleet, today=datetime.now(UTC).date())
    confirm(f"Bring {named(stacks(loaded, stack, cells))} to what the catalogue says?", yes=yes)
    scope = Scope(cells, all=all_cells or refresh, jobs=jobs)
    try:
        results = run_all(loaded, stack, engine, Order("up", refresh=refresh), scope, json=json)
    except EngineError:
        tell_early_removals(loaded, stack, engine, cells)
        tell_leftover_objects(loaded, stack, engine)
        raise
    if not all(result.ok for result in results.values()):
        tell_early_removals(loaded, stack, engine, cells)
    known = tell_leftover_objects(loaded, stack, engine)
    finish(results)
    if not known:
        raise typer.Exit(exit_codes.ENGINE_ERROR)


def tell_leftover_objects(fleet: Fleet, stack: str, engine: EngineName) -> bool:
    """Complain of what the run left unknown at a vendor, green or not; False where there is any."""
    if not has_native_token(stack_settings(stack)):
        return True
    from cli.leftover_objects import leftover_objects  # noqa: PLC0415 - half a second that most fleets need not spend

    left = leftover_objects(fleet, stack, engine)
    for told in left:
        complain(f"{told}; see `tenantry resume --stack {stack}`")
    return not left
