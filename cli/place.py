"""`tenantry place`: gives new tenants their cell and cluster; never moves one that is placed."""

from typing import Annotated

import typer

from catalogue.load import load_fleet
from catalogue.lockfile import write_placements
from catalogue.placement import Placements, tightest
from catalogue.placement import place as assign
from cli import exit_codes, options
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
    json: options.Json = False,
) -> None:
    """Assign tenants that are not placed yet to clusters and cells, and write placements.yaml."""
    loaded = load_fleet(fleet, require_placed=False)
    placements = assign(loaded.tenants, loaded.plans, loaded.placements, drop_empty=drop_empty)
    stale = placements != loaded.placements
    if stale and not check:
        write_placements(fleet / "placements.yaml", placements)
    new = sorted(set(placements.tenants) - set(loaded.placements.tenants))
    if json:
        emit({"stale": stale, "new_tenants": new, "clusters": len(placements.clusters), "written": stale and not check})
    else:
        say(_sentence(placements, new, stale=stale, check=check))
        if found := tightest(placements, loaded.plans):
            say(f"tightest cluster: {found[0]} with {found[1]} of {found[2]} places taken")
    if stale and check:
        raise typer.Exit(exit_codes.CHANGES_PENDING)


def _sentence(placements: Placements, new: list[str], *, stale: bool, check: bool) -> str:
    if not stale:
        return "placements.yaml is up to date"
    size = f"{len(placements.tenants)} tenants on {len(placements.clusters)} clusters, {len(new)} tenants new"
    return f"placements.yaml is stale: {size}; run `tenantry place`" if check else f"placements.yaml written: {size}"
