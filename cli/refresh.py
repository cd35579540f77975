"""`tenantry refresh`: brings the state to what the providers find."""

from catalogue.load import load_fleet
from cli import options
from cli.runs import finish, run_all


def refresh(
    stack: options.Stack,
    fleet: options.Fleet = options.CHECKOUT,
    engine: options.Engine = options.EngineName.auto,
    *,
    json: options.Json = False,
) -> None:
    """Read every resource from its provider into the state; the clouds are not changed."""
    loaded = load_fleet(fleet)
    finish(run_all(loaded, stack, engine, "refresh", lambda run, handler: run.refresh(on_event=handler), json=json))
