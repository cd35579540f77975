"""`tenantry up`: brings the clouds to what the catalogue says."""

from catalogue.load import load_fleet
from cli import options
from cli.confirm import confirm
from cli.runs import finish, run_all, stacks


def up(
    stack: options.Stack,
    fleet: options.Fleet = options.CHECKOUT,
    engine: options.Engine = options.EngineName.auto,
    *,
    refresh: options.Refresh = False,
    yes: options.Yes = False,
    json: options.Json = False,
) -> None:
    """Create, update and delete until the clouds are as the catalogue says."""
    loaded = load_fleet(fleet)
    confirm(f"Bring {', '.join(stacks(loaded, stack))} to what the catalogue says?", yes=yes)
    finish(
        run_all(loaded, stack, engine, "up", lambda run, handler: run.up(refresh=refresh, on_event=handler), json=json)
    )
