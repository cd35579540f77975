"""`tenantry pooler`: what the poolers before shared clusters need."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import typer

from catalogue.load import load_fleet
from cli import options
from cli.databases import Databases
from cli.terminal import complain, emit, say, table
from components.pooler import PoolerSettings, read_pooler
from components.settings import setting
from engines.engine import UserError
from lifecycle.pooler import ClusterFiles, Deployment, pooled_clusters
from lifecycle.pooler import render as rendered
from lifecycle.pooler_folder import Written, write

pooler = typer.Typer(help="What the poolers before shared clusters need.", no_args_is_help=True)


@pooler.callback()
def _poolers() -> None:
    """Keep `render` a word of its own while it is the only one."""


@pooler.command()
def render(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Folder for the files, and for nothing else.")],
    stack: options.Stack,
    fleet: options.Fleet = options.CHECKOUT,
    engine: options.Engine = options.EngineName.auto,
    *,
    installed_at: Annotated[
        Path | None, typer.Option(help="Where the files will lie on the poolers' host, if elsewhere.")
    ] = None,
    listen: Annotated[str, typer.Option(help="Addresses to listen on, with commas between them.")] = "*",
    pgbouncer: Annotated[str, typer.Option(help="PgBouncer's version, 1.18 or newer.")] = "1.21",
    json: options.Json = False,
) -> None:
    """Write PgBouncer's files for each cluster of a pooled plan. They are secret; passwords are not in them."""
    version = _version(pgbouncer)
    loaded = load_fleet(fleet)
    names = pooled_clusters(loaded.placements, loaded.plans)
    running = Databases.open(stack, fleet, engine)
    settings = _settings(running.configuration)
    installed = (installed_at or folder).absolute()
    deployment = Deployment(settings=settings, folder=installed, listen=listen, version=version)
    files = rendered(loaded, running.tenants, deployment)
    written = write(folder, files, keep=names)
    missing = [name for name in names if name not in {each.cluster for each in files}]
    _tell(files, written, missing, json=json)


def _tell(files: list[ClusterFiles], written: Written, missing: list[str], *, json: bool) -> None:
    for name in missing:
        complain(
            f"cluster {name} is not in the stack's outputs, so its files stay as they are: run `tenantry up` first"
        )
    if json:
        rows = [
            {
                "cluster": each.cluster,
                "port": each.port,
                "tenants": each.tenants,
                "changed": each.cluster in written.changed,
            }
            for each in files
        ]
        emit({"clusters": rows, "removed": list(written.removed), "missing": missing})
        return
    if not files and not written.removed and not missing:
        say("no cluster has a pooler: write `pooled: true` in a shared plan of plans.yaml, and run `tenantry place`")
        return
    states = dict.fromkeys(written.changed, "written")
    table(
        "",
        ("cluster", "port", "tenants", "files"),
        [(each.cluster, str(each.port), str(each.tenants), states.get(each.cluster, "unchanged")) for each in files]
        + [(name, "-", "-", "removed") for name in written.removed],
    )


def _version(text: str) -> tuple[int, int]:
    match = re.fullmatch(r"(\d{1,3})\.(\d{1,3})(\.\d{1,3})?", text)
    if match is None or (version := (int(match[1]), int(match[2]))) < (1, 18):
        raise typer.BadParameter(f"'{text}' is no version of PgBouncer from 1.18 on", param_hint="--pgbouncer")
    return version


def _settings(configuration: Mapping[str, str]) -> PoolerSettings:
    try:
        return read_pooler(lambda key: setting(key, configuration))
    except ValueError as error:
        raise UserError(str(error)) from error
