"""`tenantry destroy`: deletes what a stack made; data is kept unless it is asked for by name."""

from typing import Annotated

import typer

from catalogue.load import Fleet, load_fleet
from cli import exit_codes, options
from cli.cells import named, stacks
from cli.confirm import confirm, confirm_name
from cli.runs import Scope, finish, run_all
from cli.terminal import complain
from engines.orders import Order


def destroy(
    stack: options.Stack,
    fleet: options.Fleet = options.CHECKOUT,
    engine: options.Engine = options.EngineName.auto,
    *,
    including_data: Annotated[
        bool, typer.Option("--including-data", help="Delete protected databases and buckets too.")
    ] = False,
    typed: Annotated[
        str | None, typer.Option("--confirm", help="The stack's name, typed: goes with --including-data.")
    ] = None,
    cells: options.Cells = None,
    jobs: options.Jobs = None,
    yes: options.Yes = False,
    json: options.Json = False,
) -> None:
    """Delete the stack's resources. Protected ones, and what they need, are kept and named."""
    loaded = load_fleet(fleet, require_placed=False)
    if including_data:
        confirm_name(f"This deletes every tenant's data in {named(stacks(loaded, stack, cells))}.", stack, typed=typed)
    else:
        refuse_terminated(loaded)
        confirm(f"Delete what is not protected in {named(stacks(loaded, stack, cells))}?", yes=yes)
    order = Order("destroy", including_data=including_data)
    results = run_all(loaded, stack, engine, order, Scope(cells, jobs=jobs), json=json)
    finish(results)


def refuse_terminated(fleet: Fleet) -> None:
    """A terminated tenant's data is unprotected until its removal is written down: a destroy would take it along."""
    names = [name for name, tenant in sorted(fleet.tenants.items()) if tenant.declared and not tenant.protected]
    if names:
        complain(
            f"nothing was deleted: {', '.join(names)} is terminated but not removed, so its data is unprotected and "
            "would go; write `removed:` into the entry first, or use --including-data"
        )
        raise typer.Exit(exit_codes.REFUSED_BY_POLICY)
