"""`tenantry backup`: copies of single tenants in the offsite store, by hand or as their plans promise."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Annotated

import typer

from cli import exit_codes, options
from cli.databases import Databases, Now, moment_of
from cli.terminal import complain, emit, say, table
from dynamic_providers.errors import ProviderError
from lifecycle.backup import back_up, prune
from lifecycle.errors import DataError, MistakeError
from lifecycle.manifest import Manifest
from lifecycle.programs import Programs
from lifecycle.store import Store


def backup(
    stack: options.Stack,
    tenant: Annotated[str | None, typer.Argument(help="The tenant; none with --due, any or none with --list.")] = None,
    fleet: options.Fleet = options.CHECKOUT,
    engine: options.Engine = options.EngineName.auto,
    *,
    due: Annotated[
        bool, typer.Option("--due", help="Back up everybody whose plan wants it now, and remove what is expired.")
    ] = False,
    listing: Annotated[bool, typer.Option("--list", help="Show the backups that are in the store.")] = False,
    now: Now = None,
    json: options.Json = False,
) -> None:
    """Back up a tenant's database into the offsite store: dumped, read back, and only then told to be a backup."""
    if due + listing + (tenant is not None and not listing) != 1:
        raise typer.BadParameter("name one tenant, or --due, or --list [TENANT]")
    moment = moment_of(now)
    databases = Databases.open(stack, fleet, engine)
    store = databases.store()
    if listing:
        show(list(_listed(databases, store, tenant)), json=json)
    elif tenant is not None:
        manifest = _take(databases, store, tenant, Programs.find(), moment, fixed=now is not None)
        tell(manifest, json=json)
    else:
        _due(databases, store, moment, fixed=now is not None, json=json)


def _due(databases: Databases, store: Store, now: datetime, *, fixed: bool, json: bool) -> None:
    """Everybody's turn; one that fails does not stop the others."""
    programs = Programs.find()
    failed = 0
    for name in databases.names:
        try:
            shelf, promise = databases.shelf(store, name), databases.promise(name)
            newest = shelf.newest(shelf.look())
            if promise.is_due(newest.recovery_point if newest else None, now):
                tell(_take(databases, store, name, programs, now, fixed=fixed, scheduled=True), json=json)
            removed = databases.fleet.tenants[name].removed if name in databases.fleet.tenants else None
            for id_ in prune(shelf, promise, {removed.backup} if removed else set(), now):
                _say_removed(name, id_, json=json)
        except (DataError, ProviderError) as error:
            failed += 1
            complain(f"{name}: {error}")
    if failed:
        complain(f"{failed} of {len(databases.names)} tenants could not be seen to")
        raise typer.Exit(exit_codes.ENGINE_ERROR)


def _take(
    databases: Databases,
    store: Store,
    name: str,
    programs: Programs,
    now: datetime,
    *,
    fixed: bool,
    scheduled: bool = False,
) -> Manifest:
    return back_up(
        databases.subject(name),
        databases.shelf(store, name),
        programs,
        (lambda: now) if fixed else lambda: datetime.now(UTC),
        # Who leaves is blocked and writes nothing any more: whatever backup is taken then is the last word.
        "final" if databases.tenants[name].state == "terminated" else "scheduled" if scheduled else "manual",
    )


def _listed(databases: Databases, store: Store, tenant: str | None) -> Iterator[Manifest]:
    known = {*databases.names, *databases.fleet.tenants}
    if tenant is not None and tenant not in known:
        raise MistakeError(f"there is no tenant '{tenant}' in the catalogue or in stack '{databases.base_stack}'")
    for name in [tenant] if tenant else sorted(known):
        yield from databases.shelf(store, name).all()


def tell(manifest: Manifest, *, json: bool) -> None:
    """A backup that was made; what it does not hold is said each time."""
    if json:
        emit(described(manifest), indent=None)
        return
    gap = "the first one" if manifest.gap_seconds is None else f"{manifest.gap_seconds} s after the one before"
    say(
        f"backup {manifest.id} of {manifest.tenant}: {manifest.contents.rows} rows in"
        f" {len(manifest.contents.tables)} tables, {manifest.bytes} bytes, read back; {gap}"
    )
    for what in manifest.left_out:
        complain(f"{manifest.tenant}: {what} are not in the backup: they lie in no schema")


def show(manifests: list[Manifest], *, json: bool) -> None:
    """What is in the store."""
    if json:
        emit([described(manifest) for manifest in manifests])
        return
    rows = [
        (
            each.tenant,
            each.id,
            each.recovery_point.astimezone(UTC).isoformat(timespec="seconds"),
            each.reason,
            each.plan,
            str(each.contents.rows),
            str(each.bytes),
        )
        for each in manifests
    ]
    table("", ("tenant", "backup", "recovery point", "reason", "plan", "rows", "bytes"), rows)


def described(manifest: Manifest) -> dict[str, object]:
    """A manifest without each table's figures, which fill pages."""
    told: dict[str, object] = manifest.model_dump(mode="json", exclude={"contents"})
    held = manifest.contents
    return told | {"tables": len(held.tables), "rows": held.rows, "checksum": held.checksum}


def _say_removed(name: str, id_: str, *, json: bool) -> None:
    if json:
        emit({"tenant": name, "removed": id_}, indent=None)
    else:
        say(f"removed  {id_} of {name} (expired)")
