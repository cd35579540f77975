"""Options that several commands share."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from components.settings import PROJECT


class EngineName(StrEnum):
    """`auto` takes the Pulumi CLI where one is on PATH, else the embedded engine."""

    auto = "auto"
    pulumi = "pulumi"
    embedded = "embedded"


class Adoption(StrEnum):
    """What becomes of an object that carries our mark and is wanted, but in no state."""

    adopt = "adopt"
    remove = "remove"


Fleet = Annotated[
    Path,
    typer.Option(
        "--fleet",
        envvar="TENANTRY_FLEET",
        help="Folder with tenants.yaml, plans.yaml, prices.yaml and placements.yaml.",
    ),
]
Stack = Annotated[
    str,
    typer.Option(
        "--stack", envvar="TENANTRY_STACK", help="Stack: the base stack means all its cells.", show_default=False
    ),
]
Engine = Annotated[
    EngineName, typer.Option("--engine", envvar="TENANTRY_ENGINE", help="Which engine runs the program.")
]
Json = Annotated[bool, typer.Option("--json", help="Machine-readable output on stdout.")]
Yes = Annotated[bool, typer.Option("--yes", help="Do not ask.")]
Refresh = Annotated[bool, typer.Option("--refresh", help="Read every resource from its provider first.")]
Cells = Annotated[str | None, typer.Option("--cells", help="Only these cells of the stack: 1,4-7.", show_default=False)]
Jobs = Annotated[
    int | None,
    typer.Option("--jobs", help="Cells at once, each in a process; as many as there are cores.", min=1, max=64),
]
AllCells = Annotated[bool, typer.Option("--all", help="Run cells too where nothing has changed since their last run.")]
SandboxFolder = Annotated[
    Path, typer.Option("--folder", envvar="TENANTRY_SANDBOX", help="Folder that holds the sandbox and nothing else.")
]

CHECKOUT = PROJECT
DEFAULT_SANDBOX = PROJECT / ".sandbox"
