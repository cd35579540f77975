"""The tenants' databases as a running fleet has them, for commands that work on tenants' data."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from pydantic import ValidationError

from catalogue.load import Fleet, load_fleet
from cli import options
from cli.outputs import merged
from cli.runs import open_engine
from components.outputs import TenantOutputs, parse_tenants
from engines.engine import EngineError
from lifecycle.backup import Subject
from lifecycle.errors import MistakeError
from lifecycle.manifest import Shelf
from lifecycle.places import Keys
from lifecycle.schedule import Promise
from lifecycle.store import Store, StoreSettings

Now = Annotated[
    str | None, typer.Option("--now", help="The moment to act at, like 2026-11-24T15:00Z; the clock where not given.")
]


@dataclass(frozen=True)
class Databases:
    """One fleet with its outputs, secrets shown, and its stack's configuration."""

    fleet: Fleet
    base_stack: str
    configuration: Mapping[str, str]
    tenants: Mapping[str, TenantOutputs]

    @classmethod
    def open(cls, stack: str, folder: Path, engine: options.EngineName) -> "Databases":
        """Read catalogue, configuration and outputs. Raises `EngineError` where the stack is not up."""
        fleet = load_fleet(folder, require_placed=False)
        try:
            tenants = parse_tenants(merged(stack, folder, engine, show_secrets=True))
        except ValidationError as error:
            faults = ", ".join(".".join(map(str, fault["loc"])) for fault in error.errors()[:3])
            raise EngineError(f"the outputs of '{stack}' are not whole ({faults}): run `tenantry up` first") from error
        # After the outputs: those refuse a stack without a file, and an engine would make one.
        configuration = open_engine(engine, stack, fleet).configuration()
        return cls(fleet, configuration.get("tenantry:baseStack") or stack, configuration, tenants)

    @property
    def names(self) -> list[str]:
        """Tenants with a database, by id."""
        return [name for name, tenant in sorted(self.tenants.items()) if tenant.database]

    def store(self) -> Store:
        """The offsite store. Raises `MistakeError` where it is not set."""
        return Store(StoreSettings.read(self.configuration))

    def shelf(self, store: Store, tenant: str) -> Shelf:
        """The tenant's place in the store."""
        return Shelf(store, self.base_stack, tenant)

    def subject(self, tenant: str) -> Subject:
        """The tenant's database. Raises `MistakeError` where it has none that is up."""
        found = self.tenants.get(tenant)
        if found is None or found.database is None:
            raise MistakeError(f"'{tenant}' has no database in stack '{self.base_stack}': see `tenantry outputs`")
        placement = self.fleet.placements.tenants.get(tenant)
        if placement is None or placement.database is None:
            raise MistakeError(f"placements.yaml does not know '{tenant}', whom the stack has: put its place back")
        placed = placement.database
        place = Keys(self.configuration).database(self.fleet.placements, tenant, placed, found.database)
        return Subject(tenant, found.database.plan, placed.generation, place)

    def promise(self, tenant: str) -> Promise:
        """What the tenant's plan promises."""
        database = self.tenants[tenant].database
        if database is None or database.plan not in self.fleet.plans.database:
            raise MistakeError(f"the plan of '{tenant}' is not in plans.yaml any more: put it back")
        return Promise.of(self.fleet.plans.database[database.plan].backups)


def moment_of(text: str | None, option: str = "--now") -> datetime:
    """The instant of an option; without one the clock's. A time without a zone is UTC."""
    if text is None:
        return datetime.now(UTC)
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise typer.BadParameter(f"{option} '{text}' is no moment: write 2026-11-24T15:00Z") from None
    return found if found.tzinfo else found.replace(tzinfo=UTC)
