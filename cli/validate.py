"""`tenantry validate`: every problem of the catalogue at once, before any call is made."""

from catalogue.load import load_fleet
from cli import options
from cli.terminal import emit, say


def validate(fleet: options.Fleet = options.CHECKOUT, *, json: options.Json = False) -> None:
    """Check the catalogue, the plans, the prices and the placements against each other; nothing is sent anywhere."""
    loaded = load_fleet(fleet, require_placed=False)
    if json:
        emit({"tenants": len(loaded.tenants), "problems": []})
    else:
        say(f"{len(loaded.tenants)} tenants, no problems")
