"""`tenantry query`: one statement in a tenant's database, as one of its users."""

import sys
from datetime import UTC, datetime
from typing import Annotated, Any

import typer

from catalogue.names import logical_name
from cli import options
from cli.databases import Databases
from cli.terminal import emit, say, table
from components.settings import ADMIN_SECRET, PLATFORM, setting
from dynamic_providers.marks import Mark
from dynamic_providers.postgres.platform.address import platform_address
from lifecycle.admission import Caller
from lifecycle.errors import MistakeError
from lifecycle.query import Place, Question, ask
from lifecycle.statement import Answer

DEFAULT_SECONDS = 30.0
LONGEST_SECONDS = 3600.0
DEFAULT_ROWS = 1000


def query(
    tenant: Annotated[str, typer.Argument(help="The tenant's id.")],
    sql: Annotated[str, typer.Argument(help="One statement; `-` reads it from the standard input.")],
    stack: options.Stack,
    fleet: options.Fleet = options.CHECKOUT,
    engine: options.Engine = options.EngineName.auto,
    *,
    user: Annotated[str, typer.Option("--as", help="The user, as `owner` and `members` of the tenant know it.")],
    timeout: Annotated[
        float, typer.Option(help="Seconds after which the statement is ended.", min=0.001, max=LONGEST_SECONDS)
    ] = DEFAULT_SECONDS,
    rows: Annotated[int, typer.Option(help="The most rows in the answer.", min=1, max=1_000_000)] = DEFAULT_ROWS,
    json: options.Json = False,
) -> None:
    """Run a statement with the user's role; who has none is refused, and every run counts in `tenant_usage`."""
    databases = Databases.open(stack, fleet, engine)
    platform = setting(PLATFORM, databases.configuration)
    if not platform:
        raise MistakeError(f"{PLATFORM} is not set: it says who may run statements; set it and run `tenantry up`")
    question = Question(
        caller=Caller(tenant, f"pulumi:{databases.base_stack}/{tenant}", user, datetime.now(UTC).date()),
        text=sys.stdin.read() if sql == "-" else sql,
        seconds=timeout,
        rows=rows,
    )
    answer = ask(platform_address(platform), _place(databases, tenant), question)
    if json:
        emit(answer.as_json())
    else:
        _show(answer)


def _place(databases: Databases, tenant: str) -> Place | None:
    found = databases.tenants.get(tenant)
    placed = databases.fleet.placements.tenants.get(tenant)
    if found is None or found.database is None or placed is None or placed.database is None:
        return None
    mark = Mark(databases.base_stack, logical_name(tenant, "setup", placed.database.generation))
    return Place(found.database, str(mark), setting(ADMIN_SECRET, databases.configuration))


def _show(answer: Answer) -> None:
    if answer.columns:
        table("", answer.columns, [[_text(value) for value in row] for row in answer.rows])
    more = "; there are more, which --rows would show" if answer.truncated else ""
    plural = "" if answer.row_count == 1 else "s"
    say(f"{answer.row_count} row{plural} in {answer.milliseconds} ms{more}")


def _text(value: Any) -> str:  # noqa: ANN401  whatever a column holds
    return "NULL" if value is None else str(value)
