"""`tenantry restore`: one tenant's data back from the offsite store, and drills that prove it can be."""

import json as json_module
from collections import defaultdict
from datetime import UTC, datetime
from typing import Annotated

import typer

from cli import exit_codes, options
from cli.confirm import confirm
from cli.databases import Databases, Now, moment_of
from cli.runs import state_folder
from cli.terminal import complain, emit, say
from dynamic_providers.errors import ProviderError
from lifecycle.errors import DataError, MistakeError
from lifecycle.manifest import Manifest
from lifecycle.programs import Programs
from lifecycle.restore import Job, Receipt, choose, drop_kept
from lifecycle.store import Store


def restore(
    stack: options.Stack,
    tenant: Annotated[str | None, typer.Argument(help="The tenant; none with --drill.")] = None,
    fleet: options.Fleet = options.CHECKOUT,
    engine: options.Engine = options.EngineName.auto,
    *,
    backup: Annotated[str | None, typer.Option("--backup", help="Which backup; the newest where not given.")] = None,
    at: Annotated[str | None, typer.Option("--at", help="The newest backup of a moment not after this one.")] = None,
    drill: Annotated[
        bool, typer.Option("--drill", help="Prove it instead: a tenant per plan by chance, loaded, verified, undone.")
    ] = False,
    plan: Annotated[str | None, typer.Option("--plan", help="With --drill: this plan alone.")] = None,
    seed: Annotated[int | None, typer.Option("--seed", help="With --drill: choose the same tenants again.")] = None,
    drop_old: Annotated[
        bool, typer.Option("--drop-old", help="Restore nothing: drop what former restores have kept.")
    ] = False,
    now: Now = None,
    yes: options.Yes = False,
    json: options.Json = False,
) -> None:
    """Bring one tenant's database back to a backup, verified before anybody sees it; nobody else is touched."""
    if (tenant is None) != drill or (backup and at) or (drop_old and (drill or backup or at)):
        raise typer.BadParameter("name one tenant, with at most one of --backup, --at and --drop-old; or --drill")
    moment = moment_of(now)
    databases = Databases.open(stack, fleet, engine)
    if tenant is None:
        _drill(databases, plan, seed, moment, json=json)
    elif drop_old:
        confirm(f"Drop what former restores of {tenant} have kept?", yes=yes)
        dropped = drop_kept(databases.subject(tenant).place)
        say(f"{tenant}: {', '.join(dropped) or 'nothing'} dropped")
    else:
        store = databases.store()
        manifest = _chosen(databases, store, tenant, backup, at)
        _refuse_moving(databases, tenant)
        confirm(f"Bring {tenant} back to {manifest.recovery_point.isoformat(timespec='seconds')}?", yes=yes)
        receipt = _job(databases, store, manifest, Programs.find(), moment).restore()
        _keep(databases, store, receipt)
        tell(receipt, json=json)


def _chosen(databases: Databases, store: Store, tenant: str, backup: str | None, at: str | None) -> Manifest:
    databases.subject(tenant)
    shelf = databases.shelf(store, tenant)
    if backup is not None:
        return shelf.find(backup)
    until = moment_of(at, "--at") if at else None
    if (found := shelf.newest(shelf.look(), until)) is None:
        when = f" of {at} or before" if at else ""
        raise MistakeError(f"{tenant} has no backup{when} in {store}")
    return found


def _refuse_moving(databases: Databases, tenant: str) -> None:
    if databases.tenants[tenant].other is not None:
        raise MistakeError(f"{tenant} is being moved: end the move, or undo it, before you restore")


def _job(databases: Databases, store: Store, manifest: Manifest, programs: Programs, now: datetime) -> Job:
    return Job(
        subject=databases.subject(manifest.tenant),
        shelf=databases.shelf(store, manifest.tenant),
        manifest=manifest,
        promise=databases.promise(manifest.tenant),
        programs=programs,
        now=now,
    )


def _drill(databases: Databases, plan: str | None, seed: int | None, now: datetime, *, json: bool) -> None:
    """One tenant of each plan that promises backups; a plan's drill that fails does not stop the others'."""
    candidates: dict[str, list[str]] = defaultdict(list)
    for name in databases.names:
        if databases.promise(name).every is not None and databases.tenants[name].other is None:
            candidates[databases.subject(name).plan].append(name)
    if plan is not None:
        candidates = defaultdict(list, {plan: candidates.get(plan, [])})
    chosen = choose(candidates, seed)
    if not chosen:
        raise MistakeError("there is nothing to drill: no tenant is on such a plan, or the plan promises no backups")
    store, programs, failed = databases.store(), Programs.find(), 0
    for of_plan, name in chosen.items():
        try:
            receipt = _job(databases, store, _chosen(databases, store, name, None, None), programs, now).drill()
            _keep(databases, store, receipt)
            tell(receipt, json=json)
        except (DataError, ProviderError) as error:
            failed += 1
            complain(f"drill of {of_plan} failed at {name}: {error}")
    if failed:
        raise typer.Exit(exit_codes.ENGINE_ERROR)


def _keep(databases: Databases, store: Store, receipt: Receipt) -> None:
    """The receipt beside the state, and in the store."""
    text = receipt.model_dump_json(indent=1)
    stamp = receipt.at.astimezone(UTC).strftime("%Y%m%dt%H%M%Sz")
    name = f"{stamp}-{receipt.kind}-{receipt.tenant}.json"
    folder = state_folder() / "receipts"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text(text + "\n")
    store.put(f"{databases.base_stack}/receipts/{name}", text.encode())


def tell(receipt: Receipt, *, json: bool) -> None:
    """What was measured, beside what is promised."""
    if json:
        emit(json_module.loads(receipt.model_dump_json()), indent=None)
        return
    done, promise = {"restore": "restored", "drill": "drilled"}[receipt.kind], receipt.promised_age_seconds
    say(
        f"{done} {receipt.tenant} ({receipt.plan}) from {receipt.backup}: {receipt.rows} rows in"
        f" {receipt.tables} tables verified in {receipt.seconds} s; the backup is {receipt.age_seconds} s old,"
        f" {'none is promised' if promise is None else f'{promise} s are promised'}"
    )
    if receipt.kept_as:
        say(f"what was there is kept as schema {receipt.kept_as}, until `tenantry restore {receipt.tenant} --drop-old`")
    for note in receipt.notes:
        complain(f"{receipt.tenant}: {note}")
