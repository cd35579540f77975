"""`tenantry verify`: proofs on the running fleet."""

import os
from pathlib import Path
from typing import Annotated

import typer

from cli import exit_codes, options
from cli.databases import Databases
from cli.runs import state_folder
from cli.terminal import complain, emit, say
from components.settings import SOURCES
from engines.engine import EngineError
from lifecycle.certificate import sentences
from lifecycle.errors import MistakeError
from lifecycle.isolation import certify

PLATFORM = "platform:databaseUrl"

verify = typer.Typer(help="Proofs on the running fleet.", no_args_is_help=True)


@verify.callback()
def _proofs() -> None:
    """Keep `isolation` a word of its own while it is the only proof."""


@verify.command()
def isolation(
    stack: options.Stack,
    fleet: options.Fleet = options.CHECKOUT,
    engine: options.Engine = options.EngineName.auto,
    *,
    tenants: Annotated[
        str | None, typer.Option(help="Only these tenants, with commas between them, and against each other.")
    ] = None,
    neighbours: Annotated[
        int | None,
        typer.Option(help="Probe each tenant by this many others only; by all where it is not given.", min=1),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(help="Folder for the certificate; `certificates` beside the state where not given."),
    ] = None,
    json: options.Json = False,
) -> None:
    """Try as each tenant what only another may, in its database and bucket; the other's success is the control."""
    databases = Databases.open(stack, fleet, engine)
    certificate = certify(
        databases.tenants,
        only=None if tenants is None else _named(tenants, databases),
        neighbours=neighbours,
        platform=os.environ.get(SOURCES[PLATFORM]) or databases.configuration.get(PLATFORM),
        stack=stack,
    )
    if not certificate.controls:
        raise EngineError(f"nothing is proven: no tenant is served in stack '{stack}' on this engine (see --engine)")
    path = certificate.write(output or state_folder() / "certificates")
    if json:
        emit(certificate.as_json())
    else:
        bad = (certificate.successes, certificate.faults, certificate.broken_controls, certificate.uncontrolled)
        for line in sentences(probe for probes in bad for probe in probes):
            complain(line)
        say(certificate.summary)
        say(f"{len(certificate.tenants)} tenants in {certificate.seconds:.1f} s; the certificate is {path}")
    if not certificate.holds:
        raise typer.Exit(exit_codes.ENGINE_ERROR)


def _named(words: str, databases: Databases) -> list[str]:
    """The tenants of a list. Raises `MistakeError` for one that the stack does not have."""
    names = [name for word in words.split(",") if (name := word.strip())]
    if unknown := sorted(set(names) - set(databases.tenants)):
        raise MistakeError(f"stack '{databases.base_stack}' has no tenant {', '.join(unknown)}: see `tenantry outputs`")
    return names
