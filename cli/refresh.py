"""`tenantry refresh`: brings the state to what the providers find."""

from datetime import UTC, datetime

from catalogue.load import load_fleet
from cli import options
from cli.runs import Scope, finish, run_all
from engines.orders import Order


def refresh(
    stack: options.Stack,
    fleet: options.Fleet = options.CHECKOUT,
    engine: options.Engine = options.EngineName.auto,
    *,
    cells: options.Cells = None,
    jobs: options.Jobs = None,
    json: options.Json = False,
) -> None:
    """Read every resource from its provider into the state; the clouds are not changed."""
    loaded = load_fleet(fleet, today=datetime.now(UTC).date())
    finish(run_all(loaded, stack, engine, Order("refresh"), Scope(cells, jobs=jobs), json=json))
