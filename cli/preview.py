"""`tenantry preview`: what `up` would do, changing nothing."""

from datetime import UTC, datetime
from typing import Annotated

import typer

from catalogue.load import load_fleet
from cli import exit_codes, options
from cli.runs import Scope, finish, run_all
from cli.terminal import say
from engines.orders import Order


def preview(
    stack: options.Stack,
    fleet: options.Fleet = options.CHECKOUT,
    engine: options.Engine = options.EngineName.auto,
    *,
    refresh: options.Refresh = False,
    cells: options.Cells = None,
    jobs: options.Jobs = None,
    all_cells: options.AllCells = False,
    check: Annotated[bool, typer.Option("--check", help="Exit 4 where `up` would change anything.")] = False,
    json: options.Json = False,
) -> None:
    """Show what `up` would create, update and delete, in the cells where anything has changed."""
    loaded = load_fleet(fleet, today=datetime.now(UTC).date())
    scope = Scope(cells, all=all_cells or refresh, jobs=jobs)
    results = run_all(loaded, stack, engine, Order("preview", refresh=refresh), scope, json=json)
    if not json:
        for result in results.values():
            # By name, so that what a tenant has stands together, in whatever order it would be made.
            for change in sorted(result.changes, key=lambda each: each.name):
                if change.operation not in {"same", "read"}:
                    say(f"would {change.operation:<8} {change.name} {' '.join(change.fields)}".rstrip())
    finish(results)
    if check and any(result.changed for result in results.values()):
        raise typer.Exit(exit_codes.CHANGES_PENDING)
