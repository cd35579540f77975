"""`tenantry sandbox`: a whole cloud on this machine, to start, stop, look at and disturb."""

import os
import shlex
import sys
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from catalogue.load import Fleet, load_fleet
from catalogue.lockfile import write_placements
from catalogue.placement import place
from cli import options
from cli.terminal import complain, emit, say, table
from engines import pulumi_cli
from sandbox.broken_grants import HOLES, break_grant, mend_grants
from sandbox.control import clear_faults, switch_on
from sandbox.faults import SWITCHES
from sandbox.start import DEFAULT_PORTS, Ports, Status, environment
from sandbox.start import start as start_sandbox
from sandbox.start import status as sandbox_status
from sandbox.start import stop as stop_sandbox

STACK = "sandbox"
EXAMPLE = options.CHECKOUT / "examples" / "fleet"
# Providers whose plans a native plugin of Pulumi serves, and which.
PLUGINS: Mapping[str, str] = {"s3": "aws", "digitalocean": "digitalocean"}

sandbox = typer.Typer(help="A whole cloud on this machine.", no_args_is_help=True)


@sandbox.command()
def start(
    folder: options.SandboxFolder = options.DEFAULT_SANDBOX,
    *,
    port: Annotated[
        int,
        typer.Option(envvar="TENANTRY_SANDBOX_PORT", help="First port; 0 takes any free ones.", min=0, max=60000),
    ] = DEFAULT_PORTS.simulator,
    as_json: options.Json = False,
) -> None:
    """Start the providers' simulators, the S3 server and, for each cluster or branch made, a PostgreSQL server."""
    running = start_sandbox(folder, Ports.from_first(port), fleet_source=EXAMPLE)
    fleet = load_fleet(folder / "fleet", require_placed=False)
    write_placements(folder / "fleet" / "placements.yaml", place(fleet.tenants, fleet.plans, fleet.placements))
    if pulumi_cli.PulumiCli.available():
        # In the sandbox's own backend, so that a plain `pulumi up --stack sandbox` finds it.
        pulumi_cli.make_stack(options.CHECKOUT, STACK, {**os.environ, **environment(folder)})
    if not running.already_running and not as_json:
        say(f"the sandbox runs in {running.folder}; its catalogue is {running.folder / 'fleet'}")
    _show(running, as_json=as_json)


@sandbox.command()
def stop(
    folder: options.SandboxFolder = options.DEFAULT_SANDBOX,
    *,
    wipe: Annotated[bool, typer.Option("--wipe", help="Remove the folder and all that is in it.")] = False,
) -> None:
    """End the sandbox's servers and wait for them."""
    ran = stop_sandbox(folder, wipe=wipe)
    say(("the sandbox is stopped" if ran else "no sandbox was running") + (", its folder is gone" if wipe else ""))


@sandbox.command()
def status(folder: options.SandboxFolder = options.DEFAULT_SANDBOX, *, as_json: options.Json = False) -> None:
    """Say what runs, where, and whether it answers."""
    _show(sandbox_status(folder), as_json=as_json)


@sandbox.command()
def env(folder: options.SandboxFolder = options.DEFAULT_SANDBOX, *, as_json: options.Json = False) -> None:
    """Print what a shell needs to use the sandbox with `pulumi` and `tenantry`: `eval "$(tenantry sandbox env)"`."""
    values = environment_of(folder)
    if as_json:
        emit(values)
        return
    for name, value in values.items():
        sys.stdout.write(f"export {name}={shlex.quote(value)}\n")
    sys.stdout.write(f'export PATH={shlex.quote(str(Path(sys.prefix) / "bin"))}:"$PATH"\n')


@sandbox.command()
def faults(
    names: Annotated[list[str] | None, typer.Argument(help="Faults to switch on; without any, list them.")] = None,
    folder: options.SandboxFolder = options.DEFAULT_SANDBOX,
    *,
    times: Annotated[int, typer.Option(help="How many requests are struck; 0 until cleared.", min=0)] = 1,
    method: Annotated[str | None, typer.Option(help="Only requests of this method.")] = None,
    path: Annotated[str | None, typer.Option(help="Only requests whose path matches this expression.")] = None,
    simulator: Annotated[str, typer.Option(help="Whose simulator: timeweb, neon or digitalocean.")] = "timeweb",
    tenant: Annotated[
        str | None, typer.Option(help="With a broken grant: whose rights are given away; anybody's where not given.")
    ] = None,
    clear: Annotated[bool, typer.Option("--clear", help="Switch all faults off, and mend broken grants.")] = False,
) -> None:
    """Switch documented incidents of a provider on and off, and give tenants' rights away for `verify` to find."""
    if not names and not clear:
        rows = [(switch.name, switch.incident) for switch in SWITCHES.values()]
        rows += [(hole.name, hole.incident) for hole in HOLES.values()]
        table("", ("fault", "incident"), rows)
        return
    if clear:
        clear_faults(folder)
        mend_grants(folder, environment(folder))
    on = [
        break_grant(folder, name, environment(folder), tenant)
        if name in HOLES
        else switch_on(folder, name, times=times, method=method, path=path, simulator=simulator)
        for name in names or ()
    ]
    say("faults are off" if clear and not names else f"on: {', '.join(on)}")


def environment_of(folder: Path) -> dict[str, str]:
    """The sandbox's environment, without the plans whose plugin is not here."""
    values = environment(folder)
    missing = missing_plugins({**os.environ, **values})
    if not missing:
        return values
    fleet = load_fleet(folder / "fleet", require_placed=False)
    left_out: list[str] = []
    for plugin in missing:
        without = _plans_of(fleet, plugin)
        if tenants := _tenants_on(fleet, without):
            left_out += without
            complain(
                f"Pulumi's plugin {plugin} is not installed, so `pulumi up` leaves out what {', '.join(tenants)} have "
                f"on {', '.join(without)}: `pulumi plugin install resource {plugin}` brings it in"
            )
    if left_out:
        values["TENANTRY_SANDBOX_WITHOUT"] = ",".join(left_out)
    return values


def missing_plugins(environ: Mapping[str, str]) -> list[str]:
    """What the Pulumi CLI on PATH lacks; nothing without a CLI, since the embedded engine serves all."""
    if not pulumi_cli.PulumiCli.available(environ):
        return []
    installed = pulumi_cli.plugins(environ)
    return sorted(set(PLUGINS.values()) - set(installed))


def _plans_of(fleet: Fleet, plugin: str) -> list[str]:
    databases = [plan.name for plan in fleet.plans.database.values() if PLUGINS.get(plan.provider) == plugin]
    return databases + [plan.name for plan in fleet.plans.storage.values() if PLUGINS.get(plan.provider) == plugin]


def _tenants_on(fleet: Fleet, plans: list[str]) -> list[str]:
    return [
        name
        for name, tenant in fleet.tenants.items()
        if any(section and section.plan in plans for section in (tenant.database, tenant.storage))
    ]


def _show(found: Status, *, as_json: bool) -> None:
    if as_json:
        emit(
            {
                "folder": str(found.folder),
                "running": found.running,
                "servers": {server.name: asdict(server) for server in found.servers},
            }
        )
    elif not found.running:
        say(f"no sandbox runs in {found.folder}")
    else:
        rows = [
            (server.name, server.url, "answers" if server.healthy else "does not answer", server.note)
            for server in found.servers
        ]
        table("", ("server", "address", "health", "note"), rows)
