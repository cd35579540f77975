"""`tenantry outputs`: what the stacks export, the cells merged."""

from typing import Annotated, Any

import typer

from catalogue.load import load_fleet
from cli import options
from cli.runs import open_engine, stacks
from cli.terminal import emit, table


def outputs(
    stack: options.Stack,
    fleet: options.Fleet = options.CHECKOUT,
    engine: options.Engine = options.EngineName.auto,
    *,
    cells: options.Cells = None,
    show_secrets: Annotated[bool, typer.Option("--show-secrets", help="Show credentials in clear.")] = False,
    json: options.Json = False,
) -> None:
    """Print the tenants with their cluster or project, schema, bucket and monthly cost; credentials only on request."""
    tenants = merged(stack, fleet, engine, show_secrets=show_secrets, cells=cells)
    if json:
        emit(tenants)
        return
    rows = [_row(name, tenant) for name, tenant in sorted(tenants.items())]
    table("", ("tenant", "state", "plan", "cluster or project", "schema", "bucket", "monthly cost"), rows)


def merged(
    stack: str, fleet: options.Fleet, engine: options.EngineName, *, show_secrets: bool, cells: str | None = None
) -> dict[str, Any]:
    """The `tenants` output of every cell, or of these, in one map."""
    loaded = load_fleet(fleet, require_placed=False)
    tenants: dict[str, Any] = {}
    for name in stacks(loaded, stack, cells):
        tenants |= open_engine(engine, name, loaded).outputs(show_secrets=show_secrets).get("tenants") or {}
    return tenants


def _row(name: str, tenant: dict[str, Any]) -> tuple[str, ...]:
    database, storage = tenant.get("database") or {}, tenant.get("storage") or {}
    plans = " + ".join(filter(None, (database.get("plan"), storage.get("plan"))))
    costs = [part["monthlyCost"] for part in (database, storage) if part.get("monthlyCost")]
    cost = " + ".join(f"{item['amount']} {item['currency']}" for item in costs)
    return (
        name,
        tenant["state"],
        plans,
        database.get("cluster") or database.get("clusterId", "-"),
        database.get("schema", "-"),
        storage.get("bucket", "-"),
        cost or "-",
    )
