"""`tenantry state`: a stack's state as a file, to keep a copy of it or to hand it to the other engine."""

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from catalogue.load import load_fleet
from cli import options
from cli.cells import stacks
from cli.confirm import confirm
from cli.runs import open_engine
from cli.terminal import emit, say
from engines.engine import Engine, UserError

state = typer.Typer(help="A stack's state as a file: a copy, or the way to the other engine.", no_args_is_help=True)


@state.command("export")
def export_state(
    stack: options.Stack,
    fleet: options.Fleet = options.CHECKOUT,
    engine: options.Engine = options.EngineName.auto,
) -> None:
    """Write the state of one stack to standard output, as `pulumi stack export` does; its secrets stay encrypted."""
    emit(_engine(stack, fleet, engine).export(), indent=4)


@state.command("import")
def import_state(
    file: Annotated[Path, typer.Argument(help="What `state export` or `pulumi stack export` wrote.")],
    stack: options.Stack,
    fleet: options.Fleet = options.CHECKOUT,
    engine: options.Engine = options.EngineName.auto,
    *,
    yes: options.Yes = False,
) -> None:
    """Replace the state of one stack by a file of the same project and stack; the clouds are not touched."""
    document = _read(file)
    target = _engine(stack, fleet, engine)
    confirm(f"Replace the state of {stack} by {file}?", yes=yes)
    target.import_state(document)
    say(f"{stack}: the state is that of {file} now; `tenantry preview` says whether anything is to do")


def _engine(stack: str, fleet: Path, engine: options.EngineName) -> Engine:
    loaded = load_fleet(fleet, require_placed=False)
    # A stack without a file is refused here: an engine would make one.
    stacks(loaded, stack)
    return open_engine(engine, stack, loaded)


def _read(file: Path) -> dict[str, Any]:
    try:
        document = json.loads(file.read_bytes())
    except ValueError as error:
        raise UserError(f"{file} is not JSON: it is no exported state") from error
    if not isinstance(document, dict):
        raise UserError(f"{file} is not a JSON object: it is no exported state")
    return document
