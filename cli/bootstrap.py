"""`tenantry bootstrap`: what an account and a stack need once."""

import os
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from catalogue.load import Fleet, load_fleet
from cli import exit_codes, options
from cli.cells import base_stack
from cli.runs import chosen_engine, engine_at
from cli.terminal import emit, table
from components.settings import PROJECT, setting
from dynamic_providers.configuration import read_configuration
from dynamic_providers.errors import ProviderError
from dynamic_providers.timeweb.session import open_session
from engines.engine import Engine, UserError
from engines.secure_config import save_with_cli, save_with_passphrase
from lifecycle.bootstrap import ADMIN_SECRET, ADMIN_SECRET_VARIABLE, Offer, Step, admin_secret, offsite, sizes, token
from lifecycle.store import Store, StoreSettings


def bootstrap(
    stack: options.Stack,
    fleet: options.Fleet = options.CHECKOUT,
    engine: options.Engine = options.EngineName.auto,
    *,
    check: Annotated[bool, typer.Option("--check", help="Make nothing; exit 4 where anything is missing.")] = False,
    json: options.Json = False,
) -> None:
    """Check the account's token and sizes, and make what the stack needs once; what is there stays as it is."""
    loaded = load_fleet(fleet, require_placed=False)
    if base_stack(stack) != stack:
        raise UserError(f"'{stack}' is a cell: bootstrap its base stack, whose file all its cells share")
    found = steps(stack, chosen_engine(engine), loaded, check=check)
    if json:
        emit([asdict(step) for step in found])
    else:
        table("", ("step", "outcome", "detail"), [(step.name, step.outcome, step.detail) for step in found])
    outcomes = {step.outcome for step in found}
    if "refused" in outcomes:
        secret_only = all(step.name == ADMIN_SECRET for step in found if step.outcome == "refused")
        raise typer.Exit(exit_codes.REFUSED_BY_POLICY if secret_only else exit_codes.ENGINE_ERROR)
    if "missing" in outcomes:
        raise typer.Exit(exit_codes.CHANGES_PENDING)


def steps(stack: str, engine: options.EngineName, fleet: Fleet, *, check: bool, project: Path = PROJECT) -> list[Step]:
    """Everything that is needed once, in the order in which it is looked at."""
    run = engine_at(engine, stack, fleet.folder, project=project)
    settings = run.configuration()
    first, offer = token(lambda: _offer(settings))
    save = save_with_passphrase if engine is options.EngineName.embedded else save_with_cli
    secret = admin_secret(
        settings.get(ADMIN_SECRET),
        os.environ.get(ADMIN_SECRET_VARIABLE),
        clusters=_has_resources(run),
        check=check,
        save=partial(save, project, stack, os.environ, ADMIN_SECRET),
    )
    used = [part.plan for tenant in fleet.tenants.values() for part in (tenant.database, tenant.storage) if part]
    return [first, secret, *_offsite(settings, check=check), *(sizes(fleet.plans, used, offer) if offer else ())]


def _offsite(settings: Mapping[str, str], *, check: bool) -> Iterator[Step]:
    """The bucket of the offsite store, where one is set."""
    if setting("backup:endpoint", settings):
        with closing(Store(StoreSettings.read(settings))) as store:
            yield offsite(store, check=check)


def _offer(settings: Mapping[str, str]) -> Offer:
    configuration = read_configuration(settings)
    if not configuration.token:
        raise ProviderError("it is not set: `pulumi config set --secret timeweb:token`, or TIMEWEB_CLOUD_TOKEN")
    timeweb = open_session(configuration).timeweb
    return Offer(timeweb.database_presets(), timeweb.storage_presets())


def _has_resources(engine: Engine) -> bool:
    """Whether the state holds anything beside the stack itself and its providers."""
    resources = engine.export()["deployment"].get("resources") or []
    return any(resource.get("custom") and not resource["type"].startswith("pulumi:") for resource in resources)
