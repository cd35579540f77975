"""`tenantry validate`: every problem of the catalogue at once, before any call is made."""

from dataclasses import asdict
from datetime import UTC, datetime

import typer

from catalogue.errors import CatalogueError
from catalogue.load import load_fleet
from cli import exit_codes, options
from cli.terminal import emit, say


def validate(fleet: options.Fleet = options.CHECKOUT, *, json: options.Json = False) -> None:
    """Check the catalogue, the plans, the prices and the placements against each other; nothing is sent anywhere."""
    try:
        loaded = load_fleet(fleet, require_placed=False, today=datetime.now(UTC).date())
    except CatalogueError as error:
        if not json:
            raise
        emit({"problems": [asdict(problem) for problem in error.problems]})
        raise typer.Exit(exit_codes.USER_ERROR) from error
    if json:
        emit({"tenants": len(loaded.tenants), "problems": []})
    else:
        say(f"{len(loaded.tenants)} tenants, no problems")
