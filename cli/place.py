"""`tenantry place`: gives new tenants their cell and cluster; never moves one that is placed."""

from dataclasses import asdict
from datetime import UTC, datetime
from typing import Annotated

import typer

from catalogue.load import load_fleet
from catalogue.lockfile import write_placements
from catalogue.occupancy import Occupancy, tightest
from catalogue.placement import Placements
from catalogue.placement import place as assign
from cli import exit_codes, options
from cli.cells import base_stack, link_cells
from cli.terminal import emit, say


def place(
    fleet: options.Fleet = options.CHECKOUT,
    *,
    check: Annotated[
        bool, typer.Option("--check", help="Write nothing; exit 4 when placements.yaml is stale.")
    ] = False,
    drop_empty: Annotated[
        bool, typer.Option("--drop-empty", help="Drop shared clusters without tenants; the next `up` deletes them.")
    ] = False,
    stack: Annotated[
        str | None,
        typer.Option(
            "--stack",
            envvar="TENANTRY_STACK",
            help="Base stack: new cells get a link to its file.",
            show_default=False,
        ),
    ] = None,
    json: options.Json = False,
) -> None:
    """Assign tenants that are not placed yet to clusters and cells, and write placements.yaml."""
    linked = stack is not None and base_stack(stack) == stack
    loaded = load_fleet(fleet, require_placed=False, today=datetime.now(UTC).date())
    placements = assign(loaded.tenants, loaded.plans, loaded.placements, drop_empty=drop_empty)
    stale = placements != loaded.placements
    if stale and not check:
        write_placements(fleet / "placements.yaml", placements)
    if stack and linked and not check:
        link_cells(stack, placements.cells)
    new = sorted(set(placements.tenants) - set(loaded.placements.tenants))
    found = tightest(placements, loaded.plans)
    if json:
        counts = {"stale": stale, "new_tenants": new, "clusters": len(placements.clusters)}
        emit(counts | {"written": stale and not check, "tightest": asdict(found) if found else None})
    else:
        say(_sentence(placements, new, stale=stale, check=check))
        if found:
            say(_tightest(found))
    if stale and check:
        raise typer.Exit(exit_codes.CHANGES_PENDING)


def _tightest(found: Occupancy) -> str:
    places = f"tightest cluster: {found.cluster} with {found.tenants} of {found.places} places taken"
    how = "through its pooler" if found.pooled else "together"
    kept = f"{found.reserve} are kept for us"
    return f"{places}; its tenants open at most {found.open} of {found.cap} connections {how}, {kept}"


def _sentence(placements: Placements, new: list[str], *, stale: bool, check: bool) -> str:
    if not stale:
        return "placements.yaml is up to date"
    size = f"{len(placements.tenants)} tenants on {len(placements.clusters)} clusters, {len(new)} tenants new"
    return f"placements.yaml is stale: {size}; run `tenantry place`" if check else f"placements.yaml written: {size}"
