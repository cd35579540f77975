"""A command's run over the stacks of a fleet: which engine, which cells, and which exit code the results mean."""

import os
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path

import typer
from ruamel.yaml import YAML

from catalogue.load import Fleet
from cli import exit_codes
from cli.options import EngineName
from cli.progress import shown
from cli.terminal import complain, counts_text, emit, say
from components.settings import PROJECT
from engines.embedded import EmbeddedEngine
from engines.engine import Engine, EngineError, Handler, Result, UserError
from engines.pulumi_cli import PulumiCli

Run = Callable[[Engine, Handler], Result]


def open_engine(name: EngineName, stack: str, fleet: Fleet) -> Engine:
    """The engine of one stack. Raises `EngineError` where it cannot run here."""
    environ = {**os.environ, "TENANTRY_FLEET": str(fleet.folder.resolve())}
    available = PulumiCli.available(environ)
    if name is EngineName.pulumi and not available:
        raise UserError("there is no `pulumi` on PATH: install the Pulumi CLI, or use `--engine embedded`")
    if name is EngineName.embedded or not available:
        # What the CLI lacks a plugin for, this engine serves: a program that leaves it out would delete it.
        environ.pop("TENANTRY_SANDBOX_WITHOUT", None)
        return EmbeddedEngine(PROJECT, stack, Path(environ.get("TENANTRY_STATE", PROJECT / ".tenantry")), environ)
    return PulumiCli(PROJECT, stack, environ)


def stacks(fleet: Fleet, stack: str) -> list[str]:
    """The stacks behind a name: a base stack means all its cells, each with its link to the one stack file.

    Raises `EngineError` where there is no stack file.
    """
    file = PROJECT / f"Pulumi.{stack}.yaml"
    if not file.exists():
        raise UserError(f"there is no Pulumi.{stack}.yaml beside Pulumi.yaml: create it, or name another stack")
    config = (YAML(typ="safe").load(file) or {}).get("config") or {}
    if config.get("tenantry:baseStack") != stack:
        return [stack]
    cells = [cell for cell in fleet.placements.cells if cell > 1]
    for cell in cells:
        link = PROJECT / f"Pulumi.{stack}-{cell}.yaml"
        if not link.exists():
            # Before the stack is made: one salt for all cells, so that a plain `pulumi up` works in each.
            link.symlink_to(file.name)
    return [stack, *(f"{stack}-{cell}" for cell in cells)]


def run_all(fleet: Fleet, stack: str, engine: EngineName, title: str, run: Run, *, json: bool) -> dict[str, Result]:
    """Run one operation on every stack behind a name, one after the other; one that fails does not stop the others."""
    found: dict[str, Result] = {}
    refused: list[EngineError] = []
    for name in stacks(fleet, stack):
        try:
            with shown(f"{title} {name}", json_lines=json) as handler:
                found[name] = run(open_engine(engine, name, fleet), handler)
        except EngineError as error:
            refused.append(error)
        else:
            report(name, found[name], json=json)
    if refused:
        raise EngineError("\n".join(map(str, refused)))
    return found


def report(stack: str, result: Result, *, json: bool) -> None:
    """What a run did, and what it could not do."""
    if json:
        emit(
            {
                "stack": stack,
                "counts": result.counts,
                "changed": result.changed,
                "failures": [asdict(failure) for failure in result.failures],
                "kept": list(result.kept),
                "seconds": round(result.seconds, 2),
            },
            indent=None,
        )
        return
    for failure in result.failures:
        complain(f"{failure.name or stack}: {failure.message}")
    for urn in result.kept:
        say(f"kept     {urn.rpartition('::')[2]} (protected)")
    say(f"{stack}: {counts_text(result.counts)} ({result.seconds:.1f} s)")
    if result.kept:
        say(f"{stack}: {len(result.kept)} resources are kept, because they hold data or are needed to reach it")


def finish(results: Mapping[str, Result]) -> None:
    """Leave with exit 3 where any resource failed."""
    if not all(result.ok for result in results.values()):
        raise typer.Exit(exit_codes.ENGINE_ERROR)
