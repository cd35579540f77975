"""`tenantry verify`: proofs on the running fleet."""

from typing import Annotated

import typer
from pydantic import ValidationError

from cli import exit_codes, options
from cli.outputs import merged
from cli.terminal import complain, emit, say
from components.outputs import parse_tenants
from engines.engine import EngineError
from lifecycle.isolation import certify

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
    neighbours: Annotated[
        int | None,
        typer.Option(help="Probe each tenant by this many others only; by all where it is not given.", min=1),
    ] = None,
    json: options.Json = False,
) -> None:
    """Try as each tenant to reach every other's database and bucket; the rightful tenant's success is the control."""
    try:
        tenants = parse_tenants(merged(stack, fleet, engine, show_secrets=True))
    except ValidationError as error:
        faults = ", ".join(".".join(map(str, fault["loc"])) for fault in error.errors()[:3])
        raise EngineError(f"the outputs of '{stack}' are not whole ({faults}): run `tenantry up` first") from error
    certificate = certify(tenants, neighbours=neighbours)
    if not certificate.controls:
        raise EngineError(f"nothing is proven: no tenant is served in stack '{stack}' on this engine (see --engine)")
    if json:
        emit(certificate.as_json())
    else:
        for probe in (*certificate.successes, *certificate.broken_controls):
            complain(f"{probe.by} against {probe.against}: {probe.what}: {probe.outcome}")
        say(
            f"{len(certificate.controls)} controls, {len(certificate.broken_controls)} of them refused; "
            f"{len(certificate.attempts)} attempts, {len(certificate.successes)} of them not refused"
        )
    if not certificate.holds:
        raise typer.Exit(exit_codes.ENGINE_ERROR)
